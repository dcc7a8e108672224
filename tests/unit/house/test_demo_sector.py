"""The demo's sector is as large, and as mixed, as the first page says it is."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime

import pytest

from demo import texts
from demo.narration import the_covenants_five
from demo.sector import INDEPENDENT_COUNSELLOR, PARTIES, ROLES, TITLES
from demo.seed import admin_of
from meldbrug.common.v1.common_pb2 import (
    CATEGORY_BULLYING,
    SUBJECT_KIND_PERSON,
    SUBJECT_KIND_SYSTEM,
    Category,
)
from meldbrug.directory.v1.directory_pb2 import Organisation

SECRETARIAT = 1
"""The secretariat's own member is made with the installation, not by the demo."""
TOLD_ON = datetime(2026, 11, 27, 12, tzinfo=UTC)
"""The Friday that the notice speaks of; what is over is over for those who read it then."""


def test_the_sector_has_at_least_six_organisations_of_every_sort_there_is():
    kinds = {party.kind for party in PARTIES}

    assert len({party.key for party in PARTIES}) == len(PARTIES) >= 6
    assert len({party.title for party in PARTIES}) == len(PARTIES)
    assert kinds | {Organisation.KIND_SECRETARIAT} >= {
        Organisation.KIND_BROADCASTER,
        Organisation.KIND_PRODUCER,
        Organisation.KIND_FACILITY,
        Organisation.KIND_STREAMING,
        Organisation.KIND_UMBRELLA,
        Organisation.KIND_INDEPENDENT_POINT,
    }


def test_of_three_productions_exactly_one_is_over_when_the_story_is_told():
    over = [title.key for title in TITLES if title.end < TOLD_ON]
    running = [title.key for title in TITLES if title.start <= TOLD_ON <= title.end]

    assert TOLD_ON.strftime("%A") == "Friday"
    assert "vrijdag 27 november" in texts.NL.measures
    assert len({title.key for title in TITLES}) == len(TITLES) == 3
    assert (len(over), len(running)) == (1, 2)


def test_with_the_secretariat_there_are_fifteen_members_of_whom_two_are_systems():
    kinds = Counter(role.subject_kind for role in ROLES)

    assert len({role.key for role in ROLES}) == len(ROLES)
    assert sum(kinds.values()) + SECRETARIAT == 15
    assert kinds == {SUBJECT_KIND_PERSON: 12, SUBJECT_KIND_SYSTEM: 2}


def test_everyone_belongs_somewhere_and_every_party_of_a_production_has_an_admin():
    parties = {party.key for party in PARTIES}
    taking_part = {party for title in TITLES for party in title.parties}

    assert {role.party for role in ROLES} | {party.umbrella for party in PARTIES if party.umbrella} <= parties
    assert taking_part <= parties
    assert [party for party in taking_part if admin_of(party) is None] == []
    assert INDEPENDENT_COUNSELLOR.key in {role.key for role in ROLES}


@pytest.mark.parametrize(
    ("written", "own", "others"),
    [
        ([*asdict(texts.NL).values()], {"de", "het", "een", "ik", "niet", "van"}, {"the", "and", "who"}),
        (
            [*asdict(texts.EN).values(), texts.BYSTANDER_EN],
            {"the", "and", "who"},
            {"de", "het", "een", "ik", "niet", "van"},
        ),
    ],
    ids=["nl", "en"],
)
def test_people_write_in_dutch_and_in_english(written: list[str], own: set[str], others: set[str]):
    for text in written:
        said = set(text.lower().replace(",", " ").replace(".", " ").split())
        assert said & own, text
        assert not said & others, text


def test_the_reporter_is_shown_the_covenants_five_in_both_languages_with_a_tick_at_what_was_chosen():
    rows = the_covenants_five([CATEGORY_BULLYING])

    assert len(rows) == len(Category.values()) - 1 == 5
    assert [tick for tick, *_ in rows] == ["", "", "", "", "✓"]
    assert rows[0] == ("", "discrimination", "discriminatie")
    assert rows[-1] == ("✓", "bullying", "pesten")
