"""The credential of every call: a JWS that its caller signs for one method and one body, dead in a minute."""

import base64
import binascii
import hashlib
import hmac
import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import NotRequired, TypedDict, cast

from .errors import (
    KeyMalformed,
    TokenAudience,
    TokenBody,
    TokenMalformed,
    TokenSignature,
    TokenStale,
)
from .keys import SIGNATURE_BYTES, SIGNING_BYTES, PublicKeys, SecretKeys, is_kid, verify_signature

TOKEN_LIFETIME_S = 60
CLOCK_SKEW_S = 5
"""How far ahead of the server's clock a token may be issued; who is further off is told the time."""

MAX_TOKEN_CHARS = 4096
"""A token with both public keys is about 2,700 characters; gRPC takes 8 KiB of metadata."""

_ALGORITHM = "Ed25519"
_TYPE = "meldbrug"
_AUDIENCE = re.compile(r"[a-z2-7]{52}/[A-Za-z0-9_.]{1,128}/[A-Za-z0-9_]{1,64}")
_METHOD = re.compile(r"/[A-Za-z0-9_.]{1,128}/[A-Za-z0-9_]{1,64}")
_BODY_HASH_BYTES = 32
_MAX_TIME_S = 1 << 53


class _Payload(TypedDict):
    aud: str
    bh: str
    iat: int
    exp: int
    pk: NotRequired[str]


@dataclass(frozen=True, slots=True)
class Token:
    """A well-formed token; nothing in it is proven before `check`.

    Attributes:
        kid: The key it names.
        aud: Installation and method it is for.
        bh: SHA-256 of the request message.
        iat: Issued at, in seconds since 1970.
        exp: Expires at, in seconds since 1970.
        embedded: Both public keys of a caller whom nobody enrolled; their fingerprint is `kid`.
        signing_input: The bytes that are signed.
        signature: Ed25519, 64 bytes.
    """

    kid: str
    aud: str
    bh: bytes
    iat: int
    exp: int
    embedded: PublicKeys | None
    signing_input: bytes = field(repr=False)
    signature: bytes = field(repr=False)


def audience(installation: str, full_method: str) -> str:
    """Returns what a token for `full_method` (`/package.Service/Method`) is addressed to.

    Raises:
        ValueError: the installation id or the method has another form.
    """
    if not is_kid(installation) or not _METHOD.fullmatch(full_method):
        raise ValueError("an audience is an installation id and a full gRPC method")
    return installation + full_method


def body_hash(body: bytes) -> bytes:
    """Returns the SHA-256 of a request message: uncompressed protobuf without the gRPC envelope."""
    return hashlib.sha256(body).digest()


def mint(
    keys: SecretKeys,
    audience: str,
    body_sha256: bytes,
    now: datetime,
    lifetime_s: int = TOKEN_LIFETIME_S,
    *,
    embed_keys: bool,
) -> str:
    """Returns a token for one call, without the word `Bearer`.

    Args:
        keys: The caller's.
        audience: From `audience()`.
        body_sha256: From `body_hash()`.
        now: The caller's clock, corrected by what the server said; time zone required.
        lifetime_s: 1 to 60.
        embed_keys: Whether the server has no other way to know the keys: reporters and newcomers.

    Raises:
        ValueError: an argument is out of bounds.
    """
    if (
        not 1 <= lifetime_s <= TOKEN_LIFETIME_S
        or len(body_sha256) != _BODY_HASH_BYTES
        or not _is_audience(audience)
    ):
        raise ValueError("lifetime, body hash or audience out of bounds")
    issued = _seconds(now)
    payload = _Payload(aud=audience, bh=_encode(body_sha256), iat=issued, exp=issued + lifetime_s)
    if embed_keys:
        payload["pk"] = _encode(keys.public.signing + keys.public.sealing)
    signing_input = f"{_encode(_header(keys.kid))}.{_encode(_json(payload))}"
    return f"{signing_input}.{_encode(keys.sign(signing_input.encode('ascii')))}"


