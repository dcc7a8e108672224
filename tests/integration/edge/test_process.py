"""The edge as a process: what it starts with, what it says, when others are away, how it ends."""

from __future__ import annotations

import asyncio
import json
import signal
import ssl
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import grpc
import pytest
from pydantic import ValidationError

from services.__main__ import WRONG_SETTINGS
from services.edge.app import build
from services.edge.config import EdgeSettings
from services.edge.metrics import EdgeMetrics
from services.health import answers
from services.kernel.clock import SystemClock, SystemIds
from services.kernel.config import ConfigurationError
from services.stack import certificates, edge
from services.stack.processes import free_port
from services.stack.stack import Stack
from tests.integration.edge.harness import DUTCH, ME, TERMS, Knocker, own_edge, stranger
from tests.integration.edge.test_refusals import reason
from tests.support.browsing import UNARY, Wire
from tests.support.personas import NOBODY, Persona
from tests.support.sector import World
from tests.support.stack import ROOT

AGENT = "Ongewone-Browser/7.3 (geheim)"


PEERS = {"directory": "x:1", "disclosure": "x:2", "coordination": "x:3"}


@pytest.mark.parametrize(
    ("names", "env", "said"),
    [
        (["edge", "all"], {}, "a process of its own"),
        (["edge"], {"MELDBRUG_EDGE_CALM": "3"}, "MELDBRUG_EDGE_CALM is not a setting"),
        (["edge"], {}, "MELDBRUG_EDGE_ORIGINS"),
    ],
)
def test_a_wrong_start_is_refused_and_named(names: list[str], env: dict[str, str], said: str):
    command = [sys.executable, "-m", "services", "run", *names]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == WRONG_SETTINGS
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"origins": []}, "origins"),
        ({"peers": {"directory": "x:1"}}, "peers: the address of coordination, disclosure is missing"),
        ({"tls_key_file": "k"}, "tls_cert_file and tls_key_file"),
        ({"tls_key_file": ROOT / "README.md", "tls_cert_file": ROOT / "README.md"}, "tls_cert_file"),
        ({"puzzle_key_file": "not-there"}, "puzzle_key_file"),
        ({"app_dir": ROOT / "docs", "installation": "a" * 52}, "app_dir: "),
        ({"app_dir": ROOT / "docs"}, "app_dir needs installation"),
        ({"calm_per_s": 0}, "calm_per_s"),
        ({"odd": 1}, "odd"),
    ],
)
def test_wrong_settings_are_refused_and_named(changed: dict[str, Any], said: str):
    with pytest.raises((ConfigurationError, ValidationError), match=said):
        build(
            EdgeSettings(**{"origins": ["https://x"], "peers": PEERS, **changed}), SystemClock(), SystemIds()
        )


async def test_a_service_that_is_away_is_told_as_the_services_tell_it():
    nowhere = dict.fromkeys(("directory", "disclosure", "coordination"), f"127.0.0.1:{free_port()}")
    async with own_edge(nowhere) as address, Wire.to(address) as wire:
        reply = await wire.ask(TERMS, UNARY, DUTCH)

    assert (reply.status, reason(reply)) == (503, "PEER_UNAVAILABLE")
    assert b"RetryInfo" in reply.error.SerializeToString()


async def test_a_service_that_is_mute_costs_the_deadline_and_no_more():
    heard: list[asyncio.StreamWriter] = []
    async with await asyncio.start_server(lambda _r, writer: heard.append(writer), "127.0.0.1", 0) as mute:
        port = mute.sockets[0].getsockname()[1]
        silent = dict.fromkeys(("directory", "disclosure", "coordination"), f"127.0.0.1:{port}")
        async with own_edge(silent) as address, Wire.to(address) as wire:
            began = asyncio.get_running_loop().time()
            reply = await wire.ask(TERMS, {**UNARY, "connect-timeout-ms": "300"}, DUTCH)
            took = asyncio.get_running_loop().time() - began

        for writer in heard:
            writer.transport.abort()

    assert reply.status in (503, 504)
    assert took < 1.5


async def test_whoever_goes_away_ends_its_call(knocker: Knocker):
    """I26: what nobody waits for any more is not worked on."""
    ended = asyncio.Event()

    async def waits(_body: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        context.add_done_callback(lambda _context: ended.set())
        begun.set()
        await asyncio.sleep(30)
        return b""

    begun = asyncio.Event()
    server = grpc.aio.server()
    handlers = {"GetTerms": grpc.unary_unary_rpc_method_handler(waits)}
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler("meldbrug.disclosure.v1.TermsService", handlers)]
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    peers = dict.fromkeys(("directory", "disclosure", "coordination"), f"127.0.0.1:{port}")
    async with own_edge(peers) as address:
        async with Wire.to(address) as wire, asyncio.timeout(5):
            wire.say("POST", TERMS, UNARY, DUTCH)
            await begun.wait()
        async with asyncio.timeout(5):
            await ended.wait()
    await server.stop(0)


