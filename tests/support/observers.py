"""Those who may not know: everyone of a world but its insiders, and strangers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from demo.sector import INDEPENDENT_COUNSELLOR
from tests.support.personas import NOBODY, Persona
from tests.support.twins import INSIDERS, Side


@dataclass(frozen=True)
class Observer:
    """Somebody who may not know, with what they can name by right."""

    persona: Persona
    names: Mapping[str, str]

    @property
    def name(self) -> str:
        """Who it is."""
        return self.persona.name


def observers(side: Side) -> list[Observer]:
    """Everyone of one world who may not know of its secret."""
    people = [
        Persona(name, client.keys) for name, client in sorted(side.people.items()) if name not in INSIDERS
    ]
    brought = {"stranger": side.stranger, "other reporter": side.cases[0].reporter._keys}
    strangers = [NOBODY, *(Persona(name, keys, embed=True) for name, keys in brought.items())]
    return [Observer(persona, side.names) for persona in (*people, *strangers)]


def of_both(side: Side) -> list[Observer]:
    """Members whom both worlds share; for them there is a before and an after, no twin."""
    sector = side.world.sector
    shared = {
        "secretariat": side.secretariat.keys,
        "independent": sector.keys(INDEPENDENT_COUNSELLOR.key),
        "outsider": sector.keys("lichtbrug-contact"),
    }
    return [Observer(Persona(name, keys), side.names) for name, keys in shared.items()]
