"""The domain alone, without a service: notices that are proposed, answered, opened and closed in memory.

What is decided is decided by the functions of `services.*.domain`; what must come of it is written here once
more, in plain sets and tables.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from services.coordination.domain.clocks import Periods, delivery_clocks, look_again, notice_clocks
from services.coordination.domain.facts import (
    DeliveryFacts,
    NoticeFacts,
    NoticeSnapshot,
    ReaderSnapshot,
    delivered,
    noted,
)
from services.coordination.domain.facts import NoticeState as Shown
from services.coordination.domain.views import StubView, Titles, sent_view, stub_view
from services.disclosure import domain as d
from services.kernel.errors import Refusal

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
READERS = tuple(f"k{number}" for number in range(4))
KINDS = (d.Kind.SUMMARY, d.Kind.MEASURES, d.Kind.ACCOUNT)
RECIPIENT = "participations/r"
LIMITS = d.Limits(timedelta(days=14), timedelta(days=180), 1.0, 1)
OPEN = {1, 3, 4, 7}
"""States in which a notice may still be answered or read; by the numbers of the wire."""
Departure = tuple[str, Callable[[d.Said, Random], d.Said]]


def section(place: int, kind: int) -> d.SectionRef:
    """One section of a notice."""
    return d.SectionRef(f"s{place}", 1, kind, bytes([place + 1]) * 32, bytes([place + 100]) * 32)


def _twice(items: Sequence[Any]) -> tuple[Any, ...]:
    return (*items, items[0])


def _first(said: d.Said, **changes: Any) -> tuple[d.SectionRef, ...]:
    return (replace(said.sections[0], **changes), *said.sections[1:])


DEPARTURES: tuple[Departure, ...] = (
    ("RECIPIENT_MISMATCH", lambda said, _: replace(said, recipient="participations/x")),
    ("READER_MISMATCH", lambda said, _: replace(said, reader_kids=(*said.reader_kids, "stranger"))),
    ("READER_MISMATCH", lambda said, _: replace(said, reader_kids=_twice(said.reader_kids))),
    ("READER_MISMATCH", lambda said, _: replace(said, reader_kids=())),
    ("PURPOSE_MISMATCH", lambda said, _: replace(said, purposes=(*said.purposes, 9))),
    ("PURPOSE_MISMATCH", lambda said, _: replace(said, purposes=())),
    ("SECTION_MISMATCH", lambda said, _: replace(said, sections=())),
    ("SECTION_MISMATCH", lambda said, _: replace(said, sections=_twice(said.sections))),
    ("SECTION_MISMATCH", lambda said, _: replace(said, sections=_first(said, version=2))),
    ("SECTION_MISMATCH", lambda said, _: replace(said, sections=_first(said, section="x"))),
    ("DIGEST_MISMATCH", lambda said, _: replace(said, sections=_first(said, digest=bytes(32)))),
    ("COMMITMENT_MISMATCH", lambda said, _: replace(said, sections=_first(said, commitment=bytes(32)))),
    ("PERIOD_MISMATCH", lambda said, r: replace(said, valid_until=said.valid_until + _days(r, 200))),
    ("PERIOD_MISMATCH", lambda said, _: replace(said, valid_until=said.valid_from)),
    ("PERIOD_MISMATCH", lambda said, r: replace(said, valid_from=said.valid_from - _days(r, 3))),
    ("PERIOD_MISMATCH", lambda said, _: replace(said, valid_until=said.valid_until.replace(microsecond=1))),
)


def _days(random: Random, at_most: int) -> timedelta:
    return timedelta(days=random.randint(at_most - 2, at_most))


class Notice:
    """One notice, as disclosure and coordination each know it, and what must be true of it."""

    def __init__(self, random: Random, now: datetime) -> None:
        kinds = random.sample(KINDS, random.randint(1, len(KINDS)))
        self.asked = d.Asked(
            RECIPIENT,
            frozenset(random.sample(READERS, random.randint(1, len(READERS)))),
            tuple(section(place, kind) for place, kind in enumerate(kinds)),
            frozenset(random.sample(range(1, 5), random.randint(1, 4))),
            (now + timedelta(days=random.randint(1, 180))).replace(microsecond=0),
        )
        self.state, self.create_time = d.NoticeState.CONSENT_PENDING, now
        self.pairs: set[tuple[str, str]] = set()
        self.opened: dict[str, datetime] = {}
        self.offer_time: datetime | None = None
        self.close_time: datetime | None = None
        self.last = 0
        self.facts: NoticeFacts | None = None
        self.stubs: dict[str, DeliveryFacts] = {}
        self.ever_offered: set[str] = set()

    @property
    def is_open(self) -> bool:
        """Whether it may still be answered."""
        return int(self.state) in OPEN

    def yes(self, random: Random, now: datetime) -> d.Said:
        """A consent that must be taken: a part of what was asked."""
        readers = sorted(self.asked.reader_kids)
        return d.Said(
            RECIPIENT,
            tuple(random.sample(readers, random.randint(1, len(readers)))),
            tuple(random.sample(self.asked.sections, random.randint(1, len(self.asked.sections)))),
            tuple(random.sample(sorted(self.asked.purposes), random.randint(1, len(self.asked.purposes)))),
            now.replace(microsecond=0),
            self.asked.valid_until,
            "1",
        )

    def snapshot(self) -> NoticeSnapshot:
        """What disclosure tells coordination."""
        readers = tuple(
            ReaderSnapshot(kid, any(pair[0] == kid for pair in self.pairs), self.opened.get(kid))
            for kid in sorted(self.ever_offered)
        )
        return NoticeSnapshot(
            "n", "participations/s", RECIPIENT, Shown(int(self.state)), (), "1", self.create_time,
            self.offer_time, min(self.opened.values(), default=None), self.close_time,
            self.create_time + LIMITS.answer_for, readers,
        )  # fmt: skip


class Play:
    """A game of one notice; each step decides by the domain and holds what comes of it to the tables."""

    def __init__(self, random: Random) -> None:
        self.random, self.now, self.steps = random, START + _days(random, 300), 0
        self.notice = Notice(random, self.now)

    def step(self) -> None:
        """One of the acts, at random."""
        self.steps += 1
        self.now += timedelta(seconds=self.random.choice((0, 1, 60, 4000, 90_000)))
        acts = (self.give, self.give, self.depart, self.close, self.open, self.sequence)
        self.random.choice(acts)()
        self.tell()

    def sequence(self) -> None:
        """A statement's number rises, and never ahead of the clock."""
        at = int(self.now.timestamp() * 1000)
        number = self.random.choice((self.notice.last, self.notice.last + 1, at, at + 299_000, at + 301_000))
        taken = self.notice.last < number <= at + 300_000
        assert reason_of(d.require_sequence, number, self.notice.last, self.now) == (
            "" if taken else "STATEMENT_SEQUENCE"
        )
        self.notice.last = number if taken else self.notice.last

    def give(self) -> None:
        """A yes within what was asked is taken while the notice is open; it supersedes."""
        notice = self.notice
        said = notice.yes(self.random, self.now)
        in_time = self.now < notice.asked.valid_until
        assert reason_of(d.require_asked, said, notice.asked, self.now) == (
            "" if in_time else "PERIOD_MISMATCH"
        )
        wraps = [
            d.Wrap(ref.section, ref.version, kid, b"") for ref in said.sections for kid in said.reader_kids
        ]
        self._wraps(wraps, said)
        assert (notice.state in d.ANSWERABLE) == notice.is_open
        if in_time and notice.is_open:
            notice.pairs = {(wrap.reader_kid, wrap.section) for wrap in wraps}
            notice.ever_offered |= set(said.reader_kids)
            notice.offer_time = notice.offer_time or self.now
            if notice.state is d.NoticeState.CONSENT_PENDING:
                notice.state = d.NoticeState.OFFERED

    def _wraps(self, wraps: list[d.Wrap], said: d.Said) -> None:
        assert reason_of(d.require_pairs, self.random.sample(wraps, len(wraps)), said) == ""
        wrong = [wraps[:-1], [*wraps, wraps[0]], [replace(wraps[0], reader_kid="x"), *wraps[1:]]]
        assert reason_of(d.require_pairs, self.random.choice(wrong), said) == "WRAP_MISMATCH"

    def depart(self) -> None:
        """A yes that departs from what was asked in one thing is refused for that."""
        reason, depart = self.random.choice(DEPARTURES)
        if self.now < self.notice.asked.valid_until or reason == "PERIOD_MISMATCH":
            said = depart(self.notice.yes(self.random, self.now), self.random)
            assert reason_of(d.require_asked, said, self.notice.asked, self.now) == reason

    def open(self) -> None:
        """A reader with a live seat accepts and opens."""
        notice = self.notice
        readers = sorted({kid for kid, _ in notice.pairs})
        if readers and notice.is_open:
            notice.opened.setdefault(self.random.choice(readers), self.now)
            notice.state = d.NoticeState.OPENED

    def close(self) -> None:
        """What closes stays closed, and tells no cause but the period's end and the recipient's own no."""
        reason, notice = self.random.choice(list(d.CloseReason)), self.notice
        found = d.closed_as(notice.state, reason)
        if not notice.is_open:
            assert found is None
            return
        wanted = {"expired": 11, "declined": 5}.get(reason.value, 10 if int(notice.state) == 7 else 9)
        assert found is not None
        assert int(found) == wanted
        notice.state, notice.pairs, notice.close_time = found, set(), self.now

    def tell(self) -> None:
        """What the views show after each step."""
        notice = self.notice
        told = notice.snapshot()
        facts = noted(told, notice.facts, self.now)
        stubs = delivered(told, notice.stubs, self.now)
        assert stubs.keys() >= notice.stubs.keys(), "a stub went away without a tombstone"
        assert stubs.keys() <= notice.ever_offered, "a stub for somebody who was never offered it"
        clocks = notice_clocks(facts, Periods())
        sent = sent_view(facts, clocks, self.now)
        assert int(sent.state) == int(notice.state)
        for kid, stub in stubs.items():
            self._stub(
                kid, stub_view(facts, stub, Titles(), clocks, delivery_clocks(stub, Periods()), self.now)
            )
        again = look_again(clocks, self.now)
        assert self.now < again <= self.now + timedelta(days=7)
        notice.facts, notice.stubs = facts, stubs

    def _stub(self, kid: str, view: StubView) -> None:
        live = any(pair[0] == kid for pair in self.notice.pairs)
        assert view.tombstone != live
        if view.tombstone:
            assert int(view.state) == (10 if kid in self.notice.opened else 9), "a tombstone tells why"
            assert (view.sender, view.purposes, view.terms_version, view.reply_by_time) == ("", (), "", None)


def reason_of(rule: Callable[..., object], *given: object) -> str:
    """Why a rule refused, or nothing when it did not."""
    try:
        rule(*given)
    except Refusal as refusal:
        return refusal.reason
    return ""


def handed_on(random: Random) -> None:
    """A key's line is everything from which hand-overs lead to it, in the order they were made."""
    steps = [(random.choice(READERS), random.choice(READERS)) for _ in range(random.randint(0, 6))]
    kid = random.choice(READERS)
    wanted = {kid}
    for old, new in steps[::-1]:
        wanted |= {old} if new in wanted else set()
    assert d.led_to(kid, steps) == wanted


def shared(random: Random) -> None:
    """Messages and notes never leave; who is accused only on a ground of law, with its article or licence."""
    kinds = random.sample(range(1, 14), random.randint(1, 5))
    ground, reference = random.randint(1, 6), random.choice(("", "artikel 1"))
    barred = bool({12, 13} & set(kinds)) or (11 in kinds and not (ground in {2, 5, 6} and reference))
    assert reason_of(d.require_shareable, kinds, ground, reference) == ("SECTION_MISMATCH" if barred else "")
