"""The words of the documents: those of the glossary, none that it rules out, no place of our own machines."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import name_of, tracked
from tests.support.stack import ROOT

GLOSSARY = (ROOT / "docs" / "glossary.md").read_text("utf-8")
# What people read: documents, texts of the command and the demo, terms, comments of the contract.
TEXTS = tracked(
    "*.md", "clients/python/meldbrug/cli/*.py", "demo/*.py", "services/disclosure/terms/*", "proto/*.proto"
)
# Words for something that has another word here, or that say of someone what nobody has found yet.
RULED_OUT = re.compile(
    r"\b(whistle-?blower\w*|klokkenluider\w*|victims?|slachtoffers?|perpetrators?|daders?|offenders?|suspects?"
    r"|verdachten?|accusers?|complainants?|klagers?|forward(?:s|ed|ing)?|doorgestuurd|doorsturen|snitch\w*)\b",
    re.IGNORECASE,
)
# Standing English in which the word means something else.
ALLOWED = re.compile(
    r"actor tokens are never forwarded|x-forwarded-\w+|forward secrecy|straightforward", re.IGNORECASE
)
FOLDERS = re.compile(r"(?<![\w.])/(?:home|root|Users|work|tmp|mnt|workspace)/[\w.-]+")
HOSTS = re.compile(
    r"https?://(?!127\.0\.0\.1|localhost)[\w.-]*(?:artifact|nexus|mirror|proxy|registry|\.internal|\.local\b|\.corp)[\w./-]*"
)


def words_ruled_out(text: str) -> list[str]:
    return [match[0] for match in RULED_OUT.finditer(ALLOWED.sub("", text))]


def places(text: str) -> list[str]:
    return [*FOLDERS.findall(text), *HOSTS.findall(text)]


@pytest.mark.parametrize("path", TEXTS, ids=name_of)
def test_no_word_is_used_that_the_glossary_has_another_for(path: Path):
    assert words_ruled_out(path.read_text("utf-8")) == []


def test_the_repository_names_no_folder_or_host_of_whoever_made_it():
    found = {}
    for path in tracked(".", ":!uv.lock", ":!third_party", ":!*go.sum", ":!tests/docs/test_words.py"):
        try:
            if hits := places(path.read_text("utf-8")):
                found[name_of(path)] = hits
        except UnicodeDecodeError:
            continue

    assert found == {}


def test_the_glossary_has_each_word_once_in_each_language():
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", GLOSSARY, re.MULTILINE)[2:]
    assert len(rows) >= 40

    for column in (0, 1):
        words = [word.strip() for row in rows for word in row[column].split(",")]
        assert len(words) == len(set(words))


def test_the_glossary_has_every_resource_of_the_contract_and_every_kind_of_statement():
    words = set(
        re.findall(r"[a-z]+", " ".join(re.findall(r"^\| ([^|]+) \|", GLOSSARY, re.MULTILINE)).lower())
    )
    contract = "\n".join(path.read_text("utf-8") for path in (ROOT / "proto").rglob("*.proto"))
    collections = set(re.findall(r"`(?:\w+/\{\w+\}/)?(\w+)s/\{\w+\}`", contract))

    assert {"incident", "notice", "participation"} <= collections
    assert collections - words == set()
    assert {"intake", "consent", "refusal", "withdrawal", "exclusion", "decision", "endorsement"} <= words


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The victim was told.", ["victim"]),
        ("It was forwarded to the dader.", ["forwarded", "dader"]),
        ("The reporter consents to a notice.", []),
        ("Actor tokens are never forwarded", []),
    ],
)
def test_a_ruled_out_word_is_found(text: str, found: list[str]):
    assert words_ruled_out(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("see /home/someone/notes", ["/home/someone"]),
        ("index = https://artifacts.example.internal/pypi", ["https://artifacts.example.internal/pypi"]),
        ("https://github.com/bufbuild/protovalidate", []),
        ("services/kernel/db.py", []),
    ],
)
def test_a_place_of_our_own_is_found(text: str, found: list[str]):
    assert places(text) == found
