"""How the story is told on a terminal: who acts, what they see, and what is checked on the way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from meldbrug.cli.labels import CATEGORIES, label
from meldbrug.cli.words import Words
from meldbrug.client import Circle, Preview, Seen
from meldbrug.common.v1.common_pb2 import Category, NoticeState, OpeningCapacity
from meldbrug.coordination.v1.coordination_pb2 import Stub

WIDTH = 104


class StoryBroken(Exception):
    """Something was not as it is promised: the demo fails."""


class Narrator:
    """Prints the story; every claim it makes is checked by `expect` before it is printed."""

    def __init__(self, console: Console | None = None) -> None:
        """Prints to `console`, or to the terminal."""
        self._console = console or Console(width=WIDTH, highlight=False)

    def chapter(self, number: int, title: str) -> None:
        """Begins a chapter."""
        self._console.print()
        self._console.rule(f"[bold]{number}. {title}", align="left")

    def tell(self, sentence: str) -> None:
        """Says what happens."""
        self._console.print(sentence)

    def shows(self, who: str, what: str, *, note: str = "") -> None:
        """Shows what someone has on the screen."""
        self._console.print(
            Panel(Text(what), title=f"{who} sees", title_align="left", subtitle=note or None, width=WIDTH)
        )

    def table(self, who: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Shows a list that someone has on the screen."""
        table = Table(*columns, title=f"{who} sees", title_justify="left", title_style="bold", width=WIDTH)
        for row in rows:
            table.add_row(*row)
        self._console.print(table)

    def expect(self, sentence: str, *, holds: bool) -> None:
        """Says a sentence that was checked.

        Raises:
            StoryBroken: it does not hold.
        """
        if not holds:
            raise StoryBroken(sentence)
        self._console.print(f"[green]✓[/green] {sentence}")


def who_takes_part(circle: Circle) -> list[tuple[str, str, str]]:
    """Returns a row for each verified person of a circle."""
    counsellors = [
        (circle.organisation(p.appointment.participation).title, p.appointment.role, "takes reports")
        for p in circle.counsellors()
    ]
    contacts = [
        (
            circle.organisation(p.appointment.participation).title,
            p.appointment.role + (" (system)" if p.is_system else ""),
            "may receive notices",
        )
        for p in circle.safety_contacts()
    ]
    return counsellors + contacts


def the_covenants_five(ticked: Sequence[Category.ValueType]) -> list[tuple[str, str, str]]:
    """Returns a row for each category of the covenant, in its order, with a tick where it is chosen."""
    names = [(Category.Name(category), "✓" if category in ticked else "") for category in CATEGORIES.values()]
    return [(tick, label(Words("en"), name), label(Words("nl"), name)) for name, tick in names]


def who_would_read(preview: Preview) -> list[tuple[str, str, str, str]]:
    """Returns a row for each reader of a preview."""
    return [
        (
            reader.member.subject_name,
            reader.appointment.role,
            preview.organisation_title,
            "system" if reader.is_system else "person",
        )
        for reader in preview.readers
    ]


def who_opened(seen: Iterable[Seen]) -> list[tuple[str, str, str]]:
    """Returns a row for each opening, as the reporter sees them."""
    return [
        (
            f"{item.opening.create_time.ToDatetime(tzinfo=UTC):%H:%M:%S}",
            "you" if item.who is None else f"{item.who.subject_name}, {item.who.organisation_title}",
            OpeningCapacity.Name(item.opening.capacity).removeprefix("OPENING_CAPACITY_").lower(),
        )
        for item in seen
    ]


def described(stub: Stub) -> str:
    """Returns what a stub or tombstone shows."""
    lines = [f"state: {NoticeState.Name(stub.state).removeprefix('NOTICE_STATE_').lower().replace('_', ' ')}"]
    if not stub.tombstone:
        lines += [
            f"from: {stub.sender_title}",
            f"production: {stub.production_title}",
            f"terms to accept: {stub.terms_version}",
            f"please answer by: {stub.reply_by_time.ToDatetime(tzinfo=UTC):%d %B %Y}",
            f"independent contact: {stub.independent_contact}",
        ]
    return "\n".join(lines)
