"""Why a client believes a key: from the secretariat root through an admin to the member and its seat.

Whoever seals verifies these first. The directory that serves a chain is not believed in anything: a false
key, name, admin or appointment fails here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from meldbrug.common.v1 import common_pb2
from meldbrug.statements.v1 import statements_pb2 as wire

from .errors import AppointmentBroken, CryptoError, EndorsementBroken
from .keys import PublicKeys
from .statements import M, StatementKind, verify

MAX_ENDORSEMENTS = 4
MAX_ROTATIONS = 64


@dataclass(frozen=True, slots=True)
class SignedEndorsement:
    """An endorsement with the key that is said to have signed it."""

    signed: common_pb2.Signed
    signer: PublicKeys


@dataclass(frozen=True, slots=True)
class SignedRotation:
    """A rotation with the old key that is said to have signed it."""

    signed: common_pb2.Signed
    signer: PublicKeys


@dataclass(frozen=True, slots=True)
class SignedAppointment:
    """An appointment with the admin's key that is said to have signed it."""

    signed: common_pb2.Signed
    signer: PublicKeys


@dataclass(frozen=True, slots=True)
class VerifiedMember:
    """Whose a key is, as the root or an admin under it vouches.

    Attributes:
        organisation: `organisations/{organisation}`.
        organisation_title: Its name as shown.
        subject: `persons/{person}` or `systems/{system}`.
        subject_name: Name as shown.
        subject_kind: Number of the `SubjectKind`.
        kid: The key asked about.
        admin: Whether it may endorse and appoint for the organisation.
        kids: The endorsed key and every one that followed it, oldest first; the last is `kid`.
        valid_from: From when the endorsement holds; the caller compares it with its clock.
    """

    organisation: str
    organisation_title: str
    subject: str
    subject_name: str
    subject_kind: int
    kid: str
    admin: bool
    kids: tuple[str, ...]
    valid_from: datetime


@dataclass(frozen=True, slots=True)
class VerifiedAppointment:
    """The seat that an admin of the organisation gave to a key.

    Attributes:
        appointment: `appointments/{appointment}`.
        organisation: `organisations/{organisation}`.
        participation: `participations/{participation}`.
        capacity: Number of the `Capacity`.
        role: The role as shown.
        subject: `persons/{person}` or `systems/{system}`.
        kid: The key as appointed; the member may have rotated since.
        deputy_of: The appointment it deputises for; empty when none.
        signer_kid: The admin's key.
    """

    appointment: str
    organisation: str
    participation: str
    capacity: int
    role: str
    subject: str
    kid: str
    deputy_of: str
    signer_kid: str


def verify_member(
    root_kid: str,
    endorsements: Sequence[SignedEndorsement],
    rotations: Sequence[SignedRotation],
    subject_keys: PublicKeys,
) -> VerifiedMember:
    """Returns whose `subject_keys` are, believing nothing but the fingerprint of the root.

    Args:
        root_kid: The installation id, from the client's own configuration.
        endorsements: From the root down; the subject's own is last. At most 4.
        rotations: Of everyone in the chain, in any order; each must be needed. At most 64.
        subject_keys: The keys asked about.

    Raises:
        EndorsementBroken: the chain does not lead from the root to exactly these keys.
    """
    if not 1 <= len(endorsements) <= MAX_ENDORSEMENTS or len(rotations) > MAX_ROTATIONS:
        raise EndorsementBroken("length")
    following = _by_old_kid(root_kid, rotations)
    members = _walk(root_kid, endorsements, following)
    member = members[-1]
    if member.kid != subject_keys.kid:
        raise EndorsementBroken("other-key")
    if following.keys() - {kid for verified in members for kid in verified.kids[:-1]}:
        raise EndorsementBroken("loose-rotation")
    return member


