"""`python -m tests.support.prepare FOLDER`: a stopped stack with the demo sector on it, to begin from.

Settling takes about two hundred calls; ten stacks of a test run copy what one of them made.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from demo.seed import settle
from meldbrug.client import Connection
from services.bootstrap.secrets import key_pair
from services.stack.stack import Stack
from tests.support.sector import SWITCHES
from tests.support.stack import TOOLS


async def prepare(stack: Stack) -> None:
    """Settles the sector."""
    ends = stack.endpoints
    async with Connection(ends.services, ends.installation) as connection:
        root = key_pair(Path(ends.secretariat_key_path))
        await settle(connection, root, stack.backends.folder.path, lambda _line: None)


def main(folder: Path) -> None:
    """Makes the folder."""
    with Stack(folder, env=SWITCHES, tools_folder=TOOLS) as stack:
        asyncio.run(prepare(stack))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
