"""Notices: a handler proposes, a named reader answers, opens and acknowledges."""

# ruff: noqa: FBT002 - typer reads options off the signature, and a flag is a boolean with a default

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from meldbrug.client import MemberClient, OpenedNotice, Proposal, PublicClient, name_of
from meldbrug.common.v1 import common_pb2 as common

from .asked import Whom
from .asking import agreed, text_of
from .choosing import chosen_contacts
from .labels import DECLINE_REASONS, GROUNDS, LANGUAGES, PURPOSES, kind_of, label
from .output import Screen, moment, plain
from .problems import Problem
from .running import as_member, settings_of
from .showing import show_texts, text_data

Notice = Annotated[str, typer.Argument(help="incidents/.../notices/...")]
Confirmed = Annotated[bool, typer.Option("--yes", help="do not ask")]

notice_app = typer.Typer(
    help="Kennisgevingen aan en van medeproducenten / Notices to and from co-producers.", no_args_is_help=True
)


@notice_app.command("propose")
def propose(
    context: typer.Context,
    incident: Annotated[str, typer.Argument(help="incidents/...")],
    recipient: Annotated[str, typer.Option(help="participations/...")],
    until: Annotated[datetime, typer.Option(help="until when at the latest", formats=["%Y-%m-%d"])],
    reader: Annotated[
        list[str] | None, typer.Option(help="a safety contact: number, name or fingerprint; all when absent")
    ] = None,
    purpose: Annotated[list[str] | None, typer.Option(help=", ".join(PURPOSES))] = None,
    ground: Annotated[str, typer.Option(help=", ".join(GROUNDS))] = "reporter-consent",
    reference: Annotated[str, typer.Option(help="licence or article, where the ground needs one")] = "",
    summary_file: Annotated[Path | None, typer.Option(help="a summary without identities")] = None,
    measures_file: Annotated[Path | None, typer.Option(help="measures asked for")] = None,
    section: Annotated[list[str] | None, typer.Option(help="a section written before")] = None,
    necessity_file: Annotated[Path | None, typer.Option(help="why; `-` or none for what is typed")] = None,
    organisation: Annotated[
        str, typer.Option(help="whose contacts to look up, for a report without production")
    ] = "",
) -> None:
    """De melder om toestemming vragen; niets is gedeeld / Ask the reporter; nothing is shared yet."""
    settings = settings_of(context)
    files = {common.KIND_SUMMARY: summary_file, common.KIND_MEASURES: measures_file}
    purposes = [_known(PURPOSES, name, "purpose") for name in purpose or ["protect-people"]]

    async def act(member: MemberClient, screen: Screen) -> None:
        circle = await member.handler.circle(incident, organisation)
        readers = chosen_contacts(circle, recipient, reader or [])
        proposal = Proposal(
            recipient=recipient,
            readers=readers,
            purposes=purposes,
            valid_until=until.astimezone(UTC),
            ground=_known(GROUNDS, ground, "ground"),
            necessity=text_of(settings, necessity_file, screen.words("ask-necessity")),
            texts={
                kind: text_of(settings, path, screen.words("ask-text"))
                for kind, path in files.items()
                if path
            },
            sections=section or [],
            reference=reference,
        )
        asked = await member.handler.propose(incident, proposal)
        names = tuple(person.member.subject_name for person in readers)
        whom = Whom(asked.notice, readers[0].member.organisation_title if readers else "", names)
        state = name_of(common.NoticeState, asked.state)
        if not screen.data({"notice": asked.notice, "state": state, **whom.data}):
            screen.word("proposed", notice=asked.notice, who=whom)

    as_member(context, act)


@notice_app.command("list")
def list_(context: typer.Context, incident: Annotated[str, typer.Argument(help="incidents/...")]) -> None:
    """Wat er met voorgestelde kennisgevingen gebeurde / How proposed notices stand."""

    async def act(member: MemberClient, screen: Screen) -> None:
        found = [notice async for notice in member.handler.notices(incident)]
        if screen.data({"items": [plain(notice) for notice in found]}):
            return
        screen.table(
            ("notice", "recipient", "state", "asked-on", "changed"),
            [
                (
                    notice.name,
                    notice.recipient,
                    label(screen.words, name_of(common.NoticeState, notice.state)),
                    moment(notice.create_time),
                    moment(notice.update_time),
                )
                for notice in found
            ],
        )

    as_member(context, act)


