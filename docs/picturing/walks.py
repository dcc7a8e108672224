"""Walks through the app, each by one kind of user, that take a picture at each place they come to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from demo.texts import Texts
from demo.trying import Begun
from tests.support.browser import Visitor

Take = Callable[[Visitor, str], Awaitable[None]]
PUBLIC = (
    ("home", "", ".doors"),
    ("rules", "rules", ".told"),
    ("help", "help", "main h2"),
    ("how", "how", ".told"),
    ("running", "running", ".good"),
    ("nowhere", "nowhere", "main a"),
)
"""Name of a picture, address of the page, and what is on it when it is whole."""
PRODUCTION, RECIPIENT, SYSTEM = "De Laatste Veerpont", "Omroep Noorderlicht", "Zaaksysteem"


@dataclass(frozen=True)
class Told:
    """What was told beforehand, in the language of the walk.

    Attributes:
        code: The production's.
        texts: What its people write.
        asked: The receipt of a report whose reporter has two requests to answer.
        offered: One with a notice that its reader has not answered.
        accepted: One with a notice whose terms were accepted.
    """

    code: str
    texts: Texts
    asked: str
    offered: Begun
    accepted: Begun


async def public(visitor: Visitor, take: Take) -> None:
    """Somebody looks around."""
    for name, path, whole in PUBLIC:
        await visitor.go(path)
        await visitor.page.locator(whole).first.wait_for()
        await take(visitor, name)


async def telling(visitor: Visitor, take: Take, told: Told) -> None:
    """A reporter tells, in six steps."""
    page = visitor.page
    await visitor.go(f"start?c={told.code}")
    await take(visitor, "telling-where")
    await page.locator("form button.primary").click()
    await page.get_by_role("radio").first.check()
    await take(visitor, "telling-who")
    await onward(visitor)
    await page.locator(".receipt li").first.wait_for()
    receipt = await page.locator(".receipt li").all_inner_texts()
    await take(visitor, "telling-keep")
    await onward(visitor)
    for place in (3, 8):
        await page.locator(f"#word-{place}").fill(receipt[place])
    await onward(visitor)
    await page.get_by_role("checkbox").nth(2).check()
    await page.locator("#context").fill(told.texts.context)
    await page.locator("#account").fill(told.texts.account)
    await page.evaluate("() => { document.activeElement.blur(); scrollTo(0, 0); }")
    await take(visitor, "telling-write")
    await onward(visitor)
    await page.locator("blockquote").first.wait_for()
    await take(visitor, "telling-check")
    await onward(visitor)
    await page.locator(".receipt").wait_for()
    await take(visitor, "telling-sent")


async def onward(visitor: Visitor) -> None:
    """Presses the button that goes on."""
    await visitor.page.locator("main .steps button.primary").click()


async def returning(visitor: Visitor, take: Take, told: Told) -> None:
    """A reporter comes back, and looks at a request."""
    await visitor.go("back")
    await take(visitor, "back")
    await comes_in(visitor, told.offered.receipt)
    await take(visitor, "back-own")
    await visitor.page.locator(".steps button").last.click()
    await comes_in(visitor, told.asked)
    request = visitor.page.locator(".rows > li", has_text=RECIPIENT)
    await request.get_by_role("button").click()
    await visitor.page.locator(".matrix").wait_for()
    picks = visitor.page.locator(".pick")
    for left_out in (picks.filter(has=visitor.page.locator(".quoted")).nth(1), picks.filter(has_text=SYSTEM)):
        await left_out.get_by_role("checkbox").uncheck()
    await visitor.page.locator(".scroll + p").scroll_into_view_if_needed()
    await take(visitor, "back-request")


async def comes_in(visitor: Visitor, receipt: str) -> None:
    """Opens what was told with the twelve words."""
    await visitor.page.locator("#twelve").fill(receipt)
    await visitor.page.locator("form button.primary").click()
    await visitor.page.locator(".message").first.wait_for()


async def handling(visitor: Visitor, take: Take, told: Told) -> None:
    """A handler signs in, opens a case, and drafts a notice."""
    page = visitor.page
    await visitor.go("work")
    await take(visitor, "work-sign-in")
    await page.locator("main p button").click()
    await page.locator("#invitation").wait_for()
    await take(visitor, "work-invited")
    await page.locator(".steps button").first.click()
    await visitor.sign_in("duinroos-vp")
    await page.locator(".rows a").first.wait_for()
    await take(visitor, "work-cases")
    await goes(visitor, f"case/{ids(told.offered.incident)}", ".timeline.picture")
    await take(visitor, "work-case")
    await page.locator("main > button").last.click()
    await page.locator("#recipient").select_option(label=RECIPIENT)
    await page.locator("#summary").fill(told.texts.summary)
    await page.locator(".beside").evaluate("(draft) => draft.scrollIntoView()")
    await take(visitor, "work-propose")
    await goes(visitor, "device", ".fingerprint")
    await take(visitor, "work-device")


async def reading(visitor: Visitor, take: Take, told: Told) -> None:
    """A reader looks at what is offered, and opens what was accepted."""
    page = visitor.page
    await visitor.sign_in("noorderlicht-contact")
    await goes(visitor, "inbox", ".rows a")
    await take(visitor, "work-inbox")
    await goes(visitor, f"notice/{ids(told.offered.offered)}", ".terms")
    await take(visitor, "work-notice")
    await goes(visitor, f"notice/{ids(told.accepted.offered)}", "#purpose")
    await page.locator("main .steps button.primary").click()
    await page.locator("details.why summary").first.click()
    await page.locator("details.why").first.scroll_into_view_if_needed()
    await take(visitor, "work-opened")


async def administering(visitor: Visitor, take: Take, _told: Told) -> None:
    """An organisation's admin looks at its people and productions."""
    await visitor.sign_in("duinroos-admin")
    await goes(visitor, "members", ".rows > li")
    await take(visitor, "work-members")
    await goes(visitor, "productions", ".rows > li")
    production = visitor.page.locator(".rows > li", has_text=PRODUCTION)
    await production.get_by_role("button").first.click()
    await production.locator("form").wait_for()
    await production.locator(".told li").first.wait_for()
    await take(visitor, "work-productions")
    await production.get_by_role("link").click()
    await visitor.page.locator(".poster svg").wait_for()
    await take(visitor, "work-poster")


async def presiding(visitor: Visitor, take: Take, _told: Told) -> None:
    """The secretariat looks at the organisations."""
    await visitor.go("work/secretariat")
    await visitor.sign_in_here(visitor.world.root)
    await visitor.page.locator(".rows > li").first.wait_for()
    await take(visitor, "work-secretariat")


async def goes(visitor: Visitor, place: str, whole: str) -> None:
    """Goes to a place at the desk without signing in anew, and waits for what is there when it is whole."""
    address = f"#/{visitor.language}/work/{place}"
    await visitor.page.evaluate("(to) => { location.hash = to; }", address)
    await visitor.page.locator(whole).first.wait_for()


def ids(name: str) -> str:
    """Returns what the address of a case or a notice ends with."""
    return "/".join(name.split("/")[1::2])
