"""Named points in every operation that changes something, where a test may hold it, kill it or let it fail.

Inert unless the test switch names a file: `arm` is called once, before the server starts. The file holds the
name of one point, and `error` after it when whoever comes there shall fail instead of being held.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from pathlib import Path

POLL_S = 0.02

COMMAND = ("before_commit", "after_commit")
# Something is done between commit and answer: a sync, or another service is told.
FOLLOWED = (*COMMAND, "before_answer")
OPENING = ("after_check", "after_commit", "before_answer")
JOB = ("begin", "end")

OPERATIONS: Mapping[str, tuple[str, ...]] = {
    "disclosure.ReporterService.SubmitReport": FOLLOWED,
    "disclosure.ReporterService.PutSection": COMMAND,
    "disclosure.ReporterService.OpenSections": OPENING,
    "disclosure.ReporterService.ChangeIntake": FOLLOWED,
    "disclosure.ReporterService.GiveConsent": FOLLOWED,
    "disclosure.ReporterService.RefuseConsent": COMMAND,
    "disclosure.ReporterService.WithdrawConsent": FOLLOWED,
    "disclosure.ReporterService.WithdrawReport": FOLLOWED,
    "disclosure.ReporterService.Exclude": FOLLOWED,
    "disclosure.HandlerService.OpenSections": OPENING,
    "disclosure.HandlerService.PutSection": COMMAND,
    "disclosure.HandlerService.ProposeNotice": COMMAND,
    "disclosure.HandlerService.RecordDecision": COMMAND,
    "disclosure.ReaderService.AnswerTerms": FOLLOWED,
    "disclosure.ReaderService.OpenSections": OPENING,
    "disclosure.SeatService.RewrapSeat": COMMAND,
    "disclosure.InternalService.EndSeats": COMMAND,
    "disclosure.InternalService.RecordAffiliation": COMMAND,
    "disclosure.policy_sync": JOB,
    "disclosure.inform": JOB,
    "disclosure.ended_followup": JOB,
    "disclosure.affiliation_followup": JOB,
    "coordination.HandlerService.AcknowledgeIncident": COMMAND,
    "coordination.HandlerService.AssessIncident": COMMAND,
    "coordination.ReaderService.AcknowledgeNotice": COMMAND,
    "coordination.InternalService.Inform": ("after_pull", *COMMAND),
    "directory.EnrolmentService.AcceptInvitation": COMMAND,
    "directory.MemberService.BeginRotation": COMMAND,
    "directory.MemberService.CompleteRotation": ("after_end_seats", *COMMAND),
    "directory.AdminService.InviteMember": COMMAND,
    "directory.AdminService.EndorseMember": ("after_affiliation", *FOLLOWED),
    "directory.AdminService.RemoveMember": ("after_end_seats", *FOLLOWED),
    "directory.AdminService.RegisterProduction": FOLLOWED,
    "directory.AdminService.UpdateProduction": COMMAND,
    "directory.AdminService.RotateProductionCode": COMMAND,
    "directory.AdminService.ProposeParticipation": COMMAND,
    "directory.AdminService.AcceptParticipation": FOLLOWED,
    "directory.AdminService.EndParticipation": ("after_end_seats", *FOLLOWED),
    "directory.AdminService.AppointMember": FOLLOWED,
    "directory.AdminService.EndAppointment": ("after_end_seats", *FOLLOWED),
    "directory.SecretariatService.AdmitOrganisation": FOLLOWED,
    "directory.SecretariatService.UpdateOrganisation": ("after_end_seats", *FOLLOWED),
    "directory.SecretariatService.EndorseAdmin": ("after_affiliation", *FOLLOWED),
    "directory.SecretariatService.CloseParticipation": ("after_end_seats", *FOLLOWED),
    "directory.sync_policy": JOB,
    "directory.end_seats": JOB,
}
"""Each operation, by `service.Service.Method` or `service.job`, with its stages in the order they are met."""
POINTS = tuple(f"{operation}.{stage}" for operation, stages in OPERATIONS.items() for stage in stages)

operation: ContextVar[str] = ContextVar("operation", default="")
"""The method or the job that is being done; set by who calls it."""


class Injected(Exception):
    """The failure that a test asked for."""


class _Switch:
    """The file that names the armed point; set once, before the server starts."""

    file: Path | None = None


def arm(file: Path | None) -> None:
    """Lets points be armed by writing one's name into `file`; None leaves them all inert."""
    _Switch.file = file


async def failpoint(stage: str) -> None:
    """Holds here as long as a test names this stage of the operation; says so once on standard output.

    Raises:
        Injected: the test asked for a failure.
    """
    if _Switch.file is None:
        return
    name, held = f"{_short(operation.get())}.{stage}", False
    # Another process ends this, by what it writes into the file.
    while (armed := await asyncio.to_thread(_read, _Switch.file)) and armed[0] == name:
        if not held:
            sys.stdout.write(f"held {name}\n")
            sys.stdout.flush()
        if armed[1:]:
            raise Injected
        held = True
        await asyncio.sleep(POLL_S)


def _short(name: str) -> str:
    """`/meldbrug.disclosure.v1.ReaderService/OpenSections` as `disclosure.ReaderService.OpenSections`."""
    return name.lstrip("/").removeprefix("meldbrug.").replace(".v1.", ".").replace("/", ".")


def _read(file: Path) -> list[str]:
    return file.read_text("utf-8").split() if file.exists() else []
