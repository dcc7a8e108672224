"""Every picture there is of the app, and the page and view of it that each shows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "pictures"


@dataclass(frozen=True)
class Place:
    """One picture.

    Attributes:
        name: Of its file.
        page: The page's name in the app's addresses; empty for the first page.
        view: The step of telling, or the place at the desk, that the page shows.
    """

    name: str
    page: str
    view: str = ""


NOWHERE = "nowhere"
"""Any address that is no page's."""
PLACES = (
    Place("home", ""),
    Place("rules", "rules"),
    Place("help", "help"),
    Place("how", "how"),
    Place("running", "running"),
    Place("nowhere", NOWHERE),
    Place("telling-where", "start", "where"),
    Place("telling-who", "start", "who"),
    Place("telling-keep", "start", "keep"),
    Place("telling-write", "start", "write"),
    Place("telling-check", "start", "check"),
    Place("telling-sent", "start", "sent"),
    Place("back", "back"),
    Place("back-own", "back"),
    Place("back-request", "back"),
    Place("work-sign-in", "work"),
    Place("work-invited", "work"),
    Place("work-cases", "work", "cases"),
    Place("work-case", "work", "case"),
    Place("work-propose", "work", "case"),
    Place("work-inbox", "work", "inbox"),
    Place("work-notice", "work", "notice"),
    Place("work-opened", "work", "notice"),
    Place("work-members", "work", "members"),
    Place("work-productions", "work", "productions"),
    Place("work-device", "work", "device"),
)
NAMES = tuple(place.name for place in PLACES)


@dataclass(frozen=True)
class Shown:
    """A picture of the first page of the project: one place, one language, one size.

    Attributes:
        name: Of its file.
        place: Of which place it is.
        size: Of which size of screen.
    """

    name: str
    place: str
    size: str


FIRST_PAGE = (
    Shown("readme-reporter", "telling-write", "phone"),
    Shown("readme-matrix", "back-request", "phone"),
    Shown("readme-case", "work-case", "desk"),
)
FILES = tuple(f"{name}.png" for name in (*NAMES, *(shown.name for shown in FIRST_PAGE)))
