"""A handler's commands: cases, messages, notes, and decisions."""

# ruff: noqa: FBT002 - typer reads options off the signature, and a flag is a boolean with a default

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from meldbrug.client import Decided, MemberClient, name_of
from meldbrug.common.v1 import common_pb2 as common
from meldbrug.coordination.v1 import coordination_pb2

from .asking import agreed, text_of
from .labels import GROUNDS, OUTCOMES, label
from .output import Screen, moment, plain
from .problems import Problem
from .running import as_member, settings_of
from .showing import show_texts, text_data

Incident = Annotated[str, typer.Argument(help="incidents/...")]
File = Annotated[Path | None, typer.Option("--file", help="the text; `-` or none for what is typed")]

case_app = typer.Typer(help="Meldingen die je behandelt / Reports that you handle.", no_args_is_help=True)
decision_app = typer.Typer(help="Besluiten om te delen / Decisions to disclose.", no_args_is_help=True)


@case_app.command("list")
def list_(
    context: typer.Context,
    production: Annotated[str, typer.Option(help="productions/...: only of this one")] = "",
) -> None:
    """Meldingen, nieuwste eerst / Reports, newest first."""

    async def act(member: MemberClient, screen: Screen) -> None:
        found = [incident async for incident in member.handler.cases(production=production)]
        if screen.data({"items": [plain(incident) for incident in found]}):
            return
        screen.table(
            ("incident", "state", "received", "changed", "due"),
            [
                (
                    incident.name,
                    label(screen.words, name_of(common.IncidentState, incident.state)),
                    moment(incident.create_time),
                    moment(incident.update_time),
                    _due(screen, incident),
                )
                for incident in found
            ],
        )

    as_member(context, act)


@case_app.command("show")
def show(context: typer.Context, incident: Incident) -> None:
    """Alles wat je mag lezen; de melder ziet dat / All that you may read; the reporter sees that."""

    async def act(member: MemberClient, screen: Screen) -> None:
        found = await member.handler.case(incident)
        case = await member.handler.report(incident)
        texts = await member.handler.read(incident)
        categories = [name_of(common.Category, category) for category in case.report.categories]
        content: dict[str, Any] = {
            "incident": plain(found),
            "categories": categories,
            "language": name_of(common.Language, case.report.language),
            "production": case.intake.production,
            "texts": [text_data(text) for text in texts],
        }
        if screen.data(content):
            return
        screen.line(f"{incident}: {label(screen.words, name_of(common.IncidentState, found.state))}")
        if categories:
            screen.line(", ".join(label(screen.words, name) for name in categories))
        show_texts(screen, texts)

    as_member(context, act)


@case_app.command("acknowledge")
def acknowledge(context: typer.Context, incident: Incident) -> None:
    """Persoonlijk laten weten dat het binnen is / Confirm personally that it arrived."""

    async def act(member: MemberClient, screen: Screen) -> None:
        _show_state(screen, await member.handler.acknowledge(incident))

    as_member(context, act)


@case_app.command("assess")
def assess(
    context: typer.Context,
    incident: Incident,
    outcome: Annotated[str, typer.Argument(help=", ".join(OUTCOMES))],
) -> None:
    """Vastleggen hoe het ervoor staat / Record where the assessment stands."""
    if outcome not in OUTCOMES:
        raise Problem(f"an outcome is one of {', '.join(OUTCOMES)}")

    async def act(member: MemberClient, screen: Screen) -> None:
        _show_state(screen, await member.handler.assess(incident, OUTCOMES[outcome]))

    as_member(context, act)


@case_app.command("message")
def message(context: typer.Context, incident: Incident, file: File = None) -> None:
    """De melder schrijven / Write to the reporter."""

    async def act(member: MemberClient, screen: Screen) -> None:
        text = text_of(settings_of(context), file, screen.words("ask-text"))
        header = await member.handler.send(incident, text)
        if not screen.data({"section": header.name, "time": header.create_time}):
            screen.word("sent")

    as_member(context, act)


@case_app.command("note")
def note(context: typer.Context, incident: Incident, file: File = None) -> None:
    """Een aantekening voor de behandelaars; de melder leest die niet / A note that only handlers read."""

    async def act(member: MemberClient, screen: Screen) -> None:
        text = text_of(settings_of(context), file, screen.words("ask-text"))
        header = await member.handler.note(incident, text)
        if not screen.data({"section": header.name, "time": header.create_time}):
            screen.word("kept")

    as_member(context, act)


@decision_app.command("record")
def record(
    context: typer.Context,
    notice: Annotated[str, typer.Argument(help="incidents/.../notices/...")],
    ground: Annotated[str, typer.Option(help=", ".join(GROUNDS))] = "reporter-consent",
    reference: Annotated[str, typer.Option(help="licence or article, where the ground needs one")] = "",
    necessity_file: Annotated[Path | None, typer.Option(help="why; `-` or none for what is typed")] = None,
    revoke: Annotated[bool, typer.Option("--revoke", help="it no longer stands; the notice closes")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
) -> None:
    """Een nieuw besluit over een kennisgeving / A new decision on a notice."""
    if ground not in GROUNDS:
        raise Problem(f"a ground is one of {', '.join(GROUNDS)}")

    async def act(member: MemberClient, screen: Screen) -> None:
        settings = settings_of(context)
        if revoke:
            agreed(settings, screen.words("ask-revoke"), yes=yes)
        necessity = text_of(settings, necessity_file, screen.words("ask-necessity"))
        decided = Decided(GROUNDS[ground], necessity, reference, stands=not revoke)
        state = name_of(common.NoticeState, await member.handler.decide(notice, decided))
        if not screen.data({"notice": notice, "state": state}):
            screen.line(f"{notice}: {label(screen.words, state)}")

    as_member(context, act)


def _show_state(screen: Screen, incident: coordination_pb2.Incident) -> None:
    if not screen.data(plain(incident)):
        screen.line(f"{incident.name}: {label(screen.words, name_of(common.IncidentState, incident.state))}")


def _due(screen: Screen, incident: coordination_pb2.Incident) -> str:
    running = [clock for clock in incident.clocks if not clock.HasField("met_time")]
    return "; ".join(
        f"{label(screen.words, name_of(coordination_pb2.ClockKind, clock.kind))} {moment(clock.due_time)}"
        for clock in running
    )
