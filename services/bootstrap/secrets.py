"""Secrets as files: hex in one line, readable by their owner only, made once."""

from __future__ import annotations

import base64
import os
import secrets
from pathlib import Path

from meldbrug.crypto.keys import SecretKeys

SEED_BYTES = 32


def key_pair(path: Path) -> SecretKeys:
    """Returns the key kept at `path` (signing seed, then sealing seed); made at first use."""
    seeds = bytes.fromhex(hex_secret(path, 2 * SEED_BYTES))
    return SecretKeys(seeds[:SEED_BYTES], seeds[SEED_BYTES:])


def public_text(keys: SecretKeys) -> str:
    """Returns the public half as the setting SERVICE_KEYS wants it."""
    return base64.b64encode(keys.public.signing + keys.public.sealing).decode()


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
