"""The command does the job of each user, on the real stack, in a process of its own."""

# ruff: noqa: E501 - a command stands on a line

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from meldbrug.cli.problems import CHANGED, CLOSED, LOCAL, UNVERIFIED, USAGE
from tests.integration.client.terminal import Terminal
from tests.support.actors import Actors, Case, until
from tests.support.sector import World

ACCOUNT = "Het overkwam mij, op de pont."
SUMMARY = "Een samenvatting zonder namen."
NOTE = "Nabellen op dinsdag, na de draaidag."


@pytest.fixture
def wrote(tmp_path: Path):
    def write(name: str, text: str) -> str:
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)

    return write


async def test_the_whole_job_of_each_user(  # noqa: PLR0915 - one story, told in order
    terminal: Terminal, world: World, wrote
) -> None:
    code = world.sector.code("veerpont")
    reported = (
        await terminal(
            "report", "--json", "--code", code, "--handler", world.sector.keys("duinroos-vp").kid, "--category", "harassment",
            "--exclude-organisation", "Lichtbrug Facilitair", "--account-file", wrote("account", ACCOUNT),
            "--lang", "nl",
        )
    ).json  # fmt: skip
    incident, receipt = reported["incident"], reported["receipt"]
    assert len(receipt.split()) == 12

    async def listed() -> bool:
        items = (await terminal("case", "list", "--json", role="duinroos-vp")).json["items"]
        return incident in [item["name"] for item in items]

    await until(listed)
    acknowledged = await terminal("case", "acknowledge", incident, "--json", role="duinroos-vp")
    assert acknowledged.json["state"] == "INCIDENT_STATE_ACKNOWLEDGED"
    shown = await terminal("case", "show", incident, role="duinroos-vp", env={"LANG": "nl_NL.UTF-8"})
    assert ACCOUNT in shown.text
    assert "intimidatie" in shown.text
    sent = await terminal("case", "message", incident, "--json", role="duinroos-vp", typed="Ben je veilig?")
    assert sent.json["section"].startswith(incident)
    too_early = await terminal(
        "case", "assess", incident, "own-follow-up", role="duinroos-vp", env={"LANG": "en"}
    )
    assert too_early.code == CHANGED
    assert "acknowledged" in too_early.err
    await terminal("case", "assess", incident, "assessing", role="duinroos-vp")
    assessed = await terminal("case", "assess", incident, "sharing-considered", "--json", role="duinroos-vp")
    assert assessed.json["state"] == "INCIDENT_STATE_SHARING_CONSIDERED"
    read = (await terminal("mailbox", "--json", receipt=receipt)).json["items"]
    assert [(item["text"], item["role"]) for item in read] == [("Ben je veilig?", "Vertrouwenspersoon")]
    await terminal("mailbox", "send", "--json", receipt=receipt, typed="Ja, morgen is hij er niet.")
    proposed = await terminal(
        "notice", "propose", incident, "--json", "--recipient", world.sector.participation("veerpont", "noorderlicht"),
        "--until", "2027-05-01", "--reader", "Compliance officer", "--purpose", "protect-people",
        "--summary-file", wrote("summary", SUMMARY), "--measures-file", wrote("measures", "Een tweede persoon."),
        role="duinroos-vp", typed="Zonder hen kan het niet.",
    )  # fmt: skip
    notice = proposed.json["notice"]
    preview = await terminal("consent", "preview", "1", "--lang", "nl", receipt=receipt)
    assert SUMMARY in preview.text
    assert "Compliance officer" in preview.text
    assert "terugnemen" in preview.text
    given = await terminal("consent", "give", notice, "--kind", "summary", "--yes", "--json", receipt=receipt)
    assert given.json["answer"] == "ANSWER_GIVEN"

    async def offered() -> bool:
        items = (await terminal("inbox", "list", "--json", role="noorderlicht-contact")).json["items"]
        return notice in [item["name"] for item in items]

    await until(offered)
    accepted = await terminal("notice", "accept", notice, "--yes", "--json", role="noorderlicht-contact")
    assert accepted.json["state"] == "NOTICE_STATE_TERMS_ACCEPTED"
    opened = (await terminal("notice", "open", notice, "--json", role="noorderlicht-contact")).json
    assert [(text["kind"], text["text"]) for text in opened["texts"]] == [("KIND_SUMMARY", SUMMARY)]

    async def acknowledged_too() -> bool:
        answer = await terminal("notice", "acknowledge", notice, "--json", role="noorderlicht-contact")
        return answer.code == 0

    await until(acknowledged_too)
    seen = (await terminal("openings", "--json", receipt=receipt)).json["items"]
    assert "Omroep Noorderlicht" in {item["organisation"] for item in seen}
    withdrawn = await terminal("consent", "withdraw", notice, "--yes", "--json", receipt=receipt)
    assert withdrawn.json["answer"] == "ANSWER_WITHDRAWN"
    closed = await terminal("notice", "open", notice, "--json", role="noorderlicht-contact")
    assert (closed.code, json.loads(closed.err)["error"]["reason"]) == (CLOSED, "NOT_PERMITTED")
    history = (await terminal("consent", "history", "--json", receipt=receipt)).json["items"]
    assert [item["act"] for item in history] == ["withdrawal", "consent"]
    stood = await terminal("notice", "list", incident, "--json", role="duinroos-vp")
    assert [item["name"] for item in stood.json["items"]] == [notice]
    status = await terminal("status", "--json", receipt=receipt)
    assert status.json["incident"] == incident