async def test_the_log_and_the_metrics_tell_of_nobody(world: World, knocker: Knocker):
    """T22, I25: no address, no user agent, no token, no id of a case."""
    persona = Persona("member", world.sector.keys("noorderlicht-contact"))
    incident = world.told.incident
    body = b"\x0a" + bytes([len(incident)]) + incident.encode()
    method = "/meldbrug.disclosure.v1.ReporterService/GetReport"
    for one, who in ((ME, persona), (method, stranger()), (TERMS, NOBODY)):
        sent = body if one == method else b""
        headers = knocker.headers(one, sent, who, user_agent=AGENT, x_forwarded_for="203.0.113.77")
        async with Wire.to(world.endpoints.edge, world.endpoints.edge_ca_path) as wire:
            await wire.ask(one, headers, sent)
            await wire.ask(one, {**headers, "origin": "https://evil.example"}, sent)
            wire.say("GET", "/geheime-pagina?x=geheim", headers)
            await wire.hear()
            wire.writer.write(b"\x00geheim\r\n\r\n")
            await wire.hear()
    async with Wire.to(world.endpoints.edge.replace("https", "http")) as wire:
        wire.writer.write(b"GET /geheim HTTP/1.1\r\n\r\n")
        await wire.reader.read()

    log = world.stack.log("edge").read_text()

    lines = [json.loads(line) for line in log.splitlines()]
    assert {"process.started", "call.answered"} <= {line["event"] for line in lines}
    for secret in (
        "geheim",
        "Ongewone",
        "203.0.113",
        incident.removeprefix("incidents/"),
        "Bearer",
        "evil",
        persona.keys.kid if persona.keys else "",
    ):
        assert secret not in log
    assert {line.get("address", "") for line in lines} <= {
        "",
        world.endpoints.edge.replace("https://localhost", "127.0.0.1"),
    }


async def test_a_request_is_found_under_one_id_through_all_hops(world: World, knocker: Knocker):
    given = "abcdefghijklmnopqrstuvwxyz"
    await knocker.through(ME, b"", NOBODY, x_request_id=given)
    await knocker.through(ME, b"", NOBODY, x_request_id="no id; 203.0.113.78")

    services = world.stack.log("directory").read_text()

    assert f'"request_id": "{given}"' in services
    assert "203.0.113.78" not in services


def test_the_stack_is_trusted_under_every_name_of_this_machine(world: World):
    trust = ssl.create_default_context(cafile=world.endpoints.edge_ca_path)
    with urllib.request.urlopen(world.endpoints.edge, context=trust) as page:
        assert b"<!doctype html>" in page.read()
    found = certificates.names()

    assert found[:2] == list(certificates.OWN)
    assert len(set(found)) == len(found)


def test_health_says_whether_it_answers(world: World):
    port = int(world.endpoints.edge.rpartition(":")[2])

    assert answers(port, tls=True)
    assert not answers(port, tls=False)
    assert not answers(free_port(), tls=True)


async def test_the_metrics_page_counts_by_method_and_code(world: World):
    port = free_port()
    peers = world.endpoints.services
    async with own_edge(peers, metrics_listen=f"127.0.0.1:{port}") as address, Wire.to(address) as wire:
        await wire.ask(TERMS, UNARY, DUTCH)
        await wire.ask(TERMS, UNARY, b"")
        await wire.ask("/unknown/method", UNARY, b"")
        page = await asyncio.to_thread(
            lambda: urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read().decode()
        )

    assert f'meldbrug_edge_calls_total{{code="ok",method="{TERMS}"}} 1.0' in page
    assert f'meldbrug_edge_calls_total{{code="invalid_argument",method="{TERMS}"}} 1.0' in page
    assert "unknown" not in page
    assert "meldbrug_edge_in_flight 0.0" in page
    assert {family.name for family in EdgeMetrics().registry.collect()} <= set(
        page.replace("{", " ").split()
    ) | {name.removesuffix("_total") for name in page.replace("{", " ").split()}


async def test_at_the_stop_what_is_under_way_is_answered(world: World, knocker: Knocker, tmp_path: Path):
    """A closed door answers at the floor; the process that is asked to end meanwhile waits for it."""
    stack: Stack = world.stack
    port = free_port()
    folder = stack.backends.folder
    env = edge.settings(folder.keys, f"127.0.0.1:{port}", stack.addresses) | {
        "MELDBRUG_EDGE_INSTALLATION": stack.installation.installation
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services", "run", "edge", cwd=ROOT, env=env, stderr=subprocess.PIPE
    )
    method, who = "/meldbrug.disclosure.v1.ReporterService/GetReport", stranger()
    body = b"\x0a\x24" + b"incidents/" + b"a" * 26
    try:
        async with asyncio.timeout(30):
            while not await asyncio.to_thread(answers, port, tls=True):
                await asyncio.sleep(0.02)
        async with Wire.to(f"https://localhost:{port}", str(folder.keys / edge.AUTHORITY)) as wire:
            wire.say("POST", method, knocker.headers(method, body, who), body)
            await asyncio.sleep(0.1)
            process.send_signal(signal.SIGTERM)
            reply = await wire.hear()
        _, said = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()

    assert reply.status == 403
    assert process.returncode == 0
    assert b"process.stopped" in said.splitlines()[-1]
