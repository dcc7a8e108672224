"""Named points where a test may hold or kill a process. Inert unless the test switch names a file."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

POINTS = (
    "report.after_commit",
    "report.after_sync",
    "propose.after_commit",
    "give.after_commit",
    "give.after_sync",
    "refuse.after_commit",
    "withdraw.after_commit",
    "withdraw.after_sync",
    "exclude.after_commit",
    "exclude.after_sync",
    "accept_terms.after_commit",
    "open.after_check",
    "open.after_commit",
    "remove.after_directory_commit",
    "remove.after_end_seats",
    "end_seats.after_commit",
    "rotate.after_pending",
    "rotate.after_rewrap",
    "rotate.after_active",
    "add_member.after_affiliation",
    "coordination.after_pull",
)
POLL_S = 0.02


class _Switch:
    """The file that names the armed point; set once, before the server starts."""

    file: Path | None = None


def arm(file: Path | None) -> None:
    """Lets points be armed by writing one's name into `file`; None leaves them all inert."""
    _Switch.file = file


async def pause(name: str) -> None:
    """Holds here as long as a test names this point, and says so once on standard output."""
    if _Switch.file is None:
        return
    held = False
    # Another process ends this, by what it writes into the file.
    while await asyncio.to_thread(_named, _Switch.file) == name:
        if not held:
            sys.stdout.write(f"paused {name}\n")
            sys.stdout.flush()
        held = True
        await asyncio.sleep(POLL_S)


def _named(file: Path) -> str:
    return file.read_text("utf-8") if file.exists() else ""
