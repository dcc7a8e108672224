"""What a device remembers and is told: pins, endpoints, pages, its clock."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from meldbrug.client import (
    MeldbrugError,
    Pins,
    ServerClock,
    Unverified,
    device,
    name_of,
    new_id,
    new_request_id,
    paging,
    read_endpoints,
)
from meldbrug.client.files import locked
from meldbrug.client.paging import every
from meldbrug.common.v1 import common_pb2 as common

INCIDENT = "incidents/" + "a" * 26
OTHER = "incidents/" + "b" * 26


def test_the_first_reporter_seen_is_the_only_one(tmp_path: Path) -> None:
    Pins(tmp_path / "pins.json").check(INCIDENT, "r" * 52, 5)

    again = Pins(tmp_path / "pins.json")
    again.check(INCIDENT, "r" * 52, 6)
    again.check(OTHER, "q" * 52, 1)
    with pytest.raises(Unverified, match="changed"):
        again.check(INCIDENT, "q" * 52, 7)
    with pytest.raises(Unverified, match="older"):
        again.check(INCIDENT, "r" * 52, 5)

    assert (tmp_path / "pins.json").stat().st_mode & 0o777 == 0o600


def test_two_processes_remember_together(tmp_path: Path) -> None:
    path = tmp_path / "pins.json"
    first, second = Pins(path), Pins(path)

    first.check(INCIDENT, "r" * 52, 5)
    second.check(OTHER, "q" * 52, 1)
    first.check(INCIDENT, "r" * 52, 6)

    third = Pins(path)
    for pins in (first, second, third):
        for incident in (INCIDENT, OTHER):
            with pytest.raises(Unverified, match="changed"):
                pins.check(incident, "z" * 52, 9)
        with pytest.raises(Unverified, match="older"):
            pins.check(INCIDENT, "r" * 52, 5)


def test_a_sequence_is_never_lowered_for_another_process(tmp_path: Path) -> None:
    path = tmp_path / "pins.json"
    first, second = Pins(path), Pins(path)
    second.check(INCIDENT, "r" * 52, 5)
    first.check(INCIDENT, "r" * 52, 9)

    with pytest.raises(Unverified, match="older"):
        second.check(INCIDENT, "r" * 52, 7)
    second.check(OTHER, "q" * 52, 1)

    assert json.loads(path.read_text())["incidents"][INCIDENT]["intakeSequence"] == 9


def test_what_a_process_saw_it_remembers_without_the_file(tmp_path: Path) -> None:
    path = tmp_path / "pins.json"
    pins = Pins(path)
    pins.check(INCIDENT, "r" * 52, 5)
    path.unlink()

    with pytest.raises(Unverified, match="changed"):
        pins.check(INCIDENT, "q" * 52, 6)
    pins.check(OTHER, "q" * 52, 1)

    with pytest.raises(Unverified, match="changed"):
        Pins(path).check(INCIDENT, "q" * 52, 6)


def test_one_process_waits_until_another_has_written_its_pins(tmp_path: Path) -> None:
    path = tmp_path / "pins.json"
    checking = threading.Thread(target=Pins(path).check, args=(INCIDENT, "r" * 52, 5))

    with locked(path):
        checking.start()
        checking.join(0.2)
        assert checking.is_alive()
        assert not path.exists()
    checking.join(5)

    assert INCIDENT in json.loads(path.read_text())["incidents"]
    assert path.with_name("pins.json.lock").stat().st_mode & 0o777 == 0o600


def test_a_folder_that_cannot_hold_pins_is_said_plainly(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(MeldbrugError, match="cannot be written"):
        Pins(tmp_path / "file" / "pins.json").check(INCIDENT, "r" * 52, 5)


def test_pins_that_cannot_be_read_are_not_forgotten_silently(tmp_path: Path) -> None:
    path = tmp_path / "pins.json"
    path.write_text("[]")
    path.chmod(0o600)

    with pytest.raises(MeldbrugError, match="remembered"):
        Pins(path)


def test_endpoints_say_where_and_whom_to_trust(tmp_path: Path) -> None:
    path = tmp_path / "endpoints.json"
    path.write_text(
        json.dumps({"installation": "a" * 52, "services": {"directory": "127.0.0.1:1"}, "more": 1})
    )
    path.chmod(0o600)

    assert read_endpoints(path) == ({"directory": "127.0.0.1:1"}, "a" * 52)


@pytest.mark.parametrize(
    "held", ["", "[]", "{}", '{"services": {}, "installation": "root"}', '{"services": 1}']
)
def test_endpoints_of_another_form_are_refused(tmp_path: Path, held: str) -> None:
    path = tmp_path / "endpoints.json"
    path.write_text(held)
    path.chmod(0o600)

    with pytest.raises(MeldbrugError):
        read_endpoints(path)


NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


class Watch:
    """A device's clock that a test sets, and the time that passes meanwhile."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.passed = 0.0
        self.set = timedelta()
        monkeypatch.setattr(device, "elapsed_s", lambda: self.passed)

    def __call__(self) -> datetime:
        return NOON + self.set + timedelta(seconds=self.passed)


def test_a_clock_is_agreed_once_the_server_took_it_and_until_it_is_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watch = Watch(monkeypatch)
    clock = ServerClock(watch)
    assert not clock.is_agreed

    clock.agree()
    watch.passed += 3600
    assert clock.is_agreed

    watch.set = timedelta(minutes=-10)
    assert not clock.is_agreed

    clock.correct(int(NOON.timestamp() * 1000))
    assert clock.is_agreed


def test_sequences_rise_even_when_the_clock_stands_still() -> None:
    clock = ServerClock(lambda: NOON)

    given = [clock.sequence() for _ in range(3)]
    clock.correct(int((NOON - timedelta(seconds=2)).timestamp() * 1000))

    assert given == [int(NOON.timestamp() * 1000) + step for step in range(3)]
    assert clock.sequence() == given[-1] + 1


def test_a_sequence_that_was_refused_for_being_ahead_is_not_gone_on_from() -> None:
    clock = ServerClock(lambda: NOON)
    clock.sequence()
    right = int((NOON - timedelta(minutes=10)).timestamp() * 1000)
    clock.correct(right)

    assert right < clock.sequence() <= right + 10_000


def test_a_number_that_has_no_name_here_is_shown_as_itself() -> None:
    assert name_of(common.NoticeState, common.NOTICE_STATE_OFFERED) == "NOTICE_STATE_OFFERED"
    assert name_of(common.NoticeState, 99) == "99"


def test_ids_are_of_the_form_that_the_wire_takes() -> None:
    assert len({new_id() for _ in range(100)}) == 100
    assert len(new_id()) == 26
    assert new_request_id()[14] == "4"


@dataclass
class Page:
    items: Sequence[int]
    next_page_token: str


async def test_a_list_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "MAX_PAGES", 3)

    async def fetch(_token: str) -> Page:
        return Page([1], "more")

    turning = every(fetch, lambda page: page.items)
    found = [await anext(turning) for _ in range(3)]

    assert found == [1, 1, 1]
    with pytest.raises(MeldbrugError, match="end"):
        await anext(turning)
