"""Named points where a test may hold or kill a process. Inert unless the test switch names one."""

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
    """The one armed point of this process; set once, before the server starts."""

    point = ""
    release = ""


def arm(point: str, release: str = "") -> None:
    """Arms one point; an empty name disarms. With `release`, the wait ends when that file appears."""
    if point and point not in POINTS:
        raise ValueError(f"no such pause point: {point}")
    _Switch.point, _Switch.release = point, release


async def pause(name: str) -> None:
    """Holds here when a test armed `name`: says so on standard output, then waits for its file or its end."""
    if _Switch.point != name:
        return
    sys.stdout.write(f"paused {name}\n")
    sys.stdout.flush()
    release = Path(_Switch.release) if _Switch.release else None
    # Another process ends this, by making a file.
    while release is None or not await asyncio.to_thread(release.exists):  # noqa: ASYNC110 (a file cannot set an event)
        await asyncio.sleep(POLL_S)
