"""Bare openings of a notice: the one call, without the look-ups that a client makes around it."""

from __future__ import annotations

from meldbrug.client import MemberClient
from meldbrug.client.device import new_request_id
from meldbrug.common.v1.common_pb2 import PURPOSE_INFORM
from meldbrug.disclosure.v1 import disclosure_service_pb2 as service
from tests.support.actors import Actors, Case
from tests.support.faults import succeeds

OPEN = "/meldbrug.disclosure.v1.ReaderService/OpenSections"


def opening(notice: str) -> service.OpenSectionsRequest:
    """A fresh request to open."""
    return service.OpenSectionsRequest(notice=notice, purpose=PURPOSE_INFORM, request_id=new_request_id())


async def open_as(reader: MemberClient, notice: str) -> service.OpenSectionsResponse:
    """A reader opens a notice."""
    return await reader.call(OPEN, opening(notice), service.OpenSectionsResponse)


async def open_once(case: Case) -> service.OpenSectionsResponse:
    """The first named reader opens the case's notice."""
    return await open_as(case.reader, case.notice)


async def proposed(actors: Actors) -> Case:
    """A case whose reporter is asked for a notice to the broadcaster's contact."""
    case = await actors.report()
    await case.propose("noorderlicht", [actors.member("noorderlicht-contact")])
    return case


async def opened(actors: Actors) -> Case:
    """A case whose notice that contact has opened."""
    case = await proposed(actors)
    await case.accepted()
    await succeeds(lambda: open_once(case))
    return case
