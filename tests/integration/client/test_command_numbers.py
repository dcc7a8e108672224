"""Numbers of requests and contacts mean what the lists show, and results name whom they concern."""

from __future__ import annotations

import json
from pathlib import Path

from meldbrug.cli.problems import LOCAL
from tests.integration.client.terminal import Terminal
from tests.support.actors import Actors, Case
from tests.support.sector import World


async def test_a_number_stays_with_its_request_and_is_never_guessed(
    terminal: Terminal, actors: Actors, reported: tuple[Case, str]
) -> None:
    case, receipt = reported
    first = await case.propose("kade9", [actors.member("kade9-contact")])
    seen = await terminal("consent", "list", "--json", receipt=receipt)
    second = await case.propose("noorderlicht", [actors.member("noorderlicht-contact")])
    listed = await terminal("consent", "list", "--json", receipt=receipt)
    shown = await terminal("consent", "list", receipt=receipt)
    preview = await terminal("consent", "preview", "1", receipt=receipt)
    guessed = [
        await terminal("consent", act, "1", "--yes", "--lang", "en", receipt=receipt)
        for act in ("give", "refuse", "withdraw")
    ]
    given = await terminal("consent", "give", second, "--yes", "--lang", "nl", receipt=receipt)
    withdrawn = await terminal("consent", "withdraw", second, "--yes", "--json", receipt=receipt)
    refused = await terminal("consent", "refuse", first, "--yes", "--lang", "nl", receipt=receipt)

    assert [item["notice"] for item in seen.json["items"]] == [first]
    assert [item["notice"] for item in listed.json["items"]] == [first, second]
    assert first in shown.text
    assert "Kade Negen Film" in preview.text
    assert [result.code for result in guessed] == [LOCAL] * 3
    assert all("meldbrug consent list" in result.err for result in guessed)
    assert withdrawn.json["organisation"] == "Omroep Noorderlicht"
    (reader,) = withdrawn.json["readerNames"]
    assert f"Ja tegen Omroep Noorderlicht ({reader})." in given.text
    assert "Nee tegen Kade Negen Film (" in refused.text


async def test_a_reader_s_number_is_the_one_in_the_circle(
    terminal: Terminal, world: World, reported: tuple[Case, str], tmp_path: Path
) -> None:
    case, _ = reported
    summary = tmp_path / "summary"
    summary.write_text("Een samenvatting zonder namen.")
    production = world.sector.production("veerpont")
    listed = (await terminal("directory", "circle", production, "--json", role="duinroos-vp")).json
    recipient = world.sector.participation("veerpont", "noorderlicht")
    before = len(listed["counsellors"])
    numbers = {
        number: person["name"]
        for number, person in enumerate(listed["safetyContacts"], before + 1)
        if person["participation"] == recipient
    }
    propose = ("notice", "propose", case.incident, "--recipient", recipient, "--until", "2027-05-01",
               "--summary-file", str(summary), "--json", "--reader")  # fmt: skip
    number, name = next(iter(numbers.items()))

    asked = await terminal(*propose, str(number), role="duinroos-vp", typed="Zonder hen kan het niet.")
    wrong = await terminal(*propose, "1", role="duinroos-vp", typed="Zonder hen kan het niet.")

    assert (asked.json["organisation"], asked.json["readerNames"]) == ("Omroep Noorderlicht", [name])
    assert (wrong.code, json.loads(wrong.err)["error"]["reason"]) == (LOCAL, "LOCAL")