async def test_a_reporter_without_a_code_reaches_the_independent_point(terminal: Terminal, wrote) -> None:
    reported = await terminal(
        "report", "--standing", "--handler", "1", "--account-file", wrote("account", ACCOUNT), "--lang", "en"
    )

    assert "Write these 12 words down" in reported.text
    assert "Lost is lost" in reported.text


async def test_refusing_changing_the_intake_excluding_and_withdrawing(
    terminal: Terminal, world: World, actors: Actors, wrote
) -> None:
    code = world.sector.code("veerpont")
    reported = await terminal(
        "report",
        "--json",
        "--code",
        code,
        "--handler",
        world.sector.keys("duinroos-vp").kid,
        "--account-file",
        wrote("a", ACCOUNT),
    )
    receipt, incident = reported.json["receipt"], reported.json["incident"]
    await until(lambda: _handles(terminal, incident, "duinroos-vp"))
    recipient = world.sector.participation("veerpont", "kade9")
    await terminal(
        "notice", "propose", incident, "--recipient", recipient, "--until", "2027-01-31",
        "--summary-file", wrote("s", SUMMARY), role="duinroos-vp", typed="Omdat het moet.",
    )  # fmt: skip

    refused = await terminal("consent", "refuse", "1", "--yes", "--json", receipt=receipt)
    changed = await terminal(
        "intake",
        "change",
        "--handler",
        "Vertrouwenspersoon meldpunt",
        "--share",
        "--yes",
        "--json",
        receipt=receipt,
    )
    excluded = await terminal(
        "exclude", "--organisation", "Kade Negen Film", "--yes", "--json", receipt=receipt
    )
    no_more = await terminal("case", "show", incident, "--json", role="duinroos-vp")
    withdrawn = await terminal("withdraw-report", "--yes", "--json", receipt=receipt)
    again = await terminal("mailbox", "send", "--json", receipt=receipt, typed="Nog iets.")

    assert refused.json["answer"] == "ANSWER_REFUSED"
    assert changed.json["names"] == ["Coördinator meldpunt"]
    assert excluded.json["organisations"] == [world.sector.organisation("kade9")]
    assert no_more.code == CLOSED
    assert withdrawn.json["state"] == "INCIDENT_STATE_WITHDRAWN"
    assert again.code == CHANGED


async def test_watching_shows_what_changes(terminal: Terminal, world: World, actors: Actors) -> None:
    case = await actors.report()
    await case.propose("noorderlicht", [actors.member("noorderlicht-contact")])
    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(
            terminal("inbox", "watch", "--count", "1", "--json", role="noorderlicht-contact")
        )
        while not watching.done():
            await case.give()
            await asyncio.wait([watching], timeout=3.0)

    assert json.loads(watching.result().out)["name"] == case.notice


async def test_a_reporter_sees_what_is_asked_and_who_handles(
    terminal: Terminal, actors: Actors, reported: tuple[Case, str]
) -> None:
    case, receipt = reported
    nothing = await terminal("consent", "list", "--lang", "nl", receipt=receipt)
    await case.propose("kade9", [actors.member("kade9-contact")])
    asked = await terminal("consent", "list", "--json", receipt=receipt)
    shown = await terminal("consent", "list", "--lang", "nl", receipt=receipt)
    intake = await terminal("intake", "--json", receipt=receipt)
    people = await terminal("intake", "--lang", "nl", receipt=receipt)

    assert nothing.text == "Er is niets.\n"
    assert [(item["notice"], item["answer"]) for item in asked.json["items"]] == [
        (case.notice, "ANSWER_NONE")
    ]
    assert any("nog geen antwoord" in row and "wacht op antwoord" in row for row in shown.text.splitlines())
    chosen = {actors.member(role).kid for role in ("duinroos-vp", "duinroos-plv")}
    assert set(intake.json["chosen"]) == chosen < {person["kid"] for person in intake.json["counsellors"]}
    assert people.text.count("✓") == len(chosen)


