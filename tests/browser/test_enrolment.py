"""A newcomer's key in the app: whenever the page dies, what the installation took is on the device (T17)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest
from playwright.async_api import Route

from tests.browser.conftest import Visit
from tests.browser.test_rotation import Death, after, again, before, dies, kept
from tests.support.actors import Actors, Hired
from tests.support.browser import PASSPHRASE, Visitor
from tests.support.sector import World

pytestmark = pytest.mark.light_keys
HALFWAY = "Het maken van je sleutel is halverwege gestopt."
GO_ON = "Verder met je uitnodiging"
UNKNOWN = "a" * 26
NO_CODE = "Die code klopt niet, is al gebruikt of is te oud."
ROLE = "Vertrouwenspersoon vroege ploeg"


@dataclass
class Invited:
    """An invitation, and who handed it out."""

    actors: Actors
    member: str
    code: str

    @classmethod
    async def by(cls, world: World) -> Invited:
        actors = await Actors.on_their_own(world)
        made = await actors.admin("duinroos").admin.invite(ROLE)
        return cls(actors, made.member.name, made.code)

    async def lets_in(self, kid: str) -> None:
        """Lets in the key that was read out, as the administrator does who sees it wait."""
        await self.actors.admin("duinroos").admin.endorse(self.member, kid)


async def fills_in(visitor: Visitor, code: str, passphrase: str = PASSPHRASE) -> None:
    """Fills in what an enrolment asks, with the yes to what is lost where it asks for one."""
    await visitor.page.locator("#invitation").fill(code)
    await visitor.page.locator("#new-passphrase").fill(passphrase)
    for box in await visitor.page.get_by_role("checkbox").all():
        await box.check()


async def makes_key(visitor: Visitor) -> None:
    """Presses."""
    await visitor.press("Sleutel maken")


async def goes_on(visitor: Visitor, code: str, passphrase: str = PASSPHRASE) -> None:
    """Hands in what waits."""
    await fills_in(visitor, code, passphrase)
    await visitor.press(GO_ON)


async def with_old_key(visitor: Visitor, hired: Hired) -> None:
    """Puts a key on the device that was there before."""
    await visitor.go("work")
    await visitor.sign_in_here(hired.client.keys)
    await visitor.page.reload()
    await visitor.page.locator("main h1").wait_for()


async def died(visitor: Visitor, code: str, death: Death) -> Visitor:
    """Makes a key on a page that dies when it hands it in; returns the page that comes after."""
    context = visitor.page.context
    await visitor.press("Ik heb een uitnodiging")
    await fills_in(visitor, code)
    await dies(visitor, "AcceptInvitation", death, makes_key)
    back = await again(visitor, context, "work")
    await back.sees(HALFWAY)
    return back


async def puts_in_place(visitor: Visitor, code: str, waiting: str) -> None:
    """Goes on with the key that waits, told of the one that it replaces; then it is the only one."""
    await visitor.press(GO_ON)
    await visitor.sees("Op dit toestel staat al een sleutel")
    await goes_on(visitor, code)
    assert await fingerprint(visitor) == waiting
    assert await kept(visitor.page) == {"key-file": waiting}


async def fingerprint(visitor: Visitor) -> str:
    """The fingerprint that is to be read out."""
    return "".join((await visitor.page.locator(".fingerprint").inner_text()).split())


@pytest.mark.parametrize("death", [before, after])
async def test_a_page_that_dies_before_it_hears_goes_on_with_the_key_it_made(
    world: World, visit: Visit, death: Death
) -> None:
    invited = await Invited.by(world)
    visitor = await visit(width=320, height=640)
    await visitor.go("work")
    back = await died(visitor, invited.code, death)
    waiting = (await kept(back.page))["invited-key-file"]
    assert await kept(back.page) == {"invited-key-file": waiting}
    await back.has_no_barrier()
    await back.press(GO_ON)
    await back.has_no_barrier()
    assert await back.width() <= 320
    await goes_on(back, invited.code)

    assert await fingerprint(back) == waiting
    assert await kept(back.page) == {"key-file": waiting}
    await invited.lets_in(waiting)
    await back.press("Naar aanmelden")
    await back.sign_in_here()
    await back.sees(ROLE)
    assert back.complaints == []


async def test_the_key_that_was_here_stays_until_the_new_one_is_taken(world: World, visit: Visit) -> None:
    invited = await Invited.by(world)
    hired = await invited.actors.counsellor("duinroos")
    visitor = await visit()
    await with_old_key(visitor, hired)
    back = await died(visitor, invited.code, after)
    held = await kept(back.page)
    assert held["key-file"] == hired.kid
    await back.sign_in_here()
    await back.page.reload()
    await puts_in_place(back, invited.code, held["invited-key-file"])
    assert back.complaints == []


@pytest.mark.parametrize("old", [False, True])
async def test_a_refused_invitation_leaves_the_device_as_it_was(
    world: World, visit: Visit, old: bool
) -> None:
    invited = await Invited.by(world)
    hired = await invited.actors.counsellor("duinroos")
    visitor = await visit(color_scheme="dark")
    await visitor.go("work")
    if old:
        await with_old_key(visitor, hired)
    await visitor.press("Ik heb een uitnodiging")
    await fills_in(visitor, UNKNOWN)
    await makes_key(visitor)
    await visitor.sees(NO_CODE)
    await visitor.has_no_barrier()

    assert await kept(visitor.page) == ({"key-file": hired.kid} if old else {})
    await visitor.page.locator("#invitation").fill(invited.code)
    await makes_key(visitor)
    await invited.lets_in(await fingerprint(visitor))
    visitor.does_not_mind("400")


async def test_a_key_that_may_have_been_taken_is_not_thrown_away_for_a_mistyped_code(
    world: World, visit: Visit
) -> None:
    invited = await Invited.by(world)
    visitor = await visit()
    await visitor.go("work")
    back = await died(visitor, invited.code, after)
    waiting = await kept(back.page)
    await back.press(GO_ON)
    await goes_on(back, UNKNOWN)
    await back.sees(NO_CODE)
    await goes_on(back, invited.code, "een andere wachtzin")
    await back.sees("Die wachtzin past niet op deze sleutel.")
    await back.has_no_barrier()

    assert await kept(back.page) == waiting
    await goes_on(back, invited.code)
    await invited.lets_in(await fingerprint(back))
    assert await kept(back.page) == {"key-file": waiting["invited-key-file"]}
    back.does_not_mind("400")
    assert back.complaints == []


async def test_whoever_forgot_the_passphrase_begins_anew(world: World, visit: Visit) -> None:
    invited = await Invited.by(world)
    visitor = await visit(color_scheme="dark")
    await visitor.go("work")
    back = await died(visitor, invited.code, before)
    waiting = (await kept(back.page))["invited-key-file"]
    await back.press(GO_ON)
    await back.page.get_by_text("Wachtzin vergeten").click()
    await back.has_no_barrier()
    await back.press("Opnieuw beginnen")
    await back.page.locator("#new-hint").wait_for()
    assert await kept(back.page) == {}
    await fills_in(back, invited.code)
    await makes_key(back)

    made = await fingerprint(back)
    assert made != waiting
    assert await kept(back.page) == {"key-file": made}
    assert back.complaints == []


async def test_two_pages_at_once_make_one_key(world: World, visit: Visit) -> None:
    """The second finds another device than the one it asked about, and changes nothing."""
    invited, other_code = await Invited.by(world), await Invited.by(world)
    one = await visit()
    await one.go("work")
    two = await again(one, one.page.context, "work")
    for page, code in ((one, invited.code), (two, other_code.code)):
        await page.press("Ik heb een uitnodiging")
        await fills_in(page, code)
    await asyncio.gather(makes_key(one), makes_key(two))
    said = "De sleutel op dit toestel is intussen veranderd."
    for page in (one, two):
        await page.page.locator(".fingerprint").or_(page.page.get_by_text(said)).first.wait_for()

    made = [page for page in (one, two) if await page.page.locator(".fingerprint").count()]
    assert len(made) == 1
    assert await kept(one.page) == {"key-file": await fingerprint(made[0])}


async def test_beginning_anew_throws_no_key_away_that_is_being_handed_in(world: World, visit: Visit) -> None:
    invited = await Invited.by(world)
    one = await visit()
    asked, answer = asyncio.Event(), asyncio.Event()

    async def late(route: Route) -> None:
        asked.set()
        await answer.wait()
        await route.continue_()

    await one.go("work")
    await one.press("Ik heb een uitnodiging")
    await fills_in(one, invited.code)
    await one.page.route("**/AcceptInvitation", late)
    await makes_key(one)
    await asyncio.wait_for(asked.wait(), 20)
    two = await again(one, one.page.context, "work")
    await two.press(GO_ON)
    await two.page.get_by_text("Wachtzin vergeten").click()
    await two.press("Opnieuw beginnen")
    waiting = await kept(two.page)
    answer.set()

    assert await kept(two.page) == waiting
    assert await fingerprint(one) == waiting["invited-key-file"]
    await two.page.locator("#new-hint").wait_for()
    assert await kept(one.page) == {"key-file": waiting["invited-key-file"]}
    assert two.complaints == []


async def test_a_key_that_came_meanwhile_is_not_replaced_unsaid(world: World, visit: Visit) -> None:
    """The new key is taken and waits; its member is asked about what is here now, and goes on."""
    invited = await Invited.by(world)
    hired = await invited.actors.counsellor("duinroos")
    one = await visit()

    async def meanwhile(route: Route) -> None:
        two = await again(one, one.page.context, "work")
        await two.sign_in_here(hired.client.keys)
        await route.continue_()

    await one.go("work")
    await one.press("Ik heb een uitnodiging")
    await fills_in(one, invited.code)
    await one.page.route("**/AcceptInvitation", meanwhile)
    await makes_key(one)
    await one.sees("De sleutel op dit toestel is intussen veranderd.")
    held = await kept(one.page)
    assert held["key-file"] == hired.kid
    await one.page.reload()
    await one.page.unroute_all()
    await puts_in_place(one, invited.code, held["invited-key-file"])
