"""Who and what the demo sector consists of. Every organisation, production and role here is made up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from meldbrug.common.v1.common_pb2 import (
    CAPACITY_COUNSELLOR,
    CAPACITY_SAFETY_CONTACT,
    SUBJECT_KIND_PERSON,
    SUBJECT_KIND_SYSTEM,
    Capacity,
    SubjectKind,
)
from meldbrug.directory.v1.directory_pb2 import Organisation


@dataclass(frozen=True)
class Party:
    """An organisation of the sector; `umbrella` is the key of the party it signed through."""

    key: str
    title: str
    kind: Organisation.Kind.ValueType
    umbrella: str = ""


@dataclass(frozen=True)
class Role:
    """A member of a party; `capacity` is what it is appointed for on every production of its party."""

    key: str
    party: str
    title: str
    subject_kind: SubjectKind.ValueType = SUBJECT_KIND_PERSON
    admin: bool = False
    capacity: Capacity.ValueType | None = None
    deputy_of: str = ""


@dataclass(frozen=True)
class Title:
    """A production with the parties that take part; the first one leads."""

    key: str
    title: str
    start: datetime
    end: datetime
    parties: tuple[str, ...]
    isan: str = ""
    eidr: str = ""


PARTIES = (
    Party("koepel", "Omroepkoepel Samen", Organisation.KIND_UMBRELLA),
    Party("noorderlicht", "Omroep Noorderlicht", Organisation.KIND_BROADCASTER, umbrella="koepel"),
    Party("duinroos", "Duinroos Producties", Organisation.KIND_PRODUCER),
    Party("kade9", "Kade Negen Film", Organisation.KIND_PRODUCER),
    Party("lichtbrug", "Lichtbrug Facilitair", Organisation.KIND_FACILITY),
    Party("zilverstroom", "Zilverstroom Streaming", Organisation.KIND_STREAMING),
    Party("vuurtoren", "Onafhankelijk Meldpunt De Vuurtoren", Organisation.KIND_INDEPENDENT_POINT),
)

ROLES = (
    Role("noorderlicht-admin", "noorderlicht", "Hoofd compliance", admin=True),
    Role("noorderlicht-contact", "noorderlicht", "Compliance officer", capacity=CAPACITY_SAFETY_CONTACT),
    Role(
        "noorderlicht-systeem",
        "noorderlicht",
        "Zaaksysteem Noorderlicht",
        subject_kind=SUBJECT_KIND_SYSTEM,
        capacity=CAPACITY_SAFETY_CONTACT,
    ),
    Role("duinroos-admin", "duinroos", "Directiesecretaris", admin=True),
    Role("duinroos-vp", "duinroos", "Vertrouwenspersoon", capacity=CAPACITY_COUNSELLOR),
    Role(
        "duinroos-plv",
        "duinroos",
        "Plaatsvervangend vertrouwenspersoon",
        capacity=CAPACITY_COUNSELLOR,
        deputy_of="duinroos-vp",
    ),
    Role("kade9-admin", "kade9", "Zakelijk leider", admin=True),
    Role("kade9-producent", "kade9", "Uitvoerend producent", capacity=CAPACITY_SAFETY_CONTACT),
    Role("kade9-contact", "kade9", "Productieleider", capacity=CAPACITY_SAFETY_CONTACT),
    Role("lichtbrug-admin", "lichtbrug", "Manager personeel", admin=True),
    Role(
        "lichtbrug-contact",
        "lichtbrug",
        "Contactpersoon sociale veiligheid",
        capacity=CAPACITY_SAFETY_CONTACT,
    ),
    Role("zilverstroom-admin", "zilverstroom", "Head of Trust and Safety", admin=True),
    Role(
        "zilverstroom-systeem",
        "zilverstroom",
        "Trust and Safety desk",
        subject_kind=SUBJECT_KIND_SYSTEM,
        capacity=CAPACITY_SAFETY_CONTACT,
    ),
    Role("vuurtoren-admin", "vuurtoren", "Coördinator meldpunt", admin=True),
)
"""Fourteen members; with the secretariat's own there are fifteen."""

INDEPENDENT_COUNSELLOR = Role(
    "vuurtoren-admin", "vuurtoren", "Vertrouwenspersoon meldpunt", capacity=CAPACITY_COUNSELLOR
)
"""The independent point's admin takes reports too, under its standing participation."""

TITLES = (
    Title(
        "veerpont",
        "De Laatste Veerpont",
        datetime(2026, 8, 31, tzinfo=UTC),
        datetime(2026, 12, 18, tzinfo=UTC),
        ("duinroos", "noorderlicht", "kade9", "lichtbrug"),
        isan="0000-0006-7A1C-0000-K-0000-0000-Q",
    ),
    Title(
        "avondrood",
        "Avondrood",
        datetime(2026, 9, 7, tzinfo=UTC),
        datetime(2027, 5, 28, tzinfo=UTC),
        ("kade9", "noorderlicht", "lichtbrug"),
    ),
    Title(
        "winterlicht",
        "Winterlicht",
        datetime(2023, 11, 6, tzinfo=UTC),
        datetime(2024, 3, 22, tzinfo=UTC),
        ("duinroos", "zilverstroom", "lichtbrug"),
        eidr="10.5240/0D15-EA5E-F1C7-1011-AAAA-S",
    ),
)
"""Winterlicht is over; what happened there can be reported all the same."""
