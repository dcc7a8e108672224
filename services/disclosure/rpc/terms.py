"""The RPC that anyone may call."""

from __future__ import annotations

from meldbrug.crypto import terms_digest
from meldbrug.disclosure.v1 import disclosure_service_pb2 as pb
from services.disclosure.usecases.deps import Terms
from services.kernel.rpc import Call


class TermsServicer:
    """What anyone may read."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms

    async def get_terms(self, request: pb.GetTermsRequest, _call: Call) -> pb.GetTermsResponse:
        """Returns the current handling terms."""
        text = self._terms.texts[request.language]
        return pb.GetTermsResponse(version=self._terms.version, text=text, digest=terms_digest(text))
