"""What a reporter signs about the whole report: who handles it, who must never know, that it is withdrawn."""

from __future__ import annotations

from collections.abc import Sequence

from meldbrug.common.v1 import common_pb2 as common
from meldbrug.crypto import SecretKeys, statements
from meldbrug.crypto.statements import StatementKind
from meldbrug.statements.v1 import statements_pb2 as said

from .circle import Person
from .device import ServerClock


class Voice:
    """The reporter's signature on statements."""

    def __init__(self, keys: SecretKeys, installation: str, clock: ServerClock) -> None:
        """Signs with `keys`; sequences come from `clock`."""
        self._keys = keys
        self._installation = installation
        self._clock = clock

    def intake(self, incident: str, production: str, people: Sequence[Person]) -> common.Signed:
        """Returns a signed choice of handlers."""
        handlers = [
            said.Intake.Handler(
                kid=person.kid,
                participation=person.appointment.participation,
                appointment=person.appointment.appointment,
            )
            for person in people
        ]
        intake = said.Intake(
            installation=self._installation,
            incident=incident,
            production=production,
            reporter_kid=self._keys.kid,
            handlers=handlers,
            sequence=self._clock.sequence(),
        )
        return statements.sign(StatementKind.INTAKE, intake, self._keys)

    def exclusion(
        self, incident: str, subjects: Sequence[str], organisations: Sequence[str]
    ) -> common.Signed:
        """Returns a signed exclusion."""
        exclusion = said.Exclusion(
            installation=self._installation,
            incident=incident,
            subjects=subjects,
            organisations=organisations,
            reporter_kid=self._keys.kid,
            sequence=self._clock.sequence(),
        )
        return statements.sign(StatementKind.EXCLUSION, exclusion, self._keys)

    def withdrawal(
        self,
        incident: str,
        notice: str = "",
        reader_kids: Sequence[str] = (),
        sections: Sequence[str] = (),
    ) -> common.Signed:
        """Returns a signed withdrawal of a report, a consent, or a part of one."""
        withdrawal = said.Withdrawal(
            installation=self._installation,
            incident=incident,
            notice=notice,
            reader_kids=reader_kids,
            sections=sections,
            reporter_kid=self._keys.kid,
            sequence=self._clock.sequence(),
        )
        return statements.sign(StatementKind.WITHDRAWAL, withdrawal, self._keys)
