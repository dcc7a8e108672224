"""Whether what concurrent clients saw of one notice as one reader could have happened one after another.

After Wing and Gong (1993): a history is linearizable when every operation can be put at one moment between
its call and its answer so that the answers are those of the sequential model. The model is a set of kinds
that can be opened. An operation without an answer may take effect at any later moment, or never.

A door opens with a delay, and a change of what is open shuts it for a moment: the policy engine follows. So a
refusal says nothing while something is opened or changed, and for a while after. The other way round there is
no grace: once closed, nothing is let through.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf
from typing import Literal

Kinds = frozenset[int]
NOTHING: Kinds = frozenset()
# How long the policy engine may take to follow what is opened, seconds.
FOLLOWS_S = 5.0


@dataclass(frozen=True)
class Op:
    """One operation, with the seconds at which it was called and answered.

    `opened` saw exactly `kinds`; `refused` saw nothing; `set` leaves `kinds` open, `drop` takes them away,
    and `close` takes everything away.
    """

    what: Literal["opened", "refused", "set", "drop", "close"]
    kinds: Kinds
    called: float
    answered: float = inf


def after(kinds: Kinds, op: Op) -> Kinds | None:
    """Returns what is open after `op`, or None when it cannot have gone like this where `kinds` are open."""
    match op.what:
        case "opened":
            return kinds if op.kinds and op.kinds == kinds else None
        case "refused":
            return None if kinds else kinds
        case "set":
            return op.kinds
        case "drop":
            return kinds - op.kinds
        case "close":
            return NOTHING


def telling(history: Sequence[Op]) -> list[Op]:
    """Returns the history without refusals that say nothing."""
    changes = [op for op in history if op.what in ("set", "drop")]
    return [
        op
        for op in history
        if op.what != "refused"
        or not any(
            change.called < op.answered and op.called < change.answered + FOLLOWS_S for change in changes
        )
    ]


def linearizable(history: Sequence[Op]) -> bool:
    """Returns whether there is an order; operations without an answer need not be in it."""
    ops = sorted(telling(history), key=lambda op: (op.called, op.answered))
    needed = sum(1 << place for place, op in enumerate(ops) if op.answered < inf)
    tried: set[tuple[int, Kinds]] = set()
    paths = [(0, NOTHING)]
    while paths:
        done, kinds = paths.pop()
        if done & needed == needed:
            return True
        for place in _next(ops, done):
            following = after(kinds, ops[place])
            if following is not None and (step := (done | 1 << place, following)) not in tried:
                tried.add(step)
                paths.append(step)
    return False


def written(history: Sequence[Op]) -> str:
    """Returns the history in lines, in milliseconds around the first change that is not the beginning."""
    ops = sorted(history, key=lambda op: op.called)
    zero = next((op.called for op in ops if op.called and op.what not in ("opened", "refused")), 0.0)
    return "\n".join(
        f"{(op.called - zero) * 1000:10.1f} {(op.answered - zero) * 1000:10.1f} {op.what} {sorted(op.kinds)}"
        for op in ops
    )


def _next(ops: Sequence[Op], done: int) -> Iterator[int]:
    """Yields what may come next: whatever was called before anything left over was answered."""
    first = (~done & (done + 1)).bit_length() - 1
    earliest = inf
    left = []
    for place in range(first, len(ops)):
        if ops[place].called > earliest:
            break
        if not done >> place & 1:
            left.append(place)
            earliest = min(earliest, ops[place].answered)
    yield from (place for place in reversed(left) if ops[place].called <= earliest)
