"""The open contract: standing, then the policy engine, then one transaction that decides anew and records.

Nothing leaves unless that transaction has committed with the release in it. An error anywhere on the way is
never a yes, and a `request_id` only keeps the record single.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from meldbrug.common.v1 import common_pb2
from meldbrug.disclosure.v1 import disclosure_pb2 as pb
from meldbrug.disclosure.v1 import disclosure_service_pb2 as rpc
from services.disclosure.domain import Door, Kind, Purpose, incident_of, led_to
from services.disclosure.store import openings
from services.disclosure.store.access import Handle, IncidentRef, NoticeRef, Own, Read
from services.disclosure.store.openings import Standing, Values, Verdict
from services.disclosure.usecases.deps import Deps
from services.disclosure.usecases.wire import public_keys, section_header, signed
from services.kernel.authz import Actor, Grant, granted_by_record, timestamp
from services.kernel.db import Driver
from services.kernel.errors import NotPermitted, RequestIdReused, Unavailable
from services.kernel.failpoints import failpoint
from services.kernel.rpc import Call

# How often an opening starts again because somebody changed who may read meanwhile.
ATTEMPTS = 3
SOON_S = 0.1
MAX_REWRAPS = 64

Check = Callable[[Standing], Awaitable[Grant[Any, Any]]]


class Opening:
    """The three doors through which sealed bytes leave; they share one core."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    async def reader(self, request: rpc.OpenSectionsRequest, call: Call) -> rpc.OpenSectionsResponse:
        """Opens sections of a notice for a named reader. Raises NotPermitted for every closed door."""
        kinds = list(request.kinds)
        values = {
            "incident": incident_of(request.notice),
            "notice": request.notice,
            "kinds": kinds,
            "purpose": request.purpose,
            "request_id": request.request_id,
        }

        async def check(standing: Standing) -> Grant[Read, NoticeRef]:
            context = reading_context(standing, request.purpose, kinds or standing.kinds)
            return await self._deps.authz.require(
                call.actor, Read, NoticeRef(request.notice), context=context
            )

        rows = await self._open(Door.READER, call.actor, values, check)
        return rpc.OpenSectionsResponse(
            sections=[_opened(row, call.actor) for row in rows],
            consent=signed(rows[0].grant_statement, rows[0].grant_signature),
            decision=signed(rows[0].decision_statement, rows[0].decision_signature),
            reporter_keys=public_keys(rows[0]),
            rewraps=_rewraps(rows[0], call.actor.kid),
        )

    async def handler(
        self, request: rpc.HandlerServiceOpenSectionsRequest, call: Call
    ) -> rpc.HandlerServiceOpenSectionsResponse:
        """Opens sections for a handler of the intake. Raises NotPermitted for every closed door."""

        async def check(_standing: Standing) -> Grant[Handle, IncidentRef]:
            return await self._deps.authz.require(call.actor, Handle, IncidentRef(request.incident))

        rows = await self._open(Door.HANDLER, call.actor, _intake_values(request), check)
        return rpc.HandlerServiceOpenSectionsResponse(
            sections=[_opened(row, call.actor) for row in rows],
            intake=signed(rows[0].grant_statement, rows[0].grant_signature),
            reporter_keys=public_keys(rows[0]),
            rewraps=_rewraps(rows[0], call.actor.kid),
        )

    async def reporter(
        self, request: rpc.ReporterServiceOpenSectionsRequest, call: Call
    ) -> rpc.ReporterServiceOpenSectionsResponse:
        """Opens sections for the reporter, by possession of its key alone; without the key book."""

        async def check(_standing: Standing) -> Grant[Own, IncidentRef]:
            return granted_by_record(call.actor, Own, IncidentRef(request.incident))

        rows = await self._open(Door.REPORTER, call.actor, _intake_values(request), check)
        return rpc.ReporterServiceOpenSectionsResponse(sections=[_opened(row, call.actor) for row in rows])

    async def _open(self, door: Door, actor: Actor, values: Values, check: Check) -> Sequence[Any]:
        for _ in range(ATTEMPTS):
            await self._deps.admission.precedence.given()
            standing = await self._standing(door, actor, values)
            grant = await check(standing)
            await failpoint("after_check")
            await self._deps.admission.precedence.given()
            outcome = await self._let_out(
                grant, door, {**values, "epoch": standing.epoch}, has_opened=standing.has_opened
            )
            match outcome.verdict:
                case Verdict.LET_OUT:
                    await failpoint("after_commit")
                    return outcome.rows
                case Verdict.CLOSED:
                    raise NotPermitted
                case Verdict.REUSED:
                    raise RequestIdReused
                case Verdict.CHANGED:
                    continue
        raise Unavailable("DATABASE_UNAVAILABLE", SOON_S)

    async def _standing(self, door: Door, actor: Actor, values: Values) -> Standing:
        """Raises NotPermitted for strangers, before the policy engine hears of them (T28)."""
        asked = {**values, "kid": actor.kid, "subject": actor.subject}
        found = await self._deps.database.run_raw(lambda driver: openings.standing(driver, door, asked))
        if found is None or found.incident != values["incident"]:
            raise NotPermitted
        return found

    async def _let_out(
        self, grant: Grant[Any, Any], door: Door, values: Values, *, has_opened: bool
    ) -> openings.Outcome:
        async def tell(driver: Driver) -> None:
            await self._deps.jobs.defer(driver, "inform", incident=str(values["incident"]))

        on_first = None if has_opened else tell
        return await self._deps.database.run_raw(
            lambda driver: openings.let_out(driver, grant, door, values, on_first)
        )


def reading_context(standing: Standing, purpose: int, kinds: Sequence[int]) -> dict[str, Any]:
    """The whole context of a reader's check; nothing in it but the purpose and the kinds is the caller's."""
    return {
        "current_time": timestamp(standing.now),
        "purpose": Purpose(purpose).name,
        "requested": [Kind(kind).name for kind in kinds],
    }


def _intake_values(
    request: rpc.HandlerServiceOpenSectionsRequest | rpc.ReporterServiceOpenSectionsRequest,
) -> dict[str, object]:
    return {
        "incident": request.incident,
        "sections": list(request.sections),
        "request_id": request.request_id,
    }


def _opened(row: Any, actor: Actor) -> pb.OpenedSection:
    return pb.OpenedSection(
        header=section_header(row),
        ciphertext=row.ciphertext,
        wrap=pb.Wrap(section=row.name, version=row.version, reader_kid=actor.kid, wrap=row.wrap),
        grant=row.grant_name,
        purposes=row.purposes,
    )


def _rewraps(row: Any, kid: str) -> list[common_pb2.Signed]:
    """The hand-overs that lead from a key of the statement to the caller's; the oldest first."""
    steps = list(zip(row.old_kids or (), row.new_kids or (), strict=True))
    chain = led_to(kid, steps)
    signatures = zip(row.rewraps or (), row.rewrap_signatures or (), strict=True)
    return [signed(*pair) for (_, new), pair in zip(steps, signatures, strict=True) if new in chain][
        -MAX_REWRAPS:
    ]
