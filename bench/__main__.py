"""`make bench`: measures everything in one run, interleaved, and prints what `docs/performance.md` shows."""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import sys
import tempfile
import time
from pathlib import Path

import grpc
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench import edge, inbox, strangers, withdrawing
from bench.load import Subject, Usage, at_saturation, in_turn, one_by_one, usage
from bench.reporting import reports
from bench.sector import FOUR_KINDS, Case, prepare
from bench.subjects import Engine, echo, opening
from meldbrug.client import Connection
from meldbrug.common.v1.common_pb2 import KIND_SUMMARY
from services.bootstrap.secrets import key_pair
from services.stack import Endpoints
from services.stack.edge import HERE
from services.stack.processes import Child, free_port
from services.stack.stack import Stack

ROUNDS = 7
SINGLES = 150
WINDOW_S = 3.0
AT_ONCE = 16
REPORTS = 400
ONE_KIND = (KIND_SUMMARY,)
FEW, MANY = 1_000, 100_000
# What is measured is the path, not its admission limits.
UNLIMITED = {
    "MELDBRUG_ADMISSION__PRINCIPAL_PER_S": "100000",
    "MELDBRUG_ADMISSION__PRINCIPAL_BURST": "100000",
    "MELDBRUG_DISCLOSURE_REPORTS_PER_S": "100000",
    "MELDBRUG_DISCLOSURE_REPORTS_BURST": "100000",
}


