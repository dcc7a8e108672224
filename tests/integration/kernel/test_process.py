"""A process starts right or not at all, shows how it is, and stops in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from sqlalchemy import text

from meldbrug.crypto.keys import SecretKeys
from services.kernel import health as health_module
from services.kernel import migrations
from services.kernel import process as module
from services.kernel.config import ConfigurationError, KernelSettings
from services.kernel.jobs import Jobs, Task
from services.kernel.process import Process
from services.kernel.rpc import Call, Kernel, Service, rules
from tests.support.echo import PACKAGE, Behaviours, Caller, Echo, EchoRequest, MemberEcho, World, refused
from tests.support.proxy import proxied

MakeSettings = Callable[..., KernelSettings]
# The latter for a call that comes in the very moment of the stop; clients take both for nobody there.
STOPPED = {"UNAVAILABLE", "CANCELLED"}
SERVING = health_pb2.HealthCheckResponse.SERVING


async def start(settings: KernelSettings, build: Any) -> None:
    async with Process(settings, {"alpha": build}):
        pass


async def test_a_schema_that_is_behind_refuses_the_start(
    world: World, make_settings: MakeSettings, empty_database: str
) -> None:
    import psycopg

    with psycopg.connect(empty_database) as conn:
        conn.execute("DELETE FROM alpha.alembic_version")
    with pytest.raises(ConfigurationError, match=r"database_url.*migrate"):
        await start(make_settings(), world.build)


async def test_a_missing_peer_refuses_the_start(world: World, make_settings: MakeSettings) -> None:
    def build(kernel: Kernel) -> Service:
        return replace(world.build(kernel), needs=("gamma",))

    with pytest.raises(ConfigurationError, match="peers: alpha needs the address of gamma"):
        await start(make_settings(), build)


async def test_a_missing_or_foreign_service_key_refuses_the_start(
    world: World, make_settings: MakeSettings, tmp_path: Any
) -> None:
    settings = make_settings()
    (tmp_path / "alpha.key").write_text("62" * 64)
    with pytest.raises(ConfigurationError, match="service_keys"):
        await start(settings, world.build)
    (tmp_path / "alpha.key").unlink()
    with pytest.raises(ConfigurationError, match="service_secrets_dir"):
        await start(settings, world.build)


async def test_a_careless_server_refuses_the_start(
    world: World, make_settings: MakeSettings, alpha_url: str
) -> None:
    import psycopg

    with psycopg.connect(alpha_url, autocommit=True) as conn:
        conn.execute(f"ALTER DATABASE {alpha_url.rpartition('/')[2]} SET synchronous_commit = off")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="synchronous_commit"):
        await start(make_settings().model_copy(update={"database_durability_check": True}), world.build)


async def test_a_service_twice_refuses_the_start(
    world: World, make_settings: MakeSettings, own_services: None
) -> None:
    settings = make_settings()
    migrations_of_beta = migrations.SERVICES / "beta" / "migrations" / "versions"
    migrations_of_beta.mkdir(parents=True, exist_ok=True)
    migrations.upgrade(settings.database_url.get_secret_value(), "beta")
    with pytest.raises(ConfigurationError, match="served twice"):
        async with Process(settings, {"alpha": world.build, "beta": World().build}):
            pass


def test_a_service_that_declares_nothing_is_not_served() -> None:
    with pytest.raises(ConfigurationError, match="declares no principals"):
        rules(f"{PACKAGE}.SilentService", Echo(Behaviours()))


def test_methods_are_exactly_the_declared_ones() -> None:
    class Less:
        async def echo(self, request: Any, call: Call) -> Any: ...

    with pytest.raises(ConfigurationError, match="other, watch"):
        rules(f"{PACKAGE}.MemberService", Less())
    with pytest.raises(ConfigurationError, match="watch"):
        rules(f"{PACKAGE}.OpenService", MemberEcho(Behaviours()))


async def health(address: str, name: str) -> int:
    async with grpc.aio.insecure_channel(address) as channel:
        request = health_pb2.HealthCheckRequest(service=name)
        return int((await health_pb2_grpc.HealthStub(channel).Check(request, timeout=5)).status)


async def test_each_service_has_its_health(process: Process) -> None:
    for name in ("", "alpha", f"{PACKAGE}.MemberService"):
        assert await health(process.address, name) == SERVING


async def test_a_lost_dependency_shows_and_comes_back(
    world: World, make_settings: MakeSettings, policy: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_module, "WATCH_S", 0.05)
    async with proxied(policy["address"]) as proxy:
        settings = make_settings(openfga={"address": f"127.0.0.1:{proxy.port}", "write_timeout_ms": 200})
        async with Process(settings, {"alpha": world.build}) as process, asyncio.timeout(15):

            async def until(state: int) -> None:
                while await health(process.address, "dependency.policy") != state:
                    await asyncio.sleep(0.02)

            await until(SERVING)
            proxy.flowing.clear()
            await until(health_pb2.HealthCheckResponse.NOT_SERVING)
            assert await health(process.address, "alpha") == SERVING
            proxy.flowing.set()
            await until(SERVING)
            assert await health(process.address, "dependency.database.alpha") == SERVING


async def test_the_stop_drains_calls_and_jobs(world: World, make_settings: MakeSettings) -> None:
    entered, fetched, done = asyncio.Event(), asyncio.Event(), []

    async def slow(_request: Any, _call: Call) -> None:
        entered.set()
        await asyncio.sleep(0.3)

    async def job(**_ids: str) -> None:
        fetched.set()
        await asyncio.sleep(0.6)
        done.append("job")

    def build(kernel: Kernel) -> Service:
        service = world.build(kernel)
        jobs = Jobs("alpha", service.database)
        jobs.register({"slow": Task(job)})
        return replace(service, jobs=jobs)

    world.behaviours.by_name["slow"] = slow
    keys = SecretKeys(b"m" * 32, b"m" * 32)
    world.ring.enrol(keys)
    async with Process(make_settings(stop_grace_s=3.0), {"alpha": build}) as process:
        jobs = process.services[0].jobs
        assert jobs is not None
        await process.services[0].database.run_unit(lambda conn: jobs.defer(conn, "slow"))
        await fetched.wait()
        channel = grpc.aio.insecure_channel(process.address)
        slow_call = Caller(channel, keys).call("MemberService/Echo", EchoRequest(behaviour="slow"))
        call = asyncio.create_task(slow_call)
        await entered.wait()

    assert (await call).subject == "persons/p"
    assert done == ["job"]
    with pytest.raises(grpc.aio.AioRpcError):
        await Caller(channel, keys).call("MemberService/Echo", deadline_s=1)
    await channel.close()


async def test_the_stop_takes_no_calls_and_ends_workers_after_the_last_call(
    world: World, make_settings: MakeSettings
) -> None:
    entered, may_go, worked, done = asyncio.Event(), asyncio.Event(), asyncio.Event(), []

    async def slow(_request: Any, _call: Call) -> None:
        entered.set()
        await may_go.wait()
        await database.run_unit(lambda conn: jobs.defer(conn, "late"))
        await worked.wait()
        done.append("call")

    async def late(**_ids: str) -> None:
        done.append("job")
        worked.set()

    def build(kernel: Kernel) -> Service:
        service = world.build(kernel)
        jobs = Jobs("alpha", service.database)
        jobs.register({"late": Task(late)})
        return replace(service, jobs=jobs)

    world.behaviours.by_name["slow"] = slow
    world.ring.enrol(keys := SecretKeys(b"m" * 32, b"m" * 32))
    async with (
        Process(make_settings(stop_grace_s=8.0), {"alpha": build}) as process,
        grpc.aio.insecure_channel(process.address) as channel,
        asyncio.timeout(15),
    ):
        jobs, database = process.services[0].jobs, process.services[0].database
        assert jobs is not None
        caller = Caller(channel, keys)
        call = asyncio.create_task(caller.call("MemberService/Echo", EchoRequest(behaviour="slow")))
        await entered.wait()

        stopping = asyncio.create_task(process.__aexit__())

        assert await until_refused(caller) in STOPPED
        async with grpc.aio.insecure_channel(process.address) as another:
            assert await until_refused(Caller(another, keys)) in STOPPED
        assert not stopping.done()
        may_go.set()
        assert (await call).subject == "persons/p"
        await stopping
    assert done == ["job", "call"]


async def until_refused(caller: Caller) -> str:
    """The code of the first call that is not taken: the word that it stops may be out before it does."""
    while True:
        try:
            await caller.call("MemberService/Echo", deadline_s=1)
        except grpc.aio.AioRpcError as refusal:
            return refusal.code().name
        await asyncio.sleep(0.02)


async def test_a_background_loop_that_fails_starts_again(
    world: World, make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RESTART_S", 0.01)
    runs = 0
    often = asyncio.Event()

    async def loop(_stopping: asyncio.Event) -> None:
        nonlocal runs
        runs += 1
        if runs == 3:
            often.set()
        raise RuntimeError("again")

    world.background = (loop,)
    async with Process(make_settings(), {"alpha": world.build}), asyncio.timeout(5):
        await often.wait()


async def test_the_database_lost_and_found(process: Process, member: Caller, world: World) -> None:
    async def read(_request: Any, _call: Call) -> None:
        assert world.database is not None
        async with world.database.transaction() as conn:
            await conn.execute(text("SELECT 1"))

    async def cut(_request: Any, _call: Call) -> None:
        assert world.database is not None
        async with world.database.transaction() as conn:
            await conn.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    world.behaviours.by_name.update(read=read, cut=cut)
    answer = await refused(member.call("MemberService/Echo", EchoRequest(behaviour="cut")))
    assert (answer.code, answer.reason) == ("UNAVAILABLE", "DATABASE_UNAVAILABLE")
    assert answer.retry_s
    await member.call("MemberService/Echo", EchoRequest(behaviour="read"))


async def test_reflection_is_off_unless_told(
    process: Process, world: World, make_settings: MakeSettings
) -> None:
    from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

    async def listed(address: str) -> set[str]:
        async with grpc.aio.insecure_channel(address) as channel:
            stub = reflection_pb2_grpc.ServerReflectionStub(channel)
            call = stub.ServerReflectionInfo(
                iter([reflection_pb2.ServerReflectionRequest(list_services="")]), timeout=5
            )
            return {
                service.name async for answer in call for service in answer.list_services_response.service
            }

    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await listed(process.address)
    assert refusal.value.code() is grpc.StatusCode.UNIMPLEMENTED
    async with Process(make_settings(reflection=True), {"alpha": World().build}) as open_one:
        assert f"{PACKAGE}.MemberService" in await listed(open_one.address)


async def test_metrics_are_served_where_told(world: World, make_settings: MakeSettings) -> None:
    from services.stack.processes import free_port

    port = free_port()
    async with Process(make_settings(metrics_listen=f"127.0.0.1:{port}"), {"alpha": world.build}):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /metrics HTTP/1.0\r\n\r\n")
        page = await reader.read()
        writer.close()
        await writer.wait_closed()

    assert b"meldbrug_calls" in page
