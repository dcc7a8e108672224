"""What a service is, what it is built from, and the rules that its descriptors declare."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor

from meldbrug.annotations.v1 import annotations_pb2
from services.kernel.admission import Admission, LaneName
from services.kernel.authz import Authz, PrincipalClass
from services.kernel.clock import Clock, Ids
from services.kernel.config import ConfigurationError, KernelSettings
from services.kernel.db import Database
from services.kernel.interceptors import Call, Rule, current_call
from services.kernel.jobs import Jobs
from services.kernel.key_ring import KeyRing
from services.kernel.log import Metrics
from services.kernel.narrowings import Journal
from services.kernel.pages import Pages
from services.kernel.peers import Peers
from services.kernel.tokens import IsReporter

__all__ = ["Builder", "Call", "Kernel", "Loop", "Service", "current_call", "rules"]

Loop = Callable[[asyncio.Event], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Kernel:
    """What a service is built from; one per service, since each has its own identity and schema."""

    name: str
    settings: KernelSettings
    clock: Clock
    ids: Ids
    authz: Authz
    peers: Peers
    pages: Pages
    admission: Admission
    metrics: Metrics

    def database(self, prelude: Sequence[str] = ()) -> Database:
        """Pools on the service's own schema; `prelude` begins each session below SQLAlchemy."""
        folder = self.settings.narrowings_dir
        return Database(
            self.settings.database_url.get_secret_value(),
            self.name,
            app_name=f"meldbrug {self.name}",
            pool_size=self.settings.database_pool_size,
            clock_offset_enabled=self.settings.test_clock,
            prelude=prelude,
            journal=Journal(folder, self.name, self.ids) if folder else None,
        )


@dataclass(frozen=True, slots=True)
class Service:
    """A built service.

    Args:
        name: Also its schema and its queue.
        servicers: Full name of an RPC service to the object that serves it.
        database: Its pool; closed at the stop.
        key_ring: Where callers' keys are known.
        jobs: Its queue.
        background: Loops that run until the event is set; restarted when they fail.
        needs: Names of the services that it calls.
        is_reporter: Whether its own record shows a kid to be a reporter's; asked where the key ring cannot
            tell whether the kid was ever enrolled.
    """

    name: str
    servicers: Mapping[str, object]
    database: Database
    key_ring: KeyRing
    jobs: Jobs | None = None
    background: Sequence[Loop] = ()
    needs: Sequence[str] = ()
    is_reporter: IsReporter | None = None


Builder = Callable[[Kernel], Service]


def rules(name: str, servicer: object) -> list[Rule]:
    """The rules of an RPC service, from its descriptor.

    Raises:
        ConfigurationError: a declaration is missing, or the servicer's methods are not the declared ones.
    """
    service = descriptor_pool.Default().FindServiceByName(name)
    declared = {_snake(method.name) for method in service.methods}
    offered = {
        attribute
        for attribute in dir(type(servicer))
        if not attribute.startswith("_") and callable(getattr(servicer, attribute))
    }
    if declared != offered:
        raise ConfigurationError(
            f"{name}: methods that do not match: {', '.join(sorted(declared ^ offered))}"
        )
    return [_rule(service, method, getattr(servicer, _snake(method.name))) for method in service.methods]


def _rule(service: ServiceDescriptor, method: MethodDescriptor, serve: Callable[[Any, Call], Any]) -> Rule:
    options, own = service.GetOptions(), method.GetOptions()
    principals = frozenset(
        PrincipalClass(annotations_pb2.PrincipalClass.Name(number).removeprefix("PRINCIPAL_CLASS_"))
        for number in options.Extensions[annotations_pb2.principals]
    )
    permission = own.Extensions[annotations_pb2.permission]
    if not principals or not permission:
        raise ConfigurationError(f"{method.full_name} declares no principals or no permission")
    lane = annotations_pb2.Lane.Name(own.Extensions[annotations_pb2.lane]).removeprefix("LANE_")
    return Rule(
        path=f"/{service.full_name}/{method.name}",
        request=message_factory.GetMessageClass(method.input_type),
        principals=principals,
        callers=frozenset(options.Extensions[annotations_pb2.callers]),
        permission=permission,
        lane=_lane_by_callers(principals) if lane == "UNSPECIFIED" else LaneName(lane),
        streams=method.server_streaming,
        serve=serve,
    )


def _lane_by_callers(principals: frozenset[PrincipalClass]) -> LaneName:
    """The lane of a method that declares none: strangers of one class never fill the places of another."""
    if PrincipalClass.PUBLIC in principals:
        return LaneName.PUBLIC
    return LaneName.PEER if principals == {PrincipalClass.SERVICE} else LaneName.GENERAL


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