def main() -> int:
    """Runs the benchmark on a throw-away stack. Returns the exit code."""
    home = Path(__file__).resolve().parents[1] / ".stack"
    home.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=home))
    try:
        tools = home / "tools"
        with Stack(folder, env=UNLIMITED, edge_host=HERE, edge_env=edge.CALM, tools_folder=tools) as stack:
            return asyncio.run(bench(stack, folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def bench(stack: Stack, folder: Path) -> int:
    """Measures on a running stack. Returns the exit code."""
    console = Console()
    endpoints = stack.endpoints
    port = free_port()
    server = await asyncio.create_subprocess_exec(sys.executable, "-m", "bench.echo", str(port))
    try:
        async with (
            Connection(dict(endpoints.services), endpoints.installation) as connection,
            grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
        ):
            case = await prepare(connection, key_pair(Path(endpoints.secretariat_key_path)), folder)
            run = Run(stack, endpoints, connection, case, f"127.0.0.1:{port}")
            await channel.channel_ready()
            console.print(
                f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}"
            )
            await run.side_by_side(channel)
            run.show_sides(console)
            await run.others()
            run.show(console)
    finally:
        server.terminate()
        await server.wait()
    return 0


class Run:
    """One run, and what it found."""

    def __init__(
        self, stack: Stack, endpoints: Endpoints, connection: Connection, case: Case, echo: str
    ) -> None:
        """Measures on this stack and this case; `echo` is the yardstick's address."""
        self._echo_address = echo
        self._stack, self._endpoints, self._connection, self._case = stack, endpoints, connection, case
        self._cpu_ms: dict[str, float] = {}
        self._rows: list[tuple[str, str, str]] = []

    async def side_by_side(self, channel: grpc.aio.Channel) -> None:
        """Measures echo, bare checks and openings in turn, round by round."""
        engine = Engine(self._endpoints)
        case = self._case
        user = f"user:{(await case.reader.me()).member.subject.rsplit('/', 1)[1]}"
        one, four = (
            opening(self._connection, case.reader.keys, case.notice, kinds, f"(c) opening, {name}, recorded")
            for kinds, name in ((ONE_KIND, "1 kind"), (FOUR_KINDS, "4 kinds"))
        )
        answer = await one.prepare(1)[0]()
        if not isinstance(answer, bytes):
            raise TypeError("an answer is measured as the bytes it is")
        notice = f"notice:{case.notice.rsplit('/', 1)[1]}"
        self._echo = echo(channel, answer)
        self._echo.name = f"(a) echo of {len(answer):,} bytes"
        union = await engine.union(user)
        self._check, self._checks = (engine.one(kinds, user, notice) for kinds in (ONE_KIND, FOUR_KINDS))
        self._union, self._unions = (engine.each(kinds, user, *union) for kinds in (ONE_KIND, FOUR_KINDS))
        self._one = one
        self.subjects = [self._echo, self._check, self._checks, self._union, self._unions, self._one, four]
        for subject in self.subjects:
            await one_by_one(subject, SINGLES)
            subject.seconds.clear()
        for _ in track(range(ROUNDS), description="side by side"):
            await in_turn(self.subjects, SINGLES)
            for subject in self.subjects:
                await one_by_one(subject, SINGLES)
            for subject in self.subjects:
                await self._saturate(subject)
        await engine.close()

    async def _saturate(self, subject: Subject) -> None:
        before = self._usage()
        answered = await at_saturation(subject, WINDOW_S, AT_ONCE)
        after = self._usage()
        if subject is self._one:
            self._cpu_ms = {
                name: 1000 * (after.cpu_s[name] - before.cpu_s[name]) / answered for name in after.cpu_s
            }

    async def others(self) -> None:
        """Measures openings beside strangers, withdrawals, reports and the inbox."""
        await self._through_the_edge()
        await self._beside_strangers()
        address = self._endpoints.services["disclosure"]
        found = await withdrawing.measure(self._connection, self._case, address)
        self._row("withdrawal p99 under 8 openers", f"{found.p99_ms:.0f} ms", "<= 150 ms")
        self._row(f"stale openings, of {found.openings:,}", str(found.stale), "0")
        subject = await reports(self._connection, self._case, REPORTS)
        calls = subject.prepare(REPORTS)
        began = time.perf_counter()
        for start in range(0, REPORTS, AT_ONCE):
            await asyncio.gather(*(call() for call in calls[start : start + AT_ONCE]))
        self._row("reports a second, 16 at once", f"{REPORTS / (time.perf_counter() - began):.0f}", "")
        await self._inboxes()

    async def _through_the_edge(self) -> None:
        straight, through = await edge.measure(self._connection, self._endpoints)
        self._row("a call straight, and through the edge", f"{straight:.2f} and {through:.2f} ms", "")
        self._row("what the edge adds", f"{through - straight:.2f} ms", "<= 0.5 ms")

    async def _beside_strangers(self) -> None:
        address, installation = self._endpoints.services["disclosure"], self._endpoints.installation
        case = self._case
        arguments = strangers.Arguments(address, self._echo_address, installation, case.incident, case.notice)
        found = await strangers.measure(self._one, arguments)
        measure = f"openings beside {found.per_s:,.0f} strangers a second, of those beside as many echoes"
        self._row(measure, f"{100 * found.share:.0f} %", ">= 80 %")

    async def _inboxes(self) -> None:
        few, many = "noorderlicht-systeem", "lichtbrug-contact"
        await inbox.seed(self._connection, self._case, self._endpoints, few, FEW)
        await inbox.seed(self._connection, self._case, self._endpoints, many, MANY)
        pages = [inbox.page(self._connection, self._case, role, role) for role in (few, many)]
        for _ in range(ROUNDS):
            for subject in pages:
                await one_by_one(subject, 15)
        self._row(f"inbox page of 50, of {FEW:,}", f"{pages[0].p50_ms:.1f} ms", "")
        self._row(f"inbox page of 50, of {MANY:,}", f"{pages[1].p50_ms:.1f} ms", "")
        self._row("inbox, ratio", f"{pages[1].p50_ms / pages[0].p50_ms:.2f}", "<= 1.3")

    def show_sides(self, console: Console) -> None:
        """Prints what was measured side by side."""
        sides = Table("side by side", "p50 in turn", "p50 in a row", "16 at once", "turned away")
        for subject in self.subjects:
            sides.add_row(
                subject.name,
                f"{subject.p50_in_turn_ms:.2f} ms",
                f"{subject.p50_ms:.2f} ms",
                f"{subject.rate:,.0f}/s",
                str(subject.turned_away),
            )
        console.print(sides)

    def show(self, console: Console) -> None:
        """Prints what was found, with what was to be reached."""
        table = Table("measure", "found", "to reach")
        for row in [*self._ratios(), *self._rows, *self._resources()]:
            table.add_row(*row)
        console.print(table)

    def _ratios(self) -> list[tuple[str, str, str]]:
        echo_, check, one = self._echo, self._check, self._one
        latency = (one.p50_in_turn_ms - check.p50_in_turn_ms) / echo_.p50_in_turn_ms
        in_a_row = (one.p50_ms - check.p50_ms) / echo_.p50_ms
        cost = (1 / one.rate - 1 / check.rate) * echo_.rate
        return [
            ("(p50(c) - p50(b)) / p50(a), in turn", f"{latency:.1f}", "<= 5"),
            ("(p50(c) - p50(b)) / p50(a), in a row", f"{in_a_row:.1f}", "<= 5"),
            ("(1/rate(c) - 1/rate(b)) x rate(a)", f"{cost:.1f}", "<= 7"),
            ("rate(b) / rate(b0), 1 kind", f"{check.rate / self._union.rate:.1f}", ">= 2"),
            ("rate(b) / rate(b0), 4 kinds", f"{self._checks.rate / self._unions.rate:.1f}", ">= 2"),
        ]

    def _resources(self) -> list[tuple[str, str, str]]:
        resident = self._usage().resident
        cpu = [(f"CPU per opening, {name}", f"{ms:.2f} ms", "") for name, ms in self._cpu_ms.items()]
        return cpu + [(f"memory, {name}", f"{size / 2**20:.0f} MiB", "") for name, size in resident.items()]

    def _row(self, measure: str, found: str, target: str) -> None:
        self._rows.append((measure, found, target))

    def _usage(self) -> Usage:
        backends = self._stack.backends
        processes = {
            "services": self._stack.process("disclosure").process.pid,
            "PostgreSQL": pid_of(backends.postgres.child),
            "OpenFGA": pid_of(backends.openfga.child),
        }
        return usage(processes)


def pid_of(child: Child | None) -> int:
    """Returns the process id of a child of the stack."""
    if child is None:
        raise RuntimeError("a part of the stack is not running")
    return child.process.pid


if __name__ == "__main__":
    sys.exit(main())
