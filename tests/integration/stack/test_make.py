"""`make run` as a person runs it: it says when it is ready, keeps its data, and Ctrl-C ends all of it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from services.stack import Endpoints
from services.stack.folder import Folder, locked
from tests.support.stack import ROOT, copied, prepared, throw_away_folder

READY_S = 120
ENDED_S = 60
LIMIT_S = 5.0


class Run:
    """`make run` in a folder of its own, with what it printed."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-m", "services.stack", "run", "--folder", str(folder)]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT
        )
        self.said: list[str] = []
        self._ready = threading.Event()
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def _listen(self) -> None:
        for line in self.process.stdout or ():
            self.said.append(line.rstrip())
            if line.startswith("Press Ctrl-C"):
                self._ready.set()
        self._ready.set()

    def until(self, start: str) -> None:
        """Waits until it said a line that starts like this."""
        end = time.monotonic() + READY_S
        while not any(line.startswith(start) for line in self.said):
            assert self.process.poll() is None, self.said
            assert time.monotonic() < end, self.said
            time.sleep(0.01)

    def ready(self) -> float:
        """Waits until it is ready and returns the processor time that it and all it started have used."""
        assert self._ready.wait(READY_S)
        assert re.search(r"Ready in [\d.]+ s", "\n".join(self.said)), self.said
        this = psutil.Process(self.process.pid)
        used = [process.cpu_times() for process in (this, *this.children(recursive=True))]
        return sum(one.user + one.system for one in used)

    def end(self, how: signal.Signals) -> int:
        """Ends it and returns its exit code."""
        self.process.send_signal(how)
        return self.ended()

    def ended(self) -> int:
        """Waits until it has ended and returns its exit code."""
        code = self.process.wait(ENDED_S)
        self._listener.join()
        if self.process.stdout:
            self.process.stdout.close()
        return code


def receipt(run: Run) -> list[str]:
    """The words that a reporter of the demo comes back with, as they were printed."""
    [words] = [line.partition("twelve words: ")[2].split() for line in run.said if "twelve words: " in line]
    assert len(words) == 12
    return words


@contextmanager
def running(folder: Path) -> Iterator[Run]:
    """Yields a run and ends it."""
    run = Run(folder)
    try:
        yield run
    finally:
        if run.process.poll() is None:
            run.process.terminate()
        run.ended()


def folder_is_free(folder: Path) -> bool:
    """Whether nothing holds the folder: neither a stack nor a reaper with children left."""
    descriptor = os.open(folder / "lock", os.O_RDWR)
    try:
        return locked(descriptor)
    finally:
        os.close(descriptor)


def test_run_is_ready_within_five_seconds_from_the_second_time_and_ctrl_c_ends_it():
    with throw_away_folder() as folder:
        with running(folder) as first:
            first.ready()
            before = Endpoints.read(folder)
            assert first.end(signal.SIGINT) == 0
        assert folder_is_free(folder)

        with running(folder) as second:
            # Not the clock: other work on this machine stretches that.
            assert second.ready() < LIMIT_S
            assert Endpoints.read(folder) == before
            assert second.end(signal.SIGTERM) == 143
        assert folder_is_free(folder)

    for once in ("Preparing", "Telling a report"):
        assert any(once in line for line in first.said)
        assert not any(once in line for line in second.said)
    assert receipt(first) == receipt(second)
    assert any("The data is kept" in line for line in first.said)


def test_a_run_that_was_killed_while_it_settled_the_sector_is_made_anew():
    with throw_away_folder() as folder:
        with running(folder) as first:
            first.until("Admitting Duinroos")
            first.end(signal.SIGKILL)

        with running(folder) as second:
            second.ready()
            assert second.end(signal.SIGINT) == 0

    assert any("interrupted" in line for line in second.said)
    assert not any("Traceback" in line for line in first.said + second.said)


def test_run_says_how_to_talk_to_it_and_a_second_one_that_it_is_running():
    with throw_away_folder() as home, running(folder := copied(prepared(), home)) as first:
        first.ready()

        with running(folder) as second:
            assert second.ended() == 1
        metrics = next(line.split()[1] for line in first.said if line.strip().startswith("metrics"))
        with urllib.request.urlopen(metrics, timeout=5) as page:
            assert b"# HELP" in page.read()

        assert any("already running" in line for line in second.said)
        assert any("endpoints.json" in line for line in first.said)


def test_a_failing_start_is_one_sentence(monkeypatch: pytest.MonkeyPatch):
    with throw_away_folder() as folder:
        held = Folder(folder)
        held.acquire()
        with running(folder) as run:
            assert run.ended() == 1
        held.release()

    assert run.said == [f"The stack is already running in {folder}."]
