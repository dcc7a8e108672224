"""The doors of named readers."""

from __future__ import annotations

from meldbrug.disclosure.v1 import disclosure_service_pb2 as rpc
from services.disclosure.usecases.accept import Answering
from services.disclosure.usecases.open import Opening
from services.kernel.rpc import Call


class ReaderServicer:
    """ReaderService."""

    def __init__(self, answering: Answering, opening: Opening) -> None:
        self._answering, self._opening = answering, opening

    async def answer_terms(self, request: rpc.AnswerTermsRequest, call: Call) -> rpc.AnswerTermsResponse:
        """Accepts or declines the handling terms."""
        return await self._answering.answer_terms(request, call)

    async def open_sections(self, request: rpc.OpenSectionsRequest, call: Call) -> rpc.OpenSectionsResponse:
        """Opens sections of a notice."""
        return await self._opening.reader(request, call)
