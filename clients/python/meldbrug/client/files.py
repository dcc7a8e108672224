"""Files that only their owner may read, written whole or not at all."""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import MeldbrugError


def read_private(path: Path, max_bytes: int) -> bytes:
    """Returns what a file holds.

    Raises:
        MeldbrugError: it is absent, larger than `max_bytes`, or readable by others than its owner.
    """
    try:
        with path.open("rb") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise MeldbrugError(f"{path.name} can be read by others; make it yours alone (chmod 600)")
            held = file.read(max_bytes + 1)
    except OSError as error:
        raise MeldbrugError(f"{path.name} cannot be read: {error.strerror}") from None
    if len(held) > max_bytes:
        raise MeldbrugError(f"{path.name} is too large")
    return held


def write_private(path: Path, content: bytes, *, replace: bool) -> None:
    """Writes a file with mode 600; whoever reads it meanwhile sees all of the old or all of the new.

    Raises:
        MeldbrugError: it exists and may not be replaced, or the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _place(Path(name), path, replace=replace)
    except FileExistsError:
        raise MeldbrugError(f"{path.name} exists already") from None
    except OSError as error:
        raise MeldbrugError(f"{path.name} cannot be written: {error.strerror}") from None


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keeps other processes of this device from changing a file between what is read and what is written.

    The lock is on a file beside it: the file itself is exchanged for another each time it is written.

    Raises:
        MeldbrugError: the folder cannot be written.
    """
    beside = path.with_name(f"{path.name}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise MeldbrugError(f"{beside.name} cannot be written: {error.strerror}") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _place(written: Path, path: Path, *, replace: bool) -> None:
    if replace:
        written.replace(path)
        return
    try:
        # A link fails where a rename would overwrite: two who create at once never lose a key.
        os.link(written, path)
    finally:
        written.unlink()
