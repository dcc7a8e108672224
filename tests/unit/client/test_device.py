"""What a device remembers and is told: pins, endpoints, pages, its clock."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from meldbrug.client import MeldbrugError, Pins, Unverified, new_id, new_request_id, paging, read_endpoints
from meldbrug.client.paging import every

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
