"""What is shown: JSON with stable keys for programs, or words and tables for people."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from .settings import Settings

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
        """Writes JSON when that was asked for; tells whether it was."""
        if self.as_json:
            sys.stdout.write(json.dumps(content, ensure_ascii=False, default=_plain_value) + "\n")
            sys.stdout.flush()
        return self.as_json

    def line(self, text: str = "", style: str = "") -> None:
        """Writes a line; nothing in it is taken for markup."""
        self._console.print(text, style=style or None, markup=False)

    def word(self, key: str, **values: object) -> None:
        """Writes a sentence of the program."""
        self.line(self.words(key, **values))

    def note(self, key: str, **values: object) -> None:
        """Writes a limit or a warning, so that it is seen."""
        self.line(self.words(key, **values), style="yellow")

    def panel(self, title: str, text: str) -> None:
        """Writes what somebody wrote, apart from the program's own words."""
        self._console.print(Panel(escape(text), title=escape(title), title_align="left"))

    def table(self, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Writes a table; headings are keys of words."""
        table = Table(*(self.words(heading) for heading in headings))
        count = 0
        for row in rows:
            table.add_row(*(escape(cell) for cell in row))
            count += 1
        if count:
            self._console.print(table)
        else:
            self.word("nothing-here")


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
    return stamp.astimezone().strftime("%Y-%m-%d %H:%M")


def _plain_value(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    raise TypeError(f"no JSON for {type(value).__name__}")
