"""Lists of the desk: page by page, narrowed in the address, followed live; no row ever jumps."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from playwright.async_api import Request, Route, expect

from meldbrug.client import MemberClient, new_id
from meldbrug.common.v1.common_pb2 import INCIDENT_STATE_ACKNOWLEDGED, PURPOSE_INFORM
from tests.browser.conftest import Visit
from tests.browser.test_views import goes, ids
from tests.support.actors import TEXTS, Actors, Case, Hired
from tests.support.browser import Visitor
from tests.support.sector import World

DESK = {"width": 1200, "height": 900}
READER = "noorderlicht-contact"
SILENT = "komen veranderingen niet vanzelf"
# Tombstones of one reader, each of a notice of its own: shown from our record alone.
STONES = """
INSERT INTO coordination.incidents VALUES (%(incident)s, 1, '', 'kid', false, 1, now(), null, now(), 'c');
INSERT INTO coordination.notices
  SELECT %(incident)s || '/notices/' || name, %(incident)s, 'participations/s', 'participations/r', 9, '{4}',
         'v1', now(), now(), null, now(), now(), null, null, now(), 'c' FROM unnest(%(names)s::text[]) name;
INSERT INTO coordination.deliveries
  SELECT %(incident)s || '/notices/' || name, %(subject)s, false, now(), null, now(), place + %(after)s,
         now(), 'c' FROM unnest(%(names)s::text[]) WITH ORDINALITY AS named (name, place);
INSERT INTO coordination.inboxes VALUES (%(subject)s, %(count)s)
  ON CONFLICT (subject) DO UPDATE SET seq = excluded.seq;
"""


async def with_stones(world: World, hired: Hired, count: int, after: int = 0) -> None:
    """Lays so many tombstones into a reader's inbox, in which there were `after`."""
    given = {
        "incident": f"incidents/{new_id()}",
        "names": [new_id() for _ in range(count)],
        "subject": (await hired.client.me()).member.subject,
        "count": after + count,
        "after": after,
    }
    with world.sql() as sql, sql.cursor() as cursor:
        for statement in STONES.split(";")[:-1]:
            cursor.execute(
                statement, {name: value for name, value in given.items() if f"%({name})s" in statement}
            )


async def rows(visitor: Visitor) -> list[str]:
    """Where the rows lead, in their order."""
    links = visitor.page.locator(".rows > li > a")
    found: list[str] = await links.evaluate_all("(all) => all.map((link) => link.hash)")
    return found


async def shows(visitor: Visitor, count: int) -> None:
    """Waits until there are so many rows."""
    await expect(visitor.page.locator(".rows > li > a")).to_have_count(count)


async def at_the_inbox(visitor: Visitor, hired: Hired, query: str = "") -> None:
    """Signs a member in where their inbox is."""
    await visitor.go(f"work/inbox{query}")
    await visitor.sign_in_here(hired.client.keys)
    await visitor.page.get_by_role("heading", name="Ontvangen").wait_for()


async def focused_row(visitor: Visitor) -> int:
    """Which row has the focus."""
    place: int = await visitor.page.evaluate(
        "() => [...document.querySelectorAll('.rows > li')].indexOf(document.activeElement)"
    )
    return place


async def at_the_top(visitor: Visitor) -> None:
    """Scrolls up: a row that is half under the way out, which stays on top, is small for axe."""
    await visitor.page.evaluate("() => window.scrollTo(0, 0)")


@pytest.mark.parametrize("where", [{"width": 390, "height": 844}, {**DESK, "color_scheme": "dark"}])
async def test_more_comes_below_by_keyboard_and_no_row_moves(
    world: World, visit: Visit, where: dict[str, object]
) -> None:
    visitor, hired = await visit(**where), await Actors(world).hire("noorderlicht", "Lezer van veel")
    await with_stones(world, hired, 120)
    await at_the_inbox(visitor, hired)
    await shows(visitor, 50)
    first = await rows(visitor)
    await visitor.has_no_barrier()

    await visitor.button("Toon meer").focus()
    await visitor.page.keyboard.press("Enter")
    await shows(visitor, 100)
    await expect(visitor.page.get_by_role("status").last).to_have_text("Er staan er nu 100.")
    assert await focused_row(visitor) == 50
    assert (await rows(visitor))[:50] == first
    await visitor.page.keyboard.press("Tab")
    assert (await visitor.page.evaluate("() => document.activeElement.hash")) == (await rows(visitor))[50]
    await visitor.button("Toon meer").press("Enter")
    await shows(visitor, 120)

    assert await focused_row(visitor) == 100
    assert len(set(await rows(visitor))) == 120
    assert await visitor.button("Toon meer").count() == 0
    await at_the_top(visitor)
    await visitor.has_no_barrier()


