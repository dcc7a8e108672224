"""The words of the directory, and its bounds.

The numbers of the enums are those of the wire, so that a stored number and a sent one are the same.
"""

from __future__ import annotations

from datetime import timedelta
from enum import IntEnum

INVITATION_LIFETIME = timedelta(days=14)
# A signer's clock may run ahead this far before its sequence counts as from the future.
SEQUENCE_LEEWAY = timedelta(minutes=5)
# A circle carries at most 64 participations, the independent point's among them, and 256 contacts.
MAX_PARTICIPATIONS = 63
MAX_CONTACTS_EACH = 16
# Chains are verified over at most 64 rotations, those of the admin included.
MAX_ROTATIONS = 24


class OrganisationKind(IntEnum):
    """What an organisation is."""

    BROADCASTER = 1
    PRODUCER = 2
    FACILITY = 3
    STREAMING = 4
    UMBRELLA = 5
    INDEPENDENT_POINT = 6
    SECRETARIAT = 7


# There is one of each; neither is made from another kind, suspended or sent away.
SINGULAR = frozenset({OrganisationKind.INDEPENDENT_POINT, OrganisationKind.SECRETARIAT})


class OrganisationState(IntEnum):
    """Whether an organisation may act."""

    ACTIVE = 1
    SUSPENDED = 2
    LEFT = 3


class MemberState(IntEnum):
    """Where a membership stands."""

    INVITED = 1
    KEY_PENDING = 2
    ACTIVE = 3
    REMOVED = 4


class ParticipationState(IntEnum):
    """Where a participation stands."""

    PROPOSED = 1
    ACCEPTED = 2
    ENDED = 3


class Capacity(IntEnum):
    """What an appointment lets its holder do."""

    COUNSELLOR = 1
    SAFETY_CONTACT = 2


class SubjectKind(IntEnum):
    """What a member is."""

    PERSON = 1
    SYSTEM = 2


COLLECTIONS = {SubjectKind.PERSON: "persons", SubjectKind.SYSTEM: "systems"}
