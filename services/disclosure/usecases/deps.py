"""What the use cases are handed, and the directory as they ask it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from meldbrug.crypto import terms_digest
from meldbrug.directory.v1 import directory_pb2 as directory
from services.disclosure.domain import Limits
from services.disclosure.policy_sync import PolicySync
from services.disclosure.usecases.close import Closing
from services.kernel.admission import Admission
from services.kernel.authz import Authz
from services.kernel.clock import Ids
from services.kernel.db import Database
from services.kernel.jobs import Jobs
from services.kernel.pages import Pages
from services.kernel.peers import Peer


class Directory(Protocol):
    """Who takes part, and what vouches for keys."""

    async def circle(self, production: str) -> directory.Circle:
        """Who takes part in a production, the independent point included; the standing entry when empty."""

    async def participations(self, names: Iterable[str]) -> directory.Circle:
        """These participations with their organisations and current contacts; unknown ones are left out."""

    async def book(self, kids: Iterable[str]) -> directory.KeyBook:
        """What vouches for keys, past ones included; an empty book for no keys."""


@dataclass(frozen=True, slots=True)
class Terms:
    """The current handling terms.

    Args:
        version: What consents and answers name.
        texts: The text by number of the language.
    """

    version: str
    texts: Mapping[int, str]

    def is_text(self, version: str, digest: bytes) -> bool:
        """Tells whether `digest` is that of the current terms in one of the languages."""
        return version == self.version and digest in map(terms_digest, self.texts.values())


@dataclass(frozen=True, slots=True)
class Deps:
    """Everything outside a use case that it works with; made once, in `app.py`."""

    database: Database
    authz: Authz
    jobs: Jobs
    ids: Ids
    pages: Pages
    admission: Admission
    directory: Directory
    coordination: Peer
    limits: Limits
    installation: str
    terms: Terms
    closing: Closing
    sync: PolicySync
