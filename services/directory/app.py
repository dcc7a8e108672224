"""The directory's object graph, built in one place."""

from __future__ import annotations

from pathlib import Path

from services.directory import jobs as own_jobs
from services.directory.config import DirectorySettings
from services.directory.peers import DisclosurePeer
from services.directory.rpc.admins import AdminServicer, SecretariatServicer
from services.directory.rpc.members import EnrolmentServicer, InternalServicer, MemberServicer, PublicServicer
from services.directory.usecases.doors import Doors
from services.directory.usecases.enrolment import Enrolment
from services.directory.usecases.invitations import Invitations
from services.directory.usecases.lookups import Lookups
from services.directory.usecases.productions import Productions
from services.directory.usecases.rotation import Rotation
from services.directory.usecases.secretariat import Secretariat
from services.kernel.jobs import Jobs
from services.kernel.key_ring import CachedKeyRing
from services.kernel.rpc import Kernel, Service

PACKAGE = "meldbrug.directory.v1"


def build(kernel: Kernel) -> Service:
    """Builds the service."""
    settings, installation, database = DirectorySettings(), kernel.settings.installation, kernel.database()
    jobs = Jobs("directory", database, metrics=kernel.metrics, ids=kernel.ids, clock=kernel.clock)
    doors = Doors(database, kernel.authz, jobs, DisclosurePeer(kernel.peers.peer("disclosure")))
    tasks = own_jobs.tasks(doors.sync_policy, doors.end_seats)
    jobs.register(tasks, own_jobs.sweeps(database, doors.resweep))
    key = _secret(settings.invitation_key_file or kernel.settings.page_key_file)
    invitations = Invitations(key, kernel.ids)
    enrolment = Enrolment(doors, invitations, installation)
    productions = Productions(doors, kernel.ids, installation)
    secretariat = Secretariat(doors, invitations, kernel.ids)
    lookups = Lookups(doors, kernel.pages, installation)
    return Service(
        name="directory",
        database=database,
        jobs=jobs,
        # Remembers no answer: a key that was just endorsed or removed is so at once, at least here. It is
        # there for the bounds: claims of strangers must not fill the pool that the other services' need.
        key_ring=CachedKeyRing(lookups.known_keys, kernel.clock, ttl_s=0.0),
        needs=("disclosure",),
        servicers={
            f"{PACKAGE}.PublicService": PublicServicer(lookups),
            f"{PACKAGE}.EnrolmentService": EnrolmentServicer(enrolment),
            f"{PACKAGE}.MemberService": MemberServicer(Rotation(doors, installation), lookups),
            f"{PACKAGE}.AdminService": AdminServicer(enrolment, productions, lookups),
            f"{PACKAGE}.SecretariatService": SecretariatServicer(
                secretariat, enrolment, productions, lookups
            ),
            f"{PACKAGE}.InternalService": InternalServicer(lookups),
        },
    )


def _secret(file: Path) -> bytes:
    return bytes.fromhex(file.read_text().strip())
