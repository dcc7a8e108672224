"""What is due at the end of a Dutch day is said to be due that day, to reporter, handler and reader alike."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from playwright.async_api import expect

from meldbrug.client import ReporterClient
from meldbrug.crypto import keys_from, new_entropy, to_words
from tests.browser.conftest import Visit
from tests.browser.test_views import agree, ids
from tests.support.actors import Actors, stub_of
from tests.support.browser import PATIENCE_MS, Visitor
from tests.support.sector import World

DUTCH = "Europe/Amsterdam"
DAYS = {
    "nl": ("maandag", "dinsdag", "woensdag", "donderdag", "vrijdag", "zaterdag", "zondag"),
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
}
MONTHS = {
    "nl": ("januari", "februari", "maart", "april", "mei", "juni", "juli", "augustus", "september", "oktober",
           "november", "december"),
    "en": ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
           "November", "December"),
}  # fmt: skip
END_OF = {"nl": "", "en": "the end of "}
AT = {"nl": " om ", "en": " at "}
REPLY_BY = {"nl": "Antwoord uiterlijk", "en": "Reply by"}


def said(due: Timestamp, zone: str, language: str) -> str:
    """How people say a moment by which something is due, on a clock of their own."""
    local = due.ToDatetime(tzinfo=UTC).astimezone(ZoneInfo(zone))
    is_end = (local.hour, local.minute, local.second) == (0, 0, 0)
    day = local - timedelta(seconds=1) if is_end else local
    date = f"{day.day} {MONTHS[language][day.month - 1]} {day.year}"
    if is_end:
        return f"{END_OF[language]}{DAYS[language][day.weekday()]} {date}"
    return f"{date}{AT[language]}{local:%H:%M}"


def test_the_end_of_a_day_is_that_day() -> None:
    """What the tests below hold the app to, in words of their own."""
    midnight = Timestamp()
    midnight.FromDatetime(datetime(2027, 3, 1, 23, tzinfo=UTC))

    assert said(midnight, DUTCH, "nl") == "maandag 1 maart 2027"
    assert said(midnight, DUTCH, "en") == "the end of Monday 1 March 2027"
    assert said(midnight, "Europe/London", "nl") == "1 maart 2027 om 23:00"


async def reads(visitor: Visitor, text: str) -> None:
    """Waits until somebody reads it. Browsers differ on a comma after an English day."""
    pattern = re.compile(re.escape(text).replace(r"day\ ", r"day,?\ "))
    await expect(visitor.page.locator("main")).to_contain_text(pattern, timeout=PATIENCE_MS)


@pytest.mark.parametrize(("locale", "zone"), [("nl-NL", DUTCH), ("en-GB", DUTCH), ("nl-NL", "Europe/London")])
async def test_a_deadline_is_said_as_people_say_it(
    world: World, visit: Visit, monkeypatch: pytest.MonkeyPatch, locale: str, zone: str
) -> None:
    """On another clock than the Dutch one it is another moment of the day, which is said with its hour."""
    language, actors, entropy = locale[:2], await Actors.on_their_own(world), new_entropy()
    reporting = ReporterClient(world.connection, keys_from(entropy))
    monkeypatch.setattr(actors, "newcomer", lambda: reporting)
    contact, counsellor = await actors.contact("noorderlicht"), await actors.counsellor("duinroos")
    case = await actors.report([counsellor.client])
    await case.propose("noorderlicht", [contact.client])
    await case.offered()
    stub = await stub_of(contact.client, case.notice)
    assert stub
    reply_by = said(stub.reply_by_time, zone, language)
    assert (":" in reply_by) == (zone != DUTCH), "the answer to a stub is due when a Dutch day ends"
    reader = await visit(locale=locale, timezone_id=zone)
    handler = await visit(width=1200, height=900, locale=locale, timezone_id=zone, color_scheme="dark")
    reporter = await visit(locale=locale, timezone_id=zone)

    await reader.go("work/inbox")
    await reader.sign_in_here(contact.client._credentials.keys)
    await reads(reader, f"{REPLY_BY[language].lower()} {reply_by}")
    await reader.page.locator(".rows a").first.click()
    await reads(reader, REPLY_BY[language])
    await reads(reader, reply_by)
    await reader.has_no_barrier()

    await handler.go("work/cases")
    await handler.sign_in_here(counsellor.client._credentials.keys)
    clocks = (await counsellor.client.handler.case(case.incident)).clocks
    first = min(
        (clock.due_time for clock in clocks if not clock.met_time.seconds), key=lambda due: due.seconds
    )
    await reads(handler, f"{'uiterlijk' if language == 'nl' else 'by'} {said(first, zone, language)}")
    await handler.page.locator(f'.rows a[href$="{ids(case.incident)}"]').click()
    line = " | ".join(await agree(handler, "timeline")).replace("day, ", "day ")
    assert all(said(clock.due_time, zone, language) in line for clock in clocks), line

    status = await case.reporter.status()
    await reporter.go("back")
    await reporter.page.locator("#twelve").fill(" ".join(to_words(entropy, "nl")))
    await reporter.page.locator("form button.primary").click()
    await reads(reporter, said(status.look_again_time, zone, language))
