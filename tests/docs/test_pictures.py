"""There is a picture of every page of the app, none of a page that is gone, and each is small and bare."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from docs.picturing.places import FILES, FIRST_PAGE, FOLDER, NAMES, NOWHERE, PLACES, Shown
from docs.picturing.sheets import SIZES, VARIANTS, extent
from tests.docs.pages import name_of, pages, tracked
from tests.support.stack import ROOT

APP = ROOT / "clients" / "web" / "src" / "pages"
TOTAL_BYTES = 3 * 2**20
IMAGE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")
SHEETS = [f"{name}.png" for name in NAMES]


def pages_of(index: str) -> set[str]:
    """The names of the pages in the app's own list."""
    return {
        quoted or bare for quoted, bare in re.findall(r'^  (?:"(\w*)"|(\w+)): \(\) =>', index, re.MULTILINE)
    }


def views_of(page: str) -> set[str]:
    """The names of the views that a page switches between."""
    [found] = re.findall(r"const VIEWS[^=]*= \{([^}]*)\}", page)
    return set(re.findall(r"(\w+):", found))


def views() -> Iterator[tuple[str, str]]:
    files = (("start", "reporter/Start.svelte"), ("work", "work/Work.svelte"), ("work", "../work/seldom.ts"))
    for page, file in files:
        yield from ((page, view) for view in views_of((APP / file).read_text("utf-8")))


def test_every_page_of_the_app_has_a_picture_and_no_other_has():
    known = pages_of((APP / "index.ts").read_text("utf-8"))

    assert len(known) >= 8
    assert {place.page for place in PLACES} == {*known, NOWHERE}


def test_every_view_of_a_page_has_a_picture_and_no_other_has():
    assert {(place.page, place.view) for place in PLACES if place.view} == set(views())


def test_a_new_page_and_a_new_view_are_noticed():
    assert pages_of('  "": () => import("a"),\n  poster: () => import("b"),\n') == {"", "poster"}
    assert views_of("const VIEWS: Record<string, A<{ b: C }>> = { one: One, two: Two };") == {"one", "two"}


def test_the_pictures_on_disk_are_those_that_are_listed():
    assert {path.name for path in tracked("docs/pictures/*")} == set(FILES)
    assert len(set(FILES)) == len(FILES)


def test_the_pictures_are_small():
    assert sum((FOLDER / name).stat().st_size for name in FILES) < TOTAL_BYTES


@pytest.mark.parametrize("name", SHEETS)
def test_a_sheet_has_room_for_each_variant_a_palette_and_nothing_else_in_it(name: str):
    with Image.open(FOLDER / name) as image:
        assert (image.format, image.mode, image.size) == ("PNG", "P", extent())
        assert image.info == {}
    assert len(VARIANTS) == 8


@pytest.mark.parametrize("shown", FIRST_PAGE, ids=lambda shown: shown.name)
def test_a_picture_of_the_first_page_is_one_screen_and_is_shown_there(shown: Shown):
    with Image.open(FOLDER / f"{shown.name}.png") as image:
        assert (image.mode, image.size) == ("P", SIZES[shown.size])
        assert image.info == {}
    assert shown.place in NAMES
    assert f"(docs/pictures/{shown.name}.png)" in (ROOT / "README.md").read_text("utf-8")


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_every_picture_says_what_is_seen_on_it(page: Path):
    assert [path for said, path in IMAGE.findall(page.read_text("utf-8")) if len(said.split()) < 4] == []
