"""The RPCs of handlers."""

from __future__ import annotations

from meldbrug.disclosure.v1 import disclosure_service_pb2 as pb
from services.disclosure.usecases.deps import Deps
from services.disclosure.usecases.open import Opening
from services.disclosure.usecases.propose import Handling
from services.disclosure.usecases.views import HandlerViews
from services.kernel.rpc import Call


class HandlerServicer:
    """For handlers of an incident's intake."""

    def __init__(self, deps: Deps) -> None:
        self._handling, self._opening, self._views = Handling(deps), Opening(deps), HandlerViews(deps)

    async def get_report(
        self, request: pb.HandlerServiceGetReportRequest, call: Call
    ) -> pb.HandlerServiceGetReportResponse:
        """Returns the report."""
        return await self._views.report(request, call)

    async def list_sections(
        self, request: pb.HandlerServiceListSectionsRequest, call: Call
    ) -> pb.HandlerServiceListSectionsResponse:
        """Lists what the handler can open."""
        return await self._views.sections(request, call)

    async def open_sections(
        self, request: pb.HandlerServiceOpenSectionsRequest, call: Call
    ) -> pb.HandlerServiceOpenSectionsResponse:
        """Opens sections."""
        return await self._opening.handler(request, call)

    async def put_section(
        self, request: pb.HandlerServicePutSectionRequest, call: Call
    ) -> pb.HandlerServicePutSectionResponse:
        """Adds a section, a message or a note."""
        return await self._handling.put_section(request, call)

    async def propose_notice(self, request: pb.ProposeNoticeRequest, call: Call) -> pb.ProposeNoticeResponse:
        """Proposes a notice."""
        return await self._handling.propose(request, call)

    async def record_decision(
        self, request: pb.RecordDecisionRequest, call: Call
    ) -> pb.RecordDecisionResponse:
        """Records a decision."""
        return await self._handling.record_decision(request, call)
