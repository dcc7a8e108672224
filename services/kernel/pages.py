"""Page and resume tokens: encrypted, bound to the caller and the list, never a credential."""

from __future__ import annotations

import base64
import binascii
import json
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.kernel.errors import InvalidArgument

NONCE_BYTES = 12
# Tokens come in steps of this size, so that their length tells nothing of a cursor.
STEP_BYTES = 192
MAX_TOKEN_LENGTH = 2048

Cursor = tuple[str | int, ...]


class Pages:
    """Seals cursors under one key that all processes of a service share."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, caller: str, filter: str, cursor: Cursor) -> str:
        """Makes a token of `cursor` that only `caller` can use, and only on the list that `filter` names."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        plain = json.dumps(cursor, separators=(",", ":")).encode()
        padded = plain + b" " * (-len(plain) % STEP_BYTES)
        sealed = self._cipher.encrypt(nonce, padded, _bound_to(caller, filter))
        return base64.urlsafe_b64encode(nonce + sealed).decode()

    def open(self, caller: str, filter: str, token: str) -> Cursor:
        """Returns the cursor. Raises InvalidArgument unless the token is this caller's and this list's."""
        try:
            raw = base64.b64decode(token[:MAX_TOKEN_LENGTH], altchars=b"-_", validate=True)
            plain = self._cipher.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], _bound_to(caller, filter))
        except (InvalidTag, ValueError, binascii.Error) as cause:
            raise InvalidArgument("PAGE_TOKEN_INVALID") from cause
        return tuple(json.loads(plain))


def _bound_to(caller: str, filter: str) -> bytes:
    return json.dumps(["meldbrug/page", caller, filter]).encode()
