"""Seals sections to named readers: content under its own key, that key under each reader's.

A section opens only in its own incident, section, version and kind, with its author's signature, and for the
reader, grant and purposes that its wrap names. Nothing here falls back to anything weaker.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from .canonical import Field, canonical
from .errors import (
    AuthorSignature,
    CommitmentMismatch,
    DigestMismatch,
    SectionBroken,
    SectionInvalid,
    WrapBroken,
)
from .keys import PublicKeys, RandomBytes, SecretKeys

CEK_BYTES = 32
WRAP_BYTES = 1168
"""Encapsulation (1,088 of ML-KEM and 32 of X25519) and the sealed key (32 and a tag of 16)."""

_LENGTH_BYTES = 4
_TAG_BYTES = 16
_FLOOR_BYTES = 1024
_CEILING_BYTES = 65_536
MAX_CONTENT_BYTES = _CEILING_BYTES - _LENGTH_BYTES
MIN_CIPHERTEXT_BYTES = _FLOOR_BYTES + _TAG_BYTES
MAX_CIPHERTEXT_BYTES = _CEILING_BYTES + _TAG_BYTES

# A content key encrypts exactly one content, so the nonce need not differ and cannot be got wrong.
_NONCE = bytes(12)

_SUITE = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


@dataclass(frozen=True, slots=True)
class SectionContext:
    """The one place a section belongs to.

    Attributes:
        installation: The installation id, 52 characters.
        incident: `incidents/{incident}`.
        section: `incidents/{incident}/sections/{section}`.
        version: Counted from 1.
        kind: Number of the `Kind`.
    """

    installation: str
    incident: str
    section: str
    version: int
    kind: int


@dataclass(frozen=True, slots=True)
class SealedSection:
    """A section as it is stored and sent: nothing in it can be read without the content key."""

    ciphertext: bytes
    digest: bytes
    commitment: bytes
    author_kid: str
    author_signature: bytes
    reporter_kid: str


def new_cek(random: RandomBytes = secrets.token_bytes) -> bytes:
    """Returns a new content key, to be used for one section of one version."""
    return random(CEK_BYTES)


def digest_of(data: bytes) -> bytes:
    """Returns the SHA-256 by which statements name a ciphertext or a wrap."""
    return hashlib.sha256(data).digest()


def commitment_of(cek: bytes) -> bytes:
    """Returns the hash that ties a section to one content key, so that no ciphertext has two readings."""
    return hashlib.sha256(b"meldbrug/cek/v1" + cek).digest()


def seal_section(
    ctx: SectionContext, plaintext: bytes | str, cek: bytes, author: SecretKeys, reporter_kid: str
) -> SealedSection:
    """Encrypts and signs `plaintext` for the place `ctx`.

    Args:
        ctx: Where the section belongs.
        plaintext: Text, or bytes as they are; at most `MAX_CONTENT_BYTES` in UTF-8.
        cek: A content key from `new_cek`, never used before: two contents under one key break both.
        author: The keys of whoever wrote it.
        reporter_kid: The key of the incident's reporter, also when somebody else writes.

    Raises:
        SectionInvalid: the content is too large or no Unicode text, or `cek` is not 32 bytes.
    """
    if len(cek) != CEK_BYTES:
        raise SectionInvalid("cek-length")
    content = _utf8(plaintext) if isinstance(plaintext, str) else plaintext
    ciphertext = AESGCM(cek).encrypt(_NONCE, _pad(content), _aad(ctx))
    digest, commitment = digest_of(ciphertext), commitment_of(cek)
    signature = author.sign(_signed_by_author(ctx, author.kid, reporter_kid, digest, commitment))
    return SealedSection(ciphertext, digest, commitment, author.kid, signature, reporter_kid)


def verify_sealed(ctx: SectionContext, sealed: SealedSection, author: PublicKeys) -> None:
    """Returns when `sealed` is whole and `author` signed it for `ctx` and its reporter; needs no content key.

    Raises:
        DigestMismatch: the ciphertext is not the one that was signed.
        AuthorSignature: another author, place, reporter or commitment was signed.
        SectionInvalid: there is no such place.
    """
    if not hmac.compare_digest(digest_of(sealed.ciphertext), sealed.digest):
        raise DigestMismatch("ciphertext")
    if author.kid != sealed.author_kid:
        raise AuthorSignature("other-author")
    message = _signed_by_author(ctx, sealed.author_kid, sealed.reporter_kid, sealed.digest, sealed.commitment)
    if not author.verify(sealed.author_signature, message):
        raise AuthorSignature("signature")


def open_section(ctx: SectionContext, sealed: SealedSection, cek: bytes, author: PublicKeys) -> bytes:
    """Returns the content as it was sealed, after every check there is on a section alone.

    Raises:
        DigestMismatch: the ciphertext is not the one that was signed.
        AuthorSignature: another author, place, reporter or commitment was signed.
        CommitmentMismatch: `cek` is not the key the author committed to.
        SectionBroken: the ciphertext does not open in this place, or its padding is not as made.
    """
    verify_sealed(ctx, sealed, author)
    if not hmac.compare_digest(commitment_of(cek), sealed.commitment):
        raise CommitmentMismatch("cek")
    return decrypt_content(ctx, sealed.ciphertext, cek)


def decrypt_content(ctx: SectionContext, ciphertext: bytes, cek: bytes) -> bytes:
    """Returns what `ciphertext` holds in the place `ctx`; `open_section` is this with the author's proof.

    Raises:
        SectionBroken: wrong key, place or length, a changed byte, or padding not as made.
    """
    if len(cek) != CEK_BYTES or not MIN_CIPHERTEXT_BYTES <= len(ciphertext) <= MAX_CIPHERTEXT_BYTES:
        raise SectionBroken("length")
    try:
        return _unpad(AESGCM(cek).decrypt(_NONCE, ciphertext, _aad(ctx)))
    except InvalidTag:
        raise SectionBroken("tag") from None


def wrap_key(
    cek: bytes, reader: PublicKeys, ctx: SectionContext, grant: str, purposes: Iterable[int]
) -> bytes:
    """Returns the content key sealed to `reader`, for this section under this grant alone.

    Args:
        cek: The section's content key.
        reader: Whose secret key will open it.
        ctx: The section it opens.
        grant: `consents/{consent}`, or `incidents/{incident}` for the reporter and the intake's handlers.
        purposes: Numbers of the `Purpose`s consented to, in any order; empty for the intake.

    Raises:
        SectionInvalid: `cek` is not 32 bytes.
    """
    if len(cek) != CEK_BYTES:
        raise SectionInvalid("cek-length")
    return _SUITE.encrypt(cek, reader.hpke_key, info=_wrap_info(ctx, grant, purposes, reader.kid))


def unwrap_key(
    wrap: bytes, reader: SecretKeys, ctx: SectionContext, grant: str, purposes: Iterable[int]
) -> bytes:
    """Returns the content key that `wrap` holds for `reader`.

    Raises:
        WrapBroken: the wrap is for another reader, section, grant or purposes, or was changed.
    """
    if len(wrap) != WRAP_BYTES:
        raise WrapBroken("length")
    try:
        cek = _SUITE.decrypt(wrap, reader.hpke_key, info=_wrap_info(ctx, grant, purposes, reader.kid))
    except (InvalidTag, ValueError, SectionInvalid):
        raise WrapBroken("does-not-open") from None
    return cek


def padded_length(content_bytes: int) -> int:
    """Returns the Padmé bucket that hides how long a content is: at most 12 % more, 1 KiB at least.

    Source: Nikitin et al. 2019, "Reducing Metadata Leakage from Encrypted Files and Communication".
    """
    length = max(_FLOOR_BYTES, content_bytes + _LENGTH_BYTES)
    exponent = length.bit_length() - 1
    mask = (1 << (exponent - exponent.bit_length())) - 1
    return (length + mask) & ~mask


def _utf8(text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        raise SectionInvalid("not-unicode") from None


def _pad(content: bytes) -> bytes:
    if len(content) > MAX_CONTENT_BYTES:
        raise SectionInvalid("too-large")
    return (len(content).to_bytes(_LENGTH_BYTES, "big") + content).ljust(padded_length(len(content)), b"\0")


def _unpad(padded: bytes) -> bytes:
    length = int.from_bytes(padded[:_LENGTH_BYTES], "big")
    content, rest = padded[_LENGTH_BYTES : _LENGTH_BYTES + length], padded[_LENGTH_BYTES + length :]
    if len(padded) != padded_length(length) or any(rest):
        raise SectionBroken("padding")
    return content


def _aad(ctx: SectionContext) -> bytes:
    return _canonical("section", *_place(ctx))


def _signed_by_author(
    ctx: SectionContext, author_kid: str, reporter_kid: str, digest: bytes, commitment: bytes
) -> bytes:
    return _canonical("author", *_place(ctx), author_kid, reporter_kid, digest, commitment)


def _wrap_info(ctx: SectionContext, grant: str, purposes: Iterable[int], reader_kid: str) -> bytes:
    place = (ctx.installation, ctx.incident, ctx.section, ctx.version)
    return _canonical("wrap", *place, grant, sorted(set(purposes)), reader_kid)


def _canonical(label: str, *fields: Field) -> bytes:
    """Returns the canonical bytes. Raises SectionInvalid where there are none, as for a negative kind."""
    try:
        return canonical(label, *fields)
    except ValueError:
        raise SectionInvalid("context") from None


def _place(ctx: SectionContext) -> tuple[str, str, str, int, int]:
    return ctx.installation, ctx.incident, ctx.section, ctx.version, ctx.kind
