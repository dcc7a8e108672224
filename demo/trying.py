"""What whoever tries the app signs in with: a report that was told, and key files that a passphrase opens.

Made once, kept among the stack's keys, and good for nothing but the made-up sector. A real receipt is kept by
nobody but its reporter.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from demo import texts
from demo.cast import Cast, cases_of, inbox_of, looked_for
from demo.seed import Sector
from meldbrug.client import save_keys
from meldbrug.client.files import read_private, write_private
from meldbrug.common.v1.common_pb2 import LANGUAGE_NL, Language
from meldbrug.crypto import SecretKeys, new_entropy, to_words

PASSPHRASE = "alleen om te oefenen"  # noqa: S105 it is printed, and guards nothing but made-up keys
SECRETARIAT = "secretariat"
KEYS = {
    "handler": "duinroos-vp",
    "reader": "noorderlicht-contact",
    "admin": "duinroos-admin",
}
"""Name of a key file to the role whose keys are in it; the secretariat's come with the installation."""
FRESH_FOR = timedelta(days=4)
"""A recipient has five working days to answer; afterwards there is nothing left to try."""
MAX_BYTES = 4096


@dataclass(frozen=True)
class Begun:
    """A report that its handler answered, with one notice offered and one waiting for the reporter.

    Attributes:
        receipt: The twelve words.
        time: When it was told, ISO 8601.
        incident: `incidents/{incident}`.
        offered: The notice that its reader finds in the inbox.
        asked: The notice that the reporter has not answered.
    """

    receipt: str
    time: str
    incident: str
    offered: str
    asked: str

    @property
    def is_fresh(self) -> bool:
        """Whether the offer still stands."""
        return datetime.now(UTC) - datetime.fromisoformat(self.time) < FRESH_FOR


class Trying:
    """The folder with all of it.

    Args:
        keys: The stack's folder of keys.
    """

    def __init__(self, keys: Path) -> None:
        self._folder = keys / "app"

    def key_file(self, name: str) -> Path:
        """Returns where a key file is."""
        return self._folder / f"{name}.json"

    def begun(self) -> Begun | None:
        """Returns the report that was told, or None when there is none that one can go on with."""
        kept = self._folder / "begun.json"
        begun = Begun(**json.loads(read_private(kept, MAX_BYTES))) if kept.exists() else None
        return begun if begun and begun.is_fresh else None

    def keep(self, begun: Begun) -> None:
        """Keeps a report that was told."""
        write_private(self._folder / "begun.json", json.dumps(asdict(begun)).encode(), replace=True)

    def seal(self, sector: Sector, root: SecretKeys) -> None:
        """Makes the key files that are not there yet."""
        for name in (*KEYS, SECRETARIAT):
            if not self.key_file(name).exists():
                keys = root if name == SECRETARIAT else sector.keys(KEYS[name])
                save_keys(self.key_file(name), keys, PASSPHRASE)


async def begin(
    addresses: Mapping[str, str],
    installation: str,
    sector: Sector,
    written: texts.Texts = texts.NL,
    language: Language.ValueType = LANGUAGE_NL,
) -> Begun:
    """Tells a report, and leaves it where everybody in it has something to do.

    Raises:
        StoryBroken: something did not arrive.
    """
    entropy = new_entropy()
    async with Cast(addresses, installation, sector, written, entropy) as cast:
        incident, offered, asked = await told(cast, language)
        await cast.consents.give(await cast.consents.preview(offered, language))
        await looked_for(lambda: inbox_of(cast.broadcaster), offered)
    return Begun(receipt_of(entropy, language), datetime.now(UTC).isoformat(), incident, offered, asked)


async def told(cast: Cast, language: Language.ValueType) -> tuple[str, str, str]:
    """Tells a report, up to the two notices that the reporter is asked about; returns all three names."""
    incident = (await cast.reporter.report(cast.draft(await cast.circle(), language))).name
    await looked_for(lambda: cases_of(cast.counsellor), incident)
    await cast.counsellor.handler.acknowledge(incident)
    await cast.talk(incident)
    return incident, *await cast.propose(incident)


def receipt_of(entropy: bytes, language: Language.ValueType) -> str:
    """Returns the twelve words of a receipt."""
    return " ".join(to_words(entropy, "nl" if language == LANGUAGE_NL else "en"))
