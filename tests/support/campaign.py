"""Suites that try to break a promise with one numbered case after another.

A case follows from its number alone, so that a number plays it again. `make test` plays a floor of fresh
numbers and those that failed once; `make test-deep SUITE=…` goes on where the last deep run ended, for a
given time, and adds what it did to `tests/record/<suite>.json`, from which `docs/assurance.md` is written.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RECORDS = ROOT / "tests" / "record"
SAVE_EVERY_S = 10.0
# Fresh numbers of `make test` lie above those of deep runs, which count up from 0.
FRESH_FROM = 10**9


@dataclass(frozen=True)
class Plan:
    """What a suite has to do, as its marker says.

    Args:
        name: Of the suite, and of its record.
        unit: What is counted against floor and target; one of the names given to `Campaign.count`.
        floor: So many units in each run of `make test`.
        target: So many in all deep runs together.
        short_s: The floor must be reached within this time.
    """

    name: str
    unit: str
    floor: int
    target: int
    short_s: float


@dataclass
class Record:
    """What all deep runs of a suite did.

    `next` is the first number not played yet; `failed` are numbers that failed once and are played in every
    run; `runs` name when, at which commit, and which numbers.
    """

    next: int = 0
    seconds: float = 0.0
    counts: dict[str, int] = field(default_factory=dict)
    failed: list[int] = field(default_factory=list)
    runs: list[dict[str, str | int]] = field(default_factory=list)

    @classmethod
    def of(cls, name: str, folder: Path = RECORDS) -> Record:
        """Reads the record of a suite; an empty one where there is none yet."""
        path = folder / f"{name}.json"
        return cls(**json.loads(path.read_text("utf-8"))) if path.exists() else cls()

    def save(self, name: str, folder: Path = RECORDS) -> None:
        """Writes it in one step: a run that is cut off leaves the last whole state."""
        folder.mkdir(exist_ok=True)
        written = folder / f".{name}.json"
        written.write_text(json.dumps(asdict(self), indent=1) + "\n", "utf-8")
        written.replace(folder / f"{name}.json")


class Campaign:
    """One run of a suite: `for number in campaign:` play it, then `campaign.count(…)` what it did.

    Args:
        plan: The suite's.
        deep_s: How long a deep run lasts; None for the short form.
        folder: Where records lie.
    """

    def __init__(self, plan: Plan, *, deep_s: float | None = None, folder: Path = RECORDS) -> None:
        self.plan, self._deep_s, self._folder = plan, deep_s, folder
        self.counts: Counter[str] = Counter()
        self.record = Record.of(plan.name, folder)
        self._playing: int | None = None
        self._run: dict[str, str | int] = {}
        self._saved = time.monotonic()

    def count(self, **done: int) -> None:
        """Adds what the case did, by unit."""
        self.counts.update(done)

    def __iter__(self) -> Iterator[int]:
        """Yields the numbers to play."""
        for number in self._numbers():
            print(f"{self.plan.name}: case {number}", flush=True)
            self._playing = number
            yield number
            self._playing = None
        print(f"{self.plan.name}: {dict(self.counts)}", flush=True)

    def _numbers(self) -> Iterator[int]:
        if given := os.environ.get("MELDBRUG_CASE"):
            yield int(given)
        elif self._deep_s is None:
            yield from self._short()
        else:
            yield from self._deep(self._deep_s)

    def _short(self) -> Iterator[int]:
        yield from self.record.failed
        plan, began, number = self.plan, time.monotonic(), FRESH_FROM + secrets.randbelow(FRESH_FROM)
        while self.counts[plan.unit] < plan.floor:
            took = time.monotonic() - began
            assert took < plan.short_s, f"{dict(self.counts)} in {took:.0f} s, the floor is {plan.floor}"
            yield number
            number += 1

    def _deep(self, seconds: float) -> Iterator[int]:
        until = time.monotonic() + seconds
        yield from self.record.failed
        self.counts.clear()
        number = self.record.next
        self._run = {"date": datetime.now(UTC).date().isoformat(), "commit": _commit(), "from": number}
        self.record.runs.append(self._run)
        while time.monotonic() < until:
            yield number
            number += 1
            if time.monotonic() - self._saved > SAVE_EVERY_S:
                self._save(number)
        self._save(number)

    def close(self) -> None:
        """Ends the run; the case that was under way failed, and is played in every run from now on."""
        if self._playing is not None and self._run and self._playing not in self.record.failed:
            self.record.failed.append(self._playing)
            self._save(self._playing + 1)

    def _save(self, upto: int) -> None:
        record = self.record
        self._run["to"] = record.next = upto
        record.seconds = round(record.seconds + time.monotonic() - self._saved, 1)
        self._saved = time.monotonic()
        for unit, done in self.counts.items():
            record.counts[unit] = record.counts.get(unit, 0) + done
        self.counts.clear()
        record.save(self.plan.name, self._folder)


def _commit() -> str:
    found = subprocess.run(
        ["git", "rev-parse", "--short=10", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return found.stdout.strip()
