"""Random worlds and questions: small enough that everything collides, with many a yes among the answers."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from policy.engine import Question, Tuple

USERS = [f"user:u{n}" for n in range(4)]
ORGANISATIONS = ["organisation:o0", "organisation:o1"]
PRODUCTIONS = ["production:p0", "production:p1"]
PARTICIPATIONS = [f"participation:s{n}" for n in range(3)]
INCIDENTS = ["incident:i0", "incident:i1"]
NOTICES = ["notice:n0", "notice:n1", "notice:n2"]
# Neighbouring seconds, so that every bound is met exactly, from both sides.
MOMENTS = [f"2026-12-01T08:00:0{second}Z" for second in range(6)]
PURPOSES = ["PROTECT_PEOPLE", "INFORM", "PRESERVE_EVIDENCE"]
KINDS = ["CONTEXT", "SUMMARY", "MEASURES", "ACCOUNT"]

# relation, who, on what, how likely each such tuple is
FACTS = [
    ("admin", USERS, ORGANISATIONS, 0.3),
    ("member", USERS, ORGANISATIONS, 0.5),
    ("organisation", ORGANISATIONS, PARTICIPATIONS, 0.4),
    ("production", PRODUCTIONS, PARTICIPATIONS, 0.4),
    ("counsellor", USERS, PARTICIPATIONS, 0.4),
    ("safety_contact", USERS, PARTICIPATIONS, 0.5),
    ("origin", PARTICIPATIONS, INCIDENTS, 0.5),
    ("handler", USERS, INCIDENTS, 0.6),
    ("conflicted", USERS, INCIDENTS, 0.2),
    ("addressee", PARTICIPATIONS, NOTICES, 0.5),
    ("live", ["user:*"], NOTICES, 0.8),
    ("conflicted", USERS, NOTICES, 0.15),
]
PLAIN = [(relation, things) for relation, _, things, _ in FACTS]
RULES = [("can_handle", INCIDENTS), ("can_appoint", PARTICIPATIONS), ("reader", NOTICES)]


def world(random: Random) -> list[Tuple]:
    """Returns a random set of facts and consents."""
    facts = [
        Tuple(who, relation, thing)
        for relation, people, things, likely in FACTS
        for thing in things
        for who in people
        if random.random() < likely
    ]
    named = [(user, notice) for notice in NOTICES for user in USERS if random.random() < 0.7]
    return facts + [Tuple(user, "reader", notice, "consent", consent(random)) for user, notice in named]


def consent(random: Random) -> dict[str, object]:
    """Returns a stored context, now and then without one of its keys."""
    start, end = sorted(random.choices(MOMENTS, k=2))
    stored: dict[str, object] = {
        "valid_from": start if random.random() < 0.5 else MOMENTS[0],
        "valid_until": end if random.random() < 0.5 else MOMENTS[-1],
        "purposes": subset(random, PURPOSES, 0.7),
        "kinds": subset(random, KINDS, 0.8),
    }
    return without_some(random, stored, 0.05)


def questions(random: Random, count: int) -> Iterator[Question]:
    """Yields random questions, more than half of them about opening."""
    for _ in range(count):
        if random.random() < 0.6:
            yield Question(random.choice(USERS), "can_open", random.choice(NOTICES), asked(random))
        else:
            relation, things = random.choice(RULES + PLAIN)
            yield Question(asker(random, relation), relation, random.choice(things), asked(random))


def asked(random: Random) -> dict[str, object]:
    """Returns what a request says, now and then too little, or more than a service ever sends."""
    context: dict[str, object] = {
        "current_time": random.choice(MOMENTS),
        "purpose": random.choice(PURPOSES),
        "requested": subset(random, KINDS, 0.3),
    }
    return {**without_some(random, context, 0.05), **(consent(random) if random.random() < 0.1 else {})}


def asker(random: Random, relation: str) -> str:
    """Returns someone who could stand in the relation."""
    people = next((people for name, people, _, _ in FACTS if name == relation), USERS)
    return random.choice(USERS if relation == "live" else people)


def subset(random: Random, names: list[str], likely: float) -> list[str]:
    """Returns a random part of `names`, in a random order."""
    return [name for name in random.sample(names, len(names)) if random.random() < likely]


def without_some(random: Random, context: dict[str, object], likely: float) -> dict[str, object]:
    """Returns `context` with each key left out with that likelihood."""
    return {key: value for key, value in context.items() if random.random() >= likely}
