"""`python -m services`: every service is a target of one program, alone or together.

This is the one file that knows which services there are, and the only one that compares their names.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc
import uvloop
from google.protobuf import descriptor_pool
from pydantic import ValidationError
from pydantic_settings import BaseSettings

from services import settings
from services.coordination import app as coordination
from services.coordination.config import CoordinationSettings
from services.directory import app as directory
from services.directory.config import DirectorySettings
from services.disclosure import app as disclosure
from services.disclosure.config import DisclosureSettings
from services.edge.config import EdgeSettings
from services.health import answers, serves
from services.kernel import log
from services.kernel.clock import SystemClock, SystemIds
from services.kernel.config import ConfigurationError, KernelSettings, ServiceSettings
from services.kernel.migrations import upgrade
from services.kernel.process import Process
from services.kernel.rpc import Builder

WRONG_SETTINGS = 2
GC_THRESHOLDS = 10_000, 20, 20


@dataclass(frozen=True, slots=True)
class Target:
    """One service: its name, how it is built, its own settings, and the port it has in a container."""

    name: str
    build: Builder
    settings: type[ServiceSettings]
    port: int


SERVICES = (
    Target("directory", directory.build, DirectorySettings, 8101),
    Target("disclosure", disclosure.build, DisclosureSettings, 8102),
    Target("coordination", coordination.build, CoordinationSettings, 8103),
)
NAMES = tuple(target.name for target in SERVICES)
ALL = "all"
# Speaks to strangers, and holds nothing that the others hold: a process of its own, with settings of its own.
EDGE = "edge"
EDGE_PORT = 8443
SETTINGS: Mapping[str, type[BaseSettings]] = {
    settings.KERNEL: KernelSettings,
    **{target.name: target.settings for target in SERVICES},
    EDGE: EdgeSettings,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command. Returns the exit code: 2 for wrong settings, each named on standard error."""
    chosen = parser().parse_args(arguments)
    if chosen.env_file:
        os.environ.update(settings.read_settings(chosen.env_file))
    try:
        command: Callable[[argparse.Namespace], None] = chosen.command
        command(chosen)
    except ValidationError as wrong:
        print(*settings.explain(wrong), sep="\n", file=sys.stderr)
        return WRONG_SETTINGS
    except ConfigurationError as wrong:
        print(f"wrong setting: {wrong}", file=sys.stderr)
        return WRONG_SETTINGS
    return 0


def parser() -> argparse.ArgumentParser:
    """Returns the command line."""
    top = argparse.ArgumentParser(prog="python -m services", description="Runs Meldbrug's services.")
    top.add_argument(
        "--env-file", type=Path, help="file of NAME=value lines that are added to the environment"
    )
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    run_parser = commands.add_parser("run", help="run services until SIGTERM")
    run_parser.add_argument("names", nargs="+", choices=[ALL, *NAMES, EDGE], metavar="all|NAME")
    run_parser.set_defaults(command=run)
    commands.add_parser("health", help="ask the process at MELDBRUG_LISTEN whether it serves").set_defaults(
        command=health
    )
    commands.add_parser("list", help="list the services and what they serve").set_defaults(command=show)
    commands.add_parser("check-config", help="print the JSON schema of every setting").set_defaults(
        command=schema
    )
    commands.add_parser("migrate", help="bring the database to this version").set_defaults(command=migrate)
    found = commands.add_parser("bootstrap", help="make a new installation, or complete it")
    found.add_argument("--keys", type=Path, required=True, help="folder for the keys that are made")
    found.add_argument("--migrate", action="store_true", help="bring the database to this version first")
    found.add_argument("--root-key", type=Path, help="file with an existing secretariat root key")
    found.add_argument("--title", default="Secretariaat", help="name of the secretariat as shown")
    found.set_defaults(command=bootstrap)
    _add_backup(commands)
    return top


