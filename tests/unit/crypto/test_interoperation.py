"""The sealing key is X-Wing's and a wrap is RFC 9180's, rebuilt here from hashes alone (T7)."""

import hashlib
import hmac
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from meldbrug.crypto import SecretKeys, WrapBroken, canonical, unwrap_key
from tests.unit.crypto.builders import CONSENT, context, hashed
from tests.vectors import generate

PUBLISHED = json.loads((Path(generate.__file__).parent / "xwing.json").read_text("utf-8"))
HOLDER = SecretKeys(hashed("holder signing"), bytes.fromhex(PUBLISHED["seed"]))
ENCAPSULATION = bytes.fromhex(PUBLISHED["encapsulation"])
SHARED_SECRET = bytes.fromhex(PUBLISHED["shared_secret"])
CTX = context()
CEK = hashed("cek")

# RFC 9180: X-Wing is KEM 0x647a, HKDF-SHA256 is KDF 1, AES-256-GCM is AEAD 2.
SUITE = b"HPKE" + bytes.fromhex("647a00010002")


def extract(salt: bytes, label: bytes, secret: bytes) -> bytes:
    return hmac.digest(salt or bytes(32), b"HPKE-v1" + SUITE + label + secret, hashlib.sha256)


def expand(secret: bytes, label: bytes, info: bytes, length: int) -> bytes:
    labelled = length.to_bytes(2, "big") + b"HPKE-v1" + SUITE + label + info
    return hmac.digest(secret, labelled + b"\x01", hashlib.sha256)[:length]


def seal_under(shared_secret: bytes, info: bytes, plaintext: bytes) -> bytes:
    schedule = b"\0" + extract(b"", b"psk_id_hash", b"") + extract(b"", b"info_hash", info)
    secret = extract(shared_secret, b"secret", b"")
    key, nonce = expand(secret, b"key", schedule, 32), expand(secret, b"base_nonce", schedule, 12)
    return AESGCM(key).encrypt(nonce, plaintext, b"")


def info_of(grant: str) -> bytes:
    return canonical(
        "wrap", CTX.installation, CTX.incident, CTX.section, CTX.version, grant, [1, 2], HOLDER.kid
    )


def test_a_seed_expands_to_the_published_public_key() -> None:
    sealing = HOLDER.public.sealing.hex()

    assert sealing.startswith(PUBLISHED["public_key_begins"])
    assert sealing.endswith(PUBLISHED["public_key_ends"])


def test_a_wrap_made_from_the_published_encapsulation_opens() -> None:
    wrap = ENCAPSULATION + seal_under(SHARED_SECRET, info_of(CONSENT), CEK)

    assert unwrap_key(wrap, HOLDER, CTX, CONSENT, [2, 1]) == CEK


@pytest.mark.parametrize(
    "wrap",
    [
        ENCAPSULATION + seal_under(SHARED_SECRET, info_of("consents/other"), CEK),
        ENCAPSULATION + seal_under(hashed("another secret"), info_of(CONSENT), CEK),
    ],
)
def test_another_info_or_secret_does_not(wrap: bytes) -> None:
    with pytest.raises(WrapBroken):
        unwrap_key(wrap, HOLDER, CTX, CONSENT, [1, 2])
