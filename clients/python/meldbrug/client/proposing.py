"""Proposing a notice: what the handler decides, why, and whom the reporter is asked about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from meldbrug.common.v1 import common_pb2 as common
from meldbrug.crypto import PublicKeys
from meldbrug.crypto.statements import StatementKind
from meldbrug.disclosure.v1 import disclosure_pb2 as wire
from meldbrug.disclosure.v1 import disclosure_service_pb2 as service
from meldbrug.statements.v1 import statements_pb2 as said

from .circle import Person
from .device import new_id, new_request_id
from .errors import MeldbrugError
from .handlers import Handlers
from .reading import incident_of
from .sealing import seal
from .session import Session

DISCLOSURE: Final = "/meldbrug.disclosure.v1.HandlerService/"


@dataclass(frozen=True)
class Decided:
    """A decision to disclose, or that it no longer stands.

    Attributes:
        ground: On what ground.
        necessity: Why it is necessary; sealed to the handlers.
        reference: The licence or article, where the ground needs one.
        stands: False to close the notice.
    """

    ground: common.Ground.ValueType
    necessity: str
    reference: str = ""
    stands: bool = True


@dataclass(frozen=True)
class Proposal:
    """A notice before the reporter is asked.

    Attributes:
        recipient: `participations/{participation}`.
        readers: Who shall read: verified safety contacts of the recipient.
        purposes: What for.
        valid_until: Until when at the latest; cut to the second.
        ground: On what ground the handler decided to propose it.
        necessity: Why it is necessary; sealed to the handlers.
        texts: What is written for it, by kind.
        sections: What was written before and goes along.
        reference: The licence or article, where the ground needs one.
    """

    recipient: str
    readers: Sequence[Person]
    purposes: Sequence[common.Purpose.ValueType]
    valid_until: datetime
    ground: common.Ground.ValueType
    necessity: str
    texts: Mapping[common.Kind.ValueType, str] = field(default_factory=dict)
    sections: Sequence[str] = ()
    reference: str = ""

    @property
    def decided(self) -> Decided:
        """Returns the decision in it."""
        return Decided(self.ground, self.necessity, self.reference)


class Proposing:
    """Signs decisions and sends proposals."""

    def __init__(self, session: Session) -> None:
        """Acts with the handler's key."""
        self._session = session

    async def propose(
        self,
        incident: str,
        reporter: PublicKeys,
        handlers: Handlers,
        sections: Sequence[said.SectionRef],
        proposal: Proposal,
    ) -> service.ProposeNoticeResponse:
        """Asks for consent to `sections`, which are stored and verified already.

        Raises:
            MeldbrugError: a reader is no safety contact of the recipient.
        """
        _require_contacts(proposal)
        notice = f"{incident}/notices/{new_id()}"
        necessity = self._necessity(incident, reporter, handlers, proposal.necessity)
        decision = self._decision(notice, proposal.recipient, reporter, necessity, proposal.decided)
        request = service.ProposeNoticeRequest(
            notice=notice,
            recipient=proposal.recipient,
            reader_kids=[reader.kid for reader in proposal.readers],
            sections=sections,
            purposes=proposal.purposes,
            valid_until=Timestamp(seconds=int(proposal.valid_until.timestamp())),
            decision=decision,
            necessity=necessity,
            request_id=new_request_id(),
        )
        return await self._session.call(DISCLOSURE + "ProposeNotice", request, service.ProposeNoticeResponse)

    async def decide(
        self, notice: str, recipient: str, reporter: PublicKeys, handlers: Handlers, decided: Decided
    ) -> common.NoticeState.ValueType:
        """Records a new decision; returns where the notice stands."""
        necessity = self._necessity(incident_of(notice), reporter, handlers, decided.necessity)
        request = service.RecordDecisionRequest(
            notice=notice,
            decision=self._decision(notice, recipient, reporter, necessity, decided),
            necessity=necessity,
            request_id=new_request_id(),
        )
        answer = await self._session.call(
            DISCLOSURE + "RecordDecision", request, service.RecordDecisionResponse
        )
        return answer.state

    def _necessity(
        self, incident: str, reporter: PublicKeys, handlers: Handlers, text: str
    ) -> wire.NewSection:
        return seal(
            self._session.keys,
            self._session.installation,
            f"{incident}/sections/{new_id()}",
            common.KIND_INTERNAL_NOTE,
            text,
            reporter.kid,
            handlers.keys,
        )

    def _decision(
        self,
        notice: str,
        recipient: str,
        reporter: PublicKeys,
        necessity: wire.NewSection,
        decided: Decided,
    ) -> common.Signed:
        decision = said.Decision(
            installation=self._session.installation,
            notice=notice,
            reporter_kid=reporter.kid,
            recipient=recipient,
            ground=decided.ground,
            reference=decided.reference,
            necessity_digest=necessity.header.digest,
            handler_kid=self._session.kid,
            stands=decided.stands,
            sequence=self._session.sequence(),
        )
        return self._session.sign(StatementKind.DECISION, decision)


def _require_contacts(proposal: Proposal) -> None:
    for reader in proposal.readers:
        held = reader.appointment
        wanted = (proposal.recipient, common.CAPACITY_SAFETY_CONTACT)
        if (held.participation, held.capacity) != wanted:
            raise MeldbrugError("a reader is no safety contact of the recipient")
