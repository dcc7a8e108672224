"""T7, T26, T27: whatever a server makes up or exchanges, the TypeScript client shows and seals none of it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from meldbrug.client import ReporterClient, accept_invitation
from meldbrug.common.v1.common_pb2 import PURPOSE_PROTECT_PEOPLE
from meldbrug.crypto import SecretKeys, keys_from, new_entropy, to_words
from tests.integration.typescript.peer import Peer, seeds
from tests.support.actors import Actors
from tests.support.sector import World

LIES = 79


@pytest.fixture(scope="module")
async def scene(world: World) -> Mapping[str, object]:
    """A report with messages and a notice that its reader may open, and everyone who could be lied to."""
    actors, entropy = Actors(world), new_entropy()
    actors.newcomer = lambda: ReporterClient(world.connection, keys_from(entropy))  # type: ignore[method-assign]  # its receipt is told
    case = await actors.report()
    await case.handler.handler.send(case.incident, "Dank je dat je dit meldt.")
    await case.reporter.send("Graag gedaan.")
    await case.propose("noorderlicht", [actors.member("noorderlicht-contact")])
    await case.accepted()
    await case.reader.reader.open(case.notice, PURPOSE_PROTECT_PEOPLE)
    hired, admin, keys = await actors.counsellor("duinroos"), actors.admin("kade9"), SecretKeys.generate()
    invited = await admin.admin.invite("Nachtchauffeur")
    pending = await accept_invitation(world.connection, keys, invited.code)
    del actors.newcomer
    await actors.report([hired.client])
    return {
        "receipt": " ".join(to_words(entropy, "nl")),
        "code": actors.on.code,
        "elsewhere": actors.on.participations["lichtbrug"],
        "incident": case.incident,
        "notice": case.notice,
        "handler": seeds(case.handler.keys),
        "reader": seeds(case.reader.keys),
        "outsider": seeds(actors.admin("duinroos").keys),
        "hired": seeds(hired.client.keys),
        "admin": seeds(admin.keys),
        "invitation": (await admin.admin.invite("Dagchauffeur")).code,
        "pending": {"member": pending.name, "kid": keys.kid},
    }


async def test_nothing_that_a_server_makes_up_is_believed(
    typescript: Peer, scene: Mapping[str, object]
) -> None:
    told, believed = await typescript.do("cheat", **scene)

    assert believed == []
    assert told == LIES


async def test_what_is_not_changed_is_shown(typescript: Peer, scene: Mapping[str, object]) -> None:
    assert await typescript.do("honest", **scene) == []
