"""Vectors of endorsements, rotations and appointments."""

from typing import Any

from meldbrug.common.v1 import common_pb2
from meldbrug.crypto.chains import SignedAppointment, SignedEndorsement, SignedRotation
from tests.unit.crypto import builders as b
from tests.unit.crypto.replay import Values, signed_values
from tests.vectors.notation import KEYS, NAME_OF, gives, refuses


def link(carried: SignedEndorsement | SignedRotation | SignedAppointment) -> Values:
    """A signed statement with the name of its signer."""
    return signed_values(carried.signed) | {"signer": NAME_OF[carried.signer.kid]}


def chain(
    subject: str, endorsements: list[SignedEndorsement], rotations: list[SignedRotation] | None = None
) -> Values:
    """What a directory serves for `subject`."""
    return {
        "root_kid": b.INSTALLATION,
        "endorsements": [link(endorsement) for endorsement in endorsements],
        "rotations": [link(rotation) for rotation in rotations or []],
        "subject": subject,
    }


def chain_vectors() -> list[Values]:
    admin, second, second_admin = b.admin_endorsed(), KEYS["second"], KEYS["second admin"]
    by_admin = b.endorsed(b.MEMBER, b.ADMIN)
    by_root = b.endorsed(b.MEMBER, b.ROOT)
    foreign_admin = b.admin_endorsed(
        b.OTHER_ADMIN, organisation=b.PRODUCER, subject=f"persons/{b.ident('other admin')}"
    )
    rotation = b.rotated(b.MEMBER, second)
    admin_rotation = b.rotated(b.ADMIN, second_admin, subject=b.ADMIN_SUBJECT)
    secretariat = b.admin_endorsed(b.ROOT, b.ROOT, organisation=b.SECRETARIAT)

    def refused(name: str, given: Values, detail: str) -> Values:
        return refuses(name, "verify_member", given, "ENDORSEMENT_BROKEN", detail)

    def rotating(*rotations: SignedRotation, subject: str = "second") -> Values:
        return chain(subject, [by_root], list(rotations))

    return [
        gives("root, admin, member", "verify_member", chain("member", [admin, by_admin])),
        gives("an admin", "verify_member", chain("admin", [admin])),
        gives("the root itself", "verify_member", chain("root", [secretariat])),
        gives("a rotated member", "verify_member", chain("second", [admin, by_admin], [rotation])),
        gives(
            "endorsed by a rotated admin",
            "verify_member",
            chain("member", [admin, b.endorsed(b.MEMBER, second_admin)], [admin_rotation]),
        ),
        refused("broken chain: the admin is missing", chain("member", [by_admin]), "signer"),
        refused("broken chain: nothing", chain("member", []), "length"),
        refused("broken chain: a rotation is missing", chain("second", [by_root]), "other-key"),
        refused(
            "broken chain: a loose rotation",
            rotating(b.rotated(second, b.STRANGER), subject="member"),
            "loose-rotation",
        ),
        refused(
            "an admin of another organisation",
            chain("member", [foreign_admin, b.endorsed(b.MEMBER, b.OTHER_ADMIN)]),
            "signer",
        ),
        refused(
            "an admin made by an admin",
            chain("member", [admin, b.endorsed(b.MEMBER, b.ADMIN, admin=True)]),
            "admin-by-root-only",
        ),
        refused("another root", chain("member", [b.endorsed(b.MEMBER, b.STRANGER)]), "signer"),
        refused(
            "another installation",
            chain("member", [b.endorsed(b.MEMBER, b.ROOT, installation=b.STRANGER.kid)]),
            "installation",
        ),
        refused(
            "a foreign signature",
            chain("member", [SignedEndorsement(by_root.signed, b.STRANGER.public)]),
            "statement-signature",
        ),
        refused("the chain of somebody else", chain("stranger", [admin, by_admin]), "other-key"),
        refused(
            "a rotation to another person",
            rotating(b.rotated(b.MEMBER, second, subject=b.ADMIN_SUBJECT)),
            "rotation-foreign",
        ),
        refused(
            "a rotation by another key",
            rotating(SignedRotation(rotation.signed, b.STRANGER.public)),
            "statement-signature",
        ),
        refused("a cycle", rotating(rotation, b.rotated(second, b.MEMBER)), "cycle"),
        refused("a fork", rotating(rotation, b.rotated(b.MEMBER, b.STRANGER)), "fork"),
        refused("the root rotates", rotating(b.rotated(b.ROOT, second), subject="member"), "root-rotates"),
        *appointment_vectors(
            chain("admin", [admin]), chain("member", [admin, by_admin]), chain("other admin", [foreign_admin])
        ),
    ]


def appointment_vectors(admin: Values, member: Values, foreign_admin: Values) -> list[Values]:
    def given(appointment: SignedAppointment, **changes: Any) -> Values:
        return {
            "root_kid": b.INSTALLATION,
            "appointment": link(appointment),
            "admin": admin,
            "member": member,
            "participation": b.PARTICIPATION,
            "capacity": int(common_pb2.CAPACITY_SAFETY_CONTACT),
        } | changes

    def refused(name: str, values: Values, detail: str) -> Values:
        return refuses(
            f"wrong appointment: {name}", "verify_appointment", values, "APPOINTMENT_BROKEN", detail
        )

    foreign = b.appointed(signer=b.OTHER_ADMIN)
    return [
        gives("a safety contact", "verify_appointment", given(b.appointed())),
        refused("another key", given(b.appointed(kid=b.STRANGER.kid)), "other-key"),
        refused("another person", given(b.appointed(subject=b.ADMIN_SUBJECT)), "other-key"),
        refused(
            "another participation",
            given(b.appointed(participation=f"participations/{b.ident('other')}")),
            "participation",
        ),
        refused("another organisation", given(b.appointed(organisation=b.PRODUCER)), "organisation"),
        refused("another capacity", given(b.appointed(capacity=common_pb2.CAPACITY_COUNSELLOR)), "capacity"),
        refused("another installation", given(b.appointed(installation=b.STRANGER.kid)), "installation"),
        refused("by an admin of another organisation", given(foreign, admin=foreign_admin), "organisation"),
        refused("by a member", given(b.appointed(signer=b.MEMBER), admin=member), "not-an-admin"),
        refused(
            "a foreign signature",
            given(SignedAppointment(b.appointed().signed, b.STRANGER.public)),
            "statement-signature",
        ),
    ]
