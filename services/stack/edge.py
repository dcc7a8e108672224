"""The local edge: what it is started with, and where a browser on this network finds it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from services.bootstrap.files import hex_secret
from services.health import answers
from services.stack import certificates
from services.stack.folder import Folder
from services.stack.processes import Child, Supervisor

TARGET = "edge"
AUTHORITY = "edge-ca.pem"
PUZZLE_KEY, PUZZLE_KEY_BYTES = "puzzle.key", 32
EVERYWHERE, HERE = "0.0.0.0", "127.0.0.1"  # noqa: S104 only when told so, to let a phone in
ROOT = Path(__file__).resolve().parents[2]
APP = ROOT / "clients" / "web" / "dist"


def settings(keys: Path, listen: str, services: Mapping[str, str]) -> dict[str, str]:
    """Returns the edge's environment, with a certificate for every name that this machine has now.

    Args:
        keys: where the certificate and its authority are kept.
        listen: host:port.
        services: name to host:port.
    """
    names = certificates.names()
    made = certificates.ensure(keys, AUTHORITY, names)
    hex_secret(keys / PUZZLE_KEY, PUZZLE_KEY_BYTES)
    port = listen.rpartition(":")[2]
    return {
        "MELDBRUG_EDGE_LISTEN": listen,
        "MELDBRUG_EDGE_ORIGINS": json.dumps([f"https://{name}:{port}" for name in names]),
        "MELDBRUG_EDGE_PEERS": json.dumps(dict(services)),
        "MELDBRUG_EDGE_TLS_CERT_FILE": str(made.certificate),
        "MELDBRUG_EDGE_TLS_KEY_FILE": str(made.key),
        "MELDBRUG_EDGE_PUZZLE_KEY_FILE": str(keys / PUZZLE_KEY),
        "MELDBRUG_EDGE_APP_DIR": str(APP),
        # Insisting on TLS for `localhost` would shut out whatever else is developed on this machine.
        "MELDBRUG_EDGE_HSTS_S": "0",
    }


def start(
    supervisor: Supervisor, folder: Folder, listen: str, services: Mapping[str, str], extra: Mapping[str, str]
) -> Child:
    """Starts an edge; `wait` waits until it answers.

    Args:
        supervisor: ends it with the stack.
        folder: where its keys and its log are.
        listen: host:port.
        services: name to host:port.
        extra: settings besides.
    """
    outside = {name: value for name, value in os.environ.items() if not name.startswith("MELDBRUG_")}
    env = {**outside, **settings(folder.keys, listen, services), **extra}
    command: list[str | Path] = [sys.executable, "-m", "services", "run", TARGET]
    log = folder.logs / f"{TARGET}.log"
    return supervisor.start(TARGET, command, log, env=env, folder=ROOT)


def wait(child: Child, listen: str) -> None:
    """Returns once an edge answers."""
    port = int(listen.rpartition(":")[2])
    child.wait_until(lambda: answers(port, tls=True))


def start_link(edge: str, installation: str, code: str) -> str:
    """Returns where telling begins for a production, in Dutch: the same as on the poster that the app prints.

    The app refuses it when `installation` is not its own. All of it is behind the #: no server is told.
    """
    return f"{edge}/#/nl/start?c={code}&i={installation}"


def on_the_network(port: int) -> list[str]:
    """Returns the addresses under which another device on this network reaches the edge."""
    return [f"https://{name}:{port}" for name in certificates.names() if name not in certificates.OWN]
