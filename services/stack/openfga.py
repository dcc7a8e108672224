"""OpenFGA on free ports of 127.0.0.1, with a database of its own and every cache off."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from pathlib import Path

from services.stack.folder import Folder
from services.stack.processes import Child, Supervisor, free_port, run

# No cache: a withdrawn consent must bite at once, and most of the engine's advisories are about caches.
SETTINGS = {
    "GOGC": "400",  # Its heap is small and collected all the time: a tenth less CPU time for each check.
    "OPENFGA_DATASTORE_ENGINE": "postgres",
    "OPENFGA_DATASTORE_MAX_OPEN_CONNS": "30",  # Above the cap of calls in flight that the services keep.
    "OPENFGA_DATASTORE_MIN_OPEN_CONNS": "4",
    "OPENFGA_AUTHN_METHOD": "preshared",
    "OPENFGA_CHECK_QUERY_CACHE_ENABLED": "false",
    "OPENFGA_CHECK_ITERATOR_CACHE_ENABLED": "false",
    "OPENFGA_LIST_OBJECTS_ITERATOR_CACHE_ENABLED": "false",
    "OPENFGA_CACHE_CONTROLLER_ENABLED": "false",
    "OPENFGA_SHARED_ITERATOR_ENABLED": "false",
    "OPENFGA_MAX_CONDITION_EVALUATION_COST": "1000",  # The default of 100 fails from six requested kinds on.
    "OPENFGA_REQUEST_TIMEOUT": "1s",
    "OPENFGA_PLAYGROUND_ENABLED": "false",
    "OPENFGA_METRICS_ENABLED": "false",
    "OPENFGA_LOG_LEVEL": "warn",  # At `info` it logs who asks about which incident.
    "OPENFGA_LOG_FORMAT": "json",
}


class OpenFGAServer:
    """One OpenFGA server."""

    def __init__(
        self,
        folder: Folder,
        supervisor: Supervisor,
        binary: Path,
        database_url: str,
        ports: tuple[int | None, int | None],
    ) -> None:
        """Describes the server; `start` runs it. `ports` are the preferred ones for HTTP and gRPC."""
        self._folder, self._supervisor, self._binary = folder, supervisor, binary
        self.token = folder.secret("openfga-token")
        self.token_path = folder.keys / "openfga-token"
        http, grpc = (free_port(port) for port in ports)
        self.http_url, self.grpc_address = f"http://127.0.0.1:{http}", f"127.0.0.1:{grpc}"
        self._env = {
            "PATH": os.defpath,
            **SETTINGS,
            "OPENFGA_DATASTORE_URI": f"{database_url}?sslmode=disable",
            "OPENFGA_AUTHN_PRESHARED_KEYS": self.token,
            "OPENFGA_HTTP_ADDR": f"127.0.0.1:{http}",
            "OPENFGA_GRPC_ADDR": self.grpc_address,
        }
        self.child: Child | None = None

    def migrate(self) -> None:
        """Brings OpenFGA's own tables to this version."""
        run([self._binary, "migrate"], "OpenFGA's migration", env=self._env)

    def start(self) -> None:
        """Runs the server until it says that it serves."""
        log = self._folder.logs / "openfga.log"
        self.child = self._supervisor.start("OpenFGA", [self._binary, "run"], log, env=self._env)
        self.child.wait_until(self._serves)

    def stop(self) -> None:
        """Stops the server in good order."""
        if self.child:
            self.child.stop()

    def _serves(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.http_url}/healthz", timeout=2) as answer:  # noqa: S310 our own http address
                return b"SERVING" in answer.read()
        except (urllib.error.URLError, OSError):
            return False
