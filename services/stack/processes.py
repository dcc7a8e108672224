"""Child processes that never outlive the stack, not even when it is killed without warning."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

STOP_S = 15.0  # Above the 10 s in which a service drains its calls.
READY_S = 60.0  # A cold start on a loaded two-core machine took 12 s.
POLL_S = 0.02
LOWEST_PORT, PORTS = 20_000, 10_000


class StackError(Exception):
    """Something the stack needs is missing or did not start; the message says what to do in one sentence."""


class Process(Protocol):
    """What a child needs of `subprocess.Popen`, and promises as that does."""

    pid: int
    returncode: int | None

    def poll(self) -> int | None:
        """Returns how it ended, or None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Waits until it ended, and returns how; raises TimeoutExpired when it had not."""

    def send_signal(self, sig: int) -> None:
        """Sends it a signal."""


Spawn = Callable[..., Process]
"""Starts a process, as `subprocess.Popen` does."""


class Child:
    """One process in a session of its own, with its output in a log."""

    def __init__(self, supervisor: Supervisor, name: str, process: Process, log: Path) -> None:
        """Wraps a started process; use `Supervisor.start`."""
        self.name, self.process, self.log = name, process, log
        self._supervisor = supervisor

    @property
    def running(self) -> bool:
        """Whether the process has not ended."""
        return self.process.poll() is None

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Asks the process to end and waits; kills its whole group when it does not within 15 s."""
        if self.running:
            self.process.send_signal(signal.SIGCONT)  # A paused process would not see the next signal.
            self.process.send_signal(how)
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.kill()
        self._supervisor.forget(self)

    def pause(self) -> None:
        """Stops the process in its tracks, as an overloaded machine would; its connections stay open."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Lets a paused process go on."""
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """Kills the process and its group at once, as a crash would."""
        if self.running:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self._supervisor.forget(self)

    def wait_until(self, ready: Callable[[], bool]) -> None:
        """Waits until `ready()` holds.

        Raises:
            StackError: the process ended first, or was not ready within a minute; with the end of its log.
        """
        deadline = time.monotonic() + READY_S
        while not ready():
            self.require_running()
            if time.monotonic() > deadline:
                raise StackError(f"{self.name} is not ready; the end of {self.log}:\n{tail(self.log)}")
            time.sleep(POLL_S)

    def require_running(self) -> None:
        """Raises StackError, with the end of the log, when the process has ended."""
        if not self.running:
            status = self.process.returncode
            raise StackError(
                f"{self.name} ended with status {status}; the end of {self.log}:\n{tail(self.log)}"
            )


class Supervisor:
    """Starts children and ends them in reverse order; a reaper ends them when this process cannot."""

    def __init__(self, lock: int) -> None:
        """Starts the reaper, in a session of its own so that Ctrl-C does not reach it.

        Args:
            lock: descriptor of the folder's lock; the reaper holds it too, until everything has ended.
        """
        self._children: list[tuple[Child, signal.Signals]] = []
        reaper = [sys.executable, "-I", "-S", str(Path(__file__).with_name("reaper.py"))]
        self._reaper = subprocess.Popen(
            reaper, stdin=subprocess.PIPE, start_new_session=True, pass_fds=[lock]
        )

    def __enter__(self) -> Self:
        """Returns the supervisor."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends every child, the youngest first, and the reaper."""
        for child, how in reversed(self._children.copy()):
            child.stop(how)
        if self._reaper.stdin:
            self._reaper.stdin.close()
        self._reaper.wait(STOP_S)

    def start(
        self,
        name: str,
        command: Sequence[str | Path],
        log: Path,
        *,
        env: Mapping[str, str] | None = None,
        folder: Path | None = None,
        end_with: signal.Signals = signal.SIGTERM,
        spawn: Spawn = subprocess.Popen,
    ) -> Child:
        """Starts `command` in `folder` with its output appended to `log`; `end_with` ends it well."""
        with log.open("ab") as output:
            process = spawn(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=env,
                cwd=folder,
                start_new_session=True,
            )
        child = Child(self, name, process, log)
        self._children.append((child, end_with))
        self._tell(f"+{process.pid} {end_with:d}")
        return child

    @property
    def children(self) -> list[Child]:
        """The processes that were started and not ended, the oldest first."""
        return [child for child, _ in self._children]

    def forget(self, child: Child) -> None:
        """Drops an ended child, so that its number is never signalled again."""
        self._tell(f"-{child.process.pid}")
        self._children = [(other, how) for other, how in self._children if other is not child]

    def _tell(self, line: str) -> None:
        if self._reaper.stdin and not self._reaper.stdin.closed and self._reaper.poll() is None:
            self._reaper.stdin.write(line.encode() + b"\n")
            self._reaper.stdin.flush()


def free_port(preferred: int | None = None) -> int:
    """Returns a free port of 127.0.0.1 that no other stack is given: the preferred one where possible.

    Others come from below the range that the kernel gives to outgoing connections. A client that calls while
    the server restarts could otherwise be given the server's own port.
    """
    candidates = [preferred] if preferred else []
    candidates += [LOWEST_PORT + secrets.randbelow(PORTS) for _ in range(100)]
    for candidate in candidates:
        if (candidate == preferred or candidate not in _reserved) and _reserve(candidate):
            with socket.socket() as probe, contextlib.suppress(OSError):
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", candidate))
                return candidate
    raise StackError("There is no free port on 127.0.0.1.")


_reserved: set[int] = set()


@functools.cache
def _places() -> int:
    """A file that all stacks of a user share: whose byte is locked, theirs is the port of that number."""
    return os.open(
        Path(tempfile.gettempdir()) / f"meldbrug-ports-{os.getuid()}", os.O_RDWR | os.O_CREAT, 0o600
    )


def _reserve(port: int) -> bool:
    """Whether a port is this process's until it ends: whoever is given one listens on it seconds later."""
    if port in _reserved:
        return True
    try:
        fcntl.lockf(_places(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    _reserved.add(port)
    return True


def run(command: Sequence[str | Path], what: str, **options: object) -> str:
    """Runs `command` to its end and returns its output.

    Raises:
        StackError: it failed; `what` names it, with the end of its output.
    """
    done = subprocess.run(  # type: ignore[call-overload]  # options are passed on as given
        [str(part) for part in command], capture_output=True, text=True, check=False, **options
    )
    if done.returncode:
        raise StackError(f"{what} failed:\n{(done.stdout + done.stderr)[-2000:]}")
    return str(done.stdout)


def tail(log: Path, size: int = 2000) -> str:
    """Returns the end of a log."""
    return log.read_text(errors="replace")[-size:]