async def test_a_note_is_kept_from_the_reporter(terminal: Terminal, reported: tuple[Case, str]) -> None:
    case, receipt = reported
    kept = await terminal("case", "note", case.incident, "--json", role="duinroos-vp", typed=NOTE)
    told = await terminal("case", "note", case.incident, "--lang", "nl", role="duinroos-vp", typed="Nog een.")
    deputy_s = await terminal("case", "show", case.incident, "--json", role="duinroos-plv")
    reporter_s = await terminal("mailbox", "--all", "--json", receipt=receipt)

    assert told.text == "Bewaard.\n"
    notes = {
        text["section"]: text["text"]
        for text in deputy_s.json["texts"]
        if text["kind"] == "KIND_INTERNAL_NOTE"
    }
    assert notes[kept.json["section"]] == NOTE
    assert len(notes) == 2
    assert "KIND_INTERNAL_NOTE" not in {item["kind"] for item in reporter_s.json["items"]}


async def test_a_decision_is_renewed_and_revoked(
    terminal: Terminal, actors: Actors, reported: tuple[Case, str]
) -> None:
    case, receipt = reported
    notice = await case.propose("kade9", [actors.member("kade9-contact")])
    record = ("decision", "record", notice)
    renewed = await terminal(*record, "--json", role="duinroos-vp", typed="Nog altijd nodig.")
    unsure = await terminal(*record, "--revoke", "--json", role="duinroos-vp", typed="Het hoeft niet meer.")
    revoked = await terminal(
        *record, "--revoke", "--yes", "--lang", "nl", role="duinroos-vp", typed="Het hoeft niet meer."
    )
    stands = await terminal("notice", "list", case.incident, "--json", role="duinroos-vp")
    too_late = await terminal("consent", "give", notice, "--yes", "--json", receipt=receipt)

    assert renewed.json == {"notice": notice, "state": "NOTICE_STATE_CONSENT_PENDING"}
    assert unsure.code == LOCAL
    assert revoked.text == f"{notice}: teruggenomen\n"
    assert [item["state"] for item in stands.json["items"]] == ["NOTICE_STATE_WITHDRAWN"]
    assert too_late.code == CHANGED


async def test_a_notice_that_was_declined_is_closed_for_its_readers(
    terminal: Terminal, actors: Actors
) -> None:
    case = await actors.report()
    notice = await case.propose("noorderlicht", [actors.member("noorderlicht-contact")])
    await case.offered()
    decline = ("notice", "decline", notice, "--yes", "--json", "--reason")
    unknown = await terminal(*decline, "no-time", role="noorderlicht-contact")
    declined = await terminal(*decline, "not-concerned", role="noorderlicht-contact")
    opened = await terminal("notice", "open", notice, "--json", role="noorderlicht-contact")
    stands = await terminal("notice", "list", case.incident, "--json", role="duinroos-vp")

    assert unknown.code == LOCAL
    assert declined.json == {"notice": notice, "state": "NOTICE_STATE_DECLINED"}
    assert opened.code == CLOSED
    assert [item["state"] for item in stands.json["items"]] == ["NOTICE_STATE_DECLINED"]


async def test_another_installation_than_the_pinned_one_is_not_used(terminal: Terminal, wrote) -> None:
    refused = await terminal(
        "report", "--standing", "--handler", "1", "--account-file", wrote("a", ACCOUNT), installation="b" * 52
    )

    assert refused.code == UNVERIFIED
    assert ACCOUNT not in refused.out + refused.err


@pytest.mark.parametrize(
    ("typed", "nl"),
    [
        ("zomer " * 11 + "zomr", "staat niet in de lijst"),
        ("zomer " * 11 + "zomer", "Een van de woorden klopt niet."),
        ("zomer", "dit zijn er 1"),
    ],
)
async def test_a_mistyped_receipt_is_told_in_one_sentence(terminal: Terminal, typed: str, nl: str) -> None:
    refused = await terminal("mailbox", "--lang", "nl", typed=f"{typed}\n")

    assert refused.code == LOCAL
    assert nl in refused.err
    assert refused.err.count("\n") == 1


async def test_a_receipt_is_never_an_argument(terminal: Terminal) -> None:
    assert (await terminal("mailbox", "--receipt", "a b c")).code == USAGE


async def _handles(terminal: Terminal, incident: str, role: str) -> bool:
    items = (await terminal("case", "list", "--json", role=role)).json["items"]
    return incident in [item["name"] for item in items]
