"""Contact sheets: what one page looks like in both languages, light and dark, on a phone and on a desk."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from PIL import Image, ImageColor


@dataclass(frozen=True)
class Variant:
    """One way in which a page is seen."""

    language: str
    size: str
    scheme: str


LANGUAGES = ("nl", "en")
SCHEMES = ("light", "dark")
SIZES = {"phone": (390, 844), "desk": (1200, 800)}
"""Width and height of a screen in CSS pixels."""
SCALE = 0.5
GAP = 12
BEHIND = (128, 128, 128)
STYLES = Path(__file__).resolve().parents[2] / "clients" / "web" / "src" / "styles" / "app.css"
ON = (
    ("ink", "paper"),
    ("ink", "card"),
    ("soft", "paper"),
    ("soft", "card"),
    ("accent", "paper"),
    ("accent", "card"),
    ("bad", "paper"),
    ("on-accent", "accent"),
    ("on-leave", "leave"),
)
"""Colours of the app that letters have, each with what they stand on: their edges are in between."""
BETWEEN = (1 / 3, 2 / 3)
Colour = tuple[int, int, int]
VARIANTS = tuple(
    Variant(language, size, scheme) for language, size, scheme in product(LANGUAGES, reversed(SIZES), SCHEMES)
)


def scaled(size: str) -> tuple[int, int]:
    """Returns how wide and high a screen is on a sheet, in pixels."""
    width, height = SIZES[size]
    return round(width * SCALE), round(height * SCALE)


def places() -> Iterator[tuple[Variant, tuple[int, int]]]:
    """Yields each variant with where it is on a sheet: a row for each language."""
    row = max(scaled(size)[1] for size in SIZES) + GAP
    for at, language in enumerate(LANGUAGES):
        left = GAP
        for variant in (one for one in VARIANTS if one.language == language):
            yield variant, (left, GAP + at * row)
            left += scaled(variant.size)[0] + GAP


def extent() -> tuple[int, int]:
    """Returns how wide and high a sheet is, in pixels."""
    ends = [(x + scaled(one.size)[0], y + scaled(one.size)[1]) for one, (x, y) in places()]
    return max(x for x, _ in ends) + GAP, max(y for _, y in ends) + GAP


def sheet(shots: Mapping[Variant, bytes]) -> Image.Image:
    """Returns all variants of a page on one sheet."""
    made = Image.new("RGB", extent(), BEHIND)
    for variant, place in places():
        shot = Image.open(io.BytesIO(shots[variant])).convert("RGB")
        made.paste(shot.resize(scaled(variant.size), Image.Resampling.LANCZOS), place)
    return made


def colours() -> list[Colour]:
    """Returns the colours of the app in both schemes, with those between letters and what they stand on."""
    named = re.findall(r"--([\w-]+): light-dark\((#\w+), (#\w+)\)", STYLES.read_text("utf-8"))
    found: list[Colour] = [BEHIND]
    for scheme in range(len(SCHEMES)):
        of = {name: ImageColor.getcolor(both[scheme], "RGB") for name, *both in named}
        found += [*of.values(), *(between(of[ink], of[paper], part) for ink, paper in ON for part in BETWEEN)]
    return list(dict.fromkeys(found))


def between(one: Colour, other: Colour, part: float) -> Colour:
    """Returns the colour that lies a part of the way from one to another."""
    red, green, blue = (round(a + (b - a) * part) for a, b in zip(one, other, strict=True))
    return red, green, blue


def write(image: Image.Image, path: Path) -> None:
    """Writes an image in the app's colours with nothing else in it: no time, no name of a program."""
    palette = Image.new("P", (1, 1))
    palette.putpalette([part for colour in colours() for part in colour])
    few = image.convert("RGB").quantize(palette=palette, dither=Image.Dither.NONE)
    few.save(path, format="PNG", optimize=True)


def read(shot: bytes) -> Image.Image:
    """Returns a shot as an image."""
    return Image.open(io.BytesIO(shot))
