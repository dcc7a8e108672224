"""The whole stack: the same services in one process and in one each."""

from __future__ import annotations

import json
import stat

import grpc
import pytest

from services.__main__ import NAMES
from services.health import serves
from services.stack import Endpoints
from services.stack.stack import Stack
from tests.support.stack import TOOLS, copied, prepared, running_stack, throw_away_folder


def answers(stack: Stack, service: str) -> bool:
    with grpc.insecure_channel(stack.addresses[service]) as channel:
        return serves(channel)


def test_together_all_services_answer_at_one_address(stack: Stack):
    assert len(set(stack.addresses.values())) == 1
    assert all(answers(stack, name) for name in NAMES)


def test_apart_each_service_answers_at_its_own_address(stack_each: Stack):
    assert len(set(stack_each.addresses.values())) == len(NAMES)
    assert all(answers(stack_each, name) for name in NAMES)


def test_endpoints_are_written_for_the_owner_only(stack: Stack):
    path = stack.backends.folder.path / "endpoints.json"

    assert Endpoints.read(path.parent) == stack.endpoints
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert set(json.loads(path.read_text())["services"]) == set(NAMES)


def test_a_killed_service_comes_back_at_the_same_address(monkeypatch: pytest.MonkeyPatch):
    # Were this one inherited, no service would start: a lower floor wants the test switches.
    monkeypatch.setenv("MELDBRUG_REFUSAL_FLOOR_MS", "0")

    with running_stack(one_process=False) as stack:
        before = stack.addresses["coordination"]
        stack.kill("coordination")
        assert not answers(stack, "coordination")
        assert answers(stack, "disclosure")

        stack.start("coordination")

        assert stack.addresses["coordination"] == before
        assert answers(stack, "coordination")


def test_the_second_time_it_prepares_nothing_and_has_the_same_addresses():
    said: list[str] = []
    with throw_away_folder() as folder:
        moved = copied(prepared(), folder)
        with Stack(moved, tools_folder=TOOLS) as stack:
            before = stack.endpoints
        with Stack(moved, tools_folder=TOOLS, report=said.append) as stack:
            assert stack.endpoints == before

    assert not any("Preparing" in line for line in said)


def test_a_service_that_cannot_start_is_reported_with_its_log():
    from services.stack import StackError

    with (
        pytest.raises(StackError, match="MELDBRUG_LOG_LEVEL"),
        running_stack(one_process=True, env={"MELDBRUG_LOG_LEVEL": "LOUD"}),
    ):
        pass
