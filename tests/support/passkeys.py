"""Passkeys of key files, from `docs/key-file.md` alone: the command line knows none, other clients do."""

from __future__ import annotations

import base64
import json
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from meldbrug.crypto import SecretKeys, canonical


def text(value: bytes) -> str:
    return base64.b64encode(value).decode()


def sealer(prf: bytes) -> AESGCM:
    return AESGCM(HKDF(algorithm=SHA256(), length=32, salt=None, info=b"meldbrug/passkey/v1").derive(prf))


def bound_to(content: dict[str, Any], credential: bytes, prf_salt: bytes) -> bytes:
    signing, sealing = (base64.b64decode(content["public"][name]) for name in ("signing", "sealing"))
    return canonical("passkey", 1, content["kid"], signing, sealing, credential, prf_salt)


def with_passkey(
    file: str, keys: SecretKeys, credential: bytes, prf_salt: bytes, prf: bytes, nonce: bytes
) -> str:
    """A file that a passkey opens too."""
    content = json.loads(file)
    seeds = keys.signing_seed + keys.sealing_seed
    sealed = sealer(prf).encrypt(nonce, seeds, bound_to(content, credential, prf_salt))
    entry = {"credential": credential, "prfSalt": prf_salt, "nonce": nonce, "sealedSeeds": sealed}
    content["passkeys"] = [{name: text(value) for name, value in entry.items()}]
    return json.dumps(content, indent=1) + "\n"


def opened_by_passkey(file: str, credential: bytes, prf: bytes) -> SecretKeys:
    """The keys of a file, by a passkey."""
    content = json.loads(file)
    entry = next(each for each in content["passkeys"] if each["credential"] == text(credential))
    prf_salt, nonce, sealed = (base64.b64decode(entry[name]) for name in ("prfSalt", "nonce", "sealedSeeds"))
    seeds = sealer(prf).decrypt(nonce, sealed, bound_to(content, credential, prf_salt))
    return SecretKeys(seeds[:32], seeds[32:])
