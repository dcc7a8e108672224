"""The whole stack: PostgreSQL, OpenFGA, and the services as processes of their own, in one or in one each."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import grpc

from services.bootstrap import Installation, Plan, bootstrap, policy
from services.health import serves
from services.kernel.migrations import upgrade
from services.stack.backends import Backends, quiet
from services.stack.folder import Endpoints
from services.stack.processes import Child, free_port

ROOT = Path(__file__).resolve().parents[2]
TOGETHER = "all"


class Stack:
    """Everything that runs, from the start of the `with` block to its end, whatever ends it."""

    def __init__(
        self,
        folder: Path,
        services: tuple[str, ...],
        *,
        one_process: bool = True,
        env: Mapping[str, str] | None = None,
        report: Callable[[str], None] = quiet,
        tools_folder: Path | None = None,
    ) -> None:
        """Describes the stack.

        Args:
            folder: where data, keys, logs and `endpoints.json` live.
            services: the names of the services.
            one_process: False gives each service a process of its own.
            env: settings that every service process gets besides, such as test switches.
            report: told in one line what is being done.
            tools_folder: where the OpenFGA binary is kept, for a throw-away `folder`.
        """
        self.backends = Backends(folder, report, tools_folder=tools_folder)
        self._services, self._env, self._report = services, dict(env or {}), report
        self._hosts = dict.fromkeys(services, TOGETHER) if one_process else {name: name for name in services}
        self._children: dict[str, Child] = {}

    def __enter__(self) -> Self:
        """Starts everything, on data that is made at first use and migrated, and returns when all serves."""
        with contextlib.ExitStack() as undo:
            undo.enter_context(self.backends)
            for name in self._services:
                upgrade(self.backends.database_url, name)
            installation = asyncio.run(bootstrap(self._plan()))
            former = self._former_addresses()
            ports = {host: free_port(former.get(host)) for host in dict.fromkeys(self._hosts.values())}
            self.addresses = {name: f"127.0.0.1:{ports[host]}" for name, host in self._hosts.items()}
            self.endpoints = self._endpoints(installation)
            self.endpoints.write(self.backends.folder.path)
            self._settings = self._service_settings(installation)
            for host in ports:
                self._launch(host, {})
            for host in ports:
                self._await(host)
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

    def stop(self, service: str) -> None:
        """Asks the process that hosts a service to end, and waits."""
        self.process(service).stop()

    def kill(self, service: str) -> None:
        """Kills the process that hosts a service, as a crash would."""
        self.process(service).kill()

    def process(self, service: str) -> Child:
        """Returns the process that hosts a service."""
        return self._children[self._hosts[service]]

    def require_running(self) -> None:
        """Raises StackError when a process of the stack ended by itself."""
        for child in self.backends.supervisor.children:
            child.require_running()

    def log(self, service: str) -> Path:
        """Returns the log of the process that hosts a service."""
        return self.process(service).log

    def _plan(self) -> Plan:
        openfga = self.backends.openfga
        return Plan(
            database_url=self.backends.database_url,
            engine=policy.Engine(openfga.grpc_address, openfga.http_url, openfga.token_path),
            keys=self.backends.folder.keys,
            services=self._services,
        )

    def _endpoints(self, installation: Installation) -> Endpoints:
        openfga = self.backends.openfga
        return Endpoints(
            installation=installation.installation,
            secretariat=installation.organisation,
            secretariat_member=installation.member,
            secretariat_key_path=installation.root_key_file,
            services=self.addresses,
            database_url=self.backends.database_url,
            openfga_http_url=openfga.http_url,
            openfga_grpc_address=openfga.grpc_address,
            openfga_token_path=str(openfga.token_path),
            openfga_store_id=installation.model.store_id,
            openfga_model_id=installation.model.model_id,
        )

    def _service_settings(self, installation: Installation) -> dict[str, str]:
        """Returns what every service process needs; settings that this process happens to have stay here."""
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("MELDBRUG_")},
            **installation.settings(),
            "MELDBRUG_DATABASE_URL": self.backends.database_url,
            "MELDBRUG_OPENFGA__ADDRESS": self.backends.openfga.grpc_address,
            "MELDBRUG_OPENFGA__HTTP_URL": self.backends.openfga.http_url,
        }

    def _launch(self, host: str, extra: Mapping[str, str]) -> None:
        address = next(self.addresses[name] for name, where in self._hosts.items() if where == host)
        peers = {name: place for name, place in self.addresses.items() if self._hosts[name] != host}
        own = {"MELDBRUG_LISTEN": address, "MELDBRUG_PEERS": json.dumps(peers)}
        env = {**self._settings, **own, **self._env, **extra}
        log = self.backends.folder.logs / f"{host}.log"
        command = [sys.executable, "-m", "services", "run", host]
        self._children[host] = self.backends.supervisor.start(host, command, log, env=env, folder=ROOT)

    def _await(self, host: str) -> None:
        address = next(self.addresses[name] for name, where in self._hosts.items() if where == host)
        with grpc.insecure_channel(address) as channel:
            self._children[host].wait_until(lambda: serves(channel))
        self._report(f"{host} answers on {address}")

    def _former_addresses(self) -> dict[str, int]:
        """Returns the ports of the last time by host, so that addresses stay the same where they can."""
        try:
            former = Endpoints.read(self.backends.folder.path).services
        except (OSError, ValueError, TypeError):
            return {}
        return {
            self._hosts[name]: int(place.rpartition(":")[2])
            for name, place in former.items()
            if name in self._hosts
        }
