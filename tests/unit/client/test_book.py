"""T26: a key book is believed as far as it leads to the root, and no further."""

from __future__ import annotations

import subprocess
import sys

import pytest

from meldbrug.client import Book, Unverified
from meldbrug.common.v1 import common_pb2 as common
from meldbrug.crypto import SecretKeys, chains
from meldbrug.directory.v1.directory_pb2 import KeyBook
from tests.unit.crypto import builders as made

NEXT, LATER = made.actor("next"), made.actor("later")
WHERE = {"participation": made.PARTICIPATION, "capacity": common.CAPACITY_SAFETY_CONTACT}


def book(
    *signed: chains.SignedEndorsement | chains.SignedRotation | chains.SignedAppointment,
    keys: tuple[SecretKeys, ...] = (made.ROOT, made.ADMIN, made.MEMBER),
    root: str = made.INSTALLATION,
) -> Book:
    served = KeyBook(
        keys=[common.PublicKeys(signing=k.public.signing, sealing=k.public.sealing) for k in keys]
    )
    fields = {
        chains.SignedEndorsement: served.endorsements,
        chains.SignedRotation: served.rotations,
        chains.SignedAppointment: served.appointments,
    }
    for each in signed:
        fields[type(each)].append(each.signed)
    return Book(root, served)


HONEST = (made.admin_endorsed(), made.endorsed(made.MEMBER, made.ADMIN), made.appointed())


def test_an_honest_book_names_member_and_role() -> None:
    found = book(*HONEST)

    assert found.member(made.MEMBER.kid).subject == made.MEMBER_SUBJECT
    assert found.member(made.ADMIN.kid).admin
    assert found.appointment(made.APPOINTMENT, **WHERE).role == "Contactpersoon veiligheid"
    assert found.appointment_of(made.MEMBER.kid, **WHERE).kid == made.MEMBER.kid


def test_rotations_lead_from_old_keys_to_new_ones() -> None:
    keys = (made.ROOT, made.ADMIN, made.MEMBER, NEXT, LATER)
    found = book(*HONEST, made.rotated(made.MEMBER, NEXT), made.rotated(NEXT, LATER), keys=keys)

    assert found.member(LATER.kid).kids == (made.MEMBER.kid, NEXT.kid, LATER.kid)
    assert found.member(NEXT.kid).kids == (made.MEMBER.kid, NEXT.kid)
    assert found.appointment_of(LATER.kid, **WHERE).subject == made.MEMBER_SUBJECT
    assert found.appointment(made.APPOINTMENT, **WHERE).kid == made.MEMBER.kid


def test_an_admin_who_rotated_still_vouches() -> None:
    admin_next = made.actor("admin next")
    rotated = made.rotated(made.ADMIN, admin_next, subject=made.ADMIN_SUBJECT)
    found = book(
        made.admin_endorsed(),
        rotated,
        made.endorsed(made.MEMBER, admin_next),
        made.appointed(signer=made.ADMIN),
        keys=(made.ROOT, made.ADMIN, admin_next, made.MEMBER),
    )

    assert found.member(made.MEMBER.kid).organisation == made.BROADCASTER
    assert found.appointment(made.APPOINTMENT, **WHERE).signer_kid == made.ADMIN.kid


@pytest.mark.parametrize(
    "served",
    [
        pytest.param(book(), id="nothing"),
        pytest.param(book(HONEST[1]), id="no admin"),
        pytest.param(book(HONEST[0]), id="no member"),
        pytest.param(book(*HONEST, root=made.STRANGER.kid), id="another root"),
        pytest.param(book(*HONEST, keys=(made.ADMIN, made.MEMBER)), id="the root's keys withheld"),
        pytest.param(
            book(HONEST[0], made.endorsed(made.MEMBER, made.STRANGER), keys=(made.ROOT, made.STRANGER)),
            id="endorsed by a stranger",
        ),
        pytest.param(
            book(
                made.admin_endorsed(made.STRANGER, made.STRANGER),
                made.endorsed(made.MEMBER, made.STRANGER),
                keys=(made.STRANGER, made.MEMBER),
            ),
            id="an admin who endorsed itself",
        ),
        pytest.param(
            book(HONEST[0], made.endorsed(made.MEMBER, made.ADMIN, organisation=made.PRODUCER)),
            id="another organisation's admin",
        ),
        pytest.param(
            book(*HONEST, made.rotated(NEXT, made.MEMBER), made.rotated(made.MEMBER, NEXT), keys=(
                made.ROOT, made.ADMIN, made.MEMBER, NEXT,
            )),
            id="rotations in a circle",
        ),
    ],
)  # fmt: skip
def test_a_member_nobody_vouches_for_does_not_exist(served: Book) -> None:
    with pytest.raises(Unverified):
        served.member(made.MEMBER.kid)


@pytest.mark.parametrize(
    "appointed",
    [
        pytest.param(made.appointed(signer=made.MEMBER), id="by one who is no admin"),
        pytest.param(made.appointed(capacity=common.CAPACITY_COUNSELLOR), id="another capacity"),
        pytest.param(made.appointed(participation="participations/" + "a" * 26), id="elsewhere"),
        pytest.param(made.appointed(organisation=made.PRODUCER), id="another organisation"),
        pytest.param(made.appointed(subject="persons/" + "a" * 26), id="another person"),
        pytest.param(made.appointed(made.STRANGER), id="another key"),
    ],
)
def test_a_role_that_was_not_given_does_not_exist(appointed: chains.SignedAppointment) -> None:
    served = book(HONEST[0], HONEST[1], appointed)

    with pytest.raises(Unverified):
        served.appointment(made.APPOINTMENT, **WHERE)
    with pytest.raises(Unverified):
        served.appointment_of(made.MEMBER.kid, **WHERE)


def test_a_statement_that_was_changed_spoils_what_needs_it() -> None:
    broken = made.endorsed(made.MEMBER, made.ADMIN)
    broken.signed.signature = bytes(64)

    with pytest.raises(Unverified):
        book(HONEST[0], broken).member(made.MEMBER.kid)


def test_the_client_loads_nothing_of_the_services() -> None:
    listing = "print([name for name in sys.modules if name.startswith('services')])"
    code = f"import sys, meldbrug.client, meldbrug.cli.app; {listing}"

    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ran.stdout.strip() == "[]"