async def test_a_list_keeps_five_hundred_rows_and_says_so(world: World, visit: Visit) -> None:
    visitor, hired = await visit(**DESK), await Actors(world).hire("noorderlicht", "Lezer van te veel")
    await with_stones(world, hired, 520)
    await at_the_inbox(visitor, hired)
    for count in range(50, 500, 50):
        await shows(visitor, count)
        await visitor.press("Toon meer")

    await shows(visitor, 500)
    await visitor.sees("Er zijn er meer dan 500.")
    assert await visitor.button("Toon meer").count() == 0
    before = await rows(visitor)
    await with_stones(world, hired, 1, after=520)
    await visitor.button("1 nieuwe, toon").press("Enter")
    await expect(visitor.button("1 nieuwe, toon")).to_have_count(0)

    assert (await rows(visitor))[1:] == before[:-1], "the last row makes room"
    await at_the_top(visitor)
    await visitor.has_no_barrier()


async def test_a_page_that_does_not_come_is_asked_for_again_and_nothing_is_lost(
    world: World, visit: Visit
) -> None:
    visitor, hired = await visit(**DESK), await Actors(world).hire("noorderlicht", "Lezer met slecht bereik")
    await with_stones(world, hired, 60)
    await at_the_inbox(visitor, hired)
    await shows(visitor, 50)
    before = await rows(visitor)

    await visitor.page.route("**/ListInbox", lambda route: route.abort())
    await visitor.press("Toon meer")
    await visitor.sees("Er kwam geen antwoord.")
    assert await rows(visitor) == before
    await visitor.has_no_barrier()
    await visitor.page.unroute("**/ListInbox")
    await visitor.press("Probeer opnieuw")

    await shows(visitor, 60)
    assert (await rows(visitor))[:50] == before
    assert await focused_row(visitor) == 50
    visitor.does_not_mind("net::ERR_FAILED")


async def offered(actors: Actors, readers: Sequence[MemberClient]) -> Case:
    """A report whose notice these readers have."""
    case = await actors.report()
    await case.propose("noorderlicht", readers)
    await case.offered()
    return case


async def reading(world: World) -> tuple[Actors, Hired]:
    """A reader with an inbox of their own."""
    actors = await Actors.on_their_own(world)
    return actors, await actors.contact("noorderlicht")


async def test_the_inbox_is_narrowed_in_the_address_and_stays_so(world: World, visit: Visit) -> None:
    """By keyboard; a reload, a way back, another language and a bookmark keep it."""
    actors, hired = await reading(world)
    cases = [await offered(actors, [hired.client]) for _ in range(2)]
    await cases[0].consents.withdraw(cases[0].notice)
    visitor = await visit(**DESK)
    page = visitor.page
    await at_the_inbox(visitor, hired)
    await shows(visitor, 2)
    part = page.get_by_label("Stand")
    await part.focus()
    await page.keyboard.press("ArrowDown")
    await shows(visitor, 1)

    assert page.url.endswith("#/nl/work/inbox?part=waiting")
    await expect(part).to_be_focused()
    (open_one,) = await rows(visitor)
    assert open_one.endswith(ids(cases[1].notice))
    await visitor.has_no_barrier()
    await page.locator(".rows a").click()
    await page.get_by_role("heading", name="Kennisgeving").wait_for()
    await page.go_back()
    await shows(visitor, 1)
    await page.get_by_role("link", name="EN", exact=True).click()
    await page.get_by_role("heading", name="Received").wait_for()
    assert page.url.endswith("#/en/work/inbox?part=waiting")
    await page.reload()
    await visitor.sign_in_here()
    await shows(visitor, 1)
    assert await rows(visitor) == [open_one.replace("/nl/", "/en/")]
    await goes(visitor, "inbox?part=closed")
    await expect(page.locator(".rows > li > a")).to_have_text(["Kennisgeving"])
    await goes(visitor, "inbox?part=<b>")
    await shows(visitor, 2)


