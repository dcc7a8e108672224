"""The disclosure service's object graph, built in one place."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from pathlib import Path

from meldbrug.common.v1 import common_pb2
from services.disclosure import jobs as own_jobs
from services.disclosure.config import DisclosureSettings
from services.disclosure.domain import Limits
from services.disclosure.peers import DirectoryPeer
from services.disclosure.policy_sync import PolicySync
from services.disclosure.rpc.handler import HandlerServicer
from services.disclosure.rpc.internal import InternalServicer
from services.disclosure.rpc.reader import ReaderServicer
from services.disclosure.rpc.reporter import ReporterServicer
from services.disclosure.rpc.seat import SeatServicer
from services.disclosure.rpc.terms import TermsServicer
from services.disclosure.store import openings, reports
from services.disclosure.usecases.accept import Answering
from services.disclosure.usecases.close import Closing
from services.disclosure.usecases.deps import Deps, Directory, Terms
from services.disclosure.usecases.open import Opening
from services.disclosure.usecases.seats import Seats
from services.disclosure.usecases.snapshot import Snapshots
from services.kernel.authz import Actor, PrincipalClass
from services.kernel.db import Database
from services.kernel.errors import NotPermitted
from services.kernel.jobs import Jobs
from services.kernel.key_ring import CachedKeyRing
from services.kernel.rpc import Kernel, Service

PACKAGE = "meldbrug.disclosure.v1"
TERMS = Path(__file__).with_name("terms")
TERMS_VERSION = "v1"


def build(kernel: Kernel) -> Service:
    """Builds the service."""
    settings = DisclosureSettings()
    directory = DirectoryPeer(kernel.peers.peer("directory"), settings.directory_timeout_s)
    deps = assemble(kernel, settings, directory)
    own_jobs.register(deps)
    return Service(
        name=kernel.name,
        database=deps.database,
        jobs=deps.jobs,
        needs=("directory", "coordination"),
        key_ring=CachedKeyRing(directory.known_keys, kernel.clock),
        is_reporter=partial(is_reporter, deps.database),
        servicers=servicers(deps),
    )


async def is_reporter(database: Database, kid: str) -> bool:
    """Whether a report came in under this key; the directory said then that it was nobody's."""
    async with database.reading() as conn:
        try:
            await reports.owned(conn, Actor(PrincipalClass.REPORTER, kid=kid), "")
        except NotPermitted:
            return False
    return True


def assemble(kernel: Kernel, settings: DisclosureSettings, directory: Directory) -> Deps:
    """Makes what the use cases are handed; tests hand it a directory of their own."""
    database = kernel.database(openings.PRELUDE)
    jobs = Jobs(kernel.name, database, metrics=kernel.metrics, ids=kernel.ids, clock=kernel.clock)
    return Deps(
        database=database,
        authz=kernel.authz,
        jobs=jobs,
        ids=kernel.ids,
        pages=kernel.pages,
        admission=kernel.admission,
        directory=directory,
        coordination=kernel.peers.peer("coordination"),
        limits=limits(settings),
        installation=kernel.settings.installation,
        terms=terms(),
        closing=Closing(jobs),
        sync=PolicySync(database, kernel.authz),
    )


def servicers(deps: Deps) -> dict[str, object]:
    """The RPC services by full name."""
    opening, seats = Opening(deps), Seats(deps)
    return {
        f"{PACKAGE}.TermsService": TermsServicer(deps.terms),
        f"{PACKAGE}.ReporterService": ReporterServicer(deps),
        f"{PACKAGE}.HandlerService": HandlerServicer(deps),
        f"{PACKAGE}.ReaderService": ReaderServicer(Answering(deps), opening),
        f"{PACKAGE}.SeatService": SeatServicer(seats),
        f"{PACKAGE}.InternalService": InternalServicer(seats, Snapshots(deps)),
    }


def limits(settings: DisclosureSettings) -> Limits:
    """What the operator set, as the use cases take it."""
    return Limits(
        answer_for=timedelta(days=settings.answer_days),
        consent_for=timedelta(days=settings.consent_max_days),
        reports_per_s=settings.reports_per_s,
        reports_burst=settings.reports_burst,
    )


def terms() -> Terms:
    """The current handling terms in the product's languages."""
    languages: dict[int, str] = {common_pb2.LANGUAGE_NL: "nl", common_pb2.LANGUAGE_EN: "en"}
    texts = {
        number: (TERMS / f"{TERMS_VERSION}.{language}.md").read_text(encoding="utf-8")
        for number, language in languages.items()
    }
    return Terms(TERMS_VERSION, texts)
