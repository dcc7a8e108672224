"""A number means what the list showed, and every question says whom it concerns."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from meldbrug.cli import asking, consents, reporting
from meldbrug.cli.app import run
from meldbrug.cli.asked import Whom, notice_of, notice_to_answer, oldest_first
from meldbrug.cli.choosing import chosen_contacts, excluded_names, show_circle, titles_of
from meldbrug.cli.output import Screen
from meldbrug.cli.problems import LOCAL, Problem
from meldbrug.cli.settings import Settings
from meldbrug.client import Circle, Consents, Person
from meldbrug.directory.v1 import directory_pb2
from meldbrug.disclosure.v1.disclosure_pb2 import ConsentRequest


def screen(*, as_json: bool = False) -> Screen:
    return Screen(Settings({}, "", None, Path("key.json"), "en", as_json, None, None))


class Asked:
    """The requests of a reporter, as the service lists them: newest first."""

    def __init__(self, *oldest_first: str) -> None:
        self.notices = list(oldest_first)

    async def requests(self) -> AsyncIterator[ConsentRequest]:
        for notice in reversed(self.notices):
            yield ConsentRequest(notice=notice)

    async def refuse(self, notice: str) -> ConsentRequest:
        return ConsentRequest(notice=notice)

    async def withdraw(self, notice: str, **_: object) -> ConsentRequest:
        return ConsentRequest(notice=notice)


def consents_of(*notices: str) -> Consents:
    return cast("Consents", Asked(*notices))


# --- requests


async def test_a_number_keeps_its_request_when_another_is_made() -> None:
    before, after = consents_of("first", "second"), consents_of("first", "second", "third")

    assert [request.notice for request in await oldest_first(after)] == ["first", "second", "third"]
    for number, notice in (("1", "first"), ("2", "second")):
        assert await notice_of(before, number) == await notice_of(after, number) == notice


@pytest.mark.parametrize(("unasked", "as_json"), [(True, False), (False, True), (True, True)])
async def test_a_bare_number_is_refused_where_nobody_is_asked(unasked: bool, as_json: bool) -> None:
    told = screen(as_json=as_json)

    assert await notice_to_answer(consents_of("only"), told, "1", unasked=unasked) == "only"
    assert await notice_to_answer(consents_of("a", "b"), told, "b", unasked=unasked) == "b"
    with pytest.raises(Problem, match="consent list"):
        await notice_to_answer(consents_of("a", "b"), told, "1", unasked=unasked)


@pytest.mark.parametrize("number", ["0", "3", "99"])
async def test_a_number_that_nothing_has_is_told(number: str) -> None:
    with pytest.raises(Problem):
        await notice_to_answer(consents_of("a", "b"), screen(), number, unasked=False)


@pytest.mark.parametrize(
    ("whom", "told"),
    [
        (Whom("n", "Omroep", ("Ada", "Bo")), "Omroep (Ada, Bo)"),
        (Whom("n", "Omroep"), "Omroep"),
        (Whom("incidents/a/notices/n"), "incidents/a/notices/n"),
    ],
)
def test_whom_it_concerns_is_told_as_far_as_it_is_known(whom: Whom, told: str) -> None:
    assert str(whom) == told


# --- questions


@pytest.fixture
def questions(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The questions that were asked; each was answered with yes."""
    asked = list[str]()

    def agreed(_: object, question: str, *, yes: bool) -> None:
        assert not yes
        asked.append(question)

    def as_reporter(_: object, act: Callable[[Any, Screen], Awaitable[None]]) -> None:
        asyncio.run(cast("Any", act(Reporter(), screen())))

    async def whom_of(_: object, notice: str, only: object = ()) -> Whom:
        return Whom(notice, "Omroep Noorderlicht", ("Ada",))

    for module in (consents, reporting):
        monkeypatch.setattr(module, "agreed", agreed)
        monkeypatch.setattr(module, "as_reporter", as_reporter)
    monkeypatch.setattr(consents, "whom_of", whom_of)
    monkeypatch.setattr(consents, "Consents", lambda _: Asked("notice"))
    monkeypatch.setenv("COLUMNS", "200")
    return asked


class Reporter:
    """A reporter whose acts change nothing."""

    async def circle(self) -> Circle:
        return circle()

    async def exclude(self, *_: object) -> None: ...

    async def change_intake(self, *_: object) -> None: ...