async def test_reports_are_narrowed_by_state_and_production(world: World, visit: Visit) -> None:
    actors = await Actors.on_their_own(world)
    hired = await actors.counsellor("duinroos")
    mine = [await actors.report([hired.client]) for _ in range(2)]
    await hired.client.handler.acknowledge(mine[0].incident)
    elsewhere = await actors.appoint(hired, "duinroos", 1, on=(other := await actors.produce("duinroos")))
    there = await actors.report([elsewhere.client], on=other)
    visitor = await visit(**DESK)
    page = visitor.page
    await visitor.go("work/cases")
    await visitor.sign_in_here(hired.client.keys)
    await shows(visitor, 3)
    production = (await hired.client.handler.case(there.incident)).production

    await page.get_by_label("Productie").select_option(value=production.split("/")[1])
    await shows(visitor, 1)
    assert (await rows(visitor))[0].endswith(ids(there.incident))
    await page.get_by_label("Stand").select_option(label="gezien")
    await expect(page.locator(".rows")).to_have_text("Hier staat niets.")
    address = page.url.partition("?")[2]
    assert address == f"production={production.split('/')[1]}&state={INCIDENT_STATE_ACKNOWLEDGED}"
    await page.get_by_label("Productie").select_option(index=0)
    await shows(visitor, 1)
    assert (await rows(visitor))[0].endswith(ids(mine[0].incident))
    await visitor.has_no_barrier()


async def test_a_row_takes_its_new_state_in_place_and_a_new_one_waits(world: World, visit: Visit) -> None:
    actors, hired = await reading(world)
    cases = [await offered(actors, [hired.client]) for _ in range(3)]
    visitor = await visit(**DESK)
    await at_the_inbox(visitor, hired)
    await shows(visitor, 3)
    before = await rows(visitor)
    oldest = visitor.page.locator(".rows > li").last

    await cases[0].reader.reader.accept(cases[0].notice, await cases[0].terms())
    await expect(oldest.locator("span")).to_have_text("voorwaarden aanvaard")
    await cases[0].reader.reader.open(cases[0].notice, PURPOSE_INFORM)
    await expect(oldest.locator("span")).to_have_text("geopend")
    assert await rows(visitor) == before
    newest = await offered(actors, [hired.client])
    await visitor.button("1 nieuwe, toon").wait_for()
    assert await rows(visitor) == before
    await visitor.has_no_barrier()
    await cases[0].consents.withdraw(cases[0].notice)
    await expect(oldest.locator("span")).to_have_text("gesloten")
    await visitor.button("1 nieuwe, toon").press("Enter")

    await shows(visitor, 4)
    assert (await rows(visitor))[1:] == before
    assert (await rows(visitor))[0].endswith(ids(newest.notice))
    assert await focused_row(visitor) == 0


async def test_a_new_notice_of_another_part_is_not_counted(world: World, visit: Visit) -> None:
    actors, hired = await reading(world)
    case = await offered(actors, [hired.client])
    visitor = await visit(**DESK)
    await at_the_inbox(visitor, hired, "?part=closed")
    await expect(visitor.page.locator(".rows")).to_have_text("Er is niets ontvangen.")

    await offered(actors, [hired.client])
    await case.consents.withdraw(case.notice)

    await visitor.button("1 nieuwe, toon").click()
    assert [row.rpartition("/")[2] for row in await rows(visitor)] == [ids(case.notice).rpartition("/")[2]]


async def test_a_break_is_said_and_what_happened_in_it_comes_afterwards(world: World, visit: Visit) -> None:
    actors, hired = await reading(world)
    case = await offered(actors, [hired.client])
    visitor = await visit(**DESK)
    await visitor.page.route("**/WatchInbox", lambda route: route.abort())
    await at_the_inbox(visitor, hired)
    await shows(visitor, 1)

    await visitor.sees(SILENT)
    await visitor.has_no_barrier()
    await case.reader.reader.accept(case.notice, await case.terms())
    await offered(actors, [hired.client])
    await visitor.page.unroute("**/WatchInbox")

    await expect(visitor.page.locator(".rows span")).to_have_text("voorwaarden aanvaard")
    await visitor.button("1 nieuwe, toon").wait_for()
    await expect(visitor.page.get_by_text(SILENT)).to_have_count(0)
    visitor.does_not_mind("net::ERR_FAILED")


async def test_whoever_leaves_the_inbox_ends_its_stream(world: World, visit: Visit) -> None:
    """However often somebody comes and goes, one stream is open while they look, and none afterwards."""
    _, hired = await reading(world)
    visitor = await visit(**DESK)
    open_now: list[Request] = []

    def watches(request: Request) -> bool:
        return request.url.endswith("/WatchInbox")

    def ended(request: Request) -> None:
        if request in open_now:
            open_now.remove(request)

    visitor.page.on("request", lambda request: open_now.append(request) if watches(request) else None)
    visitor.page.on("requestfailed", ended)
    visitor.page.on("requestfinished", ended)
    await at_the_inbox(visitor, hired)
    for part in ("closed", "open", "waiting"):
        async with visitor.page.expect_request(watches):
            await visitor.page.get_by_label("Stand").select_option(value=part)
    for _ in range(3):
        async with visitor.page.expect_event("requestfailed", watches):
            await goes(visitor, "device")
        async with visitor.page.expect_request(watches):
            await goes(visitor, "inbox")

    assert len(open_now) == 1
    async with visitor.page.expect_event("requestfailed", watches):
        await goes(visitor, "device")
    assert open_now == []


