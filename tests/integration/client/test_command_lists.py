"""Lists of a part, by the command: of one production, in some states, and nothing that it does not know."""

from __future__ import annotations

import pytest

from meldbrug.cli.labels import NOTICE_STATES
from meldbrug.cli.problems import LOCAL, REFUSED
from tests.integration.client.terminal import Terminal
from tests.support.actors import Actors, stub_of, until
from tests.support.sector import World

READER = "noorderlicht-contact"


async def names(terminal: Terminal, *command: str, role: str) -> list[str]:
    """The names on a list."""
    return [item["name"] for item in (await terminal(*command, "--json", role=role)).json["items"]]


async def test_a_handler_lists_the_reports_of_one_production(terminal: Terminal, world: World) -> None:
    demo, own = Actors(world), await Actors.on_their_own(world)
    here, there = await own.report(), await demo.report()
    production = (await own.circle()).production

    listed = await names(terminal, "case", "list", "--production", production, role="duinroos-vp")
    whole = await names(terminal, "case", "list", role="duinroos-vp")
    unknown = await names(
        terminal, "case", "list", "--production", f"productions/{'a' * 26}", role="duinroos-vp"
    )
    malformed = await terminal("case", "list", "--production", "De Veerpont", "--json", role="duinroos-vp")

    assert listed == [here.incident]
    assert {here.incident, there.incident} <= set(whole)
    assert unknown == []
    assert malformed.code == REFUSED
    assert "production" in malformed.err


async def test_a_reader_lists_what_is_in_some_states(terminal: Terminal, world: World) -> None:
    actors = Actors(world)
    offered, withdrawn = await actors.report(), await actors.report()
    for case in (offered, withdrawn):
        await case.propose("noorderlicht", [actors.member(READER)])
        await case.offered()
    await withdrawn.consents.withdraw(withdrawn.notice)
    await until(lambda: stub_of(withdrawn.reader, withdrawn.notice), lambda stub: stub and stub.tombstone)

    async def listed(*states: str) -> set[str]:
        options = [word for state in states for word in ("--state", state)]
        found = await names(terminal, "inbox", "list", *options, role=READER)
        return set(found) & {offered.notice, withdrawn.notice}

    assert await listed() == {offered.notice, withdrawn.notice}
    assert await listed("withdrawn") == {withdrawn.notice}
    assert await listed("offered", "lapsed") == {offered.notice}
    assert await listed("withdrawn", "offered", "withdrawn") == {offered.notice, withdrawn.notice}
    assert await listed("recall-requested") == set()


@pytest.mark.parametrize("state", ["declned", "consent-pending", "", "OFFERED"])
async def test_a_state_that_there_is_not_is_told_with_those_that_there_are(
    terminal: Terminal, state: str
) -> None:
    """The whole list in its place would pass for what was asked."""
    refused = await terminal("inbox", "list", "--state", "offered", "--state", state, role=READER)

    assert refused.code == LOCAL
    assert refused.out == ""
    assert all(known in refused.err for known in NOTICE_STATES)
