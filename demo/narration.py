"""How the story is told on a terminal: who acts, what they see, and what is checked on the way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

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
