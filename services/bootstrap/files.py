"""Secrets as files, readable by their owner only, each made once."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def hex_secret(path: Path, size: int) -> str:
    """Returns the secret of `size` bytes kept at `path`, in hex; made at first use."""
    if not path.exists():
        write_private(path, secrets.token_hex(size) + "\n")
    return path.read_text().strip()


def write_private(path: Path, text: str) -> None:
    """Writes `text` to `path` in one step, readable by the owner only."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    fresh.replace(path)
