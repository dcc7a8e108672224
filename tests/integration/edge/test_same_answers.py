"""Through the edge everything is as without it: bytes, codes, texts, details (T12, T22, I7)."""

from __future__ import annotations

import asyncio

import pytest
from google.protobuf.message_factory import GetMessageClass
from google.rpc import code_pb2

from services.edge.methods import reachable
from tests.integration.edge.harness import CIRCLE, DUTCH, ENGLISH, ME, TERMS, Knocker, absent, stranger, told
from tests.support.browsing import Reply
from tests.support.personas import NOBODY, Answer, Persona, descriptor, methods
from tests.support.requests import request_for
from tests.support.sector import World

AT_ONCE = 8
ANEW = {"server_time", "next_page_token", "resume_token"}
METHODS = sorted(reachable())
UNARY_METHODS = [method for method in METHODS if not methods()[method].server_streaming]


def member(world: World) -> Persona:
    return Persona("member", world.sector.keys("noorderlicht-contact"))


def same(method: str, straight: Answer, through: Reply) -> bool:
    """Whether both say the same, but for what is made anew for each answer."""
    if straight.code == "OK":
        return through.status == 200 and settled(method, straight.body) == settled(method, through.body)
    return straight.code == code_pb2.Code.Name(through.error.code) and through.error == told(straight)


def settled(method: str, body: bytes) -> bytes:
    """An answer without the time, and without the tokens that are sealed with chance in them."""
    answer = GetMessageClass(descriptor(method).output_type).FromString(body)
    if not {field.name for field, _ in answer.ListFields()} & ANEW:
        return body
    for name in ANEW & set(answer.DESCRIPTOR.fields_by_name):
        answer.ClearField(name)
    return answer.SerializeToString(deterministic=True)


async def differences(
    knocker: Knocker, methods_: list[str], persona: Persona
) -> list[tuple[str, object, object]]:
    free, names = (
        asyncio.Semaphore(AT_ONCE),
        absent() | {"installation": knocker.world.endpoints.installation},
    )

    async def compared(method: str) -> tuple[str, object, object] | None:
        body = request_for(method, names, persona.keys).SerializeToString(deterministic=True)
        async with free:
            straight = await knocker.doors.try_again(method, body, persona)
            through = await knocker.through_again(method, body, persona)
        return None if same(method, straight, through) else (method, straight, through)

    found = await asyncio.gather(*(compared(method) for method in methods_))
    return [each for each in found if each]


@pytest.mark.parametrize("who", ["nobody", "a stranger", "a member"])
async def test_every_method_answers_through_the_edge_as_it_does_without(knocker: Knocker, who: str):
    """T12, I7."""
    persona = {"nobody": NOBODY, "a stranger": stranger(), "a member": member(knocker.world)}[who]

    assert len(UNARY_METHODS) > 60
    assert await differences(knocker, UNARY_METHODS, persona) == []


async def test_a_comparison_finds_what_it_is_for(knocker: Knocker):
    straight = await knocker.straight(TERMS, DUTCH, NOBODY)

    assert same(TERMS, straight, await knocker.through(TERMS, DUTCH, NOBODY))
    assert not same(TERMS, straight, await knocker.through(TERMS, ENGLISH, NOBODY))
    assert not same(TERMS, straight, await knocker.through(ME, b"", NOBODY))


async def test_a_request_of_odd_bytes_is_passed_on_as_it_is(knocker: Knocker):
    """T8: the token covers these very bytes; one who wrote them again would be refused."""
    field_twice_and_unknown = DUTCH + ENGLISH + b"\xf8\x07\x01"
    persona = member(knocker.world)

    through = await knocker.through(ME, b"\xf8\x07\x01", persona)
    terms = await knocker.through(TERMS, field_twice_and_unknown, NOBODY)

    assert through.status == 200
    assert through.body == (await knocker.straight(ME, b"\xf8\x07\x01", persona)).body
    assert terms.body == (await knocker.straight(TERMS, ENGLISH, NOBODY)).body


async def test_one_bit_more_in_the_body_and_the_token_is_for_another(knocker: Knocker):
    persona = member(knocker.world)
    token = dict(knocker.doors.metadata(ME, b"", persona))["authorization"]

    through = await knocker.through(ME, b"\xf8\x07\x01", persona, authorization=token)

    assert through.status == 401
    assert b"TOKEN_BODY" in through.error.SerializeToString()


async def test_closed_doors_are_the_same_bytes_at_the_same_moment(knocker: Knocker):
    """T12, I7: what is absent, and what is somebody else's."""
    persona, method = stranger(), "/meldbrug.disclosure.v1.ReporterService/GetReport"
    there = knocker.world.told.incident
    names = absent()
    loop = asyncio.get_running_loop()
    seen, took = [], []
    for incident in (names["incident"], there):
        body = request_for(method, names | {"incident": incident}).SerializeToString()
        began = loop.time()
        seen.append(await knocker.through(method, body, persona))
        took.append(loop.time() - began)

    assert seen[0] == seen[1]
    assert seen[0].status == 403
    assert all(0.24 < each < 0.6 for each in took)


async def test_public_answers_are_whole(knocker: Knocker):
    code = knocker.world.sector.code("veerpont")
    body = request_for(CIRCLE, absent() | {"code": code}).SerializeToString()

    straight, through = (
        await knocker.straight(CIRCLE, body, NOBODY),
        await knocker.through(CIRCLE, body, NOBODY),
    )

    assert straight.body == through.body
    assert len(through.body) > 10_000
