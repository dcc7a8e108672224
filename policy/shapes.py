"""Which tuples may be written at all: what the model's type restrictions promise, asked of the engine.

A wider restriction is a hole that no check on today's tuples shows: a consent for a whole group, an exclusion
under a condition, a handler who is everyone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from policy.engine import Context, EngineError, Store, Tuple

# The whole list, written down apart from the model: everything else must be refused.
ACCEPTED: Final = frozenset(
    {
        "organisation.admin: user",
        "organisation.member: user",
        "participation.organisation: organisation",
        "participation.production: production",
        "participation.counsellor: user",
        "participation.safety_contact: user",
        "incident.origin: participation",
        "incident.handler: user",
        "incident.conflicted: user",
        "notice.addressee: participation",
        "notice.reader: user with consent",
        "notice.live: user:*",
        "notice.conflicted: user",
    }
)
RELATIONS: Final = {
    "organisation": ("admin", "member"),
    "participation": ("organisation", "production", "counsellor", "safety_contact", "can_appoint"),
    "incident": ("origin", "handler", "conflicted", "can_handle"),
    "notice": ("addressee", "reader", "live", "conflicted", "can_open"),
}
TYPES: Final = ("user", "organisation", "production", "participation", "incident", "notice")
CONSENT: Final[Context] = {
    "valid_from": "2026-12-01T08:00:00Z",
    "valid_until": "2027-06-01T08:00:00Z",
    "purposes": ["INFORM"],
    "kinds": ["SUMMARY"],
}


def departures(store: Store, kind: str, relation: str) -> Iterator[str]:
    """Yields every shape of tuple that the relation takes and should not, or refuses and should take."""
    for shape, conditional, user in shapes():
        name = f"{kind}.{relation}: {shape}"
        if is_accepted(store, user, relation, f"{kind}:probe", conditional=conditional) != (name in ACCEPTED):
            yield name


def shapes() -> Iterator[tuple[str, bool, str]]:
    """Yields every form of a user: its name in the model, whether conditional, and one such user."""
    forms = [(kind, f"{kind}:someone") for kind in TYPES]
    forms += [(f"{kind}:*", f"{kind}:*") for kind in TYPES]
    forms += [
        (f"{kind}#{name}", f"{kind}:someone#{name}") for kind, names in RELATIONS.items() for name in names
    ]
    for form, user in forms:
        yield form, False, user
        yield f"{form} with consent", True, user


def is_accepted(store: Store, user: str, relation: str, thing: str, *, conditional: bool) -> bool:
    """Whether OpenFGA takes such a tuple; it is taken out again."""
    one = Tuple(user, relation, thing, "consent", CONSENT) if conditional else Tuple(user, relation, thing)
    try:
        store.write([one])
    except EngineError as error:
        if error.code == "validation_error":
            return False
        raise
    store.write(deletes=[one])
    return True
