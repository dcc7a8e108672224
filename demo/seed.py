"""Settles the demo sector on a running installation: organisations, members, productions, roles.

Everything goes through the public API, each member with its own key. Progress is kept in `sector.json`, so
that settling goes on where it stopped and does nothing the second time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from demo.sector import INDEPENDENT_COUNSELLOR, PARTIES, ROLES, TITLES, Party, Role, Title
from meldbrug.client import Connection, MemberClient, accept_invitation, load_keys, save_keys
from meldbrug.crypto import SecretKeys
from meldbrug.directory.v1.directory_pb2 import Organisation

UNFILLED_ADMIN = "Bestuurssecretaris"
"""The umbrella's admin is invited and has not come yet, as happens."""


APPOINTED = (
    *(
        (title.key, role)
        for title in TITLES
        for role in ROLES
        if role.party in title.parties and role.capacity is not None
    ),
    (TITLES[0].key, INDEPENDENT_COUNSELLOR),
)
"""Who is appointed on which production; the independent point's counsellor once, for all of them."""


@dataclass
class Progress:
    """Names of what was made, by the sector's own keys."""

    organisations: dict[str, str] = field(default_factory=dict)
    members: dict[str, str] = field(default_factory=dict)
    productions: dict[str, str] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)
    participations: dict[str, str] = field(default_factory=dict)
    appointments: dict[str, str] = field(default_factory=dict)


class Sector:
    """The settled sector: who is who, with everyone's key."""

    def __init__(self, folder: Path) -> None:
        """Reads what was settled in `folder` before."""
        self._file = folder / "sector.json"
        self._keys = folder / "keys" / "demo"
        self.progress = Progress(**json.loads(self._file.read_text())) if self._file.exists() else Progress()

    @property
    def is_settled(self) -> bool:
        """Whether everything was made; appointments come last."""
        return self.progress.appointments.keys() >= {f"{title}/{role.key}" for title, role in APPOINTED}

    def organisation(self, party: str) -> str:
        """Returns `organisations/{organisation}`."""
        return self.progress.organisations[party]

    def production(self, title: str) -> str:
        """Returns `productions/{production}`."""
        return self.progress.productions[title]

    def code(self, title: str) -> str:
        """Returns the production's code."""
        return self.progress.codes[title]

    def participation(self, title: str, party: str) -> str:
        """Returns `participations/{participation}`; the independent point has one for all."""
        return self.progress.participations[f"{title}/{party}"]

    def keys(self, role: str) -> SecretKeys:
        """Returns a role's keys, made on first use."""
        path = self.key_file(role)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            save_keys(path, SecretKeys.generate(), passphrase=None)
        return load_keys(path)

    def key_file(self, role: str) -> Path:
        """Returns where a role's keys are kept."""
        return self._keys / f"{role}.json"

    def keep(self) -> None:
        """Writes down what was made so far, whole or not at all."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        draft = self._file.with_suffix(".new")
        draft.write_text(json.dumps(vars(self.progress), indent=1))
        draft.replace(self._file)


async def settle(
    connection: Connection, root: SecretKeys, folder: Path, report: Callable[[str], None]
) -> Sector:
    """Settles what is not there yet and returns the sector.

    Args:
        connection: To the installation.
        root: The secretariat's keys.
        folder: Where keys and progress are kept.
        report: Told a line of progress for each part.
    """
    settler = Settler(connection, root, Sector(folder))
    for party in PARTIES:
        if party.key not in settler.done.organisations:
            report(f"Admitting {party.title}")
            await settler.admit(party)
    for role in ROLES:
        if role.key not in settler.done.members:
            await settler.enrol(role)
    for title in TITLES:
        report(f"Settling {title.title}")
        await settler.produce(title)
    for title_key, role in APPOINTED:
        await settler.appoint(role, title_key)
    return settler.sector


class Settler:
    """Makes one part of the sector at a time, each by the member who may."""

    def __init__(self, connection: Connection, root: SecretKeys, sector: Sector) -> None:
        """Acts for the secretariat with `root`, and for every role with its own keys."""
        self._connection = connection
        self._secretariat = MemberClient(connection, root).secretariat
        self.sector = sector

    @property
    def done(self) -> Progress:
        """Returns what was made so far."""
        return self.sector.progress

    def client(self, role: str) -> MemberClient:
        """Returns a role's own client."""
        return MemberClient(self._connection, self.sector.keys(role))

    async def admit(self, party: Party) -> None:
        """Admits an organisation with its first admin."""
        role = admin_of(party.key)
        umbrella = self.sector.organisation(party.umbrella) if party.umbrella else ""
        title = role.title if role else UNFILLED_ADMIN
        admitted = await self._secretariat.admit(party.title, party.kind, title, umbrella=umbrella)
        if role:
            keys = self.sector.keys(role.key)
            member = await accept_invitation(self._connection, keys, admitted.code)
            await self._secretariat.endorse_admin(member.name, keys.kid)
            self.done.members[role.key] = member.name
        if party.kind == Organisation.KIND_INDEPENDENT_POINT:
            for title_of in TITLES:
                self.done.participations[f"{title_of.key}/{party.key}"] = admitted.participation.name
        self.done.organisations[party.key] = admitted.organisation.name
        self.sector.keep()

    async def enrol(self, role: Role) -> None:
        """Enrols a member: invited and endorsed by the organisation's admin, with keys of its own."""
        admin = self._admin(role.party)
        invited = await admin.admin.invite(role.title, role.subject_kind)
        keys = self.sector.keys(role.key)
        member = await accept_invitation(self._connection, keys, invited.code)
        await admin.admin.endorse(member.name, keys.kid)
        self.done.members[role.key] = member.name
        self.sector.keep()

    async def produce(self, title: Title) -> None:
        """Registers a production and brings its parties in."""
        lead, *others = title.parties
        admin = self._admin(lead).admin
        if title.key not in self.done.productions:
            made = await admin.register_production(
                title.title, title.start, title.end, isan=title.isan, eidr=title.eidr
            )
            self.done.productions[title.key] = made.production.name
            self.done.codes[title.key] = made.production.code
            self.done.participations[f"{title.key}/{lead}"] = made.participation.name
            self.sector.keep()
        for party in others:
            if f"{title.key}/{party}" not in self.done.participations:
                organisation = self.sector.organisation(party)
                proposed = await admin.propose_participation(self.sector.production(title.key), organisation)
                await self._admin(party).admin.accept_participation(proposed.name)
                self.done.participations[f"{title.key}/{party}"] = proposed.name
                self.sector.keep()

    async def appoint(self, role: Role, title: str) -> None:
        """Appoints a role on a production, for its party."""
        key = f"{title}/{role.key}"
        if key in self.done.appointments or role.capacity is None:
            return
        deputy_of = self.done.appointments[f"{title}/{role.deputy_of}"] if role.deputy_of else ""
        contact = await self._admin(role.party).admin.appoint(
            self.sector.participation(title, role.party),
            self.sector.keys(role.key).kid,
            role.capacity,
            role.title,
            deputy_of=deputy_of,
        )
        self.done.appointments[key] = contact.appointment
        self.sector.keep()

    def _admin(self, party: str) -> MemberClient:
        role = admin_of(party)
        if role is None:
            raise LookupError(f"{party} has no admin yet")
        return self.client(role.key)


def admin_of(party: str) -> Role | None:
    """Returns the party's admin, or None when it has none yet."""
    return next((role for role in ROLES if role.party == party and role.admin), None)


def roles_by_key() -> Mapping[str, Role]:
    """Returns every role of the sector by its key."""
    return {role.key: role for role in ROLES}
