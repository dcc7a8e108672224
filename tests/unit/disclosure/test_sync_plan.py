"""The order of writes: from any state of the engine to any wanted one, opening no more than both would."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, datetime

import pytest

from services.disclosure.policy_sync import WRITE_LIMIT, plan, wanted
from services.disclosure.store.policy import Arming, Facts
from services.kernel.authz import PolicyTuple

I, N = "incidents/i", "incidents/i/notices/n"  # noqa: E741  an incident and its notice
FROM, UNTIL = datetime(2026, 11, 23, 8, 0, 0, 999_999, tzinfo=UTC), datetime(2027, 5, 23, 8, tzinfo=UTC)


def arming(**more: object) -> Arming:
    """A notice for two readers of different kinds."""
    fields = {
        "recipient": "participations/p",
        "decision_stands": True,
        "purposes": (4, 1),
        "valid_from": FROM,
        "valid_until": UNTIL,
        "readers": {"persons/a": frozenset({2, 1}), "systems/b": frozenset({2})},
        **more,
    }
    return Arming(**fields)  # type: ignore[arg-type]


def facts(**more: object) -> Facts:
    """An incident with one handler, one excluded person and the notice."""
    fields = {
        "handlers": frozenset({("persons/h", "participations/o")}),
        "conflicted": frozenset({"persons/x"}),
        "notices": frozenset({N}),
        "armed": {N: arming()},
        **more,
    }
    return Facts(I, **fields)  # type: ignore[arg-type]


def run(held: frozenset[PolicyTuple], steps: list[tuple[object, object]]) -> list[frozenset[PolicyTuple]]:
    """The states that the engine goes through."""
    states = [held]
    for writes, deletes in steps:
        states.append((states[-1] - frozenset(deletes)) | frozenset(writes))  # type: ignore[call-overload]
    return states


def may_read(state: frozenset[PolicyTuple]) -> set[tuple[str, str]]:
    """Whom the model would let in, with the condition that decides."""
    if PolicyTuple("user:*", "live", "notice:n") not in state:
        return set()
    blocked = {each.user for each in state if each.relation == "conflicted" and each.object == "notice:n"}
    return {
        (each.user, each.context) for each in state if each.relation == "reader" and each.user not in blocked
    }


def test_a_condition_holds_all_four_keys_in_whole_seconds_of_utc() -> None:
    (a,) = [each for each in wanted(facts()) if each.relation == "reader" and each.user == "user:a"]

    assert a.condition == "consent"
    assert a.context == (
        '{"kinds":["CONTEXT","SUMMARY"],"purposes":["PROTECT_PEOPLE","INFORM"],'
        '"valid_from":"2026-11-23T08:00:00Z","valid_until":"2027-05-23T08:00:00Z"}'
    )


def test_the_excluded_are_marked_on_the_incident_and_on_every_notice() -> None:
    marks = {each.object for each in wanted(facts()) if each.relation == "conflicted"}

    assert marks == {"incident:i", "notice:n"}


def test_a_decision_that_fell_takes_live_alone_away() -> None:
    gone = wanted(facts()) - wanted(facts(armed={N: arming(decision_stands=False)}))

    assert gone == {PolicyTuple("user:*", "live", "notice:n")}


def test_an_unarmed_notice_wants_only_its_exclusions() -> None:
    assert {each.relation for each in wanted(facts(armed={})) if each.object == "notice:n"} == {"conflicted"}


def test_equal_states_need_no_step() -> None:
    assert plan(wanted(facts()), wanted(facts())) == []


def test_a_changed_condition_is_deleted_before_it_is_written() -> None:
    before, after = wanted(facts()), wanted(facts(armed={N: arming(purposes=(1,))}))

    steps = plan(before, after)

    assert [(bool(writes), bool(deletes)) for writes, deletes in steps] == [(False, True), (True, False)]


def test_no_step_is_larger_than_the_engine_takes() -> None:
    many = frozenset(f"persons/{number}" for number in range(3 * WRITE_LIMIT))

    steps = plan(frozenset(), wanted(facts(conflicted=many)))

    assert all(len(writes) + len(deletes) <= WRITE_LIMIT for writes, deletes in steps)
    order = [each.relation for writes, _ in steps for each in writes]
    assert "conflicted" not in order[order.index("handler") :]


VARIANTS = [
    wanted(facts(**handling, **exclusion, **notice))
    for handling, exclusion, notice in itertools.product(
        [{}, {"handlers": frozenset()}],
        [{}, {"conflicted": frozenset()}, {"conflicted": frozenset({"persons/a"})}],
        [
            {},
            {"armed": {}},
            {"armed": {N: arming(decision_stands=False)}},
            {"armed": {N: arming(purposes=(4,))}},
            {"armed": {N: arming(readers={"persons/a": frozenset({1})})}},
        ],
    )
]


@pytest.mark.parametrize("number", range(len(VARIANTS)))
def test_every_state_on_the_way_opens_no_more_than_start_or_end(number: int) -> None:
    before = VARIANTS[number]
    for after in [*VARIANTS, frozenset()]:
        states = run(before, plan(before, after))

        assert states[-1] == after
        for state in states:
            assert may_read(state) <= may_read(before) | may_read(after)


def test_whatever_others_wrote_the_end_is_what_is_wanted() -> None:
    chance = random.Random(6)
    universe = sorted(frozenset().union(*VARIANTS), key=repr)
    for _ in range(300):
        held = {each.key: each for each in chance.sample(universe, chance.randrange(len(universe)))}
        before, after = frozenset(held.values()), chance.choice(VARIANTS)

        assert run(before, plan(before, after))[-1] == after
