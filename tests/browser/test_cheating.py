"""A server that cheats: what it exchanged or made up is neither shown nor sealed to (T7, T26, T27)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.message import Message
from playwright.async_api import Route

from meldbrug.client import ReporterClient
from meldbrug.common.v1 import common_pb2 as common
from meldbrug.crypto import (
    SecretKeys,
    SectionContext,
    keys_from,
    new_cek,
    new_entropy,
    seal_section,
    to_words,
    wrap_key,
)
from meldbrug.directory.v1 import directory_service_pb2 as directory
from meldbrug.disclosure.v1 import disclosure_service_pb2 as disclosure
from tests.browser.conftest import Visit
from tests.support.actors import Actors
from tests.support.browser import Visitor
from tests.support.sector import World

STRANGER = SecretKeys.generate()
CIRCLE = "meldbrug.directory.v1.PublicService/GetProductionByCode"
OPEN = "meldbrug.disclosure.v1.ReporterService/OpenSections"
REFUSED = "Wat de server gaf klopt niet."
MESSAGE = "Is er al iets bekend?"
Lie = Callable[[Any], object]


async def lied_to(visitor: Visitor, method: str, answer: type[Message], lie: Lie) -> None:
    """Lets every answer of a method be changed on its way."""

    async def change(route: Route) -> None:
        given = await route.fetch()
        message = answer.FromString(await given.body())
        lie(message)
        await route.fulfill(response=given, body=message.SerializeToString())

    await visitor.page.context.route(f"**/{method}", change)


def a_false_key(answer: Any) -> None:
    """The counsellors are somebody else."""
    for contact in answer.circle.contacts:
        contact.kid = STRANGER.kid
    public = STRANGER.public
    answer.circle.book.keys.append(common.PublicKeys(signing=public.signing, sealing=public.sealing))


async def test_nobody_is_offered_whose_key_is_false(world: World, visit: Visit) -> None:
    visitor = await visit()
    await lied_to(visitor, CIRCLE, directory.GetProductionByCodeResponse, a_false_key)
    await visitor.go(f"start?c={world.sector.code('veerpont')}")
    await visitor.press("Zoeken")

    await visitor.sees(REFUSED)
    assert await visitor.page.get_by_role("radio").count() == 0


@pytest.fixture
async def told(world: World, monkeypatch: pytest.MonkeyPatch) -> tuple[ReporterClient, str]:
    """A report with two messages, and its receipt."""
    entropy, actors = new_entropy(), Actors(world)
    reporter = ReporterClient(world.connection, keys_from(entropy))
    monkeypatch.setattr(actors, "newcomer", lambda: reporter)
    await actors.report()
    for text in (MESSAGE, "En nu?"):
        await reporter.send(text)
    return reporter, " ".join(to_words(entropy, "nl"))


def swapped(answer: Any) -> None:
    """Two texts have changed places."""
    first, second = answer.sections[0], answer.sections[1]
    first.ciphertext, second.ciphertext = second.ciphertext, first.ciphertext


def forged(reporter: ReporterClient, incident: str) -> Lie:
    """The last text is a stranger's, sealed as it should be."""

    def lie(answer: Any) -> None:
        opened = answer.sections[-1]
        header = opened.header
        context = SectionContext(reporter.installation, incident, header.name, header.version, header.kind)
        cek = new_cek()
        sealed = seal_section(context, "Trek je melding in.", cek, STRANGER, reporter.kid)
        opened.ciphertext = sealed.ciphertext
        opened.wrap.wrap = wrap_key(cek, reporter.public, context, opened.grant, opened.purposes)
        header.digest, header.commitment = sealed.digest, sealed.commitment
        header.author_kid, header.author_signature = sealed.author_kid, sealed.author_signature

    return lie


@pytest.mark.parametrize("how", ["swapped", "forged"])
async def test_a_text_that_is_not_its_author_s_is_not_shown(
    visit: Visit, told: tuple[ReporterClient, str], how: str
) -> None:
    reporter, words = told
    lie = swapped if how == "swapped" else forged(reporter, (await reporter.find()).name)
    visitor = await visit()
    await lied_to(visitor, OPEN, disclosure.ReporterServiceOpenSectionsResponse, lie)
    await visitor.go("back")
    await visitor.page.locator("#twelve").fill(words)
    await visitor.press("Openen")

    await visitor.sees(REFUSED)
    assert await visitor.page.get_by_text("Trek je melding in.").count() == 0
    assert await visitor.page.get_by_text(MESSAGE).count() == 0


async def test_without_a_lie_the_same_way_works(visit: Visit, told: tuple[ReporterClient, str]) -> None:
    visitor = await visit()
    await lied_to(visitor, OPEN, disclosure.ReporterServiceOpenSectionsResponse, lambda _answer: None)
    await visitor.go("back")
    await visitor.page.locator("#twelve").fill(told[1])
    await visitor.press("Openen")

    await visitor.sees(MESSAGE)