def verify_appointment(
    root_kid: str,
    appointment: SignedAppointment,
    admin: VerifiedMember,
    member: VerifiedMember,
    *,
    participation: str,
    capacity: int,
) -> VerifiedAppointment:
    """Returns the seat that `admin` gave `member` at `participation`.

    Args:
        root_kid: The installation id, from the client's own configuration.
        appointment: The statement and the key that signed it.
        admin: Whose key that is, from `verify_member`.
        member: Who is said to be appointed, from `verify_member`.
        participation: Where the seat is said to be.
        capacity: What it is said to allow, the number of the `Capacity`.

    Raises:
        AppointmentBroken: not signed by an admin of the organisation, or for another key, person or place.
    """
    said = _verified(StatementKind.APPOINTMENT, appointment, wire.Appointment, AppointmentBroken)
    rules = {
        "installation": said.installation == root_kid,
        "not-an-admin": admin.admin and said.signer_kid in admin.kids,
        "organisation": said.organisation == admin.organisation == member.organisation,
        "other-key": said.subject == member.subject and said.kid in member.kids,
        "participation": said.participation == participation,
        "capacity": said.capacity == capacity,
    }
    _require(rules, AppointmentBroken)
    return VerifiedAppointment(
        appointment=said.appointment,
        organisation=said.organisation,
        participation=said.participation,
        capacity=said.capacity,
        role=said.role,
        subject=said.subject,
        kid=said.kid,
        deputy_of=said.deputy_of,
        signer_kid=said.signer_kid,
    )


def _walk(
    root_kid: str, endorsements: Sequence[SignedEndorsement], following: Mapping[str, wire.KeyRotation]
) -> list[VerifiedMember]:
    members: list[VerifiedMember] = []
    for endorsement in endorsements:
        said = _verified(StatementKind.ENDORSEMENT, endorsement, wire.Endorsement, EndorsementBroken)
        rules = {
            "installation": said.installation == root_kid,
            "admin-by-root-only": said.signer_kid == root_kid or not said.admin,
            "signer": said.signer_kid == root_kid or _may_endorse(members, said),
        }
        _require(rules, EndorsementBroken)
        members.append(_member(said, _kids(said, following)))
    return members


def _may_endorse(members: Sequence[VerifiedMember], said: wire.Endorsement) -> bool:
    return any(
        member.admin and member.organisation == said.organisation and said.signer_kid in member.kids
        for member in members
    )


def _by_old_kid(root_kid: str, rotations: Sequence[SignedRotation]) -> dict[str, wire.KeyRotation]:
    following: dict[str, wire.KeyRotation] = {}
    for rotation in rotations:
        said = _verified(StatementKind.ROTATION, rotation, wire.KeyRotation, EndorsementBroken)
        rules = {
            "installation": said.installation == root_kid,
            # The installation id is the root's fingerprint: another root is another installation.
            "root-rotates": root_kid not in (said.old_kid, said.new_kid),
            "fork": said.old_kid not in following,
        }
        _require(rules, EndorsementBroken)
        following[said.old_kid] = said
    return following


def _kids(said: wire.Endorsement, following: Mapping[str, wire.KeyRotation]) -> tuple[str, ...]:
    kids = [said.kid]
    while (rotation := following.get(kids[-1])) is not None:
        rules = {
            "rotation-foreign": rotation.organisation == said.organisation
            and rotation.subject == said.subject,
            "cycle": rotation.new_kid not in kids,
        }
        _require(rules, EndorsementBroken)
        kids.append(rotation.new_kid)
    return tuple(kids)


def _member(said: wire.Endorsement, kids: tuple[str, ...]) -> VerifiedMember:
    return VerifiedMember(
        organisation=said.organisation,
        organisation_title=said.organisation_title,
        subject=said.subject,
        subject_name=said.subject_name,
        subject_kind=said.subject_kind,
        kid=kids[-1],
        admin=said.admin,
        kids=kids,
        valid_from=said.valid_from.ToDatetime(tzinfo=UTC),
    )


def _verified(
    kind: StatementKind,
    carried: SignedEndorsement | SignedRotation | SignedAppointment,
    cls: type[M],
    refusal: type[CryptoError],
) -> M:
    try:
        return verify(kind, carried.signed, carried.signer, cls)
    except CryptoError as error:
        raise refusal(f"statement-{error.detail}") from error


def _require(rules: Mapping[str, bool], refusal: type[CryptoError]) -> None:
    for detail, holds in rules.items():
        if not holds:
            raise refusal(detail)
