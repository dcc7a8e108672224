"""What is asked of the policy engine, and about what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


class Handle:
    """A handler's door."""

    relation: ClassVar[str] = "can_handle"


class Read:
    """A named reader's door."""

    relation: ClassVar[str] = "can_open"


class Follow:
    """The reporter's door: possession of the incident's key, never asked of the policy engine."""

    relation: ClassVar[str] = ""


@dataclass(frozen=True, slots=True)
class IncidentRef:
    """An incident by its resource name."""

    name: str

    @property
    def object(self) -> str:
        """The policy engine's name of it."""
        return "incident:" + self.name.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class NoticeRef:
    """A notice by its resource name."""

    name: str

    @property
    def object(self) -> str:
        """The policy engine's name of it."""
        return "notice:" + self.name.rpartition("/")[2]

    @property
    def incident(self) -> str:
        """Resource name of its incident."""
        return "/".join(self.name.split("/")[:2])
