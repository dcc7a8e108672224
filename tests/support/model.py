"""The reference model: who may read what, in plain sets. It knows promises, not how they are kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

Pair = tuple[str, int]
"""Somebody and a kind."""


@dataclass
class Somebody:
    """A member: at which party, in which role, and whether still there."""

    party: str
    appointment: str = ""
    removed: bool = False
    turns: int = 0
    """How often the key was rotated: what was asked of an earlier key cannot be given to it any more."""


@dataclass
class Asked:
    """A notice as it was proposed, and what the reporter said to it."""

    incident: str
    party: str
    readers: dict[str, int]
    kinds: frozenset[int]
    until: float
    pairs: set[Pair] = field(default_factory=set)
    seats: dict[str, str] = field(default_factory=dict)
    purposes: frozenset[int] = frozenset()
    accepted: bool = False
    answered: bool = False
    closed: bool = False
    offered: set[str] = field(default_factory=set)


@dataclass
class Told:
    """A report: who handles it, by which appointment, and which of its sections each of them can open."""

    seats: dict[str, str]
    sections: set[tuple[str, str]] = field(default_factory=set)
    excluded: set[str] = field(default_factory=set)
    withdrawn: bool = False
    seated: set[str] = field(default_factory=set)


class Model:
    """Everything that happened, as far as it decides on reading. Names are the test's own."""

    def __init__(self) -> None:
        self.people: dict[str, Somebody] = {}
        self.ended: set[str] = set()
        self.told: dict[str, Told] = {}
        self.asked: dict[str, Asked] = {}
        self.now = 0.0

    def is_out(self, who: str, incident: str) -> bool:
        """Whether somebody is excluded from an incident, in person or with their party."""
        return not self.told[incident].excluded.isdisjoint({who, self.people[who].party})

    def holds(self, who: str, appointment: str) -> bool:
        """Whether somebody still is there, in the very role in which they sat down."""
        return not self.people[who].removed and appointment not in self.ended

    def is_current(self, who: str) -> bool:
        """Whether somebody holds a role today."""
        somebody = self.people[who]
        return bool(somebody.appointment) and self.holds(who, somebody.appointment)

    def handles(self, who: str, incident: str) -> bool:
        """Whether somebody may handle an incident now."""
        told = self.told[incident]
        seat = told.seats.get(who)
        return (
            seat is not None
            and self.holds(who, seat)
            and not told.withdrawn
            and not self.is_out(who, incident)
        )

    def handlers(self, incident: str) -> list[str]:
        """Who handles it now."""
        return [who for who in self.told[incident].seats if self.handles(who, incident)]

    def sections(self, who: str, incident: str) -> set[str]:
        """Names of the sections that a handler may open now."""
        if not self.handles(who, incident):
            return set()
        return {name for holder, name in self.told[incident].sections if holder == who}

    def kinds(self, who: str, notice: str, purpose: int) -> set[int]:
        """Kinds that a reader may open now for a purpose: consent, decision, terms, no conflict."""
        asked = self.asked[notice]
        seat = asked.seats.get(who)
        shut = (
            seat is None
            or asked.closed
            or not asked.accepted
            or self.now >= asked.until
            or purpose not in asked.purposes
            or self.told[asked.incident].withdrawn
            or self.is_out(who, asked.incident)
            or not self.holds(who, seat)
        )
        return set() if shut else {kind for reader, kind in asked.pairs if reader == who}

    def has_stub(self, who: str, notice: str) -> bool:
        """Whether somebody may answer the terms now: all but the acceptance itself."""
        asked = self.asked[notice]
        was, asked.accepted = asked.accepted, True
        found = any(self.kinds(who, notice, purpose) for purpose in asked.purposes)
        asked.accepted = was
        return found

    def can_be_given(self, notice: str) -> bool:
        """Whether a whole yes must be taken: open, in time, and everyone asked is as they were.

        A notice whose last reader lost their seat after a yes closes by itself, a moment later.
        """
        asked = self.asked[notice]
        fresh = [
            self.is_current(who) and self.people[who].turns == turns and not self.is_out(who, asked.incident)
            for who, turns in asked.readers.items()
        ]
        is_open = not asked.closed and self.now < asked.until and not self.told[asked.incident].withdrawn
        left = {who for who, _ in asked.pairs if who in asked.seats}
        is_left = any(
            self.holds(who, asked.seats[who]) and not self.is_out(who, asked.incident) for who in left
        )
        return is_open and all(fresh) and (is_left or not asked.answered)

    def report(self, incident: str, handlers: Iterable[str], sections: Iterable[str]) -> None:
        """A report came in."""
        seats = {who: self.people[who].appointment for who in handlers}
        self.told[incident] = Told(seats, seated=set(seats))
        self.write(incident, sections)

    def write(self, incident: str, sections: Iterable[str]) -> None:
        """Something was sealed to the handlers of that moment."""
        handlers = self.handlers(incident)
        self.told[incident].sections |= {(who, name) for name in sections for who in handlers}

    def change_intake(self, incident: str, handlers: Iterable[str], shared: Iterable[str]) -> None:
        """Those who stay keep everything, those who join get what is shared, the others lose all."""
        told, chosen = self.told[incident], set(handlers)
        staying = {who for who in chosen if self.handles(who, incident)}
        kept = {(who, name) for who, name in told.sections if who in staying}
        told.sections = kept | {(who, name) for who in chosen - staying for name in shared}
        told.seats = {
            who: told.seats[who] if who in staying else self.people[who].appointment for who in chosen
        }
        told.seated |= chosen

    def give(self, notice: str, readers: set[str], kinds: set[int], purposes: Iterable[int]) -> None:
        """The reporter said yes; it supersedes what was said before."""
        asked = self.asked[notice]
        asked.pairs = {(who, kind) for who in readers for kind in kinds}
        asked.seats = {who: self.people[who].appointment for who in readers}
        asked.purposes = frozenset(purposes)
        asked.answered = True
        asked.offered |= readers

    def withdraw(self, notice: str, readers: set[str], kinds: set[int]) -> None:
        """The reporter took back everything, or these readers, or these kinds, or both."""
        asked = self.asked[notice]
        asked.pairs = {
            (who, kind)
            for who, kind in asked.pairs
            if (readers and who not in readers) or (kinds and kind not in kinds)
        }
        asked.closed |= not asked.pairs

    def reseat(self, who: str) -> None:
        """A key was rotated: what was readable stays so, to the new key alone; what was not is lost to it."""
        self.people[who].turns += 1
        for asked in self.asked.values():
            if not asked.accepted:
                asked.seats.pop(who, None)
                asked.pairs = {pair for pair in asked.pairs if pair[0] != who}
