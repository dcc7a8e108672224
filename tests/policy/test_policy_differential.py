"""The real engine and a plain reading of the design agree on random worlds (I28)."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from policy.engine import Engine, EngineError, Question, Store
from tests.policy.reference import Answer, Reference
from tests.policy.worlds import questions, world
from tests.support.campaign import Campaign

PER_WORLD = 50
# Below this share a run that hardly meets an answer shows little.
LEAST_SHARE = 0.02


@pytest.mark.campaign("policy", unit="pairs", floor=5000, target=1_000_000, short_s=120)
def test_the_engine_and_the_reference_agree_on_random_worlds(engine: Engine, campaign: Campaign) -> None:
    """A random world of tuples, and 50 questions that both answer (I28)."""
    answers: Counter[Answer] = Counter()

    for number in campaign:
        random = Random(number)
        facts = world(random)
        store, reference = engine.store(), Reference(facts)
        store.fill(facts)
        for question in questions(random, PER_WORLD):
            expected = reference.answer(question)
            assert ask(store, question) is expected, (question, facts)
            answers[expected] += 1
        campaign.count(pairs=PER_WORLD)

    assert all(answers[each] > answers.total() * LEAST_SHARE for each in Answer), answers


def ask(store: Store, question: Question) -> Answer:
    """Returns the engine's answer; an error is an answer of its own."""
    try:
        return Answer.YES if store.check(question) else Answer.NO
    except EngineError as error:
        if "missing context parameters" not in error.message:
            raise
        return Answer.UNKNOWN
