"""Writes effects.json: what each scene's act leaves in the database when nothing goes wrong.

`python -m tests.vectors.effects`, after an operation changed; the difference is to be read like code.
"""

from __future__ import annotations

import asyncio
import json

from tests.support.actors import Actors
from tests.support.effects import EXPECTED, Effects, Ledger, since
from tests.support.faults import FAST, Recorder, settled_on
from tests.support.operations import SCENES
from tests.support.stack import running_stack


async def learned() -> dict[str, Effects]:
    """Plays every scene once, on a stack of its own."""
    effects: dict[str, Effects] = {}
    with running_stack(one_process=True, env=FAST) as stack:
        async with Recorder(stack) as recorder, settled_on(stack, recorder) as world:
            ledger = Ledger(stack.endpoints.database_url)
            for make in dict.fromkeys(SCENES.values()):
                scene = await make(await Actors.on_their_own(world))
                await ledger.quiet()
                recorder.at_first[scene.method] = ledger.mark
                await scene.act()
                effects[make.__name__] = since(ledger.marked, await ledger.quiet())
            ledger.close()
    return effects


if __name__ == "__main__":
    EXPECTED.write_text(json.dumps(asyncio.run(learned()), indent=1) + "\n", "utf-8")
