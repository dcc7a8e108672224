"""What may be done to what here; grants are typed by these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


class Own:
    """What the reporter does with the own incident; possession of its key decides, in SQL."""

    relation: ClassVar[str] = "self"


class Handle:
    """What a handler of the intake does."""

    relation: ClassVar[str] = "can_handle"


class Read:
    """What a named reader of a notice does."""

    relation: ClassVar[str] = "can_open"


def _id_of(name: str) -> str:
    return name.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class IncidentRef:
    """An incident, by its resource name."""

    name: str

    @property
    def object(self) -> str:
        """The policy engine's name of it."""
        return f"incident:{_id_of(self.name)}"


@dataclass(frozen=True, slots=True)
class NoticeRef:
    """A notice, by its resource name."""

    name: str

    @property
    def object(self) -> str:
        """The policy engine's name of it."""
        return f"notice:{_id_of(self.name)}"
