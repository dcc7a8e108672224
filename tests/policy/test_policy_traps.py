"""What OpenFGA's command cannot express, asked of the real server: errors, contexts, transactions, limits.

Some tests pin a trap: they show that the engine *does* let the dangerous thing happen, and so why we never do
it. When one of those fails after an upgrade, the engine has changed: read `policy/README.md` first.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from policy.engine import Engine, EngineError, Question, Store, Tuple, read_model, running
from policy.matrix import KINDS, PURPOSES
from policy.shapes import RELATIONS, departures

CONSENT = {
    "valid_from": "2026-12-01T08:00:00Z",
    "valid_until": "2027-06-01T08:00:00Z",
    "purposes": ["INFORM"],
    "kinds": ["SUMMARY"],
}
ASKED = {"current_time": "2027-01-15T12:00:00Z", "purpose": "INFORM", "requested": ["SUMMARY"]}
CONTACT = Tuple("user:reader", "safety_contact", "participation:coproducer")
ADDRESSEE = Tuple("participation:coproducer", "addressee", "notice:n")
READER = Tuple("user:reader", "reader", "notice:n", "consent", CONSENT)
LIVE = Tuple("user:*", "live", "notice:n")
OPEN = Question("user:reader", "can_open", "notice:n", ASKED)


@pytest.fixture
def armed(store: Store) -> Store:
    """A store in which the named reader may open the summary."""
    store.write([CONTACT, ADDRESSEE, READER, LIVE])
    assert store.check(OPEN)
    return store


def asking(**changes: object) -> Question:
    """The question of the named reader, with another context."""
    return replace(OPEN, context={**ASKED, **changes})


class TestContext:
    @pytest.mark.parametrize("missing", ["current_time", "purpose", "requested"])
    def test_a_missing_context_key_is_an_error_and_never_a_yes(self, armed: Store, missing: str) -> None:
        incomplete = {key: value for key, value in ASKED.items() if key != missing}

        with pytest.raises(EngineError, match=missing):
            armed.check(replace(OPEN, context=incomplete))

    def test_no_context_at_all_is_an_error_and_never_a_yes(self, armed: Store) -> None:
        with pytest.raises(EngineError, match="missing context parameters"):
            armed.check(replace(OPEN, context=None))

    @pytest.mark.parametrize("value", [1764576000, "", "yesterday", None])
    def test_a_time_that_is_not_a_timestamp_is_an_error(self, armed: Store, value: object) -> None:
        with pytest.raises(EngineError):
            armed.check(asking(current_time=value))

    @pytest.mark.parametrize("value", ["SUMMARY", {"SUMMARY": True}, [1]])
    def test_kinds_that_are_not_a_list_of_names_are_an_error(self, armed: Store, value: object) -> None:
        with pytest.raises(EngineError):
            armed.check(asking(requested=value))

    @pytest.mark.parametrize(
        "forged",
        [
            {"current_time": "2027-07-01T08:00:00Z", "valid_until": "2099-01-01T00:00:00Z"},
            {"current_time": "2026-11-01T08:00:00Z", "valid_from": "2000-01-01T00:00:00Z"},
            {"purpose": "PROTECT_PEOPLE", "purposes": ["PROTECT_PEOPLE"]},
            {"requested": ["ACCOUNT"], "kinds": ["ACCOUNT"]},
        ],
        ids=["until", "from", "purposes", "kinds"],
    )
    def test_a_full_stored_context_cannot_be_overruled_by_the_request(
        self, armed: Store, forged: dict[str, object]
    ) -> None:
        assert not armed.check(asking(**forged))

    @pytest.mark.parametrize("key", sorted(CONSENT))
    def test_a_key_missing_from_the_tuple_is_an_error_unless_the_request_fills_it(
        self, store: Store, key: str
    ) -> None:
        stored = {name: value for name, value in CONSENT.items() if name != key}
        store.write([CONTACT, ADDRESSEE, replace(READER, context=stored), LIVE])

        with pytest.raises(EngineError, match=key):
            store.check(OPEN)
        assert store.check(asking(**{key: CONSENT[key]})), "the trap: whoever asks completes the consent"

    def test_a_contextual_tuple_opens_what_is_closed_so_no_service_sends_one(self, armed: Store) -> None:
        armed.write(deletes=[LIVE])

        assert not armed.check(OPEN)
        assert armed.check(replace(OPEN, given=(LIVE,))), (
            "the trap: a contextual tuple counts as if it were written"
        )


class TestCost:
    def test_eleven_kinds_and_four_purposes_are_affordable(self, store: Store) -> None:
        purposes = [name for name in PURPOSES if name]
        everything = {**CONSENT, "kinds": list(KINDS), "purposes": purposes}
        store.write([CONTACT, ADDRESSEE, replace(READER, context=everything), LIVE])

        for purpose in purposes:
            assert store.check(asking(purpose=purpose, requested=list(reversed(KINDS))))

    def test_the_longest_lists_we_allow_are_affordable(self, store: Store) -> None:
        names = [f"A_RATHER_LONG_NAME_{number}" for number in range(16)]
        store.write(
            [
                CONTACT,
                ADDRESSEE,
                replace(READER, context={**CONSENT, "kinds": names, "purposes": names}),
                LIVE,
            ]
        )

        assert store.check(asking(purpose=names[-1], requested=list(reversed(names))))

    def test_beyond_the_limit_the_answer_is_an_error_and_never_a_yes(self, store: Store) -> None:
        names = [f"KIND_{number}" for number in range(60)]
        store.write([CONTACT, ADDRESSEE, replace(READER, context={**CONSENT, "kinds": names}), LIVE])

        with pytest.raises(EngineError, match="cost"):
            store.check(asking(requested=names))

    def test_with_the_default_limit_eleven_kinds_are_an_error_and_never_a_yes(self) -> None:
        with running(OPENFGA_MAX_CONDITION_EVALUATION_COST="100") as engine:
            store = engine.store()
            store.write(
                [CONTACT, ADDRESSEE, replace(READER, context={**CONSENT, "kinds": list(KINDS)}), LIVE]
            )

            with pytest.raises(EngineError, match="cost"):
                store.check(asking(requested=list(KINDS)))


class TestWrites:
    def test_renewing_a_consent_in_one_write_is_refused_and_changes_nothing(self, armed: Store) -> None:
        longer = replace(READER, context={**CONSENT, "valid_until": "2028-06-01T08:00:00Z"})

        with pytest.raises(EngineError, match="duplicate"):
            armed.write([longer], deletes=[READER])

        assert armed.check(OPEN)
        assert not armed.check(asking(current_time="2027-12-01T08:00:00Z"))

    def test_renewing_a_consent_is_a_delete_and_then_a_write_and_the_gap_denies(self, armed: Store) -> None:
        longer = replace(READER, context={**CONSENT, "valid_until": "2028-06-01T08:00:00Z"})

        armed.write(deletes=[READER])
        assert not armed.check(OPEN)

        armed.write([longer])
        assert armed.check(asking(current_time="2027-12-01T08:00:00Z"))

    def test_writing_another_consent_over_a_standing_one_is_refused(self, armed: Store) -> None:
        wider = replace(READER, context={**CONSENT, "kinds": ["SUMMARY", "ACCOUNT"]})

        with pytest.raises(EngineError, match="already exist"):
            armed.write([wider])

        assert not armed.check(asking(requested=["ACCOUNT"]))

    def test_ignoring_duplicates_is_no_way_to_change_a_consent(self, engine: Engine, armed: Store) -> None:
        narrower = replace(READER, context={**CONSENT, "kinds": ["CONTEXT"]})
        body = {"writes": {"tuple_keys": [narrower.json], "on_duplicate": "ignore"}}

        with pytest.raises(EngineError) as refused:
            engine.post(f"/stores/{armed.store_id}/write", body)

        assert refused.value.status == 409
        assert armed.check(OPEN), "the wider consent still stands: this was no update"

    def test_a_write_is_whole_or_nothing(self, store: Store) -> None:
        with pytest.raises(EngineError):
            store.write([CONTACT, ADDRESSEE, READER, LIVE, Tuple("user:reader", "can_open", "notice:n")])

        assert not store.check(OPEN)
        assert not store.check(Question("user:anyone", "live", "notice:n"))

    def test_more_than_a_hundred_tuples_in_one_write_are_refused(self, store: Store) -> None:
        many = [Tuple(f"user:u{number}", "conflicted", "notice:n") for number in range(101)]

        with pytest.raises(EngineError):
            store.write(many)

        assert not store.check(Question("user:u0", "conflicted", "notice:n"))

    @pytest.mark.parametrize("taken", [CONTACT, ADDRESSEE, READER, LIVE], ids=lambda one: one.relation)
    def test_taking_any_one_tuple_away_closes_at_once(self, armed: Store, taken: Tuple) -> None:
        armed.write(deletes=[taken])

        assert not armed.check(OPEN)

    def test_an_exclusion_closes_at_once(self, armed: Store) -> None:
        armed.write([Tuple("user:reader", "conflicted", "notice:n")])

        assert not armed.check(OPEN)

    @pytest.mark.parametrize(
        ("kind", "relation"),
        [(kind, relation) for kind, relations in RELATIONS.items() for relation in relations],
    )
    def test_only_the_listed_shapes_of_tuple_can_be_written(
        self, store: Store, kind: str, relation: str
    ) -> None:
        assert list(departures(store, kind, relation)) == []


class TestWrongQuestions:
    def test_a_wrong_store_is_an_error_and_never_a_yes(self, armed: Store, engine: Engine) -> None:
        elsewhere = Store(engine, "01ARZ3NDEKTSV4RRFFQ69G5FAV", armed.model_id)

        with pytest.raises(EngineError):
            elsewhere.check(OPEN)

    def test_the_same_model_in_another_store_is_an_error_and_never_a_yes(
        self, armed: Store, engine: Engine
    ) -> None:
        foreign = Store(engine, engine.store().store_id, armed.model_id)

        with pytest.raises(EngineError, match="not found"):
            foreign.check(OPEN)

    def test_a_wrong_model_is_an_error_and_never_a_yes(self, armed: Store) -> None:
        with pytest.raises(EngineError, match="not found"):
            armed.under("01ARZ3NDEKTSV4RRFFQ69G5FAV").check(OPEN)

    @pytest.mark.parametrize(
        "question", [replace(OPEN, relation="can_read"), replace(OPEN, object="report:n")]
    )
    def test_an_unknown_relation_or_type_is_an_error_and_never_a_yes(
        self, armed: Store, question: Question
    ) -> None:
        with pytest.raises(EngineError, match="not found"):
            armed.check(question)

    def test_a_notice_that_does_not_exist_is_a_plain_no(self, armed: Store) -> None:
        assert not armed.check(replace(OPEN, object="notice:absent"))

    @pytest.mark.parametrize(
        "user", ["user:*", "organisation:o#member", "participation:coproducer#safety_contact"]
    )
    def test_nobody_opens_in_the_name_of_everyone_or_of_a_group(self, armed: Store, user: str) -> None:
        assert not armed.check(replace(OPEN, user=user))


class TestWhyTheModelIsSo:
    """Two models that look as good as ours, and fail open."""

    def test_an_exclusion_under_a_condition_would_fail_open(self, engine: Engine) -> None:
        model = read_model()
        typed(model, "conflicted").append({"type": "user", "condition": "consent"})
        typed(model, "conflicted").append(
            {"type": "organisation", "relation": "member", "condition": "consent"}
        )
        store = engine.store(model)
        incomplete = {"valid_from": CONSENT["valid_from"]}
        store.write([CONTACT, ADDRESSEE, READER, LIVE])
        store.write(
            [
                Tuple("user:reader", "member", "organisation:accused"),
                Tuple("organisation:accused#member", "conflicted", "notice:n", "consent", incomplete),
                Tuple("organisation:other#member", "conflicted", "notice:n", "consent", CONSENT),
            ]
        )

        assert store.check(OPEN), (
            "the trap: the one that excludes cannot be evaluated, another can, and the error is lost"
        )

    def test_an_exclusion_through_a_link_would_vanish_with_the_link(self, engine: Engine) -> None:
        model = read_model()
        notice = next(one for one in model["type_definitions"] if one["type"] == "notice")
        notice["relations"]["incident"] = {"this": {}}
        notice["metadata"]["relations"]["incident"] = {"directly_related_user_types": [{"type": "incident"}]}
        notice["relations"]["can_open"]["difference"]["subtract"] = {
            "tupleToUserset": {
                "computedUserset": {"relation": "conflicted"},
                "tupleset": {"relation": "incident"},
            }
        }
        store = engine.store(model)
        link = Tuple("incident:i", "incident", "notice:n")
        store.write(
            [CONTACT, ADDRESSEE, READER, LIVE, link, Tuple("user:reader", "conflicted", "incident:i")]
        )
        assert not store.check(OPEN)

        store.write(deletes=[link])

        assert store.check(OPEN), "the trap: the exclusion is still written, and nobody looks at it"


def typed(model: dict[str, Any], relation: str) -> list[dict[str, Any]]:
    """The list of who may stand in a relation of a notice, to be changed in place."""
    notice = next(one for one in model["type_definitions"] if one["type"] == "notice")
    types: list[dict[str, Any]] = notice["metadata"]["relations"][relation]["directly_related_user_types"]
    return types
