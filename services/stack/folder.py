"""What the stack keeps on disk: one folder with a lock, `endpoints.json`, keys, data, logs and tools."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from services.bootstrap.files import write_private
from services.stack.processes import POLL_S, STOP_S, StackError
from services.stack.reaper import is_alive

PRIVATE = 0o600


class AlreadyRunning(StackError):
    """Another stack holds this folder."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where a running stack answers and where its keys lie; what the command line and tests read."""

    installation: str
    secretariat: str
    services: dict[str, str]
    database_url: str
    openfga_http_url: str
    openfga_grpc_address: str
    openfga_store_id: str
    openfga_model_id: str
    openfga_token_path: str
    secretariat_key_path: str
    secretariat_member: str
    edge: str
    edge_ca_path: str

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Returns the endpoints of the stack in `folder`; FileNotFoundError when none was ever started."""
        return cls(**json.loads((folder / "endpoints.json").read_text()))

    def write(self, folder: Path) -> None:
        """Replaces the endpoints in `folder` in one step, readable by the owner only."""
        write_private(folder / "endpoints.json", json.dumps(asdict(self), indent=2) + "\n")


class Folder:
    """The stack's folder, held by at most one running stack at a time."""

    def __init__(self, path: Path) -> None:
        """Creates the folder and its parts where they are missing."""
        self.path = path.resolve()
        for part in (self.path, self.keys, self.logs, self.tools, self.narrowings):
            part.mkdir(parents=True, exist_ok=True)
        for part in (self.keys, self.narrowings):
            part.chmod(0o700)
        self._lock: int | None = None

    @property
    def narrowings(self) -> Path:
        """Holds what was closed, for a restore."""
        return self.path / "narrowings"

    @property
    def keys(self) -> Path:
        """Holds keys and passwords, each readable by the owner only."""
        return self.path / "keys"

    @property
    def logs(self) -> Path:
        """Holds one log per process."""
        return self.path / "logs"

    @property
    def tools(self) -> Path:
        """Holds the tools that had to be fetched or built."""
        return self.path / "tools"

    @property
    def data(self) -> Path:
        """Holds PostgreSQL's data."""
        return self.path / "postgres"

    def acquire(self) -> int:
        """Takes the folder for this process; the kernel gives it back however the process ends.

        Returns:
            The descriptor of the lock, for whoever must hold it longer than this process lives.

        Raises:
            AlreadyRunning: a stack is running in this folder.
        """
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, PRIVATE)
        patience = time.monotonic() + STOP_S
        while not locked(descriptor):
            if is_alive(int(os.pread(descriptor, 20, 0) or 0)) or time.monotonic() > patience:
                os.close(descriptor)
                raise AlreadyRunning(f"The stack is already running in {self.path}.")
            time.sleep(POLL_S)  # Its owner was killed and the reaper is still ending what it left.
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        self._lock = descriptor
        return descriptor

    def release(self) -> None:
        """Gives the folder back."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def forget(self) -> None:
        """Removes data, keys and what was noted of them; logs and tools stay."""
        for kept in ("endpoints.json", "prepared", "sector.json"):
            (self.path / kept).unlink(missing_ok=True)
        # Last, so that an interruption here is seen the next time.
        shutil.rmtree(self.keys)
        shutil.rmtree(self.data)
        self.keys.mkdir(mode=0o700)

    def secret(self, name: str) -> str:
        """Returns the secret kept under `keys/<name>`, made at first use."""
        path = self.keys / name
        if not path.exists():
            write_private(path, secrets.token_urlsafe(32))
        return path.read_text()


@contextmanager
def throw_away(home: Path, prefix: str) -> Iterator[Path]:
    """Yields a fresh folder below `home` and removes it afterwards, with what killed ones left."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / ".making").open("w") as gate:
        fcntl.flock(
            gate, fcntl.LOCK_EX
        )  # Nobody may take a folder for a left one before its maker has locked it.
        for left in home.glob(f"{prefix}-*"):
            remove_unused(left)
        folder = Path(tempfile.mkdtemp(prefix=f"{prefix}-", dir=home))
        descriptor = os.open(folder / "in-use", os.O_RDWR | os.O_CREAT, PRIVATE)
        locked(descriptor)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
        os.close(descriptor)  # Only now: until then nobody else may remove it.


def remove_unused(folder: Path) -> None:
    """Removes a throw-away folder unless the process that made it still runs."""
    with contextlib.suppress(FileNotFoundError):
        descriptor = os.open(folder / "in-use", os.O_RDWR)
        if locked(descriptor):
            shutil.rmtree(folder)
        os.close(descriptor)


def locked(descriptor: int) -> bool:
    """Whether this process got the lock on the open file."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
