"""The page of assurance names every threat and invariant, as kept by a test or as open, and never as both."""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest

from docs import assurance
from tests.support import mutants

FOUND = list(assurance.tests())
THREATS = assurance.THREATS.read_text("utf-8")
SUITES = [test for test in FOUND if test.suite]


def numbers(heading: str) -> list[str]:
    return [
        number for cells, *_ in assurance.rows(THREATS, heading) for number in re.findall(r"[TI]\d+", cells)
    ]


def test_every_number_is_kept_by_a_test_or_open_and_never_both():
    known = {*numbers("What must always hold"), *numbers("Threats and answers")}
    still_open = numbers("What is open")
    kept = set(assurance.keeping(FOUND))

    assert {number for number in kept if number in still_open} == set()
    assert known - set(still_open) - kept == set(), "no test names these"
    assert kept - known == set(), "no threat or invariant has this number"


def test_each_number_stands_once():
    for heading in ("What must always hold", "Threats and answers", "What is open"):
        assert len(numbers(heading)) == len(set(numbers(heading))), heading


@pytest.mark.parametrize("test", SUITES, ids=lambda test: test.suite["name"])
def test_a_suite_says_what_a_case_is_and_has_a_floor_and_a_target(test: assurance.Test):
    assert test.suite
    assert set(test.suite) == set(assurance.PARAMETERS)
    assert test.said.partition("\n")[0]
    assert 0 < test.suite["floor"] < test.suite["target"]


def test_every_record_is_of_a_suite():
    assert {path.stem for path in assurance.RECORDS.glob("*.json")} <= {
        test.suite["name"] for test in SUITES if test.suite
    }


def test_nearly_every_change_of_the_code_is_minded_and_the_others_have_a_reason():
    """I30."""
    record = json.loads(mutants.RECORD.read_text("utf-8"))
    reasons = json.loads(mutants.SURVIVORS.read_text("utf-8"))
    listed = [each for survivors in reasons.values() for each in survivors]

    assert set(record) <= set(mutants.GROUPS)
    assert (
        len(listed) == len(set(listed)) == sum(done["mutants"] - done["killed"] for done in record.values())
    )
    assert all(done["killed"] >= 0.95 * done["mutants"] for done in record.values())
    assert all(len(reason.split()) > 3 for reason in reasons)


def test_every_use_case_belongs_to_one_group_of_code_that_is_changed():
    """I30."""
    folder = mutants.ROOT / "services" / "disclosure" / "usecases"
    changed = Counter(name for group in mutants.GROUPS.values() for name in group.code)

    assert {changed[str(path.relative_to(mutants.ROOT))] for path in folder.glob("[!_]*.py")} == {1}
    assert all(list(mutants.ROOT.glob(name.replace("src/", "clients/python/"))) for name in changed)
