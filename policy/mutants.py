"""Shows that the policy's tests bite: makes every mutant of the model and says who noticed it.

    python -m policy.mutants

Exits 1 when a mutant survives. Each one is tried on a real server: by the list of shapes for the relation it
changes, then by the sentences of the tests.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from policy.engine import EngineError, Store, read_model, running
from policy.mutation import Mutant, mutants
from policy.shapes import departures
from policy.world import WORLD, Sentence, read, sentences

SURVIVED: Final = "SURVIVED"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A mutant and what noticed it, `SURVIVED` when nothing did."""

    mutant: Mutant
    killer: str

    @property
    def survived(self) -> bool:
        """Whether no test noticed."""
        return self.killer == SURVIVED

    def __str__(self) -> str:
        return f"{self.mutant.name:<84} {self.killer}"


def trials() -> list[Verdict]:
    """Tries every mutant of our model. Raises AssertionError when the model itself does not pass."""
    model, said = read_model(), sentences()
    with running() as engine:
        store = engine.store(model)
        store.fill(read(WORLD))
        unchanged = judge(store, said, Mutant("notice", "reader", "nothing", model))
        if not unchanged.survived:
            raise AssertionError(f"the model itself fails: {unchanged.killer}")
        return [judge(store, said, mutant) for mutant in mutants(model)]


def judge(store: Store, said: Sequence[Sentence], mutant: Mutant) -> Verdict:
    """Returns what notices `mutant` first, in a store that holds the world of the tests."""
    try:
        mutated = store.add_model(mutant.model)
    except EngineError:
        return Verdict(mutant, "OpenFGA refuses the model")
    return Verdict(mutant, misshapen(mutated, mutant) or contradicted(mutated, said) or SURVIVED)


def misshapen(store: Store, mutant: Mutant) -> str | None:
    """Names a shape of tuple that the changed relation takes and must not, or the other way round."""
    found = next(departures(store, mutant.kind, mutant.relation), None) if mutant.relation else None
    return f"shape: {found}" if found else None


def contradicted(store: Store, said: Sequence[Sentence]) -> str | None:
    """Names the first test that the store's model contradicts."""
    answers = store.check_many([sentence.question for sentence in said])
    pairs = zip(said, answers, strict=True)
    found = next((sentence for sentence, answer in pairs if answer != sentence.expected), None)
    return f"test: {found.name}" if found else None


def main() -> int:
    """Prints a line per mutant and the sums; returns 1 when one survived."""
    verdicts = trials()
    print(*verdicts, sep="\n")
    by = Counter(verdict.killer.partition(" ")[0].rstrip(":") for verdict in verdicts)
    survivors = sum(verdict.survived for verdict in verdicts)
    print(
        f"\n{len(verdicts)} mutants, {len(verdicts) - survivors} noticed ({dict(by)}), {survivors} survived"
    )
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
