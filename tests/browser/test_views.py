"""Track, timeline, matrix, keys and paper: each picture says what its table says and shuts nobody out."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from meldbrug.common.v1.common_pb2 import DECLINE_REASON_CAPACITY, PURPOSE_INFORM
from tests.browser.conftest import Visit
from tests.browser.test_story import ACCOUNT, DESK, SUMMARY, is_asked
from tests.support.actors import Actors, Case, until
from tests.support.browser import Visitor
from tests.support.sector import World

HANDLER, READER = "duinroos-vp", "noorderlicht-contact"
OFF = "Letters en ? doen iets, behalve terwijl je typt"
TRACKS = {
    "pending": ["melder gevraagd nu", "aangeboden nog niet"],
    "offered": ["melder gevraagd gedaan", "aangeboden nu", "voorwaarden aanvaard nog niet"],
    "accepted": ["aangeboden gedaan", "voorwaarden aanvaard nu", "geopend nog niet"],
    "opened": ["voorwaarden aanvaard gedaan", "geopend nu", "ontvangst bevestigd nog niet"],
    "acknowledged": ["geopend gedaan", "ontvangst bevestigd nu"],
    "recalled": ["geopend gedaan", "verwijderen gevraagd hier gesloten"],
}


BOTH = """(picture) => [`.${picture}.picture li`, `.${picture}.picture + .twin tbody tr`]
  .map((places) => [...document.querySelectorAll(places)].map((place) => place.innerText))"""


def ids(name: str) -> str:
    """What the address of a case or a notice ends with."""
    return "/".join(name.split("/")[1::2])


def said(texts: list[str]) -> list[str]:
    """What items say, without their marks, in one line each."""
    return [" ".join(text.split()).lstrip("✓●○✕!▸– ") for text in texts]


async def agree(visitor: Visitor, picture: str) -> list[str]:
    """What a picture says, which is what the table after it says."""
    page = visitor.page
    await page.locator(f".{picture}.picture").first.wait_for()
    # At one moment: a page that follows what happens may change between two looks.
    drawn, told = map(said, await page.evaluate(BOTH, picture))
    assert drawn == told
    return drawn


async def goes(member: Visitor, place: str) -> None:
    """Goes to a place of the desk without signing in anew."""
    await member.page.evaluate("(to) => { location.hash = to; }", f"#/nl/work/{place}")


async def at_the_case(handler: Visitor, case: Case) -> None:
    """Opens a case as it is now."""
    await goes(handler, "cases")
    await handler.page.get_by_role("heading", name="Meldingen").wait_for()
    await goes(handler, f"case/{ids(case.incident)}")
    await handler.page.locator(".timeline.picture").wait_for()


async def stands(case: Case, state: int) -> None:
    """Waits until the sender sees a notice in a state."""

    async def look() -> list[int]:
        return [notice.state async for notice in case.handler.handler.notices(case.incident)]

    await until(look, lambda found: found == [state])


async def test_track_and_timeline_say_what_their_tables_say_at_each_state(world: World, visit: Visit) -> None:
    actors = Actors(world)
    handler = await visit(**DESK)
    await handler.sign_in(HANDLER)
    case = await actors.report()
    await case.propose("noorderlicht", [actors.member(READER)])
    terms = await case.terms()

    async def shows(stage: str, state: int) -> None:
        await stands(case, state)
        await at_the_case(handler, case)
        drawn = await agree(handler, "track")
        assert set(TRACKS[stage]) <= set(drawn), (stage, drawn)
        assert any(line.startswith("nu ") for line in await agree(handler, "timeline"))

    await shows("pending", 1)
    await handler.has_no_barrier()
    await case.offered()
    await shows("offered", 3)
    await case.reader.reader.accept(case.notice, terms)
    await shows("accepted", 4)
    await case.reader.reader.open(case.notice, PURPOSE_INFORM)
    await shows("opened", 7)
    await case.reader.reader.acknowledge(case.notice)
    await shows("acknowledged", 8)
    await case.consents.withdraw(case.notice)
    await shows("recalled", 10)
    assert "ontvangst bevestigd" not in " ".join(await agree(handler, "track")), "an end shows what it proves"
    await handler.has_no_barrier()


async def test_a_declined_notice_ends_its_track(world: World, visit: Visit) -> None:
    actors = Actors(world)
    case = await actors.report()
    await case.propose("noorderlicht", [actors.member(READER)])
    await case.offered()
    await case.reader.reader.decline(case.notice, await case.terms(), DECLINE_REASON_CAPACITY)
    await stands(case, 5)
    handler = await visit(**DESK)
    await handler.sign_in(HANDLER)

    await at_the_case(handler, case)

    ended = ["melder gevraagd gedaan", "aangeboden gedaan", "niet aangenomen hier gesloten"]
    assert await agree(handler, "track") == ended


async def test_what_is_late_is_said_in_words(world: World, visit: Visit) -> None:
    """A report that came in long ago; what happens to it next has its clocks told anew."""
    actors = Actors(world)
    case = await actors.report()
    with world.sql() as sql:
        sql.execute(
            "UPDATE coordination.incidents SET create_time = now() - interval '30 days' WHERE name = %s",
            (case.incident,),
        )
    await case.propose("noorderlicht", [actors.member(READER)])
    await stands(case, 1)
    handler = await visit(**DESK)
    await handler.sign_in(HANDLER)
    await at_the_case(handler, case)
    drawn = await agree(handler, "timeline")

    assert [line.split()[0] for line in drawn] == ["laten", "nu", "de"], drawn
    assert drawn[0].endswith("te laat")
    assert drawn[2].endswith("nog te doen")
    assert (await handler.page.locator(".timeline .late b").inner_text()).strip() == "!"


async def test_the_matrix_follows_the_boxes(world: World, visit: Visit) -> None:
    reporter, handler = await visit(), await visit(**DESK)
    await is_asked(world, reporter, handler)
    page = reporter.page
    cells = page.locator(".matrix td")
    await cells.first.wait_for()

    assert await page.locator(".matrix thead th").all_inner_texts() == ["Wie", "Samenvatting", "Maatregelen"]
    assert said(await cells.all_inner_texts()) == ["ja", "ja"]
    await page.get_by_role("checkbox", name="Maatregelen").uncheck()
    assert said(await cells.all_inner_texts()) == ["ja", "nee"]
    await page.get_by_role("checkbox", name="Compliance officer").uncheck()
    assert said(await cells.all_inner_texts()) == ["nee", "nee"]
    assert await reporter.width() <= 390
    assert await page.locator(".scroll").evaluate("(table) => table.scrollWidth <= table.clientWidth")
    await reporter.has_no_barrier()


async def opened(reader: Visitor, case: Case) -> None:
    """Opens an accepted notice in the browser."""
    await stands(case, 4)
    await reader.sign_in(READER)
    await goes(reader, f"notice/{ids(case.notice)}")
    await reader.press("Openen")
    await reader.sees(SUMMARY)


async def test_each_section_says_why_it_can_be_seen(world: World, visit: Visit) -> None:
    actors = Actors(world)
    case = await actors.report()
    await case.propose("noorderlicht", [actors.member(READER)])
    await case.accepted()
    reader = await visit(**DESK)
    await opened(reader, case)
    whys = reader.page.locator("details.why")
    await whys.first.locator("summary").press("Enter")
    told = " ".join((await whys.first.inner_text()).split())

    assert await whys.count() == len(await reader.page.locator("blockquote").all())
    for reason in ("Waarom zie ik dit? (Samenvatting)", "toestemming van de melder", "aanvaardde versie"):
        assert reason in told
    assert (await agree(reader, "track"))[3] == "geopend nu"
    assert "antwoord op de kennisgeving" in " ".join(await agree(reader, "timeline"))
    await reader.has_no_barrier()


async def test_the_keys_open_and_close_by_keyboard_and_give_the_focus_back(visit: Visit) -> None:
    visitor = await visit()
    page = visitor.page
    await visitor.go()
    door = page.locator(".door").first
    await door.focus()
    await page.keyboard.press("Shift+?")
    await expect(page.get_by_role("dialog")).to_be_visible()
    await expect(page.get_by_role("heading", name="Toetsen")).to_be_focused()
    assert await page.locator(".sheet kbd").count() == 3, "the desk's keys are of no use to a reporter"
    await visitor.has_no_barrier()
    await page.keyboard.press("Escape")

    await expect(page.get_by_role("dialog")).to_be_hidden()
    await expect(door).to_be_focused()


async def test_leaving_is_within_reach_while_the_keys_are_open(visit: Visit, elsewhere: str) -> None:
    visitor = await visit()
    await visitor.go()
    await visitor.press("Toetsen")
    await visitor.page.locator(".sheet button.leave").click()

    await visitor.page.wait_for_url(elsewhere)


async def test_a_reporter_switches_the_keys_off_and_nothing_is_kept(visit: Visit) -> None:
    visitor = await visit()
    page = visitor.page
    await visitor.go()
    await page.keyboard.press("Shift+?")
    await page.get_by_role("checkbox", name=OFF).press("Space")
    await page.keyboard.press("Escape")
    await page.keyboard.press("Shift+?")

    await expect(page.get_by_role("dialog")).to_be_hidden()
    assert await page.evaluate("() => localStorage.length + sessionStorage.length") == 0


async def test_keys_do_not_act_while_somebody_types(world: World, visit: Visit) -> None:
    handler = await visit(**DESK)
    page = handler.page
    case = await Actors(world).report()
    await handler.sign_in(HANDLER)
    await at_the_case(handler, case)
    for field in ("#message", "#note"):
        await page.locator(field).press_sequentially("g c g i ?")
        assert await page.locator(field).input_value() == "g c g i ?"
    await expect(page.get_by_role("dialog")).to_be_hidden()

    assert "work/case/" in page.url


async def test_the_keys_of_the_desk_go_places_and_are_remembered_as_off(world: World, visit: Visit) -> None:
    handler = await visit(**DESK)
    page = handler.page
    await handler.sign_in(HANDLER)
    await page.keyboard.type("gi")
    await page.get_by_role("heading", name="Ontvangen").wait_for()
    await page.keyboard.type("gc")
    await page.get_by_role("heading", name="Meldingen").wait_for()
    await page.keyboard.press("Shift+?")
    assert await page.locator(".sheet kbd").count() == 5
    await page.get_by_role("checkbox", name=OFF).press("Space")
    await page.keyboard.press("Escape")
    await page.keyboard.type("gi?")

    await expect(page.get_by_role("dialog")).to_be_hidden()
    assert page.url.endswith("work/cases")
    assert await page.evaluate("() => localStorage.getItem('shortcuts')") == "off"


async def reaches(visitor: Visitor, selector: str) -> None:
    """Goes on with Tab until something has the focus."""
    for _ in range(60):
        if await visitor.page.evaluate("(to) => document.activeElement?.matches(to) ?? false", selector):
            return
        await visitor.page.keyboard.press("Tab")
    pytest.fail(f"Tab does not reach {selector}")


async def test_a_whole_report_is_told_by_keyboard_only(world: World, visit: Visit) -> None:
    visitor = await visit()
    page, keyboard = visitor.page, visitor.page.keyboard
    await visitor.go("start")
    await reaches(visitor, "main input")
    await keyboard.type(world.sector.code("veerpont"))
    await keyboard.press("Enter")
    await page.locator("input[type=radio]").first.wait_for()
    await reaches(visitor, "input[type=radio]")
    await keyboard.press("Space")
    await keyboard.press("ArrowDown")
    await keyboard.press("ArrowUp")
    await reaches(visitor, "main button.primary")
    await keyboard.press("Enter")
    await page.locator(".receipt li").first.wait_for()
    receipt = await page.locator(".receipt li").all_inner_texts()
    await reaches(visitor, "main button.primary")
    await keyboard.press("Enter")
    for place in (3, 8):
        await reaches(visitor, f"#word-{place}")
        await keyboard.type(receipt[place])
    await keyboard.press("Enter")
    await page.locator("#account").wait_for()
    await reaches(visitor, "#account")
    await keyboard.type(ACCOUNT)
    await reaches(visitor, "main button.primary")
    await keyboard.press("Enter")
    await visitor.sees("Klopt dit?")
    await reaches(visitor, "main button.primary")
    await keyboard.press("Enter")

    await visitor.sees("Het is aangekomen")


async def test_a_notice_and_a_case_print_as_clean_pages(world: World, visit: Visit) -> None:
    actors = Actors(world)
    case = await actors.report()
    await case.propose("noorderlicht", [actors.member(READER)])
    await case.accepted()
    handler, reader = await visit(**DESK), await visit(**DESK)
    await opened(reader, case)
    await handler.sign_in(HANDLER)
    await at_the_case(handler, case)
    for visitor, text in ((reader, SUMMARY), (handler, ACCOUNT)):
        page = visitor.page
        await page.emulate_media(media="print")
        await expect(page.get_by_text(text).first).to_be_visible()
        await expect(page.locator("main table").first).to_be_visible()
        assert (await page.locator("main table").first.bounding_box() or {"width": 0})["width"] > 300
        for hidden in ("nav", "button", ".picture", "form", "select", "summary", ".leave"):
            assert await page.locator(f"{hidden}:visible").count() == 0, hidden
        await visitor.has_no_barrier()
