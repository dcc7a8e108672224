"""A member's keys in a file, encrypted under a passphrase. `docs/key-file.md` documents every byte.

The browser reads and writes the same format, so nothing here may change without a new `version`.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from meldbrug.crypto import CryptoError, RandomBytes, SecretKeys, canonical

from .errors import MeldbrugError
from .files import read_private, write_private

FORMAT: Final = "meldbrug-key"
VERSION: Final = 1
MAX_BYTES: Final = 16 * 1024
SALT_BYTES: Final = 16
NONCE_BYTES: Final = 12
SEED_BYTES: Final = 32
SEALED_BYTES: Final = 80
# What a file may ask of the device that opens it; a file from elsewhere must not exhaust it.
MEMORY_KIB: Final = range(19_456, 1_048_577)
ITERATIONS: Final = range(2, 17)
LANES: Final = range(1, 17)


class KeyFileError(MeldbrugError):
    """A key file that cannot be used; `reason` says why in a slug: passphrase-needed, passphrase, damaged."""

    def __init__(self, reason: str, sentence: str) -> None:
        """Keeps the slug beside the sentence."""
        super().__init__(sentence)
        self.reason = reason


@dataclass(frozen=True)
class Cost:
    """What one try at the passphrase costs."""

    memory_kib: int
    iterations: int
    lanes: int

    @property
    def is_sane(self) -> bool:
        """Tells whether it is neither weaker than we write nor made to exhaust the device."""
        return self.memory_kib in MEMORY_KIB and self.iterations in ITERATIONS and self.lanes in LANES


# RFC 9106, section 4, second recommendation: for where memory is not plenty, as in a browser.
COST: Final = Cost(memory_kib=65_536, iterations=3, lanes=4)


def save_keys(
    path: Path,
    keys: SecretKeys,
    passphrase: str | None,
    *,
    replace: bool = False,
    random: RandomBytes = secrets.token_bytes,
) -> None:
    """Writes a key file with mode 600, whole or not at all.

    Args:
        path: Where to.
        keys: The keys.
        passphrase: What opens it; None only where somebody asked for a file that anyone who has it can use.
        replace: Whether a file that is there may be replaced.
        random: Source of salt and nonce.

    Raises:
        MeldbrugError: the file exists, or cannot be written.
    """
    write_private(path, sealed_file(keys, passphrase, random=random), replace=replace)


def load_keys(path: Path, passphrase: str | None = None) -> SecretKeys:
    """Reads a key file.

    Raises:
        KeyFileError: a passphrase is needed, it is wrong, or the file is damaged.
        MeldbrugError: the file is absent, or readable by others.
    """
    return opened_file(read_private(path, MAX_BYTES), passphrase)


def kid_in(path: Path) -> str:
    """Returns the fingerprint that a key file names, without opening it.

    Raises:
        MeldbrugError: as `load_keys`.
    """
    return str(_parsed(read_private(path, MAX_BYTES)).get("kid", ""))


def sealed_file(
    keys: SecretKeys, passphrase: str | None, *, random: RandomBytes = secrets.token_bytes
) -> bytes:
    """Returns the bytes of a key file."""
    content: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "kid": keys.kid,
        "public": {"signing": _text(keys.public.signing), "sealing": _text(keys.public.sealing)},
    }
    seeds = keys.signing_seed + keys.sealing_seed
    if passphrase is None:
        content["seeds"] = _text(seeds)
        return _json(content)
    salt, nonce = random(SALT_BYTES), random(NONCE_BYTES)
    sealed = AESGCM(_key(passphrase, salt, COST)).encrypt(nonce, seeds, _bound(keys, COST, salt))
    content["kdf"] = {
        "name": "argon2id",
        "memoryKib": COST.memory_kib,
        "iterations": COST.iterations,
        "lanes": COST.lanes,
        "salt": _text(salt),
    }
    content["cipher"] = {"name": "aes-256-gcm", "nonce": _text(nonce), "sealedSeeds": _text(sealed)}
    return _json(content)


def opened_file(held: bytes, passphrase: str | None) -> SecretKeys:
    """Returns the keys of a key file's bytes.

    Raises:
        KeyFileError: a passphrase is needed, it is wrong, or the file is damaged.
    """
    content = _parsed(held)
    try:
        seeds = _bytes(content["seeds"]) if "seeds" in content else _unsealed(content, passphrase)
        keys = SecretKeys(seeds[:SEED_BYTES], seeds[SEED_BYTES:])
    except (KeyError, TypeError, ValueError, OverflowError, binascii.Error, CryptoError):
        raise _damaged() from None
    if content.get("kid") != keys.kid:
        raise _damaged()
    return keys


def _unsealed(content: Mapping[str, Any], passphrase: str | None) -> bytes:
    kdf, cipher = content["kdf"], content["cipher"]
    cost = Cost(_whole(kdf["memoryKib"]), _whole(kdf["iterations"]), _whole(kdf["lanes"]))
    if (kdf["name"], cipher["name"]) != ("argon2id", "aes-256-gcm") or not cost.is_sane:
        raise _damaged()
    if passphrase is None:
        raise KeyFileError("passphrase-needed", "the key file needs its passphrase")
    salt, public = _bytes(kdf["salt"], SALT_BYTES), content["public"]
    nonce, sealed = _bytes(cipher["nonce"], NONCE_BYTES), _bytes(cipher["sealedSeeds"], SEALED_BYTES)
    bound = _bound_to(content["kid"], _bytes(public["signing"]), _bytes(public["sealing"]), cost, salt)
    try:
        return AESGCM(_key(passphrase, salt, cost)).decrypt(nonce, sealed, bound)
    except InvalidTag:
        raise KeyFileError("passphrase", "the passphrase is not right, or the key file was changed") from None


def _key(passphrase: str, salt: bytes, cost: Cost) -> bytes:
    # Composed and decomposed accents are typed alike.
    secret = unicodedata.normalize("NFKC", passphrase).encode()
    return hash_secret_raw(
        secret, salt, cost.iterations, cost.memory_kib, cost.lanes, hash_len=32, type=Type.ID
    )


def _bound(keys: SecretKeys, cost: Cost, salt: bytes) -> bytes:
    return _bound_to(keys.kid, keys.public.signing, keys.public.sealing, cost, salt)


def _bound_to(kid: str, signing: bytes, sealing: bytes, cost: Cost, salt: bytes) -> bytes:
    return canonical(
        "key-file",
        VERSION,
        kid,
        signing,
        sealing,
        "argon2id",
        cost.memory_kib,
        cost.iterations,
        cost.lanes,
        salt,
    )


def _parsed(held: bytes) -> dict[str, Any]:
    try:
        # Bytes alone would be read as UTF-16 too, and numbers that JSON does not have.
        content = json.loads(held.decode(), parse_constant=_whole)
    except (ValueError, RecursionError):
        raise _damaged() from None
    if len(held) > MAX_BYTES or not isinstance(content, dict) or content.get("format") != FORMAT:
        raise KeyFileError("damaged", "this is no key file")
    if content.get("version") is True or content.get("version") != VERSION:
        raise KeyFileError("damaged", "the key file is of a version that this program does not know")
    return content


def _damaged() -> KeyFileError:
    return KeyFileError("damaged", "the key file is damaged")


def _json(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, indent=1).encode() + b"\n"


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _bytes(text: str, length: int | None = None) -> bytes:
    """Returns the bytes of a text that has one form. Raises ValueError for others, and for another length."""
    data = base64.b64decode(text, validate=True)
    if _text(data) != text or length not in (None, len(data)):
        raise ValueError("another text, or another length")
    return data


def _whole(number: object) -> int:
    """Returns a number of JSON, which does not tell 2.0 from 2. Raises ValueError for what is none."""
    if isinstance(number, bool) or not isinstance(number, int | float) or number != int(number):
        raise ValueError("no whole number")
    return int(number)
