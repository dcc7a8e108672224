"""The case that is measured: one incident, one notice of four kinds, one reader who may open it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from demo.seed import Sector, settle
from meldbrug.client import (
    Connection,
    Consents,
    Draft,
    MemberClient,
    Proposal,
    PublicClient,
    ReporterClient,
    Terms,
)
from meldbrug.common.v1.common_pb2 import (
    GROUND_REPORTER_CONSENT,
    KIND_ACCOUNT,
    KIND_CONTEXT,
    KIND_IMPACT,
    KIND_MEASURES,
    KIND_SUMMARY,
    LANGUAGE_NL,
    PURPOSE_INFORM,
    PURPOSE_PROTECT_PEOPLE,
)
from meldbrug.crypto import SecretKeys

TITLE, READER = "veerpont", "noorderlicht-contact"
FOUR_KINDS = (KIND_CONTEXT, KIND_SUMMARY, KIND_MEASURES, KIND_IMPACT)
TEXT = "Op een gezamenlijke productie is iets gemeld dat aandacht vraagt. " * 12


@dataclass
class Case:
    """An offered notice with accepted terms."""

    sector: Sector
    reporter: ReporterClient
    consents: Consents
    handler: MemberClient
    reader: MemberClient
    terms: Terms
    incident: str
    notice: str


async def draft(connection: Connection, sector: Sector) -> Draft:
    """Returns a report as a reporter would send it."""
    circle = await PublicClient(connection).circle(sector.code(TITLE))
    return Draft(
        texts={KIND_CONTEXT: TEXT, KIND_ACCOUNT: TEXT},
        intake=circle.counsellors(sector.participation(TITLE, "duinroos")),
        production=circle.production,
        language=LANGUAGE_NL,
    )


async def prepare(connection: Connection, root: SecretKeys, folder: Path) -> Case:
    """Settles the sector and brings one notice to the point where it can be opened."""
    return await reported(connection, await settle(connection, root, folder, lambda _line: None))


async def reported(connection: Connection, sector: Sector) -> Case:
    """Returns a new incident with one notice that can be opened."""
    reporter = ReporterClient(connection, SecretKeys.generate())
    report = await reporter.report(await draft(connection, sector))
    handler = MemberClient(connection, sector.keys("duinroos-vp"))
    reader = MemberClient(connection, sector.keys(READER))
    terms = await PublicClient(connection).terms(LANGUAGE_NL)
    case = Case(sector, reporter, Consents(reporter), handler, reader, terms, report.name, notice="")
    return replace(case, notice=await offer(case))


async def offer(case: Case, party: str = "noorderlicht") -> str:
    """Proposes a notice, lets the reporter consent and the party's reader accept. Returns it, openable."""
    recipient = case.sector.participation(TITLE, party)
    circle = await case.handler.handler.circle(case.incident)
    proposal = Proposal(
        recipient=recipient,
        readers=[person for person in circle.safety_contacts(recipient) if person.kid == case.reader.kid],
        texts=dict.fromkeys(FOUR_KINDS, TEXT),
        purposes=[PURPOSE_PROTECT_PEOPLE, PURPOSE_INFORM],
        valid_until=datetime.now(UTC).replace(microsecond=0) + timedelta(days=60),
        ground=GROUND_REPORTER_CONSENT,
        necessity="Nodig voor de meting.",
    )
    notice = (await case.handler.handler.propose(case.incident, proposal)).notice
    await case.consents.give(await case.consents.preview(notice))
    await case.reader.reader.accept(notice, case.terms)
    return notice
