"""The app's files and the headers of every answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.edge import headers, pages
from services.kernel.config import ConfigurationError
from tests.support.stack import ROOT


@pytest.fixture
def built(tmp_path: Path) -> Path:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_bytes(b"<!doctype html>")
    (tmp_path / "assets" / "app.js").write_bytes(b"export {}")
    return tmp_path


def test_a_file_is_answered_with_its_type(built: Path):
    found = pages.read(built)

    assert pages.chosen(found, "/assets/app.js") == pages.Page(
        200, b"text/javascript; charset=utf-8", b"export {}"
    )


@pytest.mark.parametrize("path", ["/", "/melden", "/inbox/abc", "/index.html"])
def test_a_route_of_the_app_is_the_app(built: Path, path: str):
    assert pages.chosen(pages.read(built), path).body == b"<!doctype html>"


@pytest.mark.parametrize("path", ["/app.js", "/assets/../index.htm", "/../secret.key", "/.env", "/a/b.map"])
def test_a_file_that_is_not_there_is_not_found(built: Path, path: str):
    assert pages.chosen(pages.read(built), path) == pages.NOT_FOUND


@pytest.mark.parametrize("folder", [None, Path("is/not/there")])
def test_without_the_folder_a_page_says_so(folder: Path | None):
    page = pages.chosen(pages.read(folder), "/")

    assert (page.status, page.content_type) == (200, b"text/plain; charset=utf-8")
    assert b"not built" in page.body


def test_a_file_of_no_known_type_refuses_the_start(built: Path):
    (built / "app.js.map").write_text("{}")

    with pytest.raises(ConfigurationError, match=r"app_dir: app\.js\.map"):
        pages.read(built)


def test_a_link_refuses_the_start_wherever_it_leads(built: Path, tmp_path_factory: pytest.TempPathFactory):
    secret = tmp_path_factory.mktemp("keys") / "secret.txt"
    secret.write_text("x")
    (built / "here.txt").symlink_to(secret)

    with pytest.raises(ConfigurationError, match=r"app_dir: here\.txt"):
        pages.read(built)


def test_a_folder_without_the_app_refuses_the_start(tmp_path: Path):
    with pytest.raises(ConfigurationError, match="no index"):
        pages.read(tmp_path)


def test_more_than_is_kept_in_memory_refuses_the_start(built: Path):
    with (built / "big.wasm").open("wb") as file:
        file.truncate(pages.MAX_BYTES)

    with pytest.raises(ConfigurationError, match="app_dir"):
        pages.read(built)


def test_every_header_and_directive_has_its_reason_on_the_page():
    page = (ROOT / "docs" / "edge.md").read_text("utf-8")
    named = {name for name, _ in headers.headers(1)}

    assert [name for name in named if name not in page.lower().replace("`-", "`cross-origin-")] == []
    assert [each for each in headers.POLICY if each.split(" ")[0] not in page] == []


def test_nothing_comes_from_anywhere_else():
    """Every source is our own."""
    sources = {source for each in headers.POLICY for source in each.split(" ")[1:]}

    assert "default-src 'none'" in headers.POLICY
    assert sources == {"'none'", "'self'", "'script'", "svelte-trusted-html", "meldbrug-worker"}
