"""A reporter's commands: report, talk, see, narrow. The receipt is asked for, never an argument."""

# ruff: noqa: FBT002 - typer reads options off the signature, and a flag is a boolean with a default

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from meldbrug.client import ReporterClient, Seen, name_of
from meldbrug.common.v1 import common_pb2 as common

from .asking import agreed, text_of
from .choosing import chosen_people, excluded_names, show_circle, titles_of
from .labels import kind_of, label
from .output import Screen, moment
from .problems import Problem
from .running import as_reporter, settings_of
from .sending import report
from .showing import person_line, show_texts

People = Annotated[
    list[str] | None, typer.Option("--handler", help="number, name or fingerprint of a handler")
]
Excluded = Annotated[
    list[str] | None, typer.Option("--person", help="number or name of a person in the list")
]
ExcludedOrganisations = Annotated[
    list[str] | None, typer.Option("--organisation", help="number or name of an organisation in the list")
]


def register(app: typer.Typer) -> None:
    """Adds the commands to `app`."""
    app.command("report")(report)
    app.command("status")(status)
    app.command("openings")(openings)
    app.command("exclude")(exclude)
    app.command("withdraw-report")(withdraw_report)
    app.add_typer(mailbox_app, name="mailbox")
    app.add_typer(intake_app, name="intake")


mailbox_app = typer.Typer(
    help="Berichten met de behandelaar / Messages with the handler.", invoke_without_command=True
)
intake_app = typer.Typer(
    help="Wie behandelt de melding / Who handles the report.", invoke_without_command=True
)


def status(context: typer.Context) -> None:
    """Hoe het ervoor staat / How things stand."""

    async def act(reporter: ReporterClient, screen: Screen) -> None:
        found = await reporter.status()
        notices = [
            {"notice": notice.notice, "state": name_of(common.NoticeState, notice.state)}
            for notice in found.notices
        ]
        content = {
            "incident": found.incident,
            "state": name_of(common.IncidentState, found.state),
            "lookAgain": found.look_again_time,
            "notices": notices,
        }
        if screen.data(content):
            return
        screen.line(f"{label(screen.words, name_of(common.IncidentState, found.state))}.")
        if look_again := moment(found.look_again_time):
            screen.word("look-again", when=look_again)
        for notice in notices:
            screen.line(f"{notice['notice']}: {label(screen.words, notice['state'])}")

    as_reporter(context, act)


def openings(context: typer.Context) -> None:
    """Wie wat heeft geopend / Who opened what."""

    async def act(reporter: ReporterClient, screen: Screen) -> None:
        items = [_opening_data(seen) async for seen in reporter.openings()]
        if screen.data({"items": items}):
            return
        screen.table(
            ("when", "who", "organisation", "role", "what", "purpose"),
            [
                (
                    moment(item["time"]),
                    item["who"] or screen.words("yourself"),
                    item["organisation"],
                    item["role"],
                    ", ".join(label(screen.words, kind) for kind in item["kinds"]),
                    label(screen.words, item["purpose"]),
                )
                for item in items
            ],
        )

    as_reporter(context, act)


def exclude(
    context: typer.Context,
    person: Excluded = None,
    organisation: ExcludedOrganisations = None,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
) -> None:
    """Wie het nooit mag weten / Who must never know. For ever: it cannot be undone."""

    async def act(reporter: ReporterClient, screen: Screen) -> None:
        circle = await reporter.circle()
        if not person and not organisation:
            show_circle(screen, circle)
            return
        subjects, organisations = excluded_names(circle, person or [], organisation or [])
        names = titles_of(circle, subjects, organisations)
        who = ", ".join(names)
        screen.note("exclusion-limits")
        agreed(settings_of(context), screen.words("ask-exclude", who=who), yes=yes)
        await reporter.exclude(subjects, organisations)
        if not screen.data({"subjects": subjects, "organisations": organisations, "names": names}):
            screen.word("excluded", who=who)

    as_reporter(context, act)


def withdraw_report(
    context: typer.Context, yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False
) -> None:
    """De hele melding intrekken / Take the whole report back."""

    async def act(reporter: ReporterClient, screen: Screen) -> None:
        screen.note("withdraw-report-limits")
        agreed(settings_of(context), screen.words("ask-withdraw-report"), yes=yes)
        found = await reporter.withdraw_report()
        if not screen.data({"incident": found.name, "state": name_of(common.IncidentState, found.state)}):
            screen.word("report-withdrawn")

    as_reporter(context, act)


@mailbox_app.callback()
def mailbox(
    context: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="what you reported, too")] = False,
) -> None:
    """Shows the messages, oldest first."""
    if context.invoked_subcommand:
        return

    async def act(reporter: ReporterClient, screen: Screen) -> None:
        if everything:
            texts = await reporter.read([header.name async for header in reporter.headers()])
        else:
            texts = await reporter.mailbox()
        show_texts(screen, texts)

    as_reporter(context, act)


@mailbox_app.command("send")
def send(
    context: typer.Context,
    file: Annotated[Path | None, typer.Option(help="the text; `-` or none for what is typed")] = None,
    kind: Annotated[str, typer.Option(help="what it is")] = "message",
) -> None:
    """Een bericht sturen of iets toevoegen / Send a message, or add to the report."""

    async def act(reporter: ReporterClient, screen: Screen) -> None:
        text = text_of(settings_of(context), file, screen.words("ask-text"))
        header = await reporter.add(kind_of(kind), text)
        if not screen.data({"section": header.name, "time": header.create_time}):
            screen.word("sent")

    as_reporter(context, act)


@intake_app.callback()
def intake(context: typer.Context) -> None:
    """Shows who handles the report and who can be chosen."""
    if context.invoked_subcommand:
        return

    async def act(reporter: ReporterClient, screen: Screen) -> None:
        chosen = {handler.kid for handler in (await reporter.intake()).handlers}
        show_circle(screen, await reporter.circle(), chosen=chosen)

    as_reporter(context, act)


@intake_app.command("change")
def change(
    context: typer.Context,
    handler: People = None,
    share: Annotated[bool, typer.Option("--share", help="let those who join read what you reported")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
) -> None:
    """Wie behandelt voortaan / Who handles from now on; whoever is not named any more stops reading."""

    async def act(reporter: ReporterClient, screen: Screen) -> None:
        people = chosen_people(await reporter.circle(), handler or [])
        if not people:
            raise Problem(screen.words("choose-handler"))
        who = ", ".join(person_line(screen, person) for person in people)
        agreed(settings_of(context), screen.words("ask-change-intake", who=who), yes=yes)
        shared = [header.name async for header in reporter.headers()] if share else []
        await reporter.change_intake(people, shared)
        names = [person.member.subject_name for person in people]
        if not screen.data({"handlers": [person.kid for person in people], "names": names}):
            screen.word("handled-by", names=", ".join(names))

    as_reporter(context, act)


def _opening_data(seen: Seen) -> dict[str, Any]:
    return {
        "time": seen.opening.create_time,
        "who": seen.who.subject_name if seen.who else "",
        "organisation": seen.who.organisation_title if seen.who else "",
        "role": seen.role,
        "kinds": [name_of(common.Kind, kind) for kind in seen.opening.kinds],
        "purpose": name_of(common.Purpose, seen.opening.purpose) if seen.opening.purpose else "",
        "notice": seen.opening.notice,
    }
