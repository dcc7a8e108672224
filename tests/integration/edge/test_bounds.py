"""What never comes, never ends or never reads is given up, and keeps nobody else out (I26, T11)."""

from __future__ import annotations

import asyncio
import ssl
import urllib.request
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from services.edge.server import HANDSHAKE_S, KEEP_ALIVE_S
from services.kernel.patience import Patience
from services.stack import certificates
from services.stack.processes import free_port
from tests.integration.edge.harness import DUTCH, TERMS, own_edge
from tests.integration.edge.test_refusals import reason
from tests.support.browsing import UNARY, Wire
from tests.support.sector import World

SOON_S = 5.0


@pytest.fixture
def services(world: World) -> dict[str, str]:
    return world.endpoints.services


async def gone(wire: Wire) -> bool:
    """Whether the other side has ended the connection, or does so soon."""
    try:
        async with asyncio.timeout(SOON_S):
            return await wire.reader.read(1) == b""
    except (ConnectionError, ssl.SSLError):
        return True


async def test_a_body_that_does_not_come_is_given_up(services: dict[str, str]):
    async with own_edge(services, built={"patience": Patience(longest_s=0.2)}) as edge, Wire.to(edge) as wire:
        wire.say("POST", TERMS, UNARY | {"content-length": "100"}, b"a few")
        reply = await wire.hear()

    assert (reply.status, reason(reply)) == (429, "OVERLOADED")


async def test_a_body_that_comes_in_drops_has_no_more_time(services: dict[str, str]):
    async with own_edge(services, built={"patience": Patience(longest_s=0.3)}) as edge, Wire.to(edge) as wire:
        wire.say("POST", TERMS, UNARY | {"content-length": "100000"})

        async def drip() -> None:
            while True:
                wire.writer.write(b"x")
                await asyncio.sleep(0.02)

        dripping = asyncio.create_task(drip())
        reply = await wire.hear()
        dripping.cancel()

    assert reason(reply) == "OVERLOADED"


async def test_of_too_many_on_their_way_the_oldest_gives_way_and_others_get_through(services: dict[str, str]):
    patience = Patience(longest_s=20, places=3)
    async with own_edge(services, built={"patience": patience}) as edge, AsyncExitStack() as held:
        silent = [await held.enter_async_context(Wire.to(edge)) for _ in range(5)]
        for wire in silent:
            wire.say("POST", TERMS, UNARY | {"content-length": "100"})
            await asyncio.sleep(0.02)
        given_up = [await wire.hear() for wire in silent[:2]]
        async with Wire.to(edge) as wire:
            through = await wire.ask(TERMS, UNARY, DUTCH)

    assert {reason(reply) for reply in given_up} == {"OVERLOADED"}
    assert through.status == 200


@pytest.mark.parametrize(
    "said", [b"", b"POST ", b"POST / HTTP/1.1\r\nhost: x\r\n"], ids=["nothing", "a word", "half"]
)
async def test_whoever_does_not_come_to_the_point_is_given_up(services: dict[str, str], said: bytes):
    async with own_edge(services, built={"idle_s": 0.5}) as edge, Wire.to(edge) as wire:
        wire.writer.write(said)
        assert await gone(wire)


async def test_whoever_does_not_read_its_answer_is_given_up(services: dict[str, str], tmp_path: Path):
    (tmp_path / "index.html").write_bytes(bytes(20_000_000))
    port, built = free_port(), {"longest_s": 0.3}
    given = {"app_dir": tmp_path, "installation": "a" * 52, "metrics_listen": f"127.0.0.1:{port}"}
    async with own_edge(services, built=built, **given) as edge, Wire.to(edge) as wire:
        wire.say("GET", "/", {})
        await wire.head()
        async with asyncio.timeout(SOON_S):
            while "meldbrug_edge_connections 0.0" not in await metrics(port):
                await asyncio.sleep(0.05)


