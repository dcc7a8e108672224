"""`make run` and `make demo`: the stack with its demo sector, kept or thrown away."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

from demo.narration import Narrator, StoryBroken
from demo.seed import Sector, settle
from demo.story import Story
from meldbrug.client import Connection
from services.bootstrap.secrets import key_pair
from services.stack import edge
from services.stack.folder import Endpoints, Folder, throw_away
from services.stack.processes import StackError, free_port
from services.stack.stack import Stack

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / ".stack"
TOOLS = HOME / "tools"
WATCH_S = 0.5
PRODUCTION = "veerpont"
ROLES = {"duinroos-vp": "handles", "noorderlicht-contact": "reads", "duinroos-admin": "administers"}
INTERRUPTED, TERMINATED = 128 + signal.SIGINT, 128 + signal.SIGTERM


def main() -> int:
    """Runs one command. Returns the exit code; what is missing is said in one sentence."""
    signal.signal(signal.SIGTERM, terminate)
    parser = argparse.ArgumentParser(prog="python -m services.stack", description=__doc__)
    parser.add_argument("command", choices=["run", "demo"])
    parser.add_argument("--folder", type=Path, default=HOME, help="where the stack lives; .stack when absent")
    parser.add_argument("--lan", action="store_true", help="let phones on this network reach the edge")
    chosen = parser.parse_args()
    try:
        return run(chosen.folder, lan=chosen.lan) if chosen.command == "run" else show(chosen.folder)
    except StackError as missing:
        print(missing, file=sys.stderr)
        return 1


def terminate(_number: int, _frame: FrameType | None) -> None:
    """Ends this process in good order, so that everything it started ends too."""
    sys.exit(TERMINATED)


def say(line: str) -> None:
    """Prints progress as it happens."""
    print(line, flush=True)


def run(home: Path, *, lan: bool) -> int:
    """Runs the stack in `home` with its sector until Ctrl-C; its data stays. `lan` shows others the edge."""
    started = time.monotonic()
    metrics = f"127.0.0.1:{free_port()}"
    env = {"MELDBRUG_REFLECTION": "true", "MELDBRUG_METRICS_LISTEN": metrics}
    try:
        forget_half_settled(home)
        host = edge.EVERYWHERE if lan else edge.HERE
        with Stack(home, env=env, edge_host=host, report=say, tools_folder=TOOLS) as stack:
            sector = asyncio.run(settled(stack.endpoints, home))
            say(f"Ready in {time.monotonic() - started:.1f} s.")
            say(directions(home, stack.endpoints, sector, metrics, lan=lan))
            watch(stack)
    except KeyboardInterrupt:
        say(f"\nStopped. The data is kept in {home}; `make run` goes on with it, `make clean` removes it.")
    return 0


def forget_half_settled(home: Path) -> None:
    """Removes the data of a sector that an interruption left half made; nobody can have used it yet.

    Settling repeats no call, and cannot know whether the last one arrived.
    """
    folder = Folder(home)
    folder.acquire()
    if folder.data.exists() and not Sector(folder.path).is_settled:
        say("The last start was interrupted before the demo sector was whole; making it anew")
        folder.forget()
    folder.release()


def watch(stack: Stack) -> None:
    """Returns never; raises StackError when a part of the stack ends by itself."""
    while True:
        stack.require_running()
        time.sleep(WATCH_S)


def directions(home: Path, endpoints: Endpoints, sector: Sector, metrics: str, *, lan: bool) -> str:
    """Returns how to talk to a running stack."""
    services = "\n".join(
        f"  {name:<14}{address}  (gRPC, with reflection)" for name, address in endpoints.services.items()
    )
    return (
        f"{services}\n"
        f"{browsing(endpoints, lan=lan)}\n"
        f"{trying(endpoints, sector)}\n"
        f"  metrics       http://{metrics}/metrics\n"
        f"  addresses and key files: {home / 'endpoints.json'}\n"
        "  commands: .venv/bin/meldbrug --help\n"
        "Press Ctrl-C to stop."
    )


def browsing(endpoints: Endpoints, *, lan: bool) -> str:
    """Returns where browsers go, and what makes them trust it."""
    found = edge.on_the_network(urlsplit(endpoints.edge).port or 0) if lan else []
    places = "\n".join(f"  {'browsers':<14}{place}" for place in [endpoints.edge, *found])
    phone = (
        "send it to the phone and install it as a certificate authority"
        if lan
        else "`make run ARGS=--lan` lets a phone on this network in"
    )
    return f"{places}\n  their certificate comes from {endpoints.edge_ca_path}; {phone} (docs/edge.md)"


def trying(endpoints: Endpoints, sector: Sector) -> str:
    """Returns where each kind of user of the demo sector begins."""
    keys = "\n".join(f"    {sector.key_file(role)}  ({who})" for role, who in ROLES.items())
    begin = edge.start_link(endpoints.edge, endpoints.installation, sector.code(PRODUCTION))
    return (
        f"  a reporter begins at {begin}\n"
        f"  whoever works there at {endpoints.edge}/#/nl/work, with one of these key files:\n{keys}"
    )


def show(home: Path) -> int:
    """Plays the demo on a stack of its own below `home` and throws that away."""
    try:
        with (
            throw_away(home, "demo") as folder,
            Stack(folder, report=say, tools_folder=TOOLS) as stack,
        ):
            asyncio.run(play(stack.endpoints, folder))
    except KeyboardInterrupt:
        return INTERRUPTED
    except StoryBroken as broken:
        print(f"The story broke: {broken}", file=sys.stderr)
        return 1
    return 0


async def settled(endpoints: Endpoints, folder: Path) -> Sector:
    """Returns the demo sector, settled where it is not yet."""
    root = key_pair(Path(endpoints.secretariat_key_path))
    async with Connection(endpoints.services, endpoints.installation) as connection:
        return await settle(connection, root, folder, say)


async def play(endpoints: Endpoints, folder: Path) -> None:
    """Settles the sector and plays the story on it. Raises StoryBroken."""
    sector = await settled(endpoints, folder)
    await Story(endpoints.services, endpoints.installation, sector, Narrator()).play()


if __name__ == "__main__":
    sys.exit(main())
