"""Decisions are numbered without a gap, fit a page, and weigh doing nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import name_of, tracked

DECISIONS = tracked("docs/adr/*.md")
PARTS = ["Context", "Options", "Decision", "Consequences"]
WORDS_OF_A_PAGE = 500


def test_decisions_are_numbered_without_a_gap():
    assert [int(path.name[:4]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))


@pytest.mark.parametrize("page", DECISIONS, ids=name_of)
def test_a_decision_has_its_parts_and_weighs_doing_nothing(page: Path):
    text = page.read_text("utf-8")
    options = text.partition("**Options.**")[2].partition("**Decision.**")[0]

    assert re.match(rf"# {int(page.name[:4])}\. \S", text)
    assert re.findall(r"^\*\*(\w+)\.\*\*", text, re.MULTILINE) == PARTS
    assert "Do nothing" in options
    assert len(text.split()) <= WORDS_OF_A_PAGE
