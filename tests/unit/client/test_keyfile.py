"""Key files: what opens them, what does not, and who may read them."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from meldbrug.client import KeyFileError, MeldbrugError, kid_in, load_keys, save_keys
from meldbrug.client.keyfile import opened_file, sealed_file
from meldbrug.crypto import SecretKeys

KEYS = SecretKeys(b"s" * 32, b"e" * 32)
SEALED = sealed_file(KEYS, "een wachtzin met spaties", random=lambda size: b"r" * size)


def changed(*path: str, to: Any) -> bytes:
    content = json.loads(SEALED)
    at = content
    for name in path[:-1]:
        at = at[name]
    at[path[-1]] = to
    return json.dumps(content).encode()


def test_the_passphrase_opens_what_it_closed(tmp_path: Path) -> None:
    save_keys(tmp_path / "key.json", KEYS, "een wachtzin")

    assert load_keys(tmp_path / "key.json", "een wachtzin") == KEYS
    assert kid_in(tmp_path / "key.json") == KEYS.kid


def test_accents_are_the_same_however_they_are_typed() -> None:
    held = sealed_file(KEYS, "café")

    assert opened_file(held, "cafe\u0301") == KEYS


def test_no_seed_is_in_an_encrypted_file() -> None:
    content = json.loads(SEALED)

    assert "seeds" not in content
    assert KEYS.signing_seed not in SEALED
    assert sorted(content) == ["cipher", "format", "kdf", "kid", "public", "version"]


def test_a_wrong_passphrase_is_told_apart_from_a_missing_one() -> None:
    with pytest.raises(KeyFileError) as wrong:
        opened_file(SEALED, "een andere")
    with pytest.raises(KeyFileError) as missing:
        opened_file(SEALED, None)

    assert (wrong.value.reason, missing.value.reason) == ("passphrase", "passphrase-needed")


@pytest.mark.parametrize(
    "held",
    [
        changed("kid", to="a" * 52),
        changed("public", "signing", to="AAAA"),
        changed("kdf", "iterations", to=4),
        changed("kdf", "memoryKib", to=32_768),
        changed("kdf", "salt", to="AAAA"),
        changed("kdf", "name", to="pbkdf2"),
        changed("kdf", "memoryKib", to=1),
        changed("kdf", "memoryKib", to=1 << 40),
        changed("kdf", "iterations", to=10_000),
        changed("kdf", to=None),
        changed("cipher", "sealedSeeds", to="AAAA"),
        changed("cipher", "nonce", to="not base64!"),
        changed("cipher", "nonce", to=base64.b64encode(bytes(16)).decode()),
        changed("kdf", "memoryKib", to="65536"),
        changed("kdf", "memoryKib", to=65_536.5),
        changed("kdf", "lanes", to=True),
        changed("version", to=2),
        changed("version", to=True),
        changed("format", to="another"),
        b"{}",
        b"[]",
        b"\xff",
        SEALED[:-40],
        b"\xef\xbb\xbf" + SEALED,
        SEALED.decode().encode("utf-16-le"),
        SEALED.replace(b"{", b'{"more": NaN, ', 1),
        SEALED.replace(b"{", b'{"more": "\xed\xa0\x80", ', 1),
        SEALED.replace(b"cg==", b"ch=="),
        SEALED + b" " * 16_384,
    ],
)
def test_a_changed_file_opens_nothing(held: bytes) -> None:
    with pytest.raises(KeyFileError):
        opened_file(held, "een wachtzin met spaties")


def test_a_file_without_passphrase_is_made_only_when_asked(tmp_path: Path) -> None:
    save_keys(tmp_path / "key.json", KEYS, None)

    assert load_keys(tmp_path / "key.json") == KEYS


def test_a_plain_file_whose_seeds_are_another_key_s_is_damaged() -> None:
    content = json.loads(sealed_file(KEYS, None)) | {"kid": "a" * 52}

    with pytest.raises(KeyFileError, match="damaged"):
        opened_file(json.dumps(content).encode(), None)


def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "key.json"
    save_keys(path, KEYS, None)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700

    path.chmod(0o640)

    with pytest.raises(MeldbrugError, match="others"):
        load_keys(path)


def test_a_key_is_never_overwritten_unless_that_was_asked(tmp_path: Path) -> None:
    path, other = tmp_path / "key.json", SecretKeys(b"t" * 32, b"f" * 32)
    save_keys(path, KEYS, None)

    with pytest.raises(MeldbrugError, match="exists"):
        save_keys(path, other, None)
    assert load_keys(path) == KEYS

    save_keys(path, other, None, replace=True)
    assert load_keys(path) == other
    assert [entry.name for entry in tmp_path.iterdir()] == ["key.json"]


def test_a_file_that_is_absent_or_huge_is_told(tmp_path: Path) -> None:
    huge = tmp_path / "huge"
    huge.write_bytes(b" " * 20_000)
    huge.chmod(0o600)

    with pytest.raises(MeldbrugError, match="cannot be read"):
        load_keys(tmp_path / "absent")
    with pytest.raises(MeldbrugError, match="too large"):
        load_keys(huge)
