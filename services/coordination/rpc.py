"""Wire messages to use cases and back; nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from meldbrug.common.v1 import common_pb2
from meldbrug.coordination.v1 import coordination_pb2 as wire
from meldbrug.coordination.v1 import coordination_service_pb2 as calls
from services.coordination.domain.clocks import Clock
from services.coordination.domain.facts import IncidentState, NoticeState
from services.coordination.domain.views import IncidentView, SentView, StatusView, StubView, Wanted
from services.coordination.usecases.following import Following
from services.coordination.usecases.handling import Handling
from services.coordination.usecases.reading import Reading
from services.coordination.usecases.reporting import Reporting
from services.coordination.usecases.watching import Watching
from services.kernel.rpc import Call

INCIDENT_STATES = common_pb2.IncidentState
NOTICE_STATES = common_pb2.NoticeState


class ReporterServicer:
    """For reporters."""

    def __init__(self, reporting: Reporting) -> None:
        self._reporting = reporting

    async def get_status(self, request: calls.GetStatusRequest, call: Call) -> calls.GetStatusResponse:
        """Tells how the caller's incident stands."""
        return calls.GetStatusResponse(
            status=_status(await self._reporting.get_status(call.actor, request.incident))
        )


class HandlerServicer:
    """For handlers."""

    def __init__(self, handling: Handling) -> None:
        self._handling = handling

    async def list_incidents(
        self, request: calls.ListIncidentsRequest, call: Call
    ) -> calls.ListIncidentsResponse:
        """Lists the caller's incidents."""
        wanted = Wanted(IncidentState(request.state) if request.state else None, request.production)
        shown, token = await self._handling.list_incidents(
            call.actor, wanted, request.page_size, request.page_token
        )
        return calls.ListIncidentsResponse(incidents=map(_incident, shown), next_page_token=token)

    async def get_incident(self, request: calls.GetIncidentRequest, call: Call) -> calls.GetIncidentResponse:
        """Returns one incident."""
        view = await self._handling.get_incident(call.actor, request.incident)
        return calls.GetIncidentResponse(incident=_incident(view))

    async def acknowledge_incident(
        self, request: calls.AcknowledgeIncidentRequest, call: Call
    ) -> calls.AcknowledgeIncidentResponse:
        """Confirms that the report arrived."""
        view = await self._handling.acknowledge(call, request.incident, request.etag, request.request_id)
        return calls.AcknowledgeIncidentResponse(incident=_incident(view))

    async def assess_incident(
        self, request: calls.AssessIncidentRequest, call: Call
    ) -> calls.AssessIncidentResponse:
        """Records where the assessment stands."""
        outcome = IncidentState(request.outcome)
        view = await self._handling.assess(call, request.incident, outcome, request.etag, request.request_id)
        return calls.AssessIncidentResponse(incident=_incident(view))

    async def list_notices(self, request: calls.ListNoticesRequest, call: Call) -> calls.ListNoticesResponse:
        """Lists an incident's notices."""
        shown, token = await self._handling.list_notices(
            call.actor, request.incident, request.page_size, request.page_token
        )
        return calls.ListNoticesResponse(notices=map(_sent, shown), next_page_token=token)


class ReaderServicer:
    """For named readers."""

    def __init__(self, reading: Reading, watching: Watching) -> None:
        self._reading, self._watching = reading, watching

    async def list_inbox(self, request: calls.ListInboxRequest, call: Call) -> calls.ListInboxResponse:
        """Lists the caller's stubs and tombstones."""
        states = frozenset(map(NoticeState, request.states))
        shown, token, resume = await self._reading.list_inbox(
            call.actor, states, request.page_size, request.page_token
        )
        return calls.ListInboxResponse(notices=map(_stub, shown), next_page_token=token, resume_token=resume)

    async def get_notice(self, request: calls.GetNoticeRequest, call: Call) -> calls.GetNoticeResponse:
        """Returns one stub or tombstone."""
        return calls.GetNoticeResponse(
            notice=_stub(await self._reading.get_notice(call.actor, request.notice))
        )

    async def acknowledge_notice(
        self, request: calls.AcknowledgeNoticeRequest, call: Call
    ) -> calls.AcknowledgeNoticeResponse:
        """Acknowledges an opened notice."""
        view = await self._reading.acknowledge(call, request.notice, request.etag, request.request_id)
        return calls.AcknowledgeNoticeResponse(notice=_stub(view))

    async def watch_inbox(
        self, request: calls.WatchInboxRequest, call: Call
    ) -> AsyncIterator[calls.WatchInboxResponse]:
        """Streams changes of the caller's inbox, with heartbeats."""
        async for view, token in self._watching.watch(call, request.resume_token):
            yield calls.WatchInboxResponse(notice=_stub(view) if view else None, resume_token=token)


class InternalServicer:
    """For disclosure."""

    def __init__(self, following: Following) -> None:
        self._following = following

    async def inform(self, request: calls.InformRequest, call: Call) -> calls.InformResponse:  # noqa: ARG002  # every method takes the call
        """Takes notice that an incident changed."""
        await self._following.inform(request.incident)
        return calls.InformResponse()


def _moment(moment: datetime | None) -> Timestamp | None:
    if moment is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp


def _clocks(clocks: Iterable[Clock]) -> list[wire.Clock]:
    return [
        wire.Clock(
            kind=wire.ClockKind.ValueType(clock.kind),
            due_time=_moment(clock.due_time),
            met_time=_moment(clock.met_time),
        )
        for clock in clocks
    ]


def _incident(view: IncidentView) -> wire.Incident:
    return wire.Incident(
        name=view.name,
        production=view.production,
        state=INCIDENT_STATES.ValueType(view.state),
        create_time=_moment(view.create_time),
        update_time=_moment(view.update_time),
        clocks=_clocks(view.clocks),
        etag=view.etag,
    )


def _sent(view: SentView) -> wire.SentNotice:
    return wire.SentNotice(
        name=view.name,
        recipient=view.recipient,
        state=NOTICE_STATES.ValueType(view.state),
        create_time=_moment(view.create_time),
        update_time=_moment(view.update_time),
        clocks=_clocks(view.clocks),
    )


def _stub(view: StubView) -> wire.Stub:
    return wire.Stub(
        name=view.name,
        sender_title=view.sender_title,
        sender=view.sender,
        production_title=view.production_title,
        recipient=view.recipient,
        purposes=[common_pb2.Purpose.ValueType(purpose) for purpose in view.purposes],
        terms_version=view.terms_version,
        state=NOTICE_STATES.ValueType(view.state),
        tombstone=view.tombstone,
        offer_time=_moment(view.offer_time),
        update_time=_moment(view.update_time),
        reply_by_time=_moment(view.reply_by_time),
        clocks=_clocks(view.clocks),
        independent_contact=view.independent_contact,
        etag=view.etag,
    )


def _status(view: StatusView) -> wire.Status:
    return wire.Status(
        incident=view.incident,
        state=INCIDENT_STATES.ValueType(view.state),
        look_again_time=_moment(view.look_again_time),
        clocks=_clocks(view.clocks),
        notices=[
            wire.Status.NoticeStatus(
                notice=notice.name, state=NOTICE_STATES.ValueType(notice.state), clocks=_clocks(notice.clocks)
            )
            for notice in view.notices
        ],
    )