@pytest.mark.parametrize("act", ["refuse", "withdraw"])
def test_an_answer_names_its_readers_before_and_after(
    act: str, questions: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["consent", act, "1", "--lang", "en"]) == 0

    assert ["Omroep Noorderlicht (Ada)" in question for question in questions] == [True]
    assert "Omroep Noorderlicht (Ada)" in capsys.readouterr().out


def test_excluding_names_who_it_is(questions: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["exclude", "--person", "3", "--organisation", "2", "--lang", "en"]) == 0

    assert questions == ["Exclude for ever: Con (Title of o1), Title of o2?"]
    assert "Con (Title of o1), Title of o2" in capsys.readouterr().out


def test_changing_the_intake_names_who_handles(questions: list[str]) -> None:
    assert run(["intake", "change", "--handler", "2", "--lang", "en"]) == 0

    assert ["Bob (role of Bob, Title of o2)" in question for question in questions] == [True]


def test_a_question_steers_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[str]()
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr(asking.typer, "confirm", lambda question, **_: asked.append(question) or True)

    asking.agreed(Settings({}, "", None, Path("k"), "en", False, None, None), "voor\x1b[2Kna", yes=False)

    assert asked == ["voor\N{REPLACEMENT CHARACTER}[2Kna"]


# --- people


def person(name: str, organisation: str) -> Person:
    member = SimpleNamespace(
        subject=f"subjects/{name}", subject_name=name, subject_kind=0,
        organisation=organisation, organisation_title=f"Title of {organisation}",
    )  # fmt: skip
    appointment = SimpleNamespace(
        participation=f"participations/{organisation}", role=f"role of {name}", appointment="", deputy_of="",
        capacity=0,
    )  # fmt: skip
    return Person(name.lower() * 20, cast("Any", None), cast("Any", member), cast("Any", appointment))


class People:
    """Two counsellors and three safety contacts, of two organisations."""

    served = directory_pb2.Circle()
    production = ""

    def counsellors(self) -> list[Person]:
        return [person("Ann", "o1"), person("Bob", "o2")]

    def safety_contacts(self, participation: str = "") -> list[Person]:
        contacts = [person("Con", "o1"), person("Dot", "o2"), person("Eve", "o2")]
        return [each for each in contacts if participation in ("", each.appointment.participation)]

    def everyone(self) -> list[Person]:
        return [*self.counsellors(), *self.safety_contacts()]

    def titles(self) -> dict[str, str]:
        return {name: f"Title of {name}" for name in ("o1", "o2")}


def circle() -> Circle:
    return cast("Circle", People())


def names(people: list[Person]) -> list[str]:
    return [each.member.subject_name for each in people]


def test_a_contact_s_number_is_the_one_that_the_list_shows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    show_circle(screen(), circle())
    rows = [line.strip("│ ").split() for line in capsys.readouterr().out.splitlines() if "role of" in line]
    numbers = {row[2]: row[0] for row in rows}

    for name in ("Dot", "Eve"):
        assert names(chosen_contacts(circle(), "participations/o2", [numbers[name]])) == [name]
        assert names(chosen_contacts(circle(), "participations/o2", [name])) == [name]
    for other in ("Ann", "Bob", "Con"):
        with pytest.raises(Problem):
            chosen_contacts(circle(), "participations/o2", [numbers[other]])
    assert names(chosen_contacts(circle(), "participations/o2", [])) == ["Dot", "Eve"]


@pytest.mark.parametrize("choice", ["²", "0", "6", "9"])
def test_what_is_no_number_of_the_list_means_nobody(choice: str) -> None:
    with pytest.raises(Problem):
        chosen_contacts(circle(), "participations/o2", [choice])
    with pytest.raises(Problem):
        excluded_names(circle(), [choice], [])


def test_those_excluded_are_called_by_their_names() -> None:
    assert titles_of(circle(), *excluded_names(circle(), ["4"], ["1"])) == [
        "Dot (Title of o2)",
        "Title of o1",
    ]


def test_a_wrong_number_ends_in_one_sentence(
    questions: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["consent", "refuse", "7", "--lang", "en"]) == LOCAL
    assert (questions, capsys.readouterr().err.count("\n")) == ([], 1)
