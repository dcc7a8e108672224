"""Many reports in a database by SQL alone, each with a notice that its readers may open."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import psycopg

EVENTS_EACH = 5
"""What happened in each report: it came in, a notice was proposed, consented to, accepted, opened."""
PEOPLE, PARTICIPATIONS = 16, 4


@dataclass(frozen=True)
class Seeded:
    """How many there are, and how they are called; the same names from the same numbers."""

    size: int

    @property
    def events(self) -> int:
        """How much happened."""
        return self.size * EVENTS_EACH

    def incident(self, number: int) -> str:
        """A report."""
        return f"incidents/i{number:025}"

    def notice(self, number: int) -> str:
        """Its notice."""
        return f"{self.incident(number)}/notices/n{number:025}"

    def section(self, number: int, which: int) -> str:
        """One of the two sections of the notice."""
        return f"{self.incident(number)}/sections/s{which}{number:024}"

    def readers(self, number: int) -> tuple[int, int]:
        """Its two readers."""
        return number % PEOPLE, (number + 3) % PEOPLE

    def handler(self, number: int) -> int:
        """Its handler."""
        return (number + 7) % PEOPLE


def kid(person: int) -> str:
    """The key of a person."""
    return f"k{person:051}"


def member(person: int) -> str:
    """The membership of a person."""
    return f"members/m{person:025}"


def subject(person: int) -> str:
    """A person above keys and memberships."""
    return f"persons/p{person:025}"


def appointment(person: int) -> str:
    """The one role of a person."""
    return f"appointments/a{person:025}"


def participation(place: int) -> str:
    """Where people are appointed."""
    return f"participations/t{place:025}"


def organisation(place: int) -> str:
    """Whose people they are."""
    return f"organisations/o{place:025}"


SQL = Path(__file__).with_suffix(".sql")


def seed(url: str, size: int) -> Seeded:
    """Fills a migrated database with so many reports of sixteen people at four organisations."""
    with psycopg.connect(url) as sql:
        sql.execute("SELECT set_config('meldbrug.seeds', %s, false)", (str(size),))
        sql.execute(SQL.read_bytes())
    return Seeded(size)