def _add_backup(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    tools = argparse.ArgumentParser(add_help=False)
    tools.add_argument("--postgres-bin", type=Path, help="folder of pg_dump and pg_restore; else PATH")
    saving = commands.add_parser("backup", parents=[tools], help="back the database up")
    saving.add_argument("--to", type=Path, required=True, help="folder to make")
    saving.set_defaults(command=backup)
    bringing = commands.add_parser(
        "restore", parents=[tools], help="bring a backup back, without what was closed since"
    )
    bringing.add_argument("--from", type=Path, required=True, dest="backup", help="folder of the backup")
    bringing.add_argument(
        "--narrowings", type=Path, required=True, help="folder with all that MELDBRUG_NARROWINGS_DIR held"
    )
    bringing.add_argument("--keys", type=Path, required=True, help="folder of the installation's keys")
    bringing.set_defaults(command=restore)


def run(chosen: argparse.Namespace) -> None:
    """Runs the chosen services in this process until it is told to stop."""
    settings.refuse_unknown(os.environ, SETTINGS)
    if EDGE in chosen.names:
        run_edge(chosen.names)
        return
    common = KernelSettings()
    log.configure(common.log_level)
    builders = {target.name: target.build for target in SERVICES if {target.name, ALL} & set(chosen.names)}
    uvloop.run(serve(common, builders))


def run_edge(names: Sequence[str]) -> None:
    """Runs the edge in this process until it is told to stop."""
    from services.edge import app as edge  # noqa: PLC0415 an HTTP server that the services never need

    if len(names) > 1:
        raise ConfigurationError(f"{EDGE} runs in a process of its own")
    own = EdgeSettings()
    log.configure(own.log_level)
    process = edge.build(own, SystemClock(), SystemIds())
    settle_memory()
    uvloop.run(process.serve())


async def serve(common: KernelSettings, builders: Mapping[str, Builder]) -> None:
    """Serves until SIGTERM or SIGINT."""
    async with Process(common, builders) as process:
        settle_memory()
        await process.wait()


def settle_memory() -> None:
    """Lets what the start made stay: a collector that walks all of it again and again holds up every call."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


def health(_chosen: argparse.Namespace) -> None:
    """Exits with 1 unless the process that listens as set says that all it hosts is serving."""
    if listen := os.environ.get(f"{settings.PREFIX}EDGE_LISTEN"):
        has_tls = f"{settings.PREFIX}EDGE_TLS_CERT_FILE" in os.environ
        if not answers(int(listen.rpartition(":")[2]), tls=has_tls):
            sys.exit(f"nothing answers at {listen}")
        return
    port = required("LISTEN").rpartition(":")[2]
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        if not serves(channel):
            sys.exit(f"nothing serves on port {port}")


def show(_chosen: argparse.Namespace) -> None:
    """Prints each service with the RPC services of its package."""
    for name in NAMES:
        file = descriptor_pool.Default().FindFileByName(f"meldbrug/{name}/v1/{name}_service.proto")
        print(name, *(f"  {service}" for service in file.services_by_name), sep="\n")


def schema(_chosen: argparse.Namespace) -> None:
    """Prints the JSON schema of all settings; docs/config.schema.json is its committed copy."""
    print(json.dumps(config_schema(), indent=2))


def config_schema() -> dict[str, object]:
    """Returns the JSON schema of the settings of the kernel, of each service and of the edge."""
    return {part: kind.model_json_schema() for part, kind in SETTINGS.items()}


def migrate(_chosen: argparse.Namespace) -> None:
    """Brings every service's schema to its newest version."""
    url = required("DATABASE_URL")
    for name in NAMES:
        upgrade(url, name)
        print(f"{name}: up to date")


def bootstrap(chosen: argparse.Namespace) -> None:
    """Makes the installation and prints the settings that follow from it."""
    from services.bootstrap import founding, policy  # noqa: PLC0415 an SDK that running services never need

    if chosen.migrate:
        migrate(chosen)
    plan = founding.Plan(
        database_url=required("DATABASE_URL"),
        engine=policy.Engine(*engine_address()),
        keys=chosen.keys,
        services=NAMES,
        root_key=chosen.root_key,
        title=chosen.title,
    )
    made = asyncio.run(founding.bootstrap(plan)).settings(chosen.keys.resolve())
    keep_settings(chosen.keys, made)


def keep_settings(keys: Path, made: Mapping[str, str]) -> None:
    """Keeps and prints the settings that follow from an installation."""
    lines = "".join(f"{name}={value}\n" for name, value in made.items())
    (keys / "installation.env").write_text(lines)
    print(lines, end="")


def engine_address() -> tuple[str, str, Path | None]:
    """Returns where the policy engine's APIs answer and the file with its key."""
    token_file = os.environ.get(f"{settings.PREFIX}OPENFGA__TOKEN_FILE")
    address, http_url = required("OPENFGA__ADDRESS"), required("OPENFGA__HTTP_URL")
    return address, http_url, Path(token_file) if token_file else None


def backup(chosen: argparse.Namespace) -> None:
    """Makes a backup of the database."""
    from services.backup import dump, programs  # noqa: PLC0415 programs that running services never need

    try:
        made = dump.backup(
            required("DATABASE_URL"), chosen.to, NAMES, SystemClock(), SystemIds(), chosen.postgres_bin
        )
    except programs.ProgramFailed as failed:
        sys.exit(str(failed))
    print(f"{chosen.to}: {made.size_bytes} bytes, as of {made.made}")


def restore(chosen: argparse.Namespace) -> None:
    """Brings a backup back; services may start once this has ended well."""
    from services.backup import programs, restore  # noqa: PLC0415 an SDK that running services never need
    from services.bootstrap import policy  # noqa: PLC0415 the same

    # Every tuple of a new store is a drift that was mended; only what fails is worth a line.
    log.configure("ERROR")
    plan = restore.Plan(
        url=required("DATABASE_URL"),
        backup=chosen.backup,
        journals=chosen.narrowings,
        keys=chosen.keys,
        engine=policy.Engine(*engine_address()),
        postgres_bin=chosen.postgres_bin,
    )
    try:
        installation = restore.load(plan)
    except programs.ProgramFailed as failed:
        sys.exit(str(failed))
    made = asyncio.run(restore.finish(plan, installation, SystemIds()))
    keep_settings(chosen.keys, made.settings(chosen.keys.resolve()))


def required(name: str) -> str:
    """Returns a setting that a command needs without needing all the others."""
    return settings.required(os.environ, name)


if __name__ == "__main__":
    sys.exit(main())
