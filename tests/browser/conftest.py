"""Chromium on the real stack: each person has a context of their own, and nothing on its console."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.async_api import Browser, ViewportSize, async_playwright

from services.stack import edge
from services.stack.stack import Stack
from tests.support.browser import CALM, Visitor, chromium_path, makes_light_files
from tests.support.sector import SWITCHES, World, settled
from tests.support.stack import running_stack


class Elsewhere(BaseHTTPRequestHandler):
    """A page of no meaning, for those who leave quickly."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"elders")

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture(scope="session")
def elsewhere() -> Iterator[str]:
    """Where people go who leave quickly."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        serving.join()


@pytest.fixture(scope="session")
def browser_stack(elsewhere: str) -> Iterator[Stack]:
    """The services in one process, and the edge with the app as it was built."""
    assert (edge.APP / "manifest.json").exists(), "the app is not built: run the tests by `make test`"
    with running_stack(
        one_process=True, env=SWITCHES, edge_host=edge.HERE, edge_env={"MELDBRUG_EDGE_LEAVE_TO": elsewhere}
    ) as stack:
        yield stack


@pytest.fixture(scope="session")
async def world(browser_stack: Stack) -> AsyncIterator[World]:
    """The demo sector."""
    async with settled(browser_stack) as world:
        yield world


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """One browser; every test has contexts of its own in it."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_path(), args=CALM)
        yield browser
        await browser.close()


Visit = Callable[..., Awaitable[Visitor]]


@pytest.fixture
async def visit(world: World, browser: Browser, request: pytest.FixtureRequest) -> AsyncIterator[Visit]:
    """Makes a visitor on a phone or at a desk; afterwards no console may have anything on it."""
    visitors: list[Visitor] = []
    light = request.node.get_closest_marker("light_keys") is not None

    async def enter(*, width: int = 390, height: int = 844, locale: str = "nl-NL", **more: object) -> Visitor:
        size = ViewportSize(width=width, height=height)
        context = await browser.new_context(viewport=size, ignore_https_errors=True, locale=locale, **more)  # type: ignore[arg-type]
        if light:
            await makes_light_files(context)
        visitor = Visitor(world, await context.new_page(), locale[:2])
        visitors.append(visitor)
        return visitor

    yield enter
    for visitor in visitors:
        await visitor.page.context.close()
        assert visitor.complaints == []
