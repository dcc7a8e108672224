"""`make run` and `make demo`: the stack with its demo sector, kept or thrown away."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from demo.settle import settle
from demo.story import play

from services.__main__ import NAMES
from services.stack.folder import AlreadyRunning, Endpoints, Folder
from services.stack.processes import StackError, free_port
from services.stack.stack import Stack

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / ".stack"
WATCH_S = 0.5
TERMINATED = 128 + signal.SIGTERM


def main() -> int:
    """Runs one command. Returns the exit code; what is missing is said in one sentence."""
    signal.signal(signal.SIGTERM, terminate)
    parser = argparse.ArgumentParser(prog="python -m services.stack", description=__doc__)
    parser.add_argument("command", choices=["run", "demo"])
    try:
        return {"run": run, "demo": show}[parser.parse_args().command]()
    except StackError as missing:
        print(missing, file=sys.stderr)
        return 1


def terminate(_number: int, _frame: FrameType | None) -> None:
    """Ends this process in good order, so that everything it started ends too."""
    sys.exit(TERMINATED)


def say(line: str) -> None:
    """Prints progress as it happens."""
    print(line, flush=True)


def run() -> int:
    """Runs the stack with its sector until Ctrl-C; its data stays."""
    started = time.monotonic()
    metrics = f"127.0.0.1:{free_port()}"
    env = {"MELDBRUG_REFLECTION": "true", "MELDBRUG_METRICS_LISTEN": metrics}
    try:
        with Stack(HOME, NAMES, env=env, report=say) as stack:
            asyncio.run(settle(stack.endpoints, HOME, say))
            say(f"Ready in {time.monotonic() - started:.1f} s.\n{directions(stack.endpoints, metrics)}")
            watch(stack)
    except KeyboardInterrupt:
        say("\nStopped. The data is kept in .stack; `make run` goes on with it, `make clean` removes it.")
    return 0


def watch(stack: Stack) -> None:
    """Returns never; raises StackError when a part of the stack ends by itself."""
    while True:
        stack.require_running()
        time.sleep(WATCH_S)


def directions(endpoints: Endpoints, metrics: str) -> str:
    """Returns how to talk to a running stack."""
    services = "\n".join(
        f"  {name:<14}{address}  (gRPC, with reflection)" for name, address in endpoints.services.items()
    )
    return (
        f"{services}\n"
        f"  metrics       http://{metrics}/metrics\n"
        "  addresses and key files: .stack/endpoints.json\n"
        "  commands: .venv/bin/meldbrug --help\n"
        "Press Ctrl-C to stop."
    )


def show() -> int:
    """Plays the demo on a stack of its own and throws that away."""
    try:
        with throw_away() as folder, Stack(folder, NAMES, report=say, tools_folder=HOME / "tools") as stack:
            return asyncio.run(play(stack.endpoints, folder))
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


@contextmanager
def throw_away() -> Iterator[Path]:
    """Yields a fresh folder and removes it afterwards, with what killed demos left before."""
    HOME.mkdir(exist_ok=True)
    for left in HOME.glob("demo-*"):
        remove_unused(left)
    folder = Path(tempfile.mkdtemp(prefix="demo-", dir=HOME))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def remove_unused(left: Path) -> None:
    """Removes a demo's folder unless that demo is still running."""
    folder = Folder(left)
    try:
        folder.acquire()
    except AlreadyRunning:
        return
    shutil.rmtree(left)
    folder.release()


if __name__ == "__main__":
    sys.exit(main())
