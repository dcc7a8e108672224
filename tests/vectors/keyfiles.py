"""Vectors of key files: what each way in gives, and that one way does not disturb the other."""

from __future__ import annotations

from meldbrug.client.keyfile import sealed_file
from tests.unit.crypto import builders as b
from tests.unit.crypto.replay import Values
from tests.vectors.notation import gives

PASSPHRASE = "een wachtzin met é en spaties"
SALT, NONCE = b.hashed("salt")[:16], b.hashed("nonce")[:12]
CREDENTIAL, PRF_SALT, PRF = (b.hashed(name).hex() for name in ("credential", "prf salt", "prf"))


def key_file_vectors() -> list[Values]:
    drawn = {"salt": SALT.hex(), "nonce": NONCE.hex()}
    passkey = {"credential": CREDENTIAL, "prf": PRF}
    sealed = gives(
        "under a passphrase", "seal_key_file", {"keys": "member", "passphrase": PASSPHRASE, **drawn}
    )
    adding = {"keys": "member", "prf_salt": PRF_SALT, "nonce": NONCE.hex(), **sealed["result"], **passkey}
    both = gives("a passkey too", "add_passkey", adding)
    return [
        sealed,
        gives("by its passphrase", "open_key_file", {**sealed["result"], "passphrase": PASSPHRASE}),
        gives(
            "an accent typed otherwise",
            "open_key_file",
            {**sealed["result"], "passphrase": PASSPHRASE.replace("é", "e\u0301")},
        ),
        gives(
            "without passphrase",
            "open_key_file",
            {"file": sealed_file(b.MEMBER, None).decode(), "passphrase": None},
        ),
        both,
        gives(
            "by its passphrase, beside a passkey",
            "open_key_file",
            {**both["result"], "passphrase": PASSPHRASE},
        ),
        gives("by its passkey", "open_key_file_by_passkey", {**both["result"], **passkey}),
    ]
