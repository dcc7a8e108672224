"""What is shown: JSON with stable keys for programs, or words and tables for people."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from unicodedata import category

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from .settings import Settings

BIDIRECTIONAL = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks that change the order in which letters are shown (Unicode Standard Annex 9)."""

UNSHOWN = ("book", "keys", "reporterKeys", "intake", "exclusions", "decision", "consent")
"""What is verified rather than read: keys and statements stay out of what people and programs are shown."""


class Screen:
    """Where a command writes."""

    def __init__(self, settings: Settings) -> None:
        """Writes to standard output; colours follow the terminal and `NO_COLOR`.

        Where JSON is asked for, nothing else is written.
        """
        self.words = settings.words
        self.as_json = settings.as_json
        self._console = Console(file=sys.stdout, highlight=False, soft_wrap=True, quiet=settings.as_json)

    def data(self, content: Mapping[str, Any]) -> bool:
        """Writes JSON when that was asked for; tells whether it was.

        Args:
            content: Moments are in it as they are, never as `moment` tells them to people.
        """
        if self.as_json:
            sys.stdout.write(json.dumps(content, ensure_ascii=False, default=_plain_value) + "\n")
            sys.stdout.flush()
        return self.as_json

    def line(self, text: str = "", style: str = "") -> None:
        """Writes a line; nothing in it is taken for markup."""
        self._console.print(visible(text), style=style or None, markup=False)

    def word(self, key: str, **values: object) -> None:
        """Writes a sentence of the program."""
        self.line(self.words(key, **values))

    def note(self, key: str, **values: object) -> None:
        """Writes a limit or a warning, so that it is seen."""
        self.line(self.words(key, **values), style="yellow")

    def panel(self, title: str, text: str) -> None:
        """Writes what somebody wrote, apart from the program's own words."""
        # Without the console's soft wrap, which cuts a panel's lines at its border.
        content = Panel(Text(visible(text)), title=Text(visible(title)), title_align="left")
        self._console.print(content, soft_wrap=False)

    def table(self, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Writes a table; headings are keys of words."""
        table = Table()
        for heading in headings:
            table.add_column(self.words(heading), overflow="fold")
        count = 0
        for row in rows:
            table.add_row(*(Text(visible(cell)) for cell in row))
            count += 1
        if count:
            self._console.print(table, soft_wrap=False)
        else:
            self.word("nothing-here")


def visible(text: str) -> str:
    """Returns the text with every character that would steer a terminal shown as `\N{REPLACEMENT CHARACTER}`.

    Whoever writes a notice must not be able to write over what the program says above it.
    """
    return "".join("\N{REPLACEMENT CHARACTER}" if _steers(character) else character for character in text)


def _steers(character: str) -> bool:
    return character in BIDIRECTIONAL or (category(character) == "Cc" and character not in "\n\t")


def plain(message: Message) -> dict[str, Any]:
    """Returns a message as JSON with every key, in the wire's own names; without keys and statements."""
    content = MessageToDict(message, always_print_fields_with_no_presence=True)
    return {key: value for key, value in content.items() if key not in UNSHOWN}


def moment(stamp: Timestamp | datetime) -> str:
    """Returns a moment for people, in the device's own zone; empty for none."""
    if isinstance(stamp, Timestamp):
        if not stamp.seconds:
            return ""
        stamp = stamp.ToDatetime(tzinfo=UTC)
    with suppress(OverflowError, ValueError):  # The first and the last day that there are have no such zone.
        stamp = stamp.astimezone()
    return stamp.strftime("%Y-%m-%d %H:%M")


def _plain_value(value: object) -> str:
    """Returns a moment as programs are given it: RFC 3339 in UTC, as `plain` writes it; empty for none."""
    if isinstance(value, datetime):
        stamp = Timestamp()
        stamp.FromDatetime(value)
        return stamp.ToJsonString()
    if isinstance(value, Timestamp):
        return value.ToJsonString() if value.seconds else ""
    raise TypeError(f"no JSON for {type(value).__name__}")
