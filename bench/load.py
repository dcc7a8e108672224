"""Closed-loop load: prepared calls, sent one after another or by many at once."""

from __future__ import annotations

import asyncio
import contextlib
import math
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import grpc
import psutil

Call = Callable[[], Awaitable[object]]
Prepare = Callable[[int], list[Call]]
"""Makes that many calls ready to send: bytes and tokens, so that only sending is measured."""


@dataclass
class Subject:
    """Something to measure, with what its windows gave.

    Attributes:
        name: As shown.
        prepare: Makes calls ready.
        per_s: About how many a second one window may need at the most.
        seconds: What single calls took, each after another of its kind.
        seconds_in_turn: What single calls took, each after those of the other subjects.
        rates: Calls a second of each window at saturation.
        turned_away: Calls at saturation that were not answered; they count in no rate.
    """

    name: str
    prepare: Prepare
    per_s: int
    seconds: list[float] = field(default_factory=list)
    seconds_in_turn: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    turned_away: int = 0

    @property
    def p50_ms(self) -> float:
        """Returns the median of single calls in a row."""
        return statistics.median(self.seconds) * 1000

    @property
    def p50_in_turn_ms(self) -> float:
        """Returns the median of single calls in turn with the other subjects'."""
        return statistics.median(self.seconds_in_turn) * 1000

    @property
    def rate(self) -> float:
        """Returns the median of the windows' rates at saturation."""
        return statistics.median(self.rates)


async def one_by_one(subject: Subject, count: int) -> None:
    """Measures `count` single calls in a row."""
    for call in subject.prepare(count):
        subject.seconds.append(await _timed(call))


async def in_turn(subjects: Sequence[Subject], count: int) -> None:
    """Measures `count` single calls of each subject, one of each after one of each."""
    for calls in zip(*(subject.prepare(count) for subject in subjects), strict=True):
        for subject, call in zip(subjects, calls, strict=True):
            subject.seconds_in_turn.append(await _timed(call))


async def _timed(call: Call) -> float:
    began = time.perf_counter()
    await call()
    return time.perf_counter() - began


async def at_saturation(subject: Subject, window_s: float, at_once: int) -> int:
    """Measures one window with `at_once` calls under way. Returns how many were answered."""
    ready = iter(subject.prepare(math.ceil(subject.per_s * window_s)))
    until = time.perf_counter() + window_s

    async def worker() -> int:
        done = 0
        while time.perf_counter() < until and (call := next(ready, None)) is not None:
            try:
                await call()
                done += 1
            except grpc.aio.AioRpcError:
                subject.turned_away += 1
        return done

    began = time.perf_counter()
    answered = sum(await asyncio.gather(*(worker() for _ in range(at_once))))
    took = time.perf_counter() - began
    if took < window_s * 0.95:
        raise RuntimeError(f"{subject.name}: prepared too few calls for a window")
    subject.rates.append(answered / took)
    return answered


def percentile(values: Sequence[float], share: float) -> float:
    """Returns the value that `share` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


@dataclass(frozen=True)
class Usage:
    """CPU seconds and memory of processes with their children, by name; shared pages count once."""

    cpu_s: dict[str, float]
    resident: dict[str, int]


def usage(processes: dict[str, int]) -> Usage:
    """Returns what these processes (name to pid) used so far, children included."""
    cpu_s: dict[str, float] = {}
    resident: dict[str, int] = {}
    for name, pid in processes.items():
        parent = psutil.Process(pid)
        cpu_s[name], resident[name] = 0.0, 0
        for process in [parent, *parent.children(recursive=True)]:
            # A worker of the database may end between being listed and being looked at.
            with contextlib.suppress(psutil.NoSuchProcess):
                cpu_s[name] += sum(process.cpu_times()[:2])
                resident[name] += process.memory_full_info().pss
    return Usage(cpu_s, resident)
