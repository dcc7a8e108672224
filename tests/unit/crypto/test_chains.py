"""A directory that cheats is refused by whoever verifies the chain (T26, T10, T3)."""

from collections.abc import Callable
from itertools import pairwise

import pytest

from meldbrug.common.v1 import common_pb2
from meldbrug.common.v1.common_pb2 import Signed
from meldbrug.crypto import AppointmentBroken, EndorsementBroken
from meldbrug.crypto.chains import (
    SignedAppointment,
    SignedEndorsement,
    SignedRotation,
    VerifiedMember,
    verify_appointment,
    verify_member,
)
from meldbrug.crypto.statements import StatementKind, signing_input
from tests.unit.crypto.builders import (
    ADMIN,
    ADMIN_SUBJECT,
    APPOINTMENT,
    BROADCASTER,
    INSTALLATION,
    MEMBER,
    MEMBER_SUBJECT,
    OTHER_ADMIN,
    PARTICIPATION,
    PRODUCER,
    ROOT,
    SECRETARIAT,
    STRANGER,
    Chain,
    actor,
    admin_endorsed,
    appointed,
    chain,
    endorsed,
    endorsement,
    ident,
    rotated,
)

SECOND, THIRD, SECOND_ADMIN = map(actor, ("second", "third", "second admin"))
CONTACT = common_pb2.CAPACITY_SAFETY_CONTACT


def verified(served: Chain) -> VerifiedMember:
    return verify_member(INSTALLATION, served.endorsements, served.rotations, served.subject.public)


def other_admin() -> SignedEndorsement:
    return admin_endorsed(OTHER_ADMIN, organisation=PRODUCER, subject=f"persons/{ident('other admin')}")


def with_signature_of(signer_name: str, *, admin: bool) -> SignedEndorsement:
    """An endorsement that names the root but was signed by somebody else."""
    said = endorsement(MEMBER, ROOT, admin=admin).SerializeToString()
    signature = actor(signer_name).sign(signing_input(StatementKind.ENDORSEMENT, said))
    return SignedEndorsement(Signed(statement=said, signature=signature), ROOT.public)


def test_a_member_is_verified_through_an_admin() -> None:
    member = verified(chain())

    assert member.organisation == BROADCASTER
    assert (member.subject, member.subject_name) == (MEMBER_SUBJECT, "Vertrouwenspersoon De Waard")
    assert (member.kid, member.kids, member.admin) == (MEMBER.kid, (MEMBER.kid,), False)
    assert member.valid_from.timestamp() == 1_795_000_000
    assert member.subject_kind == common_pb2.SUBJECT_KIND_PERSON


def test_an_admin_is_verified_from_the_root_directly() -> None:
    admin = verified(Chain([admin_endorsed()], [], ADMIN))

    assert admin.admin
    assert admin.subject == ADMIN_SUBJECT


def test_the_root_may_endorse_a_member_itself() -> None:
    assert not verified(Chain([endorsed(MEMBER, ROOT)], [], MEMBER)).admin


def test_the_root_is_an_admin_of_the_secretariat() -> None:
    root = verified(Chain([admin_endorsed(ROOT, ROOT, organisation=SECRETARIAT)], [], ROOT))

    assert (root.kid, root.admin, root.organisation) == (INSTALLATION, True, SECRETARIAT)


def test_a_rotated_member_keeps_its_place_and_its_older_keys() -> None:
    served = Chain(
        [admin_endorsed(), endorsed(MEMBER, ADMIN)], [rotated(SECOND, THIRD), rotated(MEMBER, SECOND)], THIRD
    )

    assert verified(served).kids == (MEMBER.kid, SECOND.kid, THIRD.kid)


def test_a_member_may_rotate_as_often_as_a_chain_may_be_long() -> None:
    line = [MEMBER, *(actor(f"key {number}") for number in range(64))]
    rotations = [rotated(old, new) for old, new in pairwise(line)]

    assert verified(Chain([endorsed(MEMBER, ROOT)], rotations, line[-1])).kids == tuple(
        keys.kid for keys in line
    )


def test_a_rotated_admin_endorses_with_the_new_key_and_did_with_the_old() -> None:
    rotation = rotated(ADMIN, SECOND_ADMIN, subject=ADMIN_SUBJECT)

    for signer in (ADMIN, SECOND_ADMIN):
        served = Chain([admin_endorsed(), endorsed(MEMBER, signer)], [rotation], MEMBER)
        assert verified(served).kid == MEMBER.kid


