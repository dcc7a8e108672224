"""Ends the stack's children when the stack itself is gone, however it went.

It reads `+pid signal` and `-pid` lines on its standard input. That pipe closes when the stack ends; whatever
is still listed then is told to end, the youngest first, and killed after ten seconds.
"""

import contextlib
import os
import signal
import sys
import time

PATIENCE_S = 10.0


def main() -> None:
    """Listens until the pipe closes, then ends what is left."""
    children: dict[int, int] = {}
    for line in sys.stdin:
        pid, _, how = line[1:].partition(" ")
        if line.startswith("+"):
            children[int(pid)] = int(how)
        else:
            children.pop(int(pid), None)
    deadline = time.monotonic() + PATIENCE_S
    for pid, how in reversed(children.items()):
        end(pid, how, deadline)


def end(pid: int, how: int, deadline: float) -> None:
    """Ends one child in good order, or kills its group when the deadline has passed."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)
        os.kill(pid, how)
        while is_alive(pid):
            if time.monotonic() > deadline:
                os.killpg(pid, signal.SIGKILL)
            time.sleep(0.02)


def is_alive(pid: int) -> bool:
    """Whether process `pid` runs. One that ended and waits for a parent that is gone counts as ended."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not is_zombie(pid)


def is_zombie(pid: int) -> bool:
    """Whether process `pid` has ended and nobody has asked how; False where there is no /proc to tell."""
    try:
        with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123 this file starts in 20 ms because it imports next to nothing
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False


if __name__ == "__main__":
    main()
