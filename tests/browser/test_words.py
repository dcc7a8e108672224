"""Every word of the app: in both languages, none missing, none that is shown nowhere."""

from __future__ import annotations

import json
import re
import subprocess

import pytest

from clients.environment import HERE, node

SOURCES = HERE / "web" / "src"
ESBUILD = HERE / "node_modules" / "esbuild" / "bin" / "esbuild"
# What says a word for itself: an enum's number, whose words are looked up by it.
NUMBER = re.compile(r"\d+")


def words(language: str) -> dict[str, object]:
    """What a language's module says, by the path of its names; of a function that it is one."""
    made = subprocess.run(
        [node(), str(ESBUILD), str(SOURCES / "words" / f"{language}.ts"), "--bundle", "--format=cjs"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    leaf = "(_, value) => typeof value === 'function' ? '()' + value.length : value"
    script = f"{made.stdout}\nconsole.log(JSON.stringify(module.exports.{language}, {leaf}))"
    said = subprocess.run([node(), "-e", script], capture_output=True, text=True, check=True)
    return dict(flat(json.loads(said.stdout)))


def flat(value: object, path: str = "") -> list[tuple[str, object]]:
    """Every leaf with its path."""
    if isinstance(value, dict):
        return [leaf for name, each in value.items() for leaf in flat(each, f"{path}.{name}".strip("."))]
    if isinstance(value, list):
        return [leaf for place, each in enumerate(value) for leaf in flat(each, f"{path}.{place}")]
    return [(path, value)]


@pytest.fixture(scope="module")
def nl() -> dict[str, object]:
    return words("nl")


@pytest.fixture(scope="module")
def en() -> dict[str, object]:
    return words("en")


def test_both_languages_say_the_same_things(nl: dict[str, object], en: dict[str, object]) -> None:
    assert nl.keys() == en.keys()
    given = {path: (nl[path], en[path]) for path in nl if str(nl[path]).startswith("()")}
    assert all(one == other for one, other in given.values()), given
    assert [path for path, said in {**nl, **en}.items() if not str(said).strip()] == []


def test_no_word_is_shown_nowhere(nl: dict[str, object]) -> None:
    shown = "\n".join(
        path.read_text("utf-8")
        for path in sorted(SOURCES.rglob("*"))
        if path.suffix in {".svelte", ".ts"} and path.parent.name != "words"
    )
    names = {[name for name in path.split(".") if not NUMBER.fullmatch(name)][-1] for path in nl}

    assert sorted(name for name in names if not re.search(rf"\.{name}\b", shown)) == []


def test_no_text_stands_in_a_view_itself() -> None:
    """What somebody reads comes from the words: a view holds none in its markup."""
    found = {}
    for path in sorted(SOURCES.rglob("*.svelte")):
        markup = re.sub(r"<(script|style)\b.*?</\1>", "", path.read_text("utf-8"), flags=re.DOTALL)
        markup = markup.replace("=>", "")
        bare = re.sub(r"\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}|<[^>]*>|&\w+;", " ", markup)
        if left := re.findall(r"[A-Za-z]{3,}", bare):
            found[path.name] = left
    assert found == {}