async def metrics(port: int) -> str:
    """What the metrics page says."""
    with await asyncio.to_thread(urllib.request.urlopen, f"http://127.0.0.1:{port}/metrics") as page:
        return str(page.read().decode())


async def test_connections_without_end_keep_nobody_out(services: dict[str, str]):
    async with own_edge(services, connections=16) as edge, AsyncExitStack() as held:
        idle = [await held.enter_async_context(Wire.to(edge)) for _ in range(40)]
        async with Wire.to(edge) as wire:
            reply = await wire.ask(TERMS, UNARY, DUTCH)
        assert await gone(idle[0])

    assert reply.status == 200


async def test_handshakes_without_end_keep_nobody_out(services: dict[str, str], tmp_path: Path):
    made = certificates.ensure(tmp_path, "authority.pem", ["127.0.0.1"])
    given = {"tls_cert_file": made.certificate, "tls_key_file": made.key}
    async with own_edge(services, connections=16, **given) as plain, AsyncExitStack() as held:
        mute = [await held.enter_async_context(Wire.to(plain)) for _ in range(40)]
        async with Wire.to(plain.replace("http:", "https:"), str(made.authority)) as wire:
            reply = await wire.ask(TERMS, UNARY, DUTCH)
        assert await gone(mute[0])

    assert reply.status == 200
    assert SOON_S < HANDSHAKE_S


@pytest.mark.parametrize(("times", "size"), [(1, 20_000_000), (500, 60_000)], ids=["one", "many at once"])
async def test_answers_that_nobody_reads_keep_nobody_out(
    services: dict[str, str], tmp_path: Path, times: int, size: int
):
    (tmp_path / "index.html").write_bytes(bytes(size))
    given = {"app_dir": tmp_path, "installation": "a" * 52}
    async with own_edge(services, connections=16, **given) as edge, AsyncExitStack() as held:
        for _ in range(16):
            deaf = await held.enter_async_context(Wire.to(edge))
            for _ in range(times):
                deaf.say("GET", "/", {})
            await deaf.head()
        async with Wire.to(edge) as wire:
            reply = await wire.ask(TERMS, UNARY, DUTCH)

    assert reply.status == 200


async def test_a_request_that_says_it_is_too_large_is_refused_before_it_comes(services: dict[str, str]):
    async with own_edge(services, max_message_bytes=4096) as edge, Wire.to(edge) as wire:
        wire.say("POST", TERMS, UNARY | {"content-length": "4097"})
        reply = await wire.hear()

    assert (reply.status, reason(reply)) == (429, "MESSAGE_TOO_LARGE")


async def test_headers_without_end_are_cut(services: dict[str, str]):
    async with own_edge(services) as edge, Wire.to(edge) as wire:
        wire.writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n" + b"x-more: " + b"x" * 100_000)
        reply = await wire.hear()

    assert reply.status == 400


@pytest.mark.parametrize(
    "said",
    [
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost : x\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
async def test_what_two_servers_could_read_in_two_ways_is_refused(services: dict[str, str], said: bytes):
    async with own_edge(services) as edge, Wire.to(edge) as wire:
        wire.writer.write(said)
        reply = await wire.hear()
        assert await gone(wire)

    assert reply.status in (400, 411)


async def test_nonsense_after_a_request_ends_the_connection(services: dict[str, str]):
    async with own_edge(services) as edge, Wire.to(edge) as wire:
        wire.say("POST", TERMS, UNARY, DUTCH)
        wire.writer.write(b"\x00nonsense\r\n\r\n")

        assert (await wire.hear()).status == 200
        assert (await wire.hear()).status == 400
        assert await gone(wire)


async def test_a_connection_that_has_asked_may_ask_again_for_a_while(services: dict[str, str]):
    async with own_edge(services) as edge, Wire.to(edge) as wire:
        replies = [await wire.ask(TERMS, UNARY, DUTCH) for _ in range(50)]

    assert {reply.status for reply in replies} == {200}
    assert KEEP_ALIVE_S > 5
