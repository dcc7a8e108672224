"""Reports sent while something is broken: each is in as a whole, or not at all and never acknowledged."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from meldbrug.client import Draft, Unavailable
from meldbrug.common.v1.common_pb2 import KIND_ACCOUNT, KIND_CONTEXT
from tests.support.actors import Actors
from tests.support.faults import Recorder, Sent, effects, succeeds
from tests.support.sector import World

LONG = "Wat mij overkwam, in mijn eigen woorden. " * 400
REASONS = {"DATABASE_UNAVAILABLE", "PEER_UNAVAILABLE"}


@dataclass
class Reports:
    """What was sent over a connection on which nobody else reports, and whether it was acknowledged."""

    drafts: Actors
    recorder: Recorder
    sent: list[tuple[Sent, bool]] = field(default_factory=list)

    async def one(self, draft: Draft) -> bool:
        """Reports; returns whether that was acknowledged."""
        (refused,) = await asyncio.gather(self.drafts.newcomer().report(draft), return_exceptions=True)
        is_in = not isinstance(refused, BaseException)
        assert is_in or (isinstance(refused, Unavailable) and refused.reason in REASONS), refused
        if self.recorder.sent[-1].method.endswith("/SubmitReport"):
            self.sent.append((self.recorder.sent[-1], is_in))
        return is_in

    async def again(self, world: World) -> None:
        """Sends everything again, byte for byte: what was acknowledged is in, and each is in once."""
        for sent, is_in in self.sent:
            incident = sent.request.incident  # type: ignore[attr-defined]  # a report names its own
            before = effects(world, incident)
            found = (before["sections"], before["wraps"], before["seats"])
            assert found == (2, 6, 2) or (not is_in and found == (0, 0, 0))
            await succeeds(lambda sent=sent: self.recorder.again(sent))
            after = effects(world, incident)
            assert (after["sections"], after["wraps"], after["seats"]) == (2, 6, 2)


async def draft_of(actors: Actors) -> Draft:
    """A long report to two handlers."""
    circle = await actors.circle()
    intake = [await actors.person(actors.member(role)) for role in ("duinroos-vp", "duinroos-plv")]
    return Draft(texts={KIND_CONTEXT: LONG, KIND_ACCOUNT: LONG}, intake=intake, production=circle.production)
