"""The policy a second time, in plain Python over a list of tuples, to compare with the real engine (I28).

Written from the sentences of the design, not from the model. What cannot be decided for lack of context is
`UNKNOWN`, which the engine must answer with an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import cast

from policy.engine import Question, Tuple


class Answer(Enum):
    """Yes, no, or an error."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "error"


YES, NO, UNKNOWN = Answer
NEEDED = {"current_time", "valid_from", "valid_until", "purpose", "purposes", "kinds", "requested"}


class Reference:
    """Answers questions about one set of tuples."""

    def __init__(self, tuples: Iterable[Tuple]) -> None:
        self._tuples = {(one.user, one.relation, one.object): one for one in tuples}

    def answer(self, question: Question) -> Answer:
        """Returns what the engine must answer."""
        user, thing, context = question.user, question.object, question.context or {}
        match question.relation:
            case "can_handle":
                return self._can_handle(user, thing)
            case "can_open":
                return self._can_open(user, thing, context)
            case "can_appoint":
                return truth(
                    any(self._has(user, "admin", one) for one in self._linked("organisation", thing))
                )
            case "reader":
                return self._consented(user, thing, context)
            case "live":
                return truth(self._has("user:*", "live", thing))
            case plain:
                return truth(self._has(user, plain, thing))

    def _can_handle(self, user: str, incident: str) -> Answer:
        chosen = self._has(user, "handler", incident)
        counsels = any(self._has(user, "counsellor", one) for one in self._linked("origin", incident))
        return truth(chosen and counsels and not self._has(user, "conflicted", incident))

    def _can_open(self, user: str, notice: str, context: Mapping[str, object]) -> Answer:
        """A plain no anywhere decides before anything that is unknown."""
        receives = any(self._has(user, "safety_contact", one) for one in self._linked("addressee", notice))
        live, excluded = self._has("user:*", "live", notice), self._has(user, "conflicted", notice)
        if excluded or not live or not receives:
            return NO
        return self._consented(user, notice, context)

    def _consented(self, user: str, notice: str, asked: Mapping[str, object]) -> Answer:
        given = self._tuples.get((user, "reader", notice))
        if given is None:
            return NO
        facts = {**asked, **given.context}  # What is stored cannot be overruled by what is asked.
        return truth(within(facts)) if facts.keys() >= NEEDED else UNKNOWN

    def _has(self, user: str, relation: str, thing: str) -> bool:
        return (user, relation, thing) in self._tuples

    def _linked(self, relation: str, thing: str) -> list[str]:
        return [one.user for one in self._tuples.values() if one.relation == relation and one.object == thing]


def within(facts: Mapping[str, object]) -> bool:
    """Whether the moment, the purpose and every kind asked for lie within the consent."""
    now, start, end = (moment(facts[name]) for name in ("current_time", "valid_from", "valid_until"))
    purposes, kinds = (cast("Sequence[str]", facts[name]) for name in ("purposes", "kinds"))
    requested = cast("Sequence[str]", facts["requested"])
    return start <= now < end and facts["purpose"] in purposes and set(requested) <= set(kinds)


def moment(text: object) -> datetime:
    """Reads a timestamp."""
    return datetime.fromisoformat(str(text))


def truth(value: bool) -> Answer:
    """Returns a decided answer."""
    return YES if value else NO
