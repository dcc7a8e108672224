"""What the suites' runner promises: numbers that play again, floors that are kept, records that are true."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.campaign import FRESH_FROM, Campaign, Plan, Record

ROOT = Path(__file__).parents[3]
LIMITS = """
import pytest

class Limits:
    def pytest_collection_finish(self, session):
        print("limits", [item.get_closest_marker("timeout").args for item in session.items])

pytest.main("tests/property --deep machine --collect-only -q -n 0".split(), plugins=[Limits()])
"""
PLAN = Plan("trial", unit="pairs", floor=5, target=100, short_s=30)


def played(campaign: Campaign, *, fails_at: int | None = None) -> list[int]:
    numbers = []
    for number in campaign:
        numbers.append(number)
        if number == fails_at:
            break
        campaign.count(pairs=2)
        time.sleep(0.002)
    campaign.close()
    return numbers


def test_the_short_form_plays_fresh_numbers_up_to_the_floor(tmp_path: Path):
    numbers = played(Campaign(PLAN, folder=tmp_path))

    assert len(numbers) == 3
    assert min(numbers) >= FRESH_FROM
    assert numbers != played(Campaign(PLAN, folder=tmp_path))
    assert not list(tmp_path.iterdir())


def test_a_floor_that_is_not_reached_in_time_fails(tmp_path: Path):
    slow = Plan("trial", unit="pairs", floor=5, target=100, short_s=0.001)

    with pytest.raises(AssertionError, match="the floor is 5"):
        played(Campaign(slow, folder=tmp_path))


def test_a_deep_run_goes_on_where_the_last_one_ended_and_adds_up(tmp_path: Path):
    first = played(Campaign(PLAN, deep_s=0.05, folder=tmp_path))
    second = played(Campaign(PLAN, deep_s=0.05, folder=tmp_path))
    record = Record.of("trial", tmp_path)

    assert first + second == list(range(record.next))
    assert record.counts == {"pairs": 2 * record.next}
    assert [(run["from"], run["to"]) for run in record.runs] == [(0, len(first)), (len(first), record.next)]


def test_a_case_that_failed_is_kept_and_played_in_every_run(tmp_path: Path):
    played(Campaign(PLAN, deep_s=5, folder=tmp_path), fails_at=3)

    record = Record.of("trial", tmp_path)
    assert (record.failed, record.next, record.counts) == ([3], 4, {"pairs": 6})
    assert played(Campaign(PLAN, folder=tmp_path))[0] == 3
    assert played(Campaign(PLAN, deep_s=1, folder=tmp_path))[:2] == [3, 4]


def test_what_a_known_case_does_again_is_not_counted_twice(tmp_path: Path):
    played(Campaign(PLAN, deep_s=5, folder=tmp_path), fails_at=0)
    numbers = played(Campaign(PLAN, deep_s=1, folder=tmp_path))

    assert numbers[:2] == [0, 1]
    assert Record.of("trial", tmp_path).counts == {"pairs": 2 * (len(numbers) - 1)}


def test_one_number_can_be_played_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MELDBRUG_CASE", "17")

    assert played(Campaign(PLAN, folder=tmp_path)) == [17]


def test_a_deep_run_lasts_as_long_as_it_was_told_to():
    """The limit of the short form would end it, as if a case had failed."""
    told = subprocess.run(
        [sys.executable, "-c", LIMITS], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert "limits [(0,)]" in told.stdout
