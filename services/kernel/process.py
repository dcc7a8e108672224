"""The process: builds its services, serves them, watches what they depend on, and stops in order.

`run all` and one process each differ in addresses only; nothing here compares the name of a service.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Mapping
from contextlib import AsyncExitStack
from functools import partial
from typing import Self

import grpc
from grpc_health.v1 import health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from meldbrug.crypto.keys import SEED_BYTES, SecretKeys
from services.kernel import failpoints, migrations
from services.kernel.admission import Admission
from services.kernel.clock import Clock, DatabaseClock, Ids, SystemIds
from services.kernel.config import ConfigurationError, KernelSettings, read_bytes, read_hex
from services.kernel.health import SERVING, Health
from services.kernel.interceptors import Chain
from services.kernel.jobs import pass_time
from services.kernel.log import Event, Metrics, emit, emit_failure
from services.kernel.openfga.adapter import OpenFGA, Probe
from services.kernel.pages import Pages
from services.kernel.peers import Peers
from services.kernel.receiving import Receiving
from services.kernel.rpc import Builder, Kernel, Loop, Service, rules
from services.kernel.tokens import Identity, ServiceKeys

RESTART_S = 1.0
LEAST_GRACE_S = 1.0
# Beyond our own limit gRPC itself refuses, without a reason; up to this factor the chain does, with one.
HEADROOM = 2
MAX_METADATA_BYTES = 8192
MAX_STREAMS_PER_CONNECTION = 128
MAX_RPCS = 4096


class Process:
    """One process with one gRPC server and any number of services in it.

    `async with Process(settings, builders) as process: await process.wait()`
    """

    def __init__(
        self,
        settings: KernelSettings,
        builders: Mapping[str, Builder],
        *,
        clock: Clock | None = None,
        ids: Ids | None = None,
    ) -> None:
        self._settings, self._builders = settings, builders
        self._shared = DatabaseClock()
        self._clock, self._ids = clock or self._shared, ids or SystemIds()
        self.metrics = Metrics()
        self.address = ""
        self.services: list[Service] = []
        self._health = Health()
        self._ending = AsyncExitStack()
        self._stopping = asyncio.Event()
        self._signalled = asyncio.Event()
        self._loops: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        """Starts to serve. Raises ConfigurationError, naming the setting, when it must not."""
        try:
            await self._start()
        except BaseException:
            await self._ending.aclose()
            raise
        return self

    async def __aexit__(self, *failure: object) -> None:
        """Stops in order: take no calls and drain, end workers, close what they used."""
        await self._ending.aclose()

    async def wait(self) -> None:
        """Returns at SIGTERM or SIGINT."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled.set)
        await self._signalled.wait()

    async def _start(self) -> None:
        failpoints.arm(self._settings.test_failpoint_file)
        self._authz = _openfga(self._settings)
        self._ending.push_async_callback(self._authz.close)
        self._admission = Admission(self._settings.admission, self.metrics, self._clock.monotonic)
        self._server = grpc.aio.server(
            interceptors=[Receiving()],
            options=_server_options(self._settings),
            maximum_concurrent_rpcs=MAX_RPCS,
        )
        self._ending.push_async_callback(self._server.stop, 0)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        for name, build in self._builders.items():
            await self._add(build(self._kernel(name)))
        if self._settings.reflection:
            reflection.enable_server_reflection([*self._served(), reflection.SERVICE_NAME], self._server)
        self._listen()
        await self._start_loops()
        await self._server.start()
        self._ending.push_async_callback(self._drain)
        for name in ("", *self._served()):
            await self._health.set(name, SERVING)
        if self._settings.narrowings_dir is None:
            emit(Event.JOURNAL_ABSENT, "warning", setting="narrowings_dir")
        emit(Event.PROCESS_STARTED, address=self.address, count=len(self.services))

    async def _drain(self) -> None:
        await self._server.stop(self._settings.stop_grace_s)
        emit(Event.PROCESS_STOPPED, address=self.address)

    async def _end_loops(self) -> None:
        self._stopping.set()
        _, late = await asyncio.wait(self._loops, timeout=max(self._settings.stop_grace_s, LEAST_GRACE_S))
        for loop in late:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)

    def _kernel(self, name: str) -> Kernel:
        settings = self._settings
        peers = Peers(
            _secret_keys(settings, name),
            settings.installation,
            self._clock,
            settings.peers,
            lambda: self.address,
            _channel_credentials(settings),
        )
        self._ending.push_async_callback(peers.close)
        return Kernel(
            name=name,
            settings=settings,
            clock=self._clock,
            ids=self._ids,
            authz=self._authz,
            peers=peers,
            pages=Pages(read_hex(settings.page_key_file, 32, "page_key_file")),
            admission=self._admission,
            metrics=self.metrics,
        )

    async def _add(self, service: Service) -> None:
        self._ending.push_async_callback(service.database.close)
        for need in service.needs:
            if need not in self._builders and need not in self._settings.peers:
                raise ConfigurationError(f"peers: {service.name} needs the address of {need}")
        await self._check_database(service)
        identity = Identity(
            self._settings.installation,
            service.key_ring,
            ServiceKeys(self._settings.service_keys),
            self._clock,
            service.is_reporter,
        )
        chain = Chain(identity, self._admission, self._settings, self.metrics, self._ids)
        for name, servicer in service.servicers.items():
            if name in self._served():
                raise ConfigurationError(f"{name} is served twice")
            handlers = {rule.path.rpartition("/")[2]: chain.handler(rule) for rule in rules(name, servicer)}
            self._server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(name, handlers)])
        self.services.append(service)

    async def _check_database(self, service: Service) -> None:
        await self._shared.follow(service.database.moment)
        if self._settings.database_durability_check:
            await service.database.check_durability()
        url = self._settings.database_url.get_secret_value()
        if await asyncio.to_thread(migrations.is_restoring, url):
            raise ConfigurationError("database_url: a restore is not complete; run restore again")
        if await asyncio.to_thread(migrations.pending, url, service.name):
            raise ConfigurationError(
                f"database_url: the schema of {service.name} is not up to date; run migrate"
            )

    def _served(self) -> list[str]:
        return [name for service in self.services for name in (service.name, *service.servicers)]

    def _listen(self) -> None:
        host, _, port = self._settings.listen.rpartition(":")
        credentials = _server_credentials(self._settings)
        bound = (
            self._server.add_secure_port(f"{host}:{port}", credentials)
            if credentials
            else self._server.add_insecure_port(f"{host}:{port}")
        )
        self.address = f"{host}:{bound}"
        if self._settings.metrics_listen:
            metrics_host, _, metrics_port = self._settings.metrics_listen.rpartition(":")
            self.metrics.serve(metrics_host, int(metrics_port))

    async def _start_loops(self) -> None:
        loops: list[Loop] = [await self._health.watching("policy", self._authz.ready)]
        for service in self.services:
            follow = partial(self._shared.follow, service.database.moment)
            loops.append(await self._health.watching(f"database.{service.name}", follow))
            loops.extend(service.background)
            if service.jobs:
                loops.append(service.jobs.run)
        self._loops = [asyncio.create_task(_keep(loop, self._stopping)) for loop in loops]  # noqa: TID251 (ended in order by _end_loops)
        self._ending.push_async_callback(self._end_loops)


