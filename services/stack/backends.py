"""PostgreSQL and OpenFGA together: what the services stand on."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from services.stack import tools
from services.stack.folder import Endpoints, Folder
from services.stack.openfga import OpenFGAServer
from services.stack.postgres import OWNER, PostgresServer
from services.stack.processes import Supervisor


def quiet(_line: str) -> None:
    """Reports nothing."""


class Backends:
    """PostgreSQL and OpenFGA on free ports, from `start` to the end of the `with` block, whatever ends it."""

    def __init__(
        self,
        folder: Path,
        report: Callable[[str], None] = quiet,
        *,
        tools_folder: Path | None = None,
        durable: bool = True,
    ) -> None:
        """Describes the pair.

        Args:
            folder: where data, keys and logs live; at most one stack at a time holds it.
            report: told in one line what is being done.
            tools_folder: where the OpenFGA binary is kept, for a throw-away `folder`.
            durable: False trades PostgreSQL's safety for speed; for throw-away data only.
        """
        self.folder = Folder(folder)
        self._tools = tools_folder or self.folder.tools
        self._report, self._durable = report, durable

    def __enter__(self) -> Self:
        """Starts both, with data made and migrated at first use, and returns when both serve."""
        with contextlib.ExitStack() as undo:
            lock = self.folder.acquire()
            undo.callback(self.folder.release)
            binary = tools.openfga(self._tools, self._report)
            self.supervisor = undo.enter_context(Supervisor(lock))
            postgres, http, grpc = self._former_ports()
            self.postgres = PostgresServer(self.folder, self.supervisor, port=postgres, durable=self._durable)
            self.postgres.start()
            self._report(f"PostgreSQL answers on 127.0.0.1:{self.postgres.port}")
            self.database_url = self.postgres.ensure(OWNER, OWNER)
            policy_url = self.postgres.ensure("openfga", "openfga")
            self.openfga = OpenFGAServer(self.folder, self.supervisor, binary, policy_url, (http, grpc))
            self.openfga.migrate()
            self.openfga.start()
            self._report(f"OpenFGA answers on {self.openfga.grpc_address}")
            self._undo = undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends everything that was started, in reverse order, and gives the folder back."""
        self._undo.close()

    def create_database(self, name: str, *, template: str = "template1") -> str:
        """Creates a database of the services and returns its address."""
        return self.postgres.create_database(name, template=template)

    def drop_database(self, name: str) -> None:
        """Drops a database and cuts whoever is connected to it."""
        self.postgres.drop_database(name)

    def _former_ports(self) -> tuple[int | None, int | None, int | None]:
        """Returns the ports of the last time, so that addresses stay the same where they can."""
        try:
            former = Endpoints.read(self.folder.path)
        except (OSError, ValueError, TypeError):
            return None, None, None
        addresses = former.database_url, former.openfga_http_url, f"grpc://{former.openfga_grpc_address}"
        postgres, http, grpc = (urlsplit(address).port for address in addresses)
        return postgres, http, grpc