@notice_app.command("accept")
def accept(context: typer.Context, notice: Notice, yes: Confirmed = False) -> None:
    """De voorwaarden lezen en aanvaarden / Read the terms and accept them."""

    async def act(member: MemberClient, screen: Screen) -> None:
        settings = settings_of(context)
        terms = await PublicClient(member.connection).terms(LANGUAGES[settings.language])
        if not screen.as_json:
            screen.panel(screen.words("terms", version=terms.version), terms.text)
        agreed(settings, screen.words("ask-accept"), yes=yes)
        state = name_of(common.NoticeState, await member.reader.accept(notice, terms))
        if not screen.data({"notice": notice, "state": state, "termsVersion": terms.version}):
            screen.line(f"{notice}: {label(screen.words, state)}")

    as_member(context, act)


@notice_app.command("decline")
def decline(
    context: typer.Context,
    notice: Notice,
    reason: Annotated[str, typer.Option(help=", ".join(DECLINE_REASONS))],
    yes: Confirmed = False,
) -> None:
    """Niet aannemen, voor de hele deelnemer / Decline, for the whole participant."""
    chosen = _known(DECLINE_REASONS, reason, "reason")

    async def act(member: MemberClient, screen: Screen) -> None:
        settings = settings_of(context)
        terms = await PublicClient(member.connection).terms(LANGUAGES[settings.language])
        agreed(settings, screen.words("ask-decline"), yes=yes)
        state = name_of(common.NoticeState, await member.reader.decline(notice, terms, chosen))
        if not screen.data({"notice": notice, "state": state}):
            screen.line(f"{notice}: {label(screen.words, state)}")

    as_member(context, act)


@notice_app.command("open")
def open_(
    context: typer.Context,
    notice: Notice,
    purpose: Annotated[str, typer.Option(help="what for: " + ", ".join(PURPOSES))] = "protect-people",
    kind: Annotated[list[str] | None, typer.Option(help="which part; all when absent")] = None,
) -> None:
    """Openen en lezen; de melder ziet wie en waarom / Open and read; the reporter sees who and why."""
    chosen = _known(PURPOSES, purpose, "purpose")
    kinds = [kind_of(name) for name in kind or []]

    async def act(member: MemberClient, screen: Screen) -> None:
        opened = await member.reader.open(notice, chosen, kinds)
        if screen.data(_opened_data(opened)):
            return
        show_texts(screen, list(opened.texts))
        screen.note("reader-limits", until=moment(opened.consent.valid_until))

    as_member(context, act)


@notice_app.command("acknowledge")
def acknowledge(context: typer.Context, notice: Notice) -> None:
    """Bevestigen dat het gelezen is / Acknowledge that it was read."""

    async def act(member: MemberClient, screen: Screen) -> None:
        stub = await member.reader.acknowledge(notice)
        if not screen.data(plain(stub)):
            screen.line(f"{stub.name}: {label(screen.words, name_of(common.NoticeState, stub.state))}")

    as_member(context, act)


def _opened_data(opened: OpenedNotice) -> dict[str, Any]:
    handler = opened.handler
    return {
        "notice": opened.notice,
        "texts": [text_data(text) for text in opened.texts],
        "purposes": [name_of(common.Purpose, purpose) for purpose in opened.consent.purposes],
        "validUntil": opened.consent.valid_until,
        "ground": name_of(common.Ground, opened.decision.ground),
        "handler": handler.member.subject_name if handler.member else "",
        "handlerOrganisation": handler.member.organisation_title if handler.member else "",
    }


def _known(values: dict[str, Any], name: str, what: str) -> Any:
    if name not in values:
        raise Problem(f"a {what} is one of {', '.join(values)}")
    return values[name]
