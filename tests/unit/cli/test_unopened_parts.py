"""A part that shows nothing says why: nobody takes an empty panel for an empty text."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from meldbrug.cli.output import Screen
from meldbrug.cli.settings import Settings
from meldbrug.cli.showing import said_by, text_data
from meldbrug.client import Text, Unopened
from meldbrug.client.reading import Author
from meldbrug.common.v1 import common_pb2 as common

PARTS: dict[str, Any] = {
    "section": "incidents/a/sections/b",
    "version": 1,
    "kind": common.KIND_EVIDENCE,
    "text": "",
    "author": Author("a" * 52, is_reporter=True),
    "create_time": datetime(2026, 11, 26, tzinfo=UTC),
}


@pytest.mark.parametrize(
    ("language", "part", "told"),
    [
        ("nl", Unopened(**PARTS), "gaat niet open"),
        ("en", Unopened(**PARTS), "does not open"),
        ("nl", Text(**PARTS, data=b"jpeg"), "4 bytes"),
        ("en", Text(**PARTS, data=b"jpeg"), "4 bytes"),
        ("en", replace(Text(**PARTS), text="Zo ging het."), "Zo ging het."),
    ],
)
def test_it_is_said_in_words(language: Any, part: Text, told: str) -> None:
    screen = Screen(Settings({}, "", None, Path("key.json"), language, False, None, None))

    assert told in said_by(screen, part)
    assert text_data(part)["opens"] == (not isinstance(part, Unopened))
    assert text_data(part)["bytes"] == len(part.data)
