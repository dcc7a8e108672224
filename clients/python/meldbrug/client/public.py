"""What anyone may look up, checked against the pinned root."""

from __future__ import annotations

from dataclasses import dataclass

from meldbrug.common.v1 import common_pb2 as common
from meldbrug.crypto import PublicKeys, terms_digest
from meldbrug.directory.v1 import directory_service_pb2 as directory
from meldbrug.disclosure.v1 import disclosure_service_pb2 as disclosure

from .circle import Circle
from .connection import Connection
from .reading import keys_of, require

DIRECTORY = "/meldbrug.directory.v1.PublicService/"
TERMS = "/meldbrug.disclosure.v1.TermsService/"


@dataclass(frozen=True)
class Terms:
    """The handling terms in one language."""

    version: str
    text: str
    digest: bytes


class PublicClient:
    """Looks up without a key."""

    def __init__(self, connection: Connection) -> None:
        """Uses `connection`; the caller closes it."""
        self._connection = connection

    async def root(self) -> PublicKeys:
        """Returns the secretariat root's keys, and corrects the clock by the server's.

        Raises:
            Unverified: this is another installation than the one that is pinned.
        """
        answer = await self._connection.call(
            DIRECTORY + "GetInstallation",
            directory.GetInstallationRequest(),
            directory.GetInstallationResponse,
        )
        keys = keys_of(answer.root, self._connection.installation)
        require(answer.installation == self._connection.installation, "installation")
        self._connection.clock.correct(answer.server_time.ToMilliseconds())
        return keys

    async def circle(self, code: str) -> Circle:
        """Returns the circle of the production with this code.

        Raises:
            NotPermitted: the code is unknown or was replaced.
        """
        answer = await self._connection.call(
            DIRECTORY + "GetProductionByCode",
            directory.GetProductionByCodeRequest(code=code),
            directory.GetProductionByCodeResponse,
        )
        return Circle(answer.circle, self._connection.installation)

    async def standing_entry(self) -> Circle:
        """Returns the independent point's circle; no code is needed."""
        answer = await self._connection.call(
            DIRECTORY + "GetStandingEntry",
            directory.GetStandingEntryRequest(),
            directory.GetStandingEntryResponse,
        )
        return Circle(answer.circle, self._connection.installation)

    async def terms(self, language: common.Language.ValueType) -> Terms:
        """Returns the current handling terms.

        Raises:
            Unverified: the text is not the one that its digest names.
        """
        answer = await self._connection.call(
            TERMS + "GetTerms", disclosure.GetTermsRequest(language=language), disclosure.GetTermsResponse
        )
        require(terms_digest(answer.text) == answer.digest, "terms")
        return Terms(answer.version, answer.text, answer.digest)
