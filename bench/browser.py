"""The app at an inbox of a hundred thousand deliveries, by Chromium's own trace: `python -m bench.browser`.

Everything is done as at a desk: keys from a file, presses on what is there. A trace says when something was
asked and when it was painted; the memory is that of the page once its garbage was collected, again and again
while changes come in.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
from playwright.async_api import Browser, CDPSession, Page, async_playwright

from bench import inbox
from bench.edge import CALM as UNASKED
from bench.sector import Case, offer, prepare, reported
from meldbrug.client import Connection, MemberClient
from services.bootstrap.secrets import key_pair
from services.coordination.store.following import CHANNEL
from services.stack import Endpoints
from services.stack.edge import HERE
from services.stack.folder import throw_away
from services.stack.stack import Stack
from tests.support.browser import CALM, chromium_path

ROLE, PARTY = "lichtbrug-contact", "lichtbrug"
MANY = 100_000
TIMES = 15
EVERY_S, CHANGES_PER_S = 10.0, 5
INBOX = ".seat a[href$='work/inbox']"
ROWS = ".rows > li > a"
TEXTS = "main blockquote"
CATEGORIES = ["-*", "loading", "blink.user_timing"]
# What was asked for is painted once the frame in which it came has been: a turn after that frame's callback.
MARKS = """(() => {
  addEventListener("click", () => performance.mark("asked"), true);
  const painted = (done) => requestAnimationFrame(() => setTimeout(() => done(performance.mark("painted"))));
  globalThis.expectPainted = (what) => {
    globalThis.painted = new Promise((done) => {
      const watching = new MutationObserver(() => {
        if (!document.querySelector(what)) return;
        watching.disconnect();
        painted(done);
      });
      watching.observe(document, { childList: true, subtree: true });
    });
  };
})()"""
# One of the newest moves to the head of the inbox, and its reader is told, as by any change of a notice.
CHANGE = """
WITH head AS (UPDATE coordination.inboxes SET seq = seq + 1 WHERE subject = %(subject)s RETURNING seq),
one AS (SELECT notice FROM coordination.deliveries
        WHERE subject = %(subject)s AND live ORDER BY random() LIMIT 1)
UPDATE coordination.deliveries SET seq = head.seq, update_time = now() FROM head, one
WHERE deliveries.notice = one.notice AND deliveries.subject = %(subject)s
"""


def main() -> int:
    """Measures on a throw-away stack. Returns the exit code."""
    asked = argparse.ArgumentParser(prog="python -m bench.browser", description=__doc__)
    asked.add_argument("--minutes", type=float, default=2.0, help="of live updates")
    minutes = asked.parse_args().minutes
    home = Path(__file__).resolve().parents[1] / ".stack"
    with (
        throw_away(home, "bench") as folder,
        Stack(folder, edge_host=HERE, edge_env=UNASKED, tools_folder=home / "tools") as stack,
    ):
        asyncio.run(measured(stack.endpoints, folder, minutes))
    return 0


async def measured(endpoints: Endpoints, folder: Path, minutes: float) -> None:
    """Prints what is found."""
    async with Connection(dict(endpoints.services), endpoints.installation) as connection:
        case = await prepare(connection, key_pair(Path(endpoints.secretariat_key_path)), folder)
        await inbox.seed(connection, case, endpoints, ROLE, MANY)
        reader = MemberClient(connection, case.sector.keys(ROLE))
        # Of another incident: what is copied into the measured one does not come along.
        case = replace(await reported(connection, case.sector), reader=reader)
        case = replace(case, notice=await offer(case, PARTY))
        subject = (await reader.me()).member.subject
        async with at_a_desk() as (browser, page):
            desk = Desk(browser, page, endpoints, case)
            await desk.begin()
            tell("first paint of the app, loaded anew", await desk.loads(), "<= 1,000 ms")
            await desk.sign_in()
            tell(
                f"an inbox of {MANY:,}, from the press to the painted rows",
                await desk.inboxes(),
                "<= 1,000 ms",
            )
            tell("a notice opened, from the press to the painted texts", await desk.openings(), "<= 300 ms")
            await desk.at_the_inbox()
            async with changing(endpoints, subject):
                heap = await desk.heap(minutes)
    print(flatness(heap))


def tell(what: str, found_ms: Sequence[float], wanted: str) -> None:
    """Prints one measure."""
    middle, most = statistics.median(found_ms), max(found_ms)
    print(
        f"{what}: {middle:.0f} ms in the middle of {len(found_ms)}, {most:.0f} at most ({wanted})", flush=True
    )


def flatness(heap_mib: Sequence[float]) -> str:
    """Says how the page's memory went: its first third is warming up."""
    third = len(heap_mib) // 3
    middle, last = (statistics.median(heap_mib[place * third : (place + 1) * third]) for place in (1, 2))
    return f"memory of the page: {middle:.2f} MiB in the middle third, {last:.2f} in the last"