def parse(token: str) -> Token:
    """Returns the parts of a token UNPROVEN; embedded keys do match the `kid`.

    Header and payload must be byte for byte what `mint` would write: each token has one form, and none that
    two parsers read differently.

    Raises:
        TokenMalformed: any other form.
    """
    if len(token) > MAX_TOKEN_CHARS or not token.isascii():
        raise TokenMalformed("size")
    match token.split("."):
        case [header_part, body_part, signature_part]:
            header, body, signature = map(_decode, (header_part, body_part, signature_part))
        case _:
            raise TokenMalformed("parts")
    kid = _read_header(header)
    payload = _read_payload(body)
    if len(signature) != SIGNATURE_BYTES:
        raise TokenMalformed("signature-length")
    return Token(
        kid=kid,
        aud=payload["aud"],
        bh=_decode(payload["bh"]),
        iat=payload["iat"],
        exp=payload["exp"],
        embedded=_embedded(payload, kid),
        signing_input=token.rpartition(".")[0].encode("ascii"),
        signature=signature,
    )


def check(token: Token, signing_public: bytes, audience: str, body_sha256: bytes, now: datetime) -> None:
    """Returns when the holder of `signing_public` made the token for this method, this body and this minute.

    The caller has seen to it that `signing_public` is the key that `token.kid` names.

    Raises:
        TokenSignature: not signed by this key.
        TokenAudience: for another method or installation.
        TokenBody: for another body.
        TokenStale: expired, from the future, or longer-lived than allowed.
    """
    if not verify_signature(signing_public, token.signature, token.signing_input):
        raise TokenSignature("signature")
    if token.aud != audience:
        raise TokenAudience("audience")
    if not hmac.compare_digest(token.bh, body_sha256):
        raise TokenBody("body")
    seconds = _seconds(now)
    if token.iat > seconds + CLOCK_SKEW_S:
        raise TokenStale("from-the-future")
    if seconds >= token.exp:
        raise TokenStale("expired")


def _header(kid: str) -> bytes:
    return _json({"alg": _ALGORITHM, "kid": kid, "typ": _TYPE})


def _read_header(header: bytes) -> str:
    kid = header[len(b'{"alg":"Ed25519","kid":"') :][:52].decode("ascii", "replace")
    if not is_kid(kid) or header != _header(kid):
        raise TokenMalformed("header")
    return kid


def _read_payload(body: bytes) -> _Payload:
    try:
        read = json.loads(body)
    except (ValueError, RecursionError):
        raise TokenMalformed("payload") from None
    if not isinstance(read, dict) or not _has_claims(read) or _json(read) != body:
        raise TokenMalformed("payload")
    payload = cast("_Payload", read)
    if not 0 < payload["exp"] - payload["iat"] <= TOKEN_LIFETIME_S:
        raise TokenMalformed("lifetime")
    return payload


def _has_claims(read: dict[str, object]) -> bool:
    names = ["aud", "bh", "iat", "exp"]
    if list(read) not in (names, [*names, "pk"]):
        return False
    aud, bh, pk = read["aud"], read["bh"], read.get("pk", "")
    if not (isinstance(aud, str) and isinstance(bh, str) and isinstance(pk, str)):
        return False
    return (
        _is_audience(aud)
        and len(_decode(bh)) == _BODY_HASH_BYTES
        and all(map(_is_time, (read["iat"], read["exp"])))
    )


def _is_audience(text: str) -> bool:
    return _AUDIENCE.fullmatch(text) is not None


def _is_time(value: object) -> bool:
    return type(value) is int and 0 <= value < _MAX_TIME_S


def _embedded(payload: _Payload, kid: str) -> PublicKeys | None:
    if "pk" not in payload:
        return None
    both = _decode(payload["pk"])
    try:
        keys = PublicKeys(both[:SIGNING_BYTES], both[SIGNING_BYTES:])
    except KeyMalformed:
        raise TokenMalformed("embedded-keys") from None
    if keys.kid != kid:
        raise TokenMalformed("embedded-kid")
    return keys


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True).encode("ascii")


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")


def _decode(text: str) -> bytes:
    """Returns the bytes of canonical base64url without padding; stray bits and characters are refused."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise TokenMalformed("base64") from None
    if _encode(data) != text:
        raise TokenMalformed("base64")
    return data


def _seconds(now: datetime) -> int:
    if now.tzinfo is None:
        raise ValueError("a time without a zone is nobody's time")
    return int(now.timestamp())
