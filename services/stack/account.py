"""Whom PostgreSQL runs as: it refuses to run as root, so root lends it an unprivileged account."""

from __future__ import annotations

import os
import pwd
import shutil
from collections.abc import Sequence
from pathlib import Path

from services.stack.processes import StackError

ACCOUNTS = ("postgres", "nobody")
# Capabilities that let a process pass folders it may not list, by their number in /proc/self/status.
PASSAGE = (("dac_read_search", 2), ("dac_override", 1))


def command(argv: Sequence[str | Path], needs: Sequence[Path]) -> list[str | Path]:
    """Returns `argv`, wrapped so that it runs as an unprivileged account where we are root.

    Args:
        argv: what to run.
        needs: folders that the account must reach. A closed folder above them (a temporary folder, /root)
            stays closed to everyone else: the process gets the one capability to pass it.
    """
    if os.geteuid() != 0:
        return list(argv)
    setpriv = shutil.which("setpriv")
    if not setpriv:
        raise StackError(
            "PostgreSQL does not run as root: install util-linux (setpriv), or run this as another user."
        )
    who = lent()
    wrapped: list[str | Path] = [setpriv, f"--reuid={who.pw_uid}", f"--regid={who.pw_gid}", "--clear-groups"]
    if not all(reachable(place) for place in needs):
        passage = passing()
        wrapped += [f"--inh-caps=+{passage}", f"--ambient-caps=+{passage}"]
    return [*wrapped, *argv]


def give(path: Path) -> None:
    """Makes `path` the unprivileged account's where we are root."""
    if os.geteuid() == 0:
        os.chown(path, lent().pw_uid, lent().pw_gid)


def lent() -> pwd.struct_passwd:
    """Returns the first account of ours that this machine has."""
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    for name in ACCOUNTS:
        if name in known:
            return known[name]
    raise StackError(
        "PostgreSQL does not run as root, and `postgres` and `nobody` are missing: run this as another user."
    )


def reachable(place: Path) -> bool:
    """Whether any account may pass through every folder down to `place`."""
    return all(folder.stat().st_mode & 0o001 for folder in (place, *place.parents))


def passing() -> str:
    """Returns the weakest capability of ours that passes closed folders."""
    status = Path("/proc/self/status").read_text()
    ours = next(int(line.split()[1], 16) for line in status.splitlines() if line.startswith("CapEff"))
    for name, number in PASSAGE:
        if ours >> number & 1:
            return name
    raise StackError(
        "PostgreSQL does not run as root and cannot enter this folder: move it or open it (chmod o+x)."
    )
