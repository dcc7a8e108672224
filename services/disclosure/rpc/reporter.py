"""The RPCs of reporters."""

from __future__ import annotations

from meldbrug.disclosure.v1 import disclosure_service_pb2 as pb
from services.disclosure.usecases.consent import Consenting
from services.disclosure.usecases.deps import Deps
from services.disclosure.usecases.narrow import Narrowing
from services.disclosure.usecases.open import Opening
from services.disclosure.usecases.report import Reporting
from services.disclosure.usecases.views import ReporterViews
from services.kernel.rpc import Call


class ReporterServicer:
    """For reporters; the key of the incident is the authority."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._reporting, self._consenting = Reporting(deps), Consenting(deps)
        self._narrowing, self._opening, self._views = Narrowing(deps), Opening(deps), ReporterViews(deps)

    async def submit_report(self, request: pb.SubmitReportRequest, call: Call) -> pb.SubmitReportResponse:
        """Takes in a report."""
        return await self._reporting.submit(request, call)

    async def get_report(self, request: pb.GetReportRequest, call: Call) -> pb.GetReportResponse:
        """Returns the report."""
        return await self._views.report(request, call)

    async def get_circle(self, request: pb.GetCircleRequest, call: Call) -> pb.GetCircleResponse:
        """Returns who can be chosen or sealed to."""
        return await self._views.circle(request, call)

    async def put_section(self, request: pb.PutSectionRequest, call: Call) -> pb.PutSectionResponse:
        """Adds a section or a message."""
        return await self._reporting.put_section(request, call)

    async def list_sections(self, request: pb.ListSectionsRequest, call: Call) -> pb.ListSectionsResponse:
        """Lists what the reporter can open."""
        return await self._views.sections(request, call)

    async def open_sections(
        self, request: pb.ReporterServiceOpenSectionsRequest, call: Call
    ) -> pb.ReporterServiceOpenSectionsResponse:
        """Opens sections, with what vouches for authors other than the reporter."""
        opened = await self._opening.reporter(request, call)
        authors = {section.header.author_kid for section in opened.sections} - {call.actor.kid}
        opened.book.CopyFrom(await self._deps.directory.book(authors))
        return opened

    async def change_intake(self, request: pb.ChangeIntakeRequest, call: Call) -> pb.ChangeIntakeResponse:
        """Replaces the intake."""
        return await self._reporting.change_intake(request, call)

    async def list_consent_requests(
        self, request: pb.ListConsentRequestsRequest, call: Call
    ) -> pb.ListConsentRequestsResponse:
        """Lists requests for consent."""
        return await self._views.consent_requests(request, call)

    async def get_consent_request(
        self, request: pb.GetConsentRequestRequest, call: Call
    ) -> pb.GetConsentRequestResponse:
        """Returns one request for consent."""
        return await self._views.consent_request(request, call)

    async def give_consent(self, request: pb.GiveConsentRequest, call: Call) -> pb.GiveConsentResponse:
        """Gives consent."""
        return await self._consenting.give(request, call)

    async def refuse_consent(self, request: pb.RefuseConsentRequest, call: Call) -> pb.RefuseConsentResponse:
        """Refuses a request."""
        return await self._consenting.refuse(request, call)

    async def withdraw_consent(
        self, request: pb.WithdrawConsentRequest, call: Call
    ) -> pb.WithdrawConsentResponse:
        """Withdraws a consent, whole or in part."""
        return await self._narrowing.withdraw_consent(request, call)

    async def withdraw_report(
        self, request: pb.WithdrawReportRequest, call: Call
    ) -> pb.WithdrawReportResponse:
        """Withdraws the whole report."""
        return await self._narrowing.withdraw_report(request, call)

    async def exclude(self, request: pb.ExcludeRequest, call: Call) -> pb.ExcludeResponse:
        """Excludes people and organisations."""
        return await self._narrowing.exclude(request, call)

    async def list_consent_events(
        self, request: pb.ListConsentEventsRequest, call: Call
    ) -> pb.ListConsentEventsResponse:
        """Lists consents, refusals and withdrawals."""
        return await self._views.events(request, call)

    async def list_openings(self, request: pb.ListOpeningsRequest, call: Call) -> pb.ListOpeningsResponse:
        """Lists who opened what."""
        return await self._views.openings(request, call)
