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
        says: What is seen, for whoever cannot see it.
        view: The step of telling, or the place at the desk, that the page shows.
    """

    name: str
    page: str
    says: str
    view: str = ""


NOWHERE = "nowhere"
"""Any address that is no page's."""
PLACES = (
    Place(
        "home",
        "",
        "The first page: three doors, to tell, to come back, and for those who work for an organisation",
    ),
    Place("rules", "rules", "The ten rules of the covenant in plain words"),
    Place("help", "help", "Who can help: the counsellor, the independent point, the police"),
    Place("how", "how", "How it works, in five steps"),
    Place("running", "running", "What is running here: the files compared with the published list"),
    Place("nowhere", NOWHERE, "An address that is no page"),
    Place(
        "telling-where",
        "start",
        "Telling, step 1: the code of the production, or the independent point without one",
        "where",
    ),
    Place("telling-who", "start", "Telling, step 2: who may read it, and who must never know", "who"),
    Place("telling-keep", "start", "Telling, step 3: twelve words, to be written down", "keep"),
    Place("telling-write", "start", "Telling, step 4: what happened, in one's own words", "write"),
    Place(
        "telling-check",
        "start",
        "Telling, step 5: who will read it and what was written, before it is sent",
        "check",
    ),
    Place(
        "telling-sent",
        "start",
        "It has arrived: when to look again, and the twelve words for the last time",
        "sent",
    ),
    Place("back", "back", "Coming back: a field for the twelve words"),
    Place(
        "back-own", "back", "What a reporter told: how it stands, who asks to share it, and the conversation"
    ),
    Place(
        "back-request",
        "back",
        "A request to share: the text, who would read it, and a table of who would see what",
    ),
    Place("work-sign-in", "work", "Signing in with a key file, or with an invitation"),
    Place("work-invited", "work", "A newcomer's invitation: its code, and a passphrase to choose"),
    Place(
        "work-cases", "work", "The handler's list of reports, with how each stands and what is due", "cases"
    ),
    Place(
        "work-case",
        "work",
        "One report at the handler's desk: what is due on a line of time, how it stands, and what was told",
        "case",
    ),
    Place("work-propose", "work", "Drafting a notice, beside what the reporter will see of it", "case"),
    Place("work-inbox", "work", "What a reader received", "inbox"),
    Place(
        "work-notice",
        "work",
        "A notice that is offered: how far it is, from whom, what is due, and the terms",
        "notice",
    ),
    Place("work-opened", "work", "An opened notice, with why each part of it can be seen", "notice"),
    Place("work-members", "work", "The people of an organisation, as its admin sees them", "members"),
    Place(
        "work-productions",
        "work",
        "The productions of an organisation, their codes, and who sits where",
        "productions",
    ),
    Place("work-poster", "work", "A production's poster, with the start link as a code to scan", "poster"),
    Place(
        "work-secretariat",
        "work",
        "The secretariat's page: organisations, how each stands, and whose key waits to be compared",
        "secretariat",
    ),
    Place("work-device", "work", "The key on this device: its fingerprint, its file, a passkey", "device"),
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
    Shown("readme-reporter", "telling-who", "phone"),
    Shown("readme-matrix", "back-request", "phone"),
    Shown("readme-case", "work-case", "desk"),
)
FILES = tuple(f"{name}.png" for name in (*NAMES, *(shown.name for shown in FIRST_PAGE)))
INTRODUCTION = """# The app in pictures

Written by `docs/generate.py`; do not edit. Each picture shows one page eight times: above in Dutch, below in
English; from left to right at a desk, light and dark, and on a phone, light and dark. `make pictures` makes
them anew from the running app with the demo's sector and story; everything in them is made up.
"""


def page() -> str:
    """Returns the page that shows every picture."""
    shown = (f"## {place.says}\n\n![{place.says}](pictures/{place.name}.png)\n" for place in PLACES)
    return "\n".join((INTRODUCTION, *shown))