CHEATS: dict[str, tuple[Callable[[], Chain], str]] = {
    "no endorsement at all": (lambda: Chain([], [], MEMBER), "length"),
    "too many endorsements": (lambda: Chain([admin_endorsed()] * 5, [], ADMIN), "length"),
    "too many rotations": (
        lambda: Chain([endorsed(MEMBER, ROOT)], [rotated(MEMBER, SECOND)] * 65, SECOND),
        "length",
    ),
    "another installation": (
        lambda: Chain([endorsed(MEMBER, ROOT, installation=STRANGER.kid)], [], MEMBER),
        "installation",
    ),
    "another root": (lambda: Chain([endorsed(MEMBER, STRANGER)], [], MEMBER), "signer"),
    "an admin whom the root never endorsed": (lambda: Chain([endorsed(MEMBER, ADMIN)], [], MEMBER), "signer"),
    "an admin of another organisation": (
        lambda: Chain([other_admin(), endorsed(MEMBER, OTHER_ADMIN)], [], MEMBER),
        "signer",
    ),
    "a member who endorses": (
        lambda: Chain([endorsed(STRANGER, ROOT), endorsed(MEMBER, STRANGER)], [], MEMBER),
        "signer",
    ),
    "an admin who makes admins": (
        lambda: Chain([admin_endorsed(), endorsed(MEMBER, ADMIN, admin=True)], [], MEMBER),
        "admin-by-root-only",
    ),
    "an admin flag forged under the root's name": (
        lambda: Chain([with_signature_of("admin", admin=True)], [], MEMBER),
        "statement-signature",
    ),
    "a foreign signature": (
        lambda: Chain([with_signature_of("stranger", admin=False)], [], MEMBER),
        "signature",
    ),
    "a signer's keys swapped": (
        lambda: Chain([SignedEndorsement(endorsed(MEMBER, ROOT).signed, STRANGER.public)], [], MEMBER),
        "statement-signature",
    ),
    "the endorsement of another key": (lambda: Chain(chain().endorsements, [], STRANGER), "other-key"),
    "the subject's endorsement not last": (
        lambda: Chain(list(reversed([admin_endorsed(), endorsed(MEMBER, ROOT)])), [], MEMBER),
        "other-key",
    ),
    "a rotation missing": (
        lambda: Chain([endorsed(MEMBER, ROOT)], [rotated(SECOND, THIRD)], THIRD),
        "other-key",
    ),
    "a rotation of nobody in the chain": (
        lambda: Chain([endorsed(MEMBER, ROOT)], [rotated(SECOND, THIRD)], MEMBER),
        "loose-rotation",
    ),
    "a rotation by another key": (
        lambda: Chain(
            [endorsed(MEMBER, ROOT)],
            [SignedRotation(rotated(MEMBER, SECOND).signed, STRANGER.public)],
            SECOND,
        ),
        "statement-signature",
    ),
    "a rotation of another installation": (
        lambda: Chain([endorsed(MEMBER, ROOT)], [rotated(MEMBER, SECOND, installation=STRANGER.kid)], SECOND),
        "installation",
    ),
    "a rotation at another organisation": (
        lambda: Chain([endorsed(MEMBER, ROOT)], [rotated(MEMBER, SECOND, organisation=PRODUCER)], SECOND),
        "rotation-foreign",
    ),
    "a rotation to another person": (
        lambda: Chain([endorsed(MEMBER, ROOT)], [rotated(MEMBER, SECOND, subject=ADMIN_SUBJECT)], SECOND),
        "rotation-foreign",
    ),
    "a cycle": (
        lambda: Chain([endorsed(MEMBER, ROOT)], [rotated(MEMBER, SECOND), rotated(SECOND, MEMBER)], SECOND),
        "cycle",
    ),
    "a key that follows itself": (
        lambda: Chain([endorsed(MEMBER, ROOT)], [rotated(MEMBER, MEMBER)], MEMBER),
        "cycle",
    ),
    "a fork": (
        lambda: Chain([endorsed(MEMBER, ROOT)], [rotated(MEMBER, SECOND), rotated(MEMBER, THIRD)], SECOND),
        "fork",
    ),
    "another root after the root": (
        lambda: Chain([endorsed(MEMBER, ROOT)], [rotated(ROOT, SECOND)], MEMBER),
        "root",
    ),
    "a key that becomes the root": (
        lambda: Chain([endorsed(MEMBER, ROOT)], [rotated(MEMBER, ROOT)], ROOT),
        "root",
    ),
    "a rotation in place of an endorsement": (
        lambda: Chain([SignedEndorsement(rotated(MEMBER, SECOND).signed, MEMBER.public)], [], SECOND),
        "statement-signature",
    ),
}


