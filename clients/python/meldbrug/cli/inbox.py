"""A named reader's inbox: list it, or watch it."""

# ruff: noqa: FBT002 - typer reads options off the signature, and a flag is a boolean with a default

from __future__ import annotations

from typing import Annotated

import typer

from meldbrug.client import MemberClient, name_of
from meldbrug.common.v1 import common_pb2 as common
from meldbrug.coordination.v1.coordination_pb2 import Stub

from .labels import NOTICE_STATES, label
from .output import Screen, moment, plain
from .problems import Problem
from .running import as_member

inbox_app = typer.Typer(help="Wat je kunt lezen / What you can read.", no_args_is_help=True)


@inbox_app.command("list")
def list_(
    context: typer.Context,
    state: Annotated[
        list[str] | None, typer.Option(help=f"only these, repeatable: {', '.join(NOTICE_STATES)}")
    ] = None,
) -> None:
    """Kennisgevingen aan jou, laatst gewijzigd eerst / Notices to you, newest change first."""
    named = list(dict.fromkeys(state or ()))
    if not NOTICE_STATES.keys() >= set(named):
        raise Problem(f"a state is one of {', '.join(NOTICE_STATES)}")

    async def act(member: MemberClient, screen: Screen) -> None:
        states = [NOTICE_STATES[each] for each in named]
        found = [stub async for stub in member.reader.inbox(states)]
        if screen.data({"items": [plain(stub) for stub in found]}):
            return
        screen.table(
            ("notice", "sender", "production", "purpose", "state", "answer-before"),
            [
                (
                    stub.name,
                    screen.words("withdrawn-notice") if stub.tombstone else stub.sender_title,
                    stub.production_title,
                    ", ".join(label(screen.words, name_of(common.Purpose, each)) for each in stub.purposes),
                    label(screen.words, name_of(common.NoticeState, stub.state)),
                    moment(stub.reply_by_time),
                )
                for stub in found
            ],
        )

    as_member(context, act)


@inbox_app.command("watch")
def watch(
    context: typer.Context,
    count: Annotated[int, typer.Option(help="stop after so many changes; 0 for never")] = 0,
    from_start: Annotated[
        bool, typer.Option("--from-list", help="first what is there now, then changes")
    ] = False,
) -> None:
    """Wachten op veranderingen; Ctrl-C stopt / Wait for changes; Ctrl-C stops."""

    async def act(member: MemberClient, screen: Screen) -> None:
        seen, token = 0, ""
        if from_start:
            page = await member.reader.inbox_page()
            token = page.resume_token
            for stub in page.notices:
                _show(screen, stub)
        async for stub in member.reader.watch(token):
            _show(screen, stub)
            seen += 1
            if seen == count:
                return

    as_member(context, act)


def _show(screen: Screen, stub: Stub) -> None:
    if screen.data(plain(stub)):
        return
    sender = screen.words("withdrawn-notice") if stub.tombstone else stub.sender_title
    state = label(screen.words, name_of(common.NoticeState, stub.state))
    screen.line(f"{moment(stub.update_time)}  {stub.name}  {sender}  {state}")
