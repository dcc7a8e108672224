"""One PostgreSQL and one OpenFGA for many short runs of pytest, each of which would start both otherwise."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from services.kernel.migrations import upgrade
from services.stack import Backends, Folder
from services.stack.postgres import Databases
from tests.support.stack import ROOT, TOOLS, throw_away_folder

VARIABLE = "MELDBRUG_TEST_LENT"
TEMPLATE = "template_migrated"


@contextmanager
def lending() -> Iterator[Mapping[str, str]]:
    """Yields the environment in which `borrowed` finds a pair that runs until the end of the block."""
    with throw_away_folder() as folder, Backends(folder, tools_folder=TOOLS) as running:
        migrate_template(running)
        lent = {
            "folder": str(running.folder.path),
            "port": running.postgres.port,
            "http_url": running.openfga.http_url,
            "grpc_address": running.openfga.grpc_address,
            "token": running.openfga.token,
            "token_path": str(running.openfga.token_path),
        }
        yield {VARIABLE: json.dumps(lent)}


def migrate_template(backends: Backends) -> None:
    """Makes a database in which every migration has run, to be copied."""
    url = backends.create_database(TEMPLATE)
    for migrations in sorted((ROOT / "services").glob("*/migrations")):
        upgrade(url, migrations.parent.name)


class Borrowed:
    """A pair that somebody else started: the databases and the engine of `Backends`, and no more."""

    def __init__(self, lent: Mapping[str, Any]) -> None:
        self._databases = Databases(Folder(Path(lent["folder"])), lent["port"])
        self.openfga = SimpleNamespace(
            http_url=lent["http_url"],
            grpc_address=lent["grpc_address"],
            token=lent["token"],
            token_path=Path(lent["token_path"]),
        )

    def create_database(self, name: str, *, template: str = "template1") -> str:
        """Creates a database of the services and returns its address."""
        return self._databases.create_database(name, template=template)

    def drop_database(self, name: str) -> None:
        """Drops a database and cuts whoever is connected to it."""
        self._databases.drop_database(name)


def borrowed() -> Borrowed | None:
    """The pair that is lent to this run, if there is one."""
    lent = os.environ.get(VARIABLE)
    return Borrowed(json.loads(lent)) if lent else None
