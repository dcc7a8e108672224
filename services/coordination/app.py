"""Builds the service."""

from __future__ import annotations

from datetime import timedelta

from services.coordination import jobs as background
from services.coordination.config import CoordinationSettings
from services.coordination.peers import DirectoryPeer, DisclosurePeer
from services.coordination.rpc import HandlerServicer, InternalServicer, ReaderServicer, ReporterServicer
from services.coordination.usecases.doorbell import Doorbell
from services.coordination.usecases.following import Following
from services.coordination.usecases.handling import Handling
from services.coordination.usecases.ports import Deps
from services.coordination.usecases.reading import Reading
from services.coordination.usecases.reporting import Reporting
from services.coordination.usecases.watching import Rhythm, Watching
from services.kernel.jobs import Jobs
from services.kernel.key_ring import CachedKeyRing
from services.kernel.rpc import Kernel, Service


def build(kernel: Kernel) -> Service:
    """Builds coordination on a kernel."""
    settings = CoordinationSettings()
    database = kernel.database()
    directory = DirectoryPeer(kernel.peers.peer("directory"))
    following = Following(
        database,
        DisclosurePeer(kernel.peers.peer("disclosure")),
        directory,
        settings.periods,
        inform_budget_s=settings.inform_budget_ms / 1000,
        look_again_budget_s=settings.look_again_budget_ms / 1000,
        titles_age=timedelta(seconds=settings.titles_age_s),
    )
    deps = Deps(database, kernel.authz, kernel.pages, kernel.clock, following, settings.periods)
    doorbell, ring = Doorbell(), CachedKeyRing(directory.known_keys, kernel.clock)
    watching = Watching(deps, doorbell, ring, Rhythm(settings.heartbeat_s, settings.stream_max_age_s))
    jobs = Jobs("coordination", database, metrics=kernel.metrics, ids=kernel.ids, clock=kernel.clock)
    background.register(jobs, following, database, settings)
    return Service(
        name="coordination",
        servicers={
            "meldbrug.coordination.v1.ReporterService": ReporterServicer(Reporting(deps)),
            "meldbrug.coordination.v1.HandlerService": HandlerServicer(Handling(deps)),
            "meldbrug.coordination.v1.ReaderService": ReaderServicer(Reading(deps), watching),
            "meldbrug.coordination.v1.InternalService": InternalServicer(following),
        },
        database=database,
        key_ring=ring,
        jobs=jobs,
        background=(background.ear(database, doorbell),),
        needs=("directory", "disclosure"),
    )