async def test_reports_are_looked_at_again_when_somebody_comes_back(world: World, visit: Visit) -> None:
    """Also one that left the state that the list is narrowed to; without a word when it fails."""
    actors = await Actors.on_their_own(world)
    hired = await actors.counsellor("duinroos")
    cases = [await actors.report([hired.client]) for _ in range(2)]
    visitor = await visit(**DESK)
    page = visitor.page
    await visitor.go("work/cases?state=1")
    await visitor.sign_in_here(hired.client.keys)
    await shows(visitor, 2)
    before = await rows(visitor)

    async def comes_back() -> None:
        async with page.expect_response("**/ListIncidents"):
            await page.evaluate("() => window.dispatchEvent(new Event('focus'))")

    await hired.client.handler.acknowledge(cases[0].incident)
    newest = await actors.report([hired.client])
    await comes_back()
    await visitor.button("1 nieuwe, toon").wait_for()
    await expect(page.locator(".rows > li").last.locator("span")).to_have_text("gezien")
    assert await rows(visitor) == before
    await visitor.press("1 nieuwe, toon")
    await shows(visitor, 3)
    assert (await rows(visitor))[0].endswith(ids(newest.incident))

    async def denies(route: Route) -> None:
        await route.fulfill(status=503, content_type="application/json", body='{"code": "unavailable"}')

    await page.route("**/ListIncidents", denies)
    await comes_back()
    await shows(visitor, 3)
    await expect(page.locator("[role=alert] p")).to_have_count(0)


async def test_members_are_listed_page_by_page_and_a_new_one_is_above(world: World, visit: Visit) -> None:
    actors = Actors(world)
    admin = actors.admin("zilverstroom")
    invited = [await admin.admin.invite(f"Lid {place}") for place in range(55)]
    visitor = await visit(**DESK)
    await visitor.go("work/members")
    await visitor.sign_in_here(admin.keys)
    await expect(visitor.page.locator(".rows > li")).to_have_count(50)
    await visitor.press("Toon meer")
    await visitor.page.locator(".rows > li").nth(56).wait_for()
    titles = await visitor.page.locator(".rows > li > strong").all_inner_texts()

    assert {f"Lid {place}" for place in range(55)} <= set(titles)
    assert len(invited) == 55
    await visitor.page.locator("#title").fill("Nieuw lid")
    await visitor.press("Uitnodigen")
    await expect(visitor.page.locator(".rows > li > strong").first).to_have_text("Nieuw lid")
    assert (await visitor.page.locator(".rows > li > strong").all_inner_texts())[1:] == titles
    await visitor.has_no_barrier()


async def opened(case: Case) -> list[str]:
    """The sections that handlers opened, as the reporter sees it, each as often as it was."""
    return [
        section async for seen in case.reporter.openings() if seen.who for section in seen.opening.sections
    ]


async def test_the_end_of_a_long_talk_is_opened_first_and_no_text_twice(world: World, visit: Visit) -> None:
    actors = await Actors.on_their_own(world)
    hired = await actors.counsellor("duinroos")
    case = await actors.report([hired.client])
    for place in range(33):
        await hired.client.handler.send(case.incident, f"Bericht {place}.")
    visitor = await visit(**DESK)
    messages = visitor.page.locator(".message p")
    await visitor.go(f"work/case/{ids(case.incident)}")
    await visitor.sign_in_here(hired.client.keys)
    await expect(messages).to_have_count(30)
    await visitor.has_no_barrier()
    assert await messages.first.inner_text() == "Bericht 3."
    assert len(await opened(case)) == len(TEXTS) + 30

    await visitor.button("Open eerdere berichten (nog 3)").press("Enter")
    await expect(messages).to_have_count(33)
    await expect(visitor.page.get_by_role("heading", name="Gesprek")).to_be_focused()
    await visitor.page.locator("#message").fill("Het laatste.")
    await visitor.press("Versturen")
    await expect(messages).to_have_count(34)

    found = await opened(case)
    assert len(found) == len(set(found)) == len(TEXTS) + 34
    assert [await messages.nth(at).inner_text() for at in (0, 33)] == ["Bericht 0.", "Het laatste."]
