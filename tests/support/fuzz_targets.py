"""What reads the bytes of strangers without any call, for the fuzzer to try.

A target takes any bytes. It may refuse them with the module's own error and with nothing else; what it takes
it must be able to write again. Anything else that comes out is a defect, and atheris keeps its input.
"""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Callable, Iterator

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from google.protobuf.message import Message

from meldbrug.client.keyfile import KeyFileError, opened_file, sealed_file
from meldbrug.common.v1.common_pb2 import CAPACITY_SAFETY_CONTACT, Signed
from meldbrug.crypto import (
    EndorsementBroken,
    ReceiptError,
    SectionBroken,
    StatementMalformed,
    TokenMalformed,
    WrapBroken,
    from_words,
    sealing,
    statements,
    to_words,
    tokens,
    unwrap_key,
    wrap_key,
)
from meldbrug.crypto.chains import SignedAppointment, SignedEndorsement, verify_appointment, verify_member
from meldbrug.crypto.errors import AppointmentBroken
from meldbrug.crypto.receipt import LANGUAGES
from meldbrug.crypto.statements import StatementKind, signing_input
from tests.unit.crypto import builders as b

Target = Callable[[bytes], object]
CEK = b.hashed("cek")
KINDS = tuple(StatementKind)


def token(data: bytes) -> None:
    """A bearer token, whose parts have one form."""
    try:
        read = tokens.parse(data.decode("latin-1"))
    except TokenMalformed:
        return
    again = read.signing_input + b"." + base64.urlsafe_b64encode(read.signature).rstrip(b"=")
    assert again == data, "a second form of one token"


def statement(data: bytes) -> None:
    """A signed statement; the first byte says of which kind."""
    kind, said = KINDS[data[0] % len(KINDS)] if data else KINDS[0], data[1:]
    form = statements._FORMS[kind][0]
    try:
        read = statements.parse(kind, Signed(statement=said), form)
    except StatementMalformed:
        return
    again = Signed(statement=read.SerializeToString(deterministic=True))
    assert statements.parse(kind, again, form) == read, "written again it says something else"


def chain(data: bytes) -> None:
    """Endorsements that whoever may sign has signed: everything behind the signature is tried."""
    served, place, said = b.chain(), data[:1], data[1:]
    if place < b"\x80":
        signer = b.ROOT if place < b"\x40" else b.ADMIN
        served.endorsements[place >= b"\x40"] = SignedEndorsement(
            _signed(StatementKind.ENDORSEMENT, said, signer), signer.public
        )
    with contextlib.suppress(EndorsementBroken):
        member = verify_member(b.INSTALLATION, served.endorsements, [], b.MEMBER.public)
        assert member.kid == b.MEMBER.kid
        _appointment(said, member)


def _appointment(said: bytes, member: object) -> None:
    admin = verify_member(b.INSTALLATION, [b.admin_endorsed()], [], b.ADMIN.public)
    signed = SignedAppointment(_signed(StatementKind.APPOINTMENT, said, b.ADMIN), b.ADMIN.public)
    place = {"participation": b.PARTICIPATION, "capacity": CAPACITY_SAFETY_CONTACT}
    with contextlib.suppress(AppointmentBroken):
        seat = verify_appointment(b.INSTALLATION, signed, admin, member, **place)  # type: ignore[arg-type]
        assert (seat.participation, seat.signer_kid) == (b.PARTICIPATION, b.ADMIN.kid)


def _signed(kind: StatementKind, said: bytes, signer: b.SecretKeys) -> Signed:
    return Signed(statement=said, signature=signer.sign(signing_input(kind, said)))


def receipt(data: bytes) -> None:
    """Twelve words as somebody types them."""
    text = data.decode("utf-8", "replace")
    try:
        entropy = from_words(text)
    except ReceiptError:
        return
    typed = text.lower().replace(",", " ").split()
    assert any(list(to_words(entropy, language)) == typed for language in LANGUAGES), "other words, same key"


def section(data: bytes) -> None:
    """A section's padded content, under the right key, and the same bytes as a ciphertext."""
    context = b.context()
    with contextlib.suppress(SectionBroken):
        sealing.decrypt_content(context, data, CEK)
        raise AssertionError("bytes without a key were opened")
    held = AESGCM(CEK).encrypt(sealing._NONCE, data, sealing._aad(context))
    with contextlib.suppress(SectionBroken):
        assert sealing._pad(sealing.decrypt_content(context, held, CEK)) == data, "a second padding"


def wrap(data: bytes) -> None:
    """A wrap: the bytes over the end of a good one, or as they are."""
    good = wrap_key(CEK, b.READER.public, b.context(), b.CONSENT, (1,))
    for held in (data, good[: len(good) - len(data)] + data):
        with contextlib.suppress(WrapBroken):
            unwrap_key(held, b.READER, b.context(), b.CONSENT, (1,))
            assert held == good, "a changed wrap opens"


def key_file(data: bytes) -> None:
    """A member's key file; without a passphrase, since a try at one is made to be slow."""
    with contextlib.suppress(KeyFileError):
        keys = opened_file(data, None)
        assert opened_file(sealed_file(keys, None), None) == keys


TARGETS: dict[str, Target] = {
    one.__name__: one for one in (token, statement, chain, receipt, section, wrap, key_file)
}


def seeds(name: str) -> Iterator[bytes]:
    """Yields good inputs to begin with."""
    yield b""
    if name == "token":
        audience = tokens.audience(b.INSTALLATION, "/meldbrug.directory.v1.MemberService/GetMe")
        for embed in (True, False):
            yield tokens.mint(b.MEMBER, audience, tokens.body_hash(b""), b.NOW, embed_keys=embed).encode()
    elif name == "statement":
        from tests.vectors.statements import messages

        said = messages()
        yield from (
            bytes([place]) + _bytes(said[kind][0]) for place, kind in enumerate(KINDS) if kind in said
        )
    elif name == "chain":
        yield b"\x00" + b.admin_endorsed().signed.statement
        yield b"\x40" + b.endorsed(b.MEMBER, b.ADMIN).signed.statement
        yield b"\x80" + b.appointed().signed.statement
    elif name == "receipt":
        yield from (" ".join(to_words(CEK[:16], language)).encode() for language in LANGUAGES)
    elif name == "section":
        yield sealing._pad(b"Wat mij overkwam.")
    elif name == "key_file":
        yield sealed_file(b.MEMBER, None)
        yield sealed_file(b.MEMBER, "een wachtzin")


def _bytes(message: Message) -> bytes:
    return message.SerializeToString(deterministic=True)
