"""Keys as files, in hex: signing seed, then sealing seed."""

from __future__ import annotations

import base64
from pathlib import Path

from meldbrug.crypto.keys import SecretKeys
from services.bootstrap.files import hex_secret

SEED_BYTES = 32


def key_pair(path: Path) -> SecretKeys:
    """Returns the key kept at `path` (signing seed, then sealing seed); made at first use."""
    seeds = bytes.fromhex(hex_secret(path, 2 * SEED_BYTES))
    return SecretKeys(seeds[:SEED_BYTES], seeds[SEED_BYTES:])


def public_text(keys: SecretKeys) -> str:
    """Returns the public half as the setting SERVICE_KEYS wants it."""
    return base64.b64encode(keys.public.signing + keys.public.sealing).decode()