@asynccontextmanager
async def at_a_desk() -> AsyncIterator[tuple[Browser, Page]]:
    """Yields a browser at a desk and its page."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_path(), args=CALM)
        context = await browser.new_context(
            viewport={"width": 1200, "height": 800}, ignore_https_errors=True, locale="nl-NL"
        )
        await context.add_init_script(MARKS)
        yield browser, await context.new_page()
        await browser.close()


@asynccontextmanager
async def changing(endpoints: Endpoints, subject: str) -> AsyncIterator[None]:
    """Lets changes come to a reader's inbox meanwhile."""

    async def go_on() -> None:
        async with await psycopg.AsyncConnection.connect(endpoints.database_url, autocommit=True) as database:
            while True:
                await database.execute(CHANGE, {"subject": subject})
                await database.execute("SELECT pg_notify(%s, %s)", (CHANNEL, subject))
                await asyncio.sleep(1 / CHANGES_PER_S)

    changes = asyncio.create_task(go_on())
    try:
        yield
        if changes.done():
            changes.result()
    finally:
        changes.cancel()


class Desk:
    """A member at the app."""

    def __init__(self, browser: Browser, page: Page, endpoints: Endpoints, case: Case) -> None:
        """Sits at a page."""
        self._browser, self._page, self._endpoints, self._case = browser, page, endpoints, case

    async def begin(self) -> None:
        """Comes to the desk, for files to be at hand as on the second day."""
        await self._page.goto(f"{self._endpoints.edge}/#/nl/work/inbox")
        await self._page.locator("#key-file").wait_for()

    async def loads(self) -> list[float]:
        """Loads the app anew; returns how long its first content took each time, in milliseconds."""
        took = []
        for _ in range(TIMES):
            await self._trace()
            await self._page.reload()
            await self._page.locator("#key-file").wait_for()
            took.append(between(await self._traced(), "navigationStart", "firstContentfulPaint"))
        return took

    async def sign_in(self) -> None:
        """Signs in with the role's key file."""
        await self._page.locator("#key-file").set_input_files(self._case.sector.key_file(ROLE))
        await self._page.locator("#passphrase").fill("een wachtzin voor de meting")
        await self._page.locator("form button").click()
        await self._page.locator(ROWS).first.wait_for()

    async def inboxes(self) -> list[float]:
        """Goes to the inbox; returns how long its rows took each time, in milliseconds."""
        return [await self._inbox() for _ in range(TIMES)]

    async def _inbox(self) -> float:
        await self._page.locator(".seat a[href$='work/device']").click()
        await self._page.locator(ROWS).first.wait_for(state="detached")
        return await self._asked(INBOX, ROWS)

    async def openings(self) -> list[float]:
        """Opens the notice; returns how long its texts took each time, in milliseconds."""
        return [await self._opening() for _ in range(TIMES)]

    async def _opening(self) -> float:
        await self.at_the_inbox()
        _, incident, _, own = self._case.notice.split("/")
        address = f"#/nl/work/notice/{incident}/{own}"
        await self._page.evaluate("(to) => { location.hash = to; }", address)
        return await self._asked("main .steps .primary", TEXTS)

    async def at_the_inbox(self) -> None:
        """Goes to the inbox."""
        await self._page.locator(INBOX).click()
        await self._page.locator(ROWS).first.wait_for()

    async def _asked(self, press: str, what: str) -> float:
        button = self._page.locator(press)
        await button.wait_for()
        await self._trace()
        await self._page.evaluate("(what) => expectPainted(what)", what)
        await button.click()
        await self._page.evaluate("() => painted.then(() => undefined)")
        return between(await self._traced(), "asked", "painted")

    async def heap(self, minutes: float) -> list[float]:
        """Watches the inbox for so long; returns the page's live memory in MiB, again and again."""
        session = await self._page.context.new_cdp_session(self._page)
        found, until = [], time.monotonic() + 60 * minutes
        while time.monotonic() < until:
            await asyncio.sleep(EVERY_S)
            found.append(await live_mib(session))
        return found

    async def _trace(self) -> None:
        await self._browser.start_tracing(page=self._page, categories=CATEGORIES)

    async def _traced(self) -> list[Mapping[str, object]]:
        found: list[Mapping[str, object]] = json.loads(await self._browser.stop_tracing())["traceEvents"]
        return found


async def live_mib(session: CDPSession) -> float:
    """Returns what the page's memory holds once its garbage is gone, in MiB."""
    await session.send("HeapProfiler.collectGarbage")
    used: float = (await session.send("Runtime.getHeapUsage"))["usedSize"]
    return used / 2**20


def between(trace: Sequence[Mapping[str, object]], first: str, last: str) -> float:
    """Returns the milliseconds from the first mark of one name in a trace to the last of another.

    Raises:
        RuntimeError: one of them is not there.
    """
    return (max(moments(trace, last)) - min(moments(trace, first))) / 1000


def moments(trace: Sequence[Mapping[str, object]], name: str) -> list[float]:
    """Returns when something was marked in a trace, in microseconds."""
    found = [float(str(event["ts"])) for event in trace if event["name"] == name]
    if not found:
        raise RuntimeError(f"the trace has no {name}")
    return found


if __name__ == "__main__":
    sys.exit(main())
