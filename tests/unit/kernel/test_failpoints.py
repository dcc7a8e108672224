"""Failpoints: inert in production, one list of them, and each does what a test asks of it."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.kernel import failpoints
from services.kernel.failpoints import OPERATIONS, POINTS, Injected, failpoint, operation

GIVE = "/meldbrug.disclosure.v1.ReporterService/GiveConsent"
POINT = "disclosure.ReporterService.GiveConsent.after_commit"
ROUNDS, CALLS = 15, 2000


@pytest.fixture
def armed(tmp_path: Path) -> Iterator[Path]:
    """The file that names the armed point; the operation is a consent."""
    file = tmp_path / "point"
    failpoints.arm(file)
    operation.set(GIVE)
    yield file
    failpoints.arm(None)


def write(file: Path, text: str) -> None:
    file.write_text(text)


def remove(file: Path) -> None:
    file.unlink()


async def passes(stage: str = "after_commit") -> None:
    async with asyncio.timeout(2):
        await failpoint(stage)


async def test_a_point_holds_as_long_as_it_is_named(armed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    await passes()
    write(armed, POINT)
    await passes("before_commit")
    held = asyncio.create_task(failpoint("after_commit"))
    await asyncio.sleep(0.1)
    assert not held.done()
    said = capsys.readouterr().out.splitlines(keepends=True)
    assert [line for line in said if line.startswith("held")] == [f"held {POINT}\n"]
    remove(armed)
    async with asyncio.timeout(2):
        await held


async def test_a_point_fails_when_asked_to(armed: Path) -> None:
    write(armed, f"{POINT} error")
    with pytest.raises(Injected):
        await failpoint("after_commit")
    await passes("before_commit")


async def test_a_point_of_another_operation_lets_pass(armed: Path) -> None:
    write(armed, POINT)
    operation.set("disclosure.policy_sync")
    await passes()


async def test_nothing_is_held_in_production(armed: Path) -> None:
    write(armed, POINT)
    failpoints.arm(None)
    await passes()


async def nothing(_stage: str) -> None:
    return


async def test_a_point_that_is_inert_costs_next_to_nothing() -> None:
    """In pairs against an empty coroutine; a look at the file alone costs more than a hundred of them."""
    operation.set(GIVE)
    ratios = []
    for _ in range(ROUNDS):
        took = []
        for subject in (nothing, failpoint):
            began = time.perf_counter()
            for _ in range(CALLS):
                await subject("after_commit")
            took.append(time.perf_counter() - began)
        ratios.append(took[1] / took[0])
    assert statistics.median(ratios) < 4, ratios


def test_every_operation_that_changes_something_is_listed() -> None:
    """From the contract: what carries a request id, and what a service tells another one to do."""
    from tests.support.personas import methods

    told = {"EndSeats", "RecordAffiliation", "Inform"}
    changing = {
        path.lstrip("/").removeprefix("meldbrug.").replace(".v1.", ".").replace("/", ".")
        for path, method in methods().items()
        if "request_id" in method.input_type.fields_by_name or method.name in told
    }
    assert {name for name in OPERATIONS if name.count(".") == 2} == changing


def test_no_point_has_two_names() -> None:
    assert len(set(POINTS)) == len(POINTS)
