"""The two keys every principal holds: Ed25519 to sign, X-Wing (ML-KEM-768 and X25519) to be sealed to."""

import hashlib
import re
import secrets
from base64 import b32encode
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import MLKEM768X25519PrivateKey, MLKEM768X25519PublicKey

from .errors import KeyMalformed

RandomBytes: TypeAlias = Callable[[int], bytes]

SEED_BYTES = 32
SIGNING_BYTES = 32
SIGNATURE_BYTES = 64
SEALING_BYTES = 1216
_MLKEM_BYTES = 1184
_MLKEM_SEED_BYTES = 64

_KID = re.compile(r"[a-z2-7]{52}")
_P = 2**255 - 19

# y-coordinates of the points of order 1, 2, 4 and 8 on edwards25519; a signature under such a key verifies
# for more than one message (Brendel et al. 2020, "The Provable Security of Ed25519"). Tests recompute them.
_SMALL_ORDER_Y = frozenset(
    {
        0,
        1,
        _P - 1,
        int.from_bytes(
            bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"
        ),
        int.from_bytes(
            bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little"
        ),
    }
)

# u-coordinates of the points of small order on curve25519 and its twist; a shared secret with such a key is
# zero whatever the other side's secret (RFC 7748, section 6.1). Tests recompute their order.
_SMALL_ORDER_U = frozenset(
    {
        0,
        1,
        _P - 1,
        int.from_bytes(
            bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"), "little"
        ),
        int.from_bytes(
            bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"), "little"
        ),
    }
)


def kid_of(signing: bytes, sealing: bytes) -> str:
    """Returns the fingerprint of a pair of public keys: base32 of SHA-256, lower case, 52 characters."""
    return b32encode(hashlib.sha256(signing + sealing).digest()).decode("ascii").rstrip("=").lower()


def is_kid(text: str) -> bool:
    """Tells whether `text` has the shape of a fingerprint."""
    return _KID.fullmatch(text) is not None


@dataclass(frozen=True)
class PublicKeys:
    """A principal's public keys; one that exists is well-formed and in no small subgroup.

    Raises:
        KeyMalformed: a key has the wrong length, is not canonical, or is of small order.
    """

    signing: bytes
    sealing: bytes = field(repr=False)

    def __post_init__(self) -> None:
        """Refuses keys that no honest device makes."""
        _require_length(self.signing, SIGNING_BYTES, "signing-length")
        _require_length(self.sealing, SEALING_BYTES, "sealing-length")
        _require_honest_point(self.signing, _SMALL_ORDER_Y, "signing", sign_bit=True)
        _require_honest_point(self.sealing[_MLKEM_BYTES:], _SMALL_ORDER_U, "sealing", sign_bit=False)
        try:
            _ = self.hpke_key
        except ValueError as error:
            raise KeyMalformed("sealing-not-canonical") from error

    @cached_property
    def kid(self) -> str:
        """The fingerprint of both keys together."""
        return kid_of(self.signing, self.sealing)

    @cached_property
    def hpke_key(self) -> MLKEM768X25519PublicKey:
        """The sealing key as the primitive takes it."""
        return MLKEM768X25519PublicKey(
            MLKEM768PublicKey.from_public_bytes(self.sealing[:_MLKEM_BYTES]),
            X25519PublicKey.from_public_bytes(self.sealing[_MLKEM_BYTES:]),
        )

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Tells whether `signature` is this key's over exactly `message`."""
        return verify_signature(self.signing, signature, message)


@dataclass(frozen=True)
class SecretKeys:
    """A principal's secret keys, as the two 32-byte seeds that everything else follows from."""

    signing_seed: bytes = field(repr=False)
    sealing_seed: bytes = field(repr=False)

    def __post_init__(self) -> None:
        """Refuses seeds of another length."""
        _require_length(self.signing_seed, SEED_BYTES, "signing-seed-length")
        _require_length(self.sealing_seed, SEED_BYTES, "sealing-seed-length")

    @classmethod
    def generate(cls, random: RandomBytes = secrets.token_bytes) -> "SecretKeys":
        """Returns new keys from 64 random bytes."""
        return cls(random(SEED_BYTES), random(SEED_BYTES))

    @cached_property
    def public(self) -> PublicKeys:
        """The public halves."""
        mlkem, x25519 = self._sealing_parts
        sealing = mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()
        return PublicKeys(self._signing_key.public_key().public_bytes_raw(), sealing)

    @property
    def kid(self) -> str:
        """The fingerprint of the public halves."""
        return self.public.kid

    @cached_property
    def hpke_key(self) -> MLKEM768X25519PrivateKey:
        """The sealing key as the primitive takes it."""
        return MLKEM768X25519PrivateKey(*self._sealing_parts)

    def sign(self, message: bytes) -> bytes:
        """Returns the Ed25519 signature over `message`, which must begin with its own label."""
        return self._signing_key.sign(message)

    @cached_property
    def _signing_key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.signing_seed)

    @cached_property
    def _sealing_parts(self) -> tuple[MLKEM768PrivateKey, X25519PrivateKey]:
        # X-Wing's own expansion (draft-connolly-cfrg-xwing-kem, section 5.2), so that one 32-byte seed is the
        # same key in every library.
        expanded = hashlib.shake_256(self.sealing_seed).digest(_MLKEM_SEED_BYTES + 32)
        return (
            MLKEM768PrivateKey.from_seed_bytes(expanded[:_MLKEM_SEED_BYTES]),
            X25519PrivateKey.from_private_bytes(expanded[_MLKEM_SEED_BYTES:]),
        )


def verify_signature(signing: bytes, signature: bytes, message: bytes) -> bool:
    """Tells whether `signature` verifies under the Ed25519 key `signing`; never under a malformed one."""
    try:
        require_signing_key(signing)
        Ed25519PublicKey.from_public_bytes(signing).verify(signature, message)
    except (InvalidSignature, KeyMalformed):
        return False
    return True


def require_signing_key(signing: bytes) -> None:
    """Raises KeyMalformed unless `signing` is 32 bytes, canonical, and not of small order."""
    _require_length(signing, SIGNING_BYTES, "signing-length")
    _require_honest_point(signing, _SMALL_ORDER_Y, "signing", sign_bit=True)


def _require_length(value: bytes, length: int, detail: str) -> None:
    if len(value) != length:
        raise KeyMalformed(detail)


def _require_honest_point(encoded: bytes, small: frozenset[int], which: str, *, sign_bit: bool) -> None:
    coordinate = int.from_bytes(encoded, "little")
    if sign_bit:
        coordinate &= (1 << 255) - 1
    if coordinate >= _P:
        raise KeyMalformed(f"{which}-not-canonical")
    if coordinate in small:
        raise KeyMalformed(f"{which}-small-order")
