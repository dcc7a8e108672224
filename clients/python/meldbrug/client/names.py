"""Names of the wire's numbers, those included that a newer server made up."""

from __future__ import annotations

from typing import Any, Protocol


class Enumeration(Protocol):
    """An enum of the wire."""

    def Name(self, number: Any) -> str:  # noqa: N802 - protobuf's own spelling
        """Returns the name of a defined number."""


def name_of(enumeration: Enumeration, number: int) -> str:
    """Returns the name of `number`; the number itself when this client is too old to know it."""
    try:
        return enumeration.Name(number)
    except ValueError:
        return str(number)