@pytest.mark.parametrize("cheat", CHEATS)
def test_a_chain_with_anything_wrong_is_refused(cheat: str) -> None:
    served, detail = CHEATS[cheat]

    with pytest.raises(EndorsementBroken, match=detail):
        verified(served())


def verified_admin() -> VerifiedMember:
    return verified(Chain([admin_endorsed()], [], ADMIN))


def seat(appointment: SignedAppointment, **changes: object) -> object:
    values: dict[str, object] = {"admin": verified_admin(), "member": verified(chain())} | changes
    options = {"participation": PARTICIPATION, "capacity": CONTACT}
    return verify_appointment(INSTALLATION, appointment, **values, **options)


def test_an_appointment_is_verified_with_its_admin_and_member() -> None:
    held = verify_appointment(
        INSTALLATION,
        appointed(),
        verified_admin(),
        verified(chain()),
        participation=PARTICIPATION,
        capacity=CONTACT,
    )

    assert (held.appointment, held.participation, held.capacity) == (APPOINTMENT, PARTICIPATION, CONTACT)
    assert (held.organisation, held.subject, held.kid) == (BROADCASTER, MEMBER_SUBJECT, MEMBER.kid)
    assert (held.role, held.deputy_of, held.signer_kid) == ("Contactpersoon veiligheid", "", ADMIN.kid)


def test_an_appointment_outlives_rotations_of_member_and_admin() -> None:
    member = verified(Chain(chain().endorsements, [rotated(MEMBER, SECOND)], SECOND))
    admin = verified(
        Chain([admin_endorsed()], [rotated(ADMIN, SECOND_ADMIN, subject=ADMIN_SUBJECT)], SECOND_ADMIN)
    )

    assert seat(appointed(), member=member, admin=admin)
    assert seat(appointed(SECOND, SECOND_ADMIN), member=member, admin=admin)


def test_a_deputy_says_for_whom() -> None:
    other = f"appointments/{ident('first')}"

    assert seat(appointed(deputy_of=other)).deputy_of == other


@pytest.mark.parametrize(
    ("appointment", "detail"),
    [
        (lambda: appointed(installation=STRANGER.kid), "installation"),
        (lambda: appointed(organisation=PRODUCER), "organisation"),
        (lambda: appointed(participation=f"participations/{ident('other')}"), "participation"),
        (lambda: appointed(capacity=common_pb2.CAPACITY_COUNSELLOR), "capacity"),
        (lambda: appointed(kid=STRANGER.kid), "other-key"),
        (lambda: appointed(subject=ADMIN_SUBJECT), "other-key"),
        (lambda: appointed(signer=OTHER_ADMIN), "not-an-admin"),
        (lambda: appointed(signer=MEMBER), "not-an-admin"),
        (lambda: SignedAppointment(appointed().signed, STRANGER.public), "statement-signature"),
    ],
)
def test_an_appointment_with_anything_wrong_is_refused(
    appointment: Callable[[], SignedAppointment], detail: str
) -> None:
    with pytest.raises(AppointmentBroken, match=detail):
        seat(appointment())


def test_a_member_appoints_nobody_even_with_its_own_key() -> None:
    with pytest.raises(AppointmentBroken, match="not-an-admin"):
        seat(appointed(signer=MEMBER), admin=verified(chain()))


def test_an_admin_of_another_organisation_appoints_nobody_here() -> None:
    foreign = verified(Chain([other_admin()], [], OTHER_ADMIN))

    with pytest.raises(AppointmentBroken, match="organisation"):
        seat(appointed(signer=OTHER_ADMIN), admin=foreign)


def test_a_seat_at_one_organisation_is_none_at_another_for_the_same_person_and_key() -> None:
    elsewhere = verified(Chain([endorsed(MEMBER, ROOT, organisation=PRODUCER)], [], MEMBER))

    with pytest.raises(AppointmentBroken, match="organisation"):
        seat(appointed(), member=elsewhere)


def test_a_key_before_the_appointed_one_does_not_hold_the_seat() -> None:
    # The seat was given to the second key; whoever kept only the first must not use it.
    with pytest.raises(AppointmentBroken, match="other-key"):
        seat(appointed(SECOND))
