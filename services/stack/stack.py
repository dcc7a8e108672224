"""The whole stack: PostgreSQL, OpenFGA, and the services as processes of their own, in one or in one each."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import grpc

from services.bootstrap.installation import ROOT_KEY, Installation
from services.health import serves
from services.stack import edge
from services.stack.backends import Backends, quiet
from services.stack.folder import Endpoints
from services.stack.processes import Child, Spawn, free_port, run

ROOT = Path(__file__).resolve().parents[2]
TOGETHER = "all"
# A channel that was refused once looks again after 1, 2.6, 5.2 and 9.3 s only, unless it is told otherwise.
EAGER = tuple((f"grpc.{which}_reconnect_backoff_ms", 100) for which in ("initial", "min", "max"))
# What an installation is prepared from; when none of it changed, a start need not load it.
PREPARED_FROM = (
    "policy/model.json",
    "services/__main__.py",
    "services/bootstrap/*.py",
    "services/kernel/*.sql",
    "services/kernel/migrations.py",
    "services/*/migrations/**/*.py",
)


class Stack:
    """Everything that runs, from the start of the `with` block to its end, whatever ends it."""

    def __init__(
        self,
        folder: Path,
        *,
        one_process: bool = True,
        env: Mapping[str, str] | None = None,
        edge_host: str | None = None,
        edge_env: Mapping[str, str] | None = None,
        report: Callable[[str], None] = quiet,
        tools_folder: Path | None = None,
        spawn: Spawn = subprocess.Popen,
    ) -> None:
        """Describes the stack.

        Args:
            folder: where data, keys, logs and `endpoints.json` live.
            one_process: False gives each service a process of its own.
            env: settings that every service process gets besides, such as test switches.
            edge_host: the address of this machine that the edge listens on; no edge when absent.
            edge_env: settings that the edge gets besides.
            report: told in one line what is being done.
            tools_folder: where the OpenFGA binary is kept, for a throw-away `folder`.
            spawn: starts the processes of the services.
        """
        self.backends, self._spawn = Backends(folder, report, tools_folder=tools_folder), spawn
        self._one_process, self.env, self._report = one_process, dict(env or {}), report
        self._edge_host, self._edge_env = edge_host, dict(edge_env or {})
        self._hosts: dict[str, str] = {}
        self._children: dict[str, Child] = {}

    def __enter__(self) -> Self:
        """Starts everything, on data that is made at first use and migrated, and returns when all serves."""
        with contextlib.ExitStack() as undo:
            undo.enter_context(self.backends)
            self._prepare()
            keys = self.backends.folder.keys
            self.installation = Installation.read(keys)
            self._hosts = {
                name: TOGETHER if self._one_process else name for name in self.installation.service_keys
            }
            former = self._former_addresses()
            ports = {host: free_port(former.get(host)) for host in dict.fromkeys(self._hosts.values())}
            self.addresses = {name: f"127.0.0.1:{ports[host]}" for name, host in self._hosts.items()}
            self._edge_port = free_port(self._former_edge()) if self._edge_host else 0
            self.endpoints = self._endpoints()
            self.endpoints.write(self.backends.folder.path)
            for host in ports:
                self._launch(host, {})
            if self._edge_host:
                self._launch_edge()
            for host in ports:
                self._await(host)
            if self._edge_host:
                self._await_edge()
            self._undo = undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends everything in reverse order."""
        self._undo.close()

    def start(self, service: str, env: Mapping[str, str] | None = None) -> None:
        """Starts the process that hosts a service again, on the same port, and waits until it serves.

        Args:
            service: its name.
            env: settings besides, for this process only.
        """
        self._launch(self._hosts[service], env or {})
        self._await(self._hosts[service])

    def start_edge(self) -> None:
        """Starts the edge, on the same port when it did before, and waits until it answers."""
        self._launch_edge()
        self._await_edge()

    def _launch_edge(self) -> None:
        env = {"MELDBRUG_EDGE_INSTALLATION": self.installation.installation, **self._edge_env}
        backends = self.backends
        self._children[edge.TARGET] = edge.start(
            backends.supervisor, backends.folder, self._edge_listen, self.addresses, env
        )

    def _await_edge(self) -> None:
        edge.wait(self._children[edge.TARGET], self._edge_listen)
        self._report(f"The edge answers on {self.endpoints.edge}")

    @property
    def _edge_listen(self) -> str:
        return f"{self._edge_host}:{self._edge_port}"

    def stop(self, service: str) -> None:
        """Asks the process that hosts a service to end, and waits."""
        self.process(service).stop()

    def kill(self, service: str) -> None:
        """Kills the process that hosts a service, as a crash would."""
        self.process(service).kill()

    def process(self, service: str) -> Child:
        """Returns the process that hosts a service, or the edge's."""
        return self._children[self._hosts.get(service, service)]

    def settings(self) -> dict[str, str]:
        """Returns the environment of a command on this stack's backends, with the settings given to all."""
        return {**self._outside(), **self.env}

    def require_running(self) -> None:
        """Raises StackError when a process of the stack ended by itself."""
        for child in self.backends.supervisor.children:
            child.require_running()

    def log(self, service: str) -> Path:
        """Returns the log of the process that hosts a service."""
        return self.process(service).log

    def _prepare(self) -> None:
        """Migrates and bootstraps in a process of its own, unless done from exactly today's sources."""
        folder = self.backends.folder
        done, wanted = folder.path / "prepared", fingerprint()
        if done.exists() and done.read_text() == wanted:
            return
        self._report("Preparing the database and the policy engine")
        command: list[str | Path] = [
            sys.executable,
            "-m",
            "services",
            "bootstrap",
            "--migrate",
            "--keys",
            folder.keys,
        ]
        run(command, "Preparing the installation", cwd=ROOT, env=self._outside())
        done.write_text(wanted)

    def _outside(self) -> dict[str, str]:
        """Returns the settings that say where everything is; those of this process itself stay here."""
        openfga = self.backends.openfga
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("MELDBRUG_")},
            "MELDBRUG_DATABASE_URL": self.backends.database_url,
            "MELDBRUG_OPENFGA__ADDRESS": openfga.grpc_address,
            "MELDBRUG_OPENFGA__HTTP_URL": openfga.http_url,
            "MELDBRUG_OPENFGA__TOKEN_FILE": str(openfga.token_path),
            "MELDBRUG_NARROWINGS_DIR": str(self.backends.folder.narrowings),
        }

    def _endpoints(self) -> Endpoints:
        openfga, made = self.backends.openfga, self.installation
        return Endpoints(
            installation=made.installation,
            secretariat=made.organisation,
            secretariat_member=made.member,
            secretariat_key_path=str(self.backends.folder.keys / ROOT_KEY),
            services=self.addresses,
            database_url=self.backends.database_url,
            openfga_http_url=openfga.http_url,
            openfga_grpc_address=openfga.grpc_address,
            openfga_token_path=str(openfga.token_path),
            openfga_store_id=made.model.store_id,
            openfga_model_id=made.model.model_id,
            edge=f"https://localhost:{self._edge_port}" if self._edge_host else "",
            edge_ca_path=str(self.backends.folder.keys / edge.AUTHORITY) if self._edge_host else "",
        )

    def _launch(self, host: str, extra: Mapping[str, str]) -> None:
        address = next(self.addresses[name] for name, where in self._hosts.items() if where == host)
        peers = {name: place for name, place in self.addresses.items() if self._hosts[name] != host}
        own = {"MELDBRUG_LISTEN": address, "MELDBRUG_PEERS": json.dumps(peers)}
        made = self.installation.settings(self.backends.folder.keys)
        env = {**self._outside(), **made, **own, **self.env, **extra}
        log = self.backends.folder.logs / f"{host}.log"
        command: list[str | Path] = [sys.executable, "-m", "services", "run", host]
        self._children[host] = self.backends.supervisor.start(
            host, command, log, env=env, folder=ROOT, spawn=self._spawn
        )

    def _await(self, host: str) -> None:
        address = next(self.addresses[name] for name, where in self._hosts.items() if where == host)
        with grpc.insecure_channel(address, options=EAGER) as channel:
            self._children[host].wait_until(lambda: serves(channel))
        self._report(f"{host} answers on {address}")

    def _former_addresses(self) -> dict[str, int]:
        """Returns the ports of the last time by host, so that addresses stay the same where they can."""
        try:
            former = Endpoints.read(self.backends.folder.path).services
        except (OSError, ValueError, TypeError):
            return {}
        ports = {
            self._hosts[name]: int(place.rpartition(":")[2])
            for name, place in former.items()
            if name in self._hosts
        }
        # Services that shared a process shared its port; a process each needs one each.
        return ports if len(set(ports.values())) == len(ports) else {}

    def _former_edge(self) -> int | None:
        try:
            return urlsplit(Endpoints.read(self.backends.folder.path).edge).port
        except (OSError, ValueError, TypeError):
            return None


def fingerprint() -> str:
    """Returns the digest of what an installation is prepared from."""
    digest = hashlib.sha256()
    for pattern in PREPARED_FROM:
        for path in sorted(ROOT.glob(pattern)):
            digest.update(path.read_bytes())
    return digest.hexdigest()
