"""The TypeScript client in a process of its own, told what to do line by line."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from clients.environment import node, run_npm
from meldbrug.crypto import SecretKeys
from tests.support.sector import World
from tests.support.stack import ROOT

PACKAGE = ROOT / "clients" / "typescript"
BUILT = ".peer"
ANSWER_S = 60.0


class PeerFailed(Exception):
    """What the TypeScript client threw: the name of its class, and the reason or the check."""

    def __init__(self, error: dict[str, str]) -> None:
        super().__init__(f"{error['type']}: {error['message']}")
        self.type, self.kind = error["type"], error["kind"]


class Peer:
    """Whoever acts through the TypeScript client and the edge."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def do(self, act: str, **given: Any) -> Any:
        """Returns what an act of `test/peer.ts` gives."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({"act": act, "given": given}).encode() + b"\n")
        await self._process.stdin.drain()
        async with asyncio.timeout(ANSWER_S):
            said = json.loads(await self._process.stdout.readline())
        if "error" in said:
            raise PeerFailed(said["error"])
        return said.get("result")


def seeds(keys: SecretKeys) -> str:
    """A member's keys as an act takes them."""
    return (keys.signing_seed + keys.sealing_seed).hex()


@asynccontextmanager
async def peer(world: World) -> AsyncIterator[Peer]:
    """Yields a peer on a world's edge, built from today's sources."""
    # Into a folder of its own: the package's own tests may be built at the same time.
    built = run_npm("exec", "--", "tsc", "-p", "tsconfig.test.json", "--outDir", BUILT, folder=PACKAGE)
    assert built.returncode == 0, built.stdout
    process = await asyncio.create_subprocess_exec(
        node(),
        PACKAGE / BUILT / "test" / "peer.js",
        world.endpoints.edge,
        world.endpoints.installation,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "NODE_EXTRA_CA_CERTS": world.endpoints.edge_ca_path, "NODE_NO_WARNINGS": "1"},
        limit=1 << 20,
    )
    try:
        yield Peer(process)
    finally:
        assert process.stdin
        process.stdin.close()
        await process.wait()
