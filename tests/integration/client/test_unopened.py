"""A section that was sealed wrongly by somebody who may write: named, never shown, and in nobody's way."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from meldbrug.client import Content, DoesNotOpen, Text, Unopened, Unverified, new_id, new_request_id
from meldbrug.client.sealing import wrap_for
from meldbrug.common.v1 import common_pb2 as common
from meldbrug.crypto import PublicKeys, SectionContext, new_cek, seal_section
from meldbrug.disclosure.v1 import disclosure_pb2 as wire
from meldbrug.disclosure.v1 import disclosure_service_pb2 as service
from tests.integration.client.cheating import lying
from tests.integration.client.terminal import Terminal
from tests.integration.client.test_cheating import member_at
from tests.support.actors import Actors, Case
from tests.support.sector import World

PICTURE = b"\x89PNG\r\n\x1a\n\xff"
HONEST = "Dank je dat je dit meldt."


def rightly(reader: PublicKeys, cek: bytes, context: SectionContext) -> wire.Wrap:
    return wrap_for(reader, cek, context, context.incident, ())


def of_another_key(reader: PublicKeys, _cek: bytes, context: SectionContext) -> wire.Wrap:
    return wrap_for(reader, new_cek(), context, context.incident, ())


def of_noise(reader: PublicKeys, cek: bytes, context: SectionContext) -> wire.Wrap:
    wrap = wrap_for(reader, cek, context, context.incident, ())
    wrap.wrap = wrap.wrap[:-16] + bytes(16)
    return wrap


Wrapping = Callable[[PublicKeys, bytes, SectionContext], wire.Wrap]
WRONG = [
    pytest.param(b"Een bericht.", of_another_key, id="a wrap of another key"),
    pytest.param(b"Een bericht.", of_noise, id="a wrap of noise"),
    pytest.param(PICTURE, rightly, id="a message that is no text"),
]


async def put(case: Case, kind: common.Kind.ValueType, content: bytes, wrapping: Wrapping) -> str:
    """The handler adds a section, signed as it should be; returns its name."""
    found = await case.handler.handler.report(case.incident)
    name = f"{case.incident}/sections/{new_id()}"
    context = SectionContext(case.reporter.installation, case.incident, name, 1, kind)
    cek = new_cek()
    sealed = seal_section(context, content, cek, case.handler.keys, case.reporter.kid)
    header = wire.SectionHeader(
        name=name,
        version=1,
        kind=kind,
        digest=sealed.digest,
        commitment=sealed.commitment,
        author_kid=sealed.author_kid,
        reporter_kid=sealed.reporter_kid,
        author_signature=sealed.author_signature,
    )
    wraps = [wrapping(reader, cek, context) for reader in (found.reporter, *found.handlers.keys)]
    request = service.HandlerServicePutSectionRequest(
        section=wire.NewSection(header=header, ciphertext=sealed.ciphertext, wraps=wraps),
        request_id=new_request_id(),
    )
    await case.handler.handler._disclose("PutSection", request, service.HandlerServicePutSectionResponse)
    return name


def named_only(text: Text, section: str, case: Case) -> bool:
    """Whether an entry says whose and which section it is, and nothing of what it holds."""
    return (
        isinstance(text, Unopened)
        and (text.section, text.author.kid) == (section, case.handler.kid)
        and (text.text, text.data) == ("", b"")
        and text.author.member is not None
    )


def opened(texts: Sequence[Text]) -> list[str]:
    return [text.text for text in texts if not isinstance(text, Unopened)]


@pytest.mark.parametrize(("content", "wrapping"), WRONG)
async def test_a_message_that_does_not_open_does_not_close_the_mailbox(
    actors: Actors, terminal: Terminal, content: bytes, wrapping: Wrapping
) -> None:
    case = await actors.report()
    wrong = await put(case, common.KIND_MESSAGE, content, wrapping)
    await case.handler.handler.send(case.incident, HONEST)

    for mailbox in (await case.reporter.mailbox(), await case.handler.handler.mailbox(case.incident)):
        assert named_only(mailbox[0], wrong, case)
        assert opened(mailbox) == [HONEST]
    everything = await case.handler.handler.read(case.incident)
    assert [named_only(text, wrong, case) for text in everything].count(True) == 1
    assert (await terminal("case", "show", case.incident, role="duinroos-vp")).code == 0


@pytest.mark.parametrize(("content", "wrapping"), WRONG)
async def test_an_intake_is_changed_and_shared_without_what_does_not_open(
    actors: Actors, content: bytes, wrapping: Wrapping
) -> None:
    case = await actors.report([actors.member("duinroos-vp")])
    wrong = await put(case, common.KIND_MESSAGE, content, wrapping)
    joining = actors.member("duinroos-plv")
    sections = [header.name async for header in case.reporter.headers()]

    await case.reporter.change_intake([await actors.person(joining)], sections)

    read = {text.section for text in await joining.handler.read(case.incident)}
    assert read == set(sections) - {wrong}


@pytest.mark.parametrize(("content", "wrapping"), WRONG)
async def test_what_is_handed_on_is_whole_or_not_at_all(
    actors: Actors, content: bytes, wrapping: Wrapping
) -> None:
    case = await actors.report()
    wrong = await put(case, common.KIND_SUMMARY, content, wrapping)

    with pytest.raises(DoesNotOpen):
        await case.reporter.contents([wrong])
    with pytest.raises(DoesNotOpen):
        await case.handler.handler.contents(case.incident, [wrong])
    with pytest.raises(Unverified):
        await case.propose(
            "noorderlicht", [actors.member("noorderlicht-contact")], sections=[wrong], texts={}
        )


async def test_a_text_that_was_exchanged_is_the_server_s_lie_and_shows_nothing(
    world: World, actors: Actors
) -> None:
    case = await actors.report()
    await case.handler.handler.send(case.incident, HONEST)
    cheated = lying(
        world,
        HandlerService_OpenSections=lambda answer: setattr(answer.sections[0], "ciphertext", bytes(1040)),
    )

    with pytest.raises(Unverified) as raised:
        await member_at(case.handler, cheated).handler.read(case.incident)

    assert not isinstance(raised.value, DoesNotOpen)


async def test_evidence_may_be_anything(actors: Actors) -> None:
    case = await actors.report()
    name = await put(case, common.KIND_EVIDENCE, PICTURE, rightly)

    for text in (
        *await case.reporter.read([name]),
        *await case.handler.handler.read(case.incident, [name]),
    ):
        assert not isinstance(text, Unopened)
        assert (text.text, text.data) == ("", PICTURE)
    (content,) = await case.reporter.contents([name])
    assert isinstance(content, Content)
