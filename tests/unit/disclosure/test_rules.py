"""The rules of notices and consents, each reason by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import IntEnum

import pytest

from meldbrug.common.v1 import common_pb2 as common
from meldbrug.disclosure.v1 import disclosure_pb2 as pb
from services.disclosure import domain
from services.disclosure.domain import (
    Asked,
    Ground,
    Kind,
    Limits,
    NoticeState,
    Said,
    SectionRef,
    Wrap,
    incident_of,
    led_to,
    require_asked,
    require_asking_period,
    require_pairs,
    require_period,
    require_same_sections,
    require_sequence,
    require_shareable,
    require_wraps,
    wrong_state,
)
from services.kernel.errors import InvalidArgument, Refusal

NOW = datetime(2026, 11, 23, 9, 0, 0, 250_000, UTC)
START = NOW.replace(microsecond=0)
UNTIL = START + timedelta(days=180)
LIMITS = Limits(timedelta(days=14), timedelta(days=400), 5.0, 20)
SUMMARY = SectionRef("incidents/i/sections/s", 1, Kind.SUMMARY, b"d" * 32, b"c" * 32)
CONTEXT = SectionRef("incidents/i/sections/t", 3, Kind.CONTEXT, b"e" * 32, b"f" * 32)
ASKED = Asked("participations/p", frozenset({"r1", "r2"}), (SUMMARY, CONTEXT), frozenset({1, 4}), UNTIL)
SAID = Said("participations/p", ("r1", "r2"), (SUMMARY, CONTEXT), (1, 4), START, UNTIL, "v1")


def reason(rule: Callable[..., object], *given: object) -> str:
    with pytest.raises(Refusal) as caught:
        rule(*given)
    return caught.value.reason


def vocabulary(cls: type[IntEnum]) -> dict[str, int]:
    return {one.name: one.value for one in cls}


@pytest.mark.parametrize(
    ("ours", "wire", "prefix"),
    [
        (domain.Kind, common.Kind, "KIND_"),
        (domain.Purpose, common.Purpose, "PURPOSE_"),
        (domain.Ground, common.Ground, "GROUND_"),
        (domain.NoticeState, common.NoticeState, "NOTICE_STATE_"),
        (domain.Door, common.OpeningCapacity, "OPENING_CAPACITY_"),
        (domain.Answer, pb.ConsentRequest.Answer, "ANSWER_"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_the_domain_speaks_the_wires_vocabulary(ours: type[IntEnum], wire: object, prefix: str) -> None:
    items = {name.removeprefix(prefix): number for name, number in wire.items() if number}  # type: ignore[attr-defined]  # an enum wrapper

    assert vocabulary(ours) == items


def test_the_incident_states_known_here_are_the_wires() -> None:
    for state in domain.IncidentState:
        assert common.IncidentState.Value(f"INCIDENT_STATE_{state.name}") == state


@pytest.mark.parametrize("name", ["incidents/i", "incidents/i/notices/n", "incidents/i/sections/s"])
def test_a_name_tells_its_incident(name: str) -> None:
    assert incident_of(name) == "incidents/i"


def test_what_was_asked_may_be_given_whole_or_in_part() -> None:
    require_asked(SAID, ASKED, NOW)
    part = replace(SAID, reader_kids=("r2",), sections=(CONTEXT,), purposes=(4,))
    require_asked(replace(part, valid_until=START + timedelta(seconds=1)), ASKED, NOW)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"recipient": "participations/q"}, "RECIPIENT_MISMATCH"),
        ({"reader_kids": ()}, "READER_MISMATCH"),
        ({"reader_kids": ("r1", "r1")}, "READER_MISMATCH"),
        ({"reader_kids": ("r1", "r3")}, "READER_MISMATCH"),
        ({"purposes": ()}, "PURPOSE_MISMATCH"),
        ({"purposes": (1, 1)}, "PURPOSE_MISMATCH"),
        ({"purposes": (1, 2)}, "PURPOSE_MISMATCH"),
        ({"sections": ()}, "SECTION_MISMATCH"),
        ({"sections": (SUMMARY, SUMMARY)}, "SECTION_MISMATCH"),
        ({"sections": (replace(SUMMARY, version=2),)}, "SECTION_MISMATCH"),
        ({"sections": (replace(SUMMARY, section=CONTEXT.section),)}, "SECTION_MISMATCH"),
        ({"sections": (replace(SUMMARY, kind=Kind.CONTEXT),)}, "SECTION_MISMATCH"),
        ({"sections": (CONTEXT, replace(SUMMARY, digest=b"x" * 32))}, "DIGEST_MISMATCH"),
        ({"sections": (CONTEXT, replace(SUMMARY, commitment=b"x" * 32))}, "COMMITMENT_MISMATCH"),
        ({"valid_until": UNTIL + timedelta(seconds=1)}, "PERIOD_MISMATCH"),
    ],
)
def test_each_departure_from_what_was_asked_has_its_reason(change: dict[str, object], expected: str) -> None:
    assert reason(require_asked, replace(SAID, **change), ASKED, NOW) == expected  # type: ignore[arg-type]  # as parametrised


@pytest.mark.parametrize(
    ("valid_from", "valid_until", "holds"),
    [
        (START, UNTIL, True),
        (START - timedelta(minutes=4, seconds=59), UNTIL, True),
        (START - timedelta(minutes=5), UNTIL, False),
        (START + timedelta(minutes=5), UNTIL, True),
        (START + timedelta(minutes=5, seconds=1), UNTIL, False),
        (NOW, UNTIL, False),
        (START, UNTIL - timedelta(milliseconds=1), False),
        (START, START, False),
        (START, START + timedelta(seconds=1), True),
        (START - timedelta(seconds=2), START - timedelta(seconds=1), False),
        (START + timedelta(seconds=9), START + timedelta(seconds=9), False),
        (START, UNTIL + timedelta(seconds=1), False),
    ],
)
def test_a_period_starts_now_in_whole_seconds_and_ends_as_asked(
    valid_from: datetime, valid_until: datetime, holds: bool
) -> None:
    if holds:
        require_period(valid_from, valid_until, UNTIL, NOW)
    else:
        assert reason(require_period, valid_from, valid_until, UNTIL, NOW) == "PERIOD_MISMATCH"


@pytest.mark.parametrize(
    ("until", "holds"),
    [
        (START + timedelta(seconds=1), True),
        (START, False),
        (START + timedelta(days=400), True),
        (START + timedelta(days=400, seconds=1), False),
        (UNTIL + timedelta(milliseconds=1), False),
    ],
)
def test_a_notice_asks_for_a_bounded_period(until: datetime, holds: bool) -> None:
    if holds:
        require_asking_period(until, NOW, LIMITS)
    else:
        assert reason(require_asking_period, until, NOW, LIMITS) == "PERIOD_MISMATCH"


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("ground", Ground)
@pytest.mark.parametrize("reference", ["", "AP 2026-1"])
def test_some_kinds_never_leave_and_one_needs_law_or_licence(
    kind: Kind, ground: Ground, reference: str
) -> None:
    lawful = ground in (Ground.LICENCE, Ground.LEGAL_CLAIMS, Ground.LEGAL_OBLIGATION) and reference
    if kind in (Kind.MESSAGE, Kind.INTERNAL_NOTE) or (kind == Kind.ACCUSED_IDENTITY and not lawful):
        assert reason(require_shareable, [Kind.SUMMARY, kind], ground, reference) == "SECTION_MISMATCH"
    else:
        require_shareable([Kind.SUMMARY, kind], ground, reference)


def wraps(*places: tuple[str, int, str]) -> list[Wrap]:
    return [Wrap(section, version, kid, b"w") for section, version, kid in places]


def test_wraps_of_a_section_are_exactly_one_for_each_reader() -> None:
    good = [("s", 1, "a"), ("s", 1, "b")]
    require_wraps(wraps(*good), "s", 1, ["b", "a"])

    for bad in (
        [],
        good[:1],
        [*good, ("s", 1, "c")],
        [*good, good[0]],
        [good[0], ("t", 1, "b")],
        [good[0], ("s", 2, "b")],
    ):
        assert reason(require_wraps, wraps(*bad), "s", 1, ["a", "b"]) == "WRAP_MISMATCH"


def test_wraps_of_a_consent_are_exactly_one_for_each_reader_and_section() -> None:
    places = [(ref.section, ref.version, kid) for ref in SAID.sections for kid in SAID.reader_kids]
    require_pairs(wraps(*places[::-1]), SAID)

    for bad in (places[1:], [*places, places[0]], [*places[1:], places[1]], [*places, ("x", 1, "r1")]):
        assert reason(require_pairs, wraps(*bad), SAID) == "WRAP_MISMATCH"


MS = int(NOW.timestamp() * 1000)
TOLERATED_MS = 5 * 60 * 1000


@pytest.mark.parametrize(
    ("sequence", "last", "holds"),
    [
        (1, 0, True),
        (MS, MS - 1, True),
        (MS, MS, False),
        (MS - 1, MS, False),
        (MS + TOLERATED_MS, 0, True),
        (MS + TOLERATED_MS + 1, 0, False),
    ],
)
def test_a_sequence_only_rises_and_never_far_ahead(sequence: int, last: int, holds: bool) -> None:
    if holds:
        require_sequence(sequence, last, NOW)
    else:
        assert reason(require_sequence, sequence, last, NOW) == "STATEMENT_SEQUENCE"


def test_sections_known_twice_in_other_versions_are_told_apart() -> None:
    second = replace(SUMMARY, version=2, digest=b"2" * 32)

    require_same_sections([second], [SUMMARY, second])
    with pytest.raises(InvalidArgument):
        require_same_sections([replace(second, digest=SUMMARY.digest)], [SUMMARY, second])


def test_a_period_may_begin_as_far_from_now_as_clocks_may_differ() -> None:
    begin, tolerance = START.replace(microsecond=0), timedelta(minutes=5)

    for off in (-tolerance, tolerance):
        require_period(begin + off, UNTIL, UNTIL, begin)
        assert reason(require_period, begin + off * 301 / 300, UNTIL, UNTIL, begin) == "PERIOD_MISMATCH"


def test_a_notice_may_ask_up_to_the_last_second_and_not_for_none() -> None:
    now = START.replace(microsecond=0)

    require_asking_period(now + LIMITS.consent_for, now, LIMITS)
    assert reason(require_asking_period, now, now, LIMITS) == "PERIOD_MISMATCH"
    beyond = now + LIMITS.consent_for + timedelta(seconds=1)
    assert reason(require_asking_period, beyond, now, LIMITS) == "PERIOD_MISMATCH"


@pytest.mark.parametrize(
    ("steps", "keys"),
    [
        ([], "c"),
        ([("b", "c")], "bc"),
        ([("a", "b"), ("b", "c")], "abc"),
        ([("b", "c"), ("a", "b")], "bc"),
        ([("a", "b"), ("x", "y")], "c"),
    ],
)
def test_hand_overs_lead_to_a_key_in_their_order(steps: list[tuple[str, str]], keys: str) -> None:
    assert led_to("c", steps) == frozenset(keys)


def test_a_wrong_state_is_named() -> None:
    assert wrong_state(NoticeState.OPENED).metadata == {"state": "OPENED"}
