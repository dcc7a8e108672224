"""Actors, contexts and statements for tests and vectors: all follow from a name, nothing is random."""

import hashlib
from base64 import b32encode
from dataclasses import dataclass
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from meldbrug.common.v1 import common_pb2
from meldbrug.crypto import SecretKeys, SectionContext
from meldbrug.crypto.chains import SignedAppointment, SignedEndorsement, SignedRotation
from meldbrug.crypto.statements import StatementKind, sign
from meldbrug.statements.v1 import statements_pb2 as wire

NOW = datetime(2026, 11, 23, 9, 0, 0, tzinfo=UTC)
SEQUENCE = 1_795_424_400_000


def hashed(text: str) -> bytes:
    """32 bytes that follow from `text`."""
    return hashlib.sha256(b"meldbrug test: " + text.encode()).digest()


def actor(name: str) -> SecretKeys:
    """The keys of an actor."""
    return SecretKeys(hashed(f"{name} signing"), hashed(f"{name} sealing"))


def ident(name: str) -> str:
    """An id of 128 bits."""
    return b32encode(hashed(name)[:16]).decode().rstrip("=").lower()


ROOT, ADMIN, MEMBER, OTHER_ADMIN, REPORTER, READER, STRANGER = map(
    actor, ("root", "admin", "member", "other admin", "reporter", "reader", "stranger")
)
INSTALLATION = ROOT.kid
BROADCASTER = f"organisations/{ident('broadcaster')}"
PRODUCER = f"organisations/{ident('producer')}"
SECRETARIAT = f"organisations/{ident('secretariat')}"
INCIDENT = f"incidents/{ident('incident')}"
NOTICE = f"{INCIDENT}/notices/{ident('notice')}"
CONSENT = f"consents/{ident('consent')}"
PARTICIPATION = f"participations/{ident('participation')}"
APPOINTMENT = f"appointments/{ident('appointment')}"
ADMIN_SUBJECT = f"persons/{ident('admin')}"
MEMBER_SUBJECT = f"persons/{ident('member')}"


def context(**changes: str | int) -> SectionContext:
    """The place of the section that most tests are about."""
    values: dict[str, str | int] = {
        "installation": INSTALLATION,
        "incident": INCIDENT,
        "section": f"{INCIDENT}/sections/{ident('section')}",
        "version": 1,
        "kind": int(common_pb2.KIND_ACCOUNT),
    } | changes
    return SectionContext(**values)


def endorsement(key: SecretKeys, signer: SecretKeys, **changes: object) -> wire.Endorsement:
    """An endorsement of a member by `signer`, with `changes`."""
    values: dict[str, object] = {
        "installation": INSTALLATION,
        "organisation": BROADCASTER,
        "organisation_title": "Omroep De Waard",
        "subject": MEMBER_SUBJECT,
        "subject_name": "Vertrouwenspersoon De Waard",
        "subject_kind": common_pb2.SUBJECT_KIND_PERSON,
        "kid": key.kid,
        "valid_from": Timestamp(seconds=1_795_000_000),
        "signer_kid": signer.kid,
        "sequence": SEQUENCE,
    } | changes
    return wire.Endorsement(**values)


def endorsed(key: SecretKeys, signer: SecretKeys, **changes: object) -> SignedEndorsement:
    """`endorsement`, signed."""
    said = endorsement(key, signer, **changes)
    return SignedEndorsement(sign(StatementKind.ENDORSEMENT, said, signer), signer.public)


def admin_endorsed(
    key: SecretKeys = ADMIN, signer: SecretKeys = ROOT, **changes: object
) -> SignedEndorsement:
    """An admin's endorsement by the root, with `changes`."""
    names = {"admin": True, "subject": ADMIN_SUBJECT, "subject_name": "Bestuurder De Waard"}
    return endorsed(key, signer, **(names | changes))


def rotated(old: SecretKeys, new: SecretKeys, **changes: object) -> SignedRotation:
    """A rotation of the member's key, with `changes`."""
    values: dict[str, object] = {
        "installation": INSTALLATION,
        "organisation": BROADCASTER,
        "subject": MEMBER_SUBJECT,
        "old_kid": old.kid,
        "new_kid": new.kid,
        "sequence": SEQUENCE,
    } | changes
    said = wire.KeyRotation(**values)
    return SignedRotation(sign(StatementKind.ROTATION, said, old), old.public)


def appointed(
    member: SecretKeys = MEMBER, signer: SecretKeys = ADMIN, **changes: object
) -> SignedAppointment:
    """An appointment of the member as safety contact, with `changes`."""
    values: dict[str, object] = {
        "installation": INSTALLATION,
        "organisation": BROADCASTER,
        "appointment": APPOINTMENT,
        "participation": PARTICIPATION,
        "capacity": common_pb2.CAPACITY_SAFETY_CONTACT,
        "role": "Contactpersoon veiligheid",
        "subject": MEMBER_SUBJECT,
        "kid": member.kid,
        "signer_kid": signer.kid,
        "sequence": SEQUENCE,
    } | changes
    said = wire.Appointment(**values)
    return SignedAppointment(sign(StatementKind.APPOINTMENT, said, signer), signer.public)


def refusal(**changes: object) -> wire.Refusal:
    """The smallest statement: the reporter refuses a notice."""
    values: dict[str, object] = {
        "installation": INSTALLATION,
        "notice": NOTICE,
        "reporter_kid": REPORTER.kid,
        "sequence": SEQUENCE,
    } | changes
    return wire.Refusal(**values)


def consent() -> wire.Consent:
    """A consent for one reader and two sections: the largest statement."""
    sections = [f"{INCIDENT}/sections/{ident(name)}" for name in ("summary", "measures")]
    kinds = (common_pb2.KIND_SUMMARY, common_pb2.KIND_MEASURES)
    return wire.Consent(
        installation=INSTALLATION,
        incident=INCIDENT,
        notice=NOTICE,
        consent=CONSENT,
        reporter_kid=REPORTER.kid,
        recipient=PARTICIPATION,
        reader_kids=[READER.kid],
        sections=[
            wire.SectionRef(
                section=section,
                version=1,
                kind=kind,
                digest=hashed(section),
                commitment=hashed(f"cek {section}"),
            )
            for section, kind in zip(sections, kinds, strict=True)
        ],
        purposes=[common_pb2.PURPOSE_PROTECT_PEOPLE],
        valid_from=Timestamp(seconds=1_795_424_400),
        valid_until=Timestamp(seconds=1_800_000_000),
        terms_version="2026-1",
        wraps=[
            wire.WrapHash(reader_kid=READER.kid, section=section, wrap_digest=hashed(f"wrap {section}"))
            for section in sections
        ],
        preview_digest=hashed("preview"),
        preview_template="1",
        preview_language=common_pb2.LANGUAGE_NL,
        sequence=SEQUENCE,
    )


@dataclass(frozen=True, slots=True)
class Chain:
    """What a directory serves for one member."""

    endorsements: list[SignedEndorsement]
    rotations: list[SignedRotation]
    subject: SecretKeys


def chain() -> Chain:
    """Root, admin, member; nobody rotated."""
    return Chain([admin_endorsed(), endorsed(MEMBER, ADMIN)], [], MEMBER)