async def _keep(loop: Loop, stopping: asyncio.Event) -> None:
    """Runs a loop until the stop; one that fails starts again."""
    while not stopping.is_set():
        try:
            await loop(stopping)
        except Exception as failure:  # noqa: BLE001 (a loop never ends the process)
            emit_failure(Event.LOOP_FAILED, failure)
            await pass_time(stopping, RESTART_S)


def _openfga(settings: KernelSettings) -> OpenFGA:
    policy = settings.openfga
    return OpenFGA(
        policy.address,
        policy.store_id,
        policy.model_id,
        probe=Probe(policy.probe_object, policy.probe_relation),
        timeout_s=policy.check_timeout_ms / 1000,
        write_timeout_s=policy.write_timeout_ms / 1000,
        in_flight=policy.in_flight,
        token=policy.token_file.read_text(encoding="utf-8").strip() if policy.token_file else "",
        credentials=grpc.ssl_channel_credentials(read_bytes(settings.tls_ca_file)) if policy.tls else None,
    )


def _server_options(settings: KernelSettings) -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", HEADROOM * settings.max_message_bytes),
        ("grpc.max_metadata_size", MAX_METADATA_BYTES),
        ("grpc.max_concurrent_streams", MAX_STREAMS_PER_CONNECTION),
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
        ("grpc.http2.max_ping_strikes", 2),
        ("grpc.max_connection_idle_ms", 300_000),
        ("grpc.max_connection_age_ms", settings.max_connection_age_s * 1000),
        ("grpc.max_connection_age_grace_ms", settings.max_stream_s * 1000),
        # Two processes must never share a port by accident.
        ("grpc.so_reuseport", 0),
    ]


def _secret_keys(settings: KernelSettings, name: str) -> SecretKeys:
    seeds = read_hex(settings.service_secrets_dir / f"{name}.key", 2 * SEED_BYTES, "service_secrets_dir")
    keys = SecretKeys(seeds[:SEED_BYTES], seeds[SEED_BYTES:])
    actor = ServiceKeys(settings.service_keys).actor(keys.kid)
    if actor is None or actor.subject != name:
        raise ConfigurationError(f"service_keys: the key of {name} is not the one in service_secrets_dir")
    return keys


def _server_credentials(settings: KernelSettings) -> grpc.ServerCredentials | None:
    if not settings.tls_cert_file:
        return None
    pair = (read_bytes(settings.tls_key_file) or b"", read_bytes(settings.tls_cert_file) or b"")
    return grpc.ssl_server_credentials([pair])


def _channel_credentials(settings: KernelSettings) -> grpc.ChannelCredentials | None:
    if not settings.tls_ca_file:
        return None
    return grpc.ssl_channel_credentials(read_bytes(settings.tls_ca_file))
