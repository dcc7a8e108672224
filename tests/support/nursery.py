"""Processes of the product that are born with its modules read, which by itself takes a second each time.

What is born is a process as any: of its own number, arguments, environment, folder and descriptors, in a
session of its own, and it ends, or is killed, by itself. Only the interpreter's start is spared; whatever
depends on that is tested where the product starts as its users start it (tests/integration/stack, edge).
"""

from __future__ import annotations

import atexit
import fcntl
import functools
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[2]
REQUEST_BYTES, MOST_FDS, NUMBER_BYTES = 100_000, 8, 12
POLL_S = 0.005
# What a program would be started with, what is read before, and what runs in whoever is born.
SERVICES = ("-m", "services")
COMMAND = ("-W", "error", "-c", "from meldbrug.cli.app import main; main()")
READ = {SERVICES: "import services.__main__", COMMAND: "import meldbrug.cli.app"}
BODY = {
    SERVICES: "import runpy; runpy.run_module('services', run_name='__main__', alter_sys=True)",
    COMMAND: COMMAND[-1],
}


class Born:
    """A process that was born: what `subprocess.Popen` says of one."""

    def __init__(self, status: int) -> None:
        """Waits for its number, which comes first on `status`; how it ended comes last."""
        self._status = os.fdopen(status, "rb", buffering=0)
        self.pid = int(self._status.read(NUMBER_BYTES) or b"")
        self.returncode: int | None = None
        os.set_blocking(status, False)

    def poll(self) -> int | None:
        """Returns how it ended, or None while it lives."""
        if self.returncode is None and (said := self._status.read(NUMBER_BYTES)) is not None:
            self.returncode = int(said)
            self._status.close()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Waits until it ended, and returns how.

        Raises:
            subprocess.TimeoutExpired: it had not after `timeout` seconds.
        """
        until = time.monotonic() + timeout if timeout is not None else float("inf")
        while (code := self.poll()) is None:
            if time.monotonic() > until:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            time.sleep(POLL_S)
        return code

    def send_signal(self, how: int) -> None:
        """Sends it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, how)


def spawn(
    command: Sequence[str],
    *,
    stdin: int | IO[bytes],
    stdout: int | IO[bytes],
    stderr: int | IO[bytes],
    env: Mapping[str, str],
    cwd: Path,
    start_new_session: bool = True,
    pass_fds: Sequence[int] = (),
) -> Born:
    """Bears what `subprocess.Popen` would have started: one of the two programs above.

    Raises:
        ValueError: the command is none of them, or it would not have a session of its own.
    """
    program = next((known for known in READ if tuple(command[1 : len(known) + 1]) == known), None)
    if not program or not start_new_session:
        raise ValueError(f"nobody is born as {command}")
    streams = [_number(stdin), _number(stdout)]
    streams.append(streams[1] if stderr == subprocess.STDOUT else _number(stderr))
    ours, theirs = os.pipe()
    asked = {
        "argv": [program[-1], *command[len(program) + 1 :]],
        "env": dict(env),
        "cwd": str(cwd),
        "numbers": [0, 1, 2, *pass_fds],
    }
    socket.send_fds(_nursery(program), [json.dumps(asked).encode()], [theirs, *streams, *pass_fds])
    os.close(theirs)
    return Born(ours)


def read(output: IO[bytes]) -> str:
    """Returns all that somebody wrote to a file."""
    output.seek(0)
    return output.read().decode()


def _number(stream: int | IO[bytes]) -> int:
    if stream == subprocess.DEVNULL:
        return _nothing()
    return stream if isinstance(stream, int) else stream.fileno()


@functools.cache
def _nothing() -> int:
    return os.open(os.devnull, os.O_RDWR)


@functools.cache
def _nursery(program: tuple[str, ...]) -> socket.socket:
    """Starts the nursery of a program; it goes when its socket closes, at the end of this process."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    options = program[:2] if program[0] == "-W" else ()
    command = [sys.executable, *options, "-m", "tests.support.nursery", *program]
    process = subprocess.Popen(command, stdin=theirs, cwd=ROOT, start_new_session=True)
    theirs.close()
    atexit.register(_close, ours, process)
    return ours


def _close(asking: socket.socket, nursery: subprocess.Popen[bytes]) -> None:
    asking.close()
    nursery.wait()


def main(program: tuple[str, ...]) -> str:
    """Bears whoever is asked for, until nobody is left who could ask.

    Returns:
        What to run, in whoever was born; nothing in the nursery itself, at its end.
    """
    exec(READ[program], {})
    assert len(_own("task")) == 1, "a thread of the nursery's would be missing in the born"
    gc.freeze()
    asking = socket.socket(fileno=os.dup(0))
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    living: dict[int, int] = {}
    while True:
        ready, _, _ = select.select([asking, woken], [], [])
        if woken in ready:
            os.read(woken, 1000)
            _bury(living)
        if asking in ready:
            asked, fds, _, _ = socket.recv_fds(asking, REQUEST_BYTES, MOST_FDS)
            if not asked:
                return ""
            if not (pid := os.fork()):
                asking.detach()
                _become(fds[1:], **json.loads(asked))
                return BODY[program]
            living[pid] = fds[0]
            os.write(fds[0], f"{pid:{NUMBER_BYTES}}".encode())
            for fd in fds[1:]:
                os.close(fd)


def _bury(living: dict[int, int]) -> None:
    """Tells of everyone who ended how."""
    for pid in tuple(living):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            with os.fdopen(living.pop(pid), "wb") as told:
                told.write(f"{os.waitstatus_to_exitcode(status):{NUMBER_BYTES}}".encode())


def _become(fds: list[int], argv: list[str], env: dict[str, str], cwd: str, numbers: list[int]) -> None:
    """Makes the process what it would be had it been started by itself."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    sys.argv = argv
    above = max(numbers) + 1
    for held, number in zip([fcntl.fcntl(fd, fcntl.F_DUPFD, above) for fd in fds], numbers, strict=True):
        os.dup2(held, number)
    for fd in set(_own("fd")) - set(numbers):
        with suppress(OSError):  # The one by which the folder was read.
            os.close(fd)
    sys.stdout.reconfigure(line_buffering=os.isatty(1))  # type: ignore[union-attr]  # a real stream


def _own(what: str) -> list[int]:
    return [int(path.name) for path in Path("/proc/self", what).iterdir()]


if __name__ == "__main__":
    exec(main(tuple(sys.argv[1:])), {"__name__": "__main__"})
