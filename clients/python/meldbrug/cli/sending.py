"""Reporting: see who takes part, choose, write, send, and keep the receipt."""

# ruff: noqa: FBT002 - typer reads options off the signature, and a flag is a boolean with a default

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from meldbrug.client import (
    Circle,
    Connection,
    Draft,
    Person,
    PublicClient,
    Refused,
    ReporterClient,
    name_of,
)
from meldbrug.common.v1 import common_pb2 as common
from meldbrug.crypto import CryptoError, keys_from, new_entropy, to_words

from .asking import text_of
from .choosing import chosen_people, excluded_names, show_circle
from .labels import CATEGORIES, LANGUAGES, label
from .output import Screen
from .problems import Problem
from .running import connected, settings_of
from .settings import Settings

DEFINITE_CODES: Final = frozenset(
    {"INVALID_ARGUMENT", "PERMISSION_DENIED", "FAILED_PRECONDITION", "UNAUTHENTICATED", "ALREADY_EXISTS"}
)
"""With a reason of the service: the same report is refused at every attempt."""


@dataclass(frozen=True)
class Asked:
    """What the command line says of a report; texts and receipt are never in it."""

    code: str
    standing: bool
    handlers: list[str]
    people: list[str]
    organisations: list[str]
    categories: list[str]
    files: Mapping[common.Kind.ValueType, Path]


def report(
    context: typer.Context,
    code: Annotated[str, typer.Option(help="the production's code, from poster or call sheet")] = "",
    standing: Annotated[
        bool, typer.Option("--standing", help="without a code, to the independent point")
    ] = False,
    handler: Annotated[
        list[str] | None, typer.Option(help="number, name or fingerprint of who takes it; may be repeated")
    ] = None,
    exclude_person: Annotated[
        list[str] | None, typer.Option(help="who must never know: number or name in the list")
    ] = None,
    exclude_organisation: Annotated[
        list[str] | None, typer.Option(help="whose people must never know: number or name in the list")
    ] = None,
    category: Annotated[list[str] | None, typer.Option(help=", ".join(CATEGORIES))] = None,
    context_file: Annotated[Path | None, typer.Option(help="where and when, without people")] = None,
    account_file: Annotated[Path | None, typer.Option(help="what happened; typed when absent")] = None,
    impact_file: Annotated[Path | None, typer.Option(help="what it did to you")] = None,
) -> None:
    """Iets melden / Report something."""
    settings = settings_of(context)
    settings.require_installation()
    files = {
        common.KIND_CONTEXT: context_file,
        common.KIND_ACCOUNT: account_file or Path("-"),
        common.KIND_IMPACT: impact_file,
    }
    asked = Asked(
        code=code,
        standing=standing,
        handlers=handler or [],
        people=exclude_person or [],
        organisations=exclude_organisation or [],
        categories=category or [],
        files={kind: path for kind, path in files.items() if path},
    )
    connected(settings, lambda connection: _report(connection, settings, asked))


async def _report(connection: Connection, settings: Settings, asked: Asked) -> None:
    screen = Screen(settings)
    public = PublicClient(connection)
    await public.root()
    circle = await _circle(public, settings, asked)
    if sys.stdin.isatty() and not settings.as_json:
        show_circle(screen, circle)
        screen.note("server-knows")
    draft = _draft(settings, circle, asked)
    await _send(connection, screen, draft)


async def _circle(public: PublicClient, settings: Settings, asked: Asked) -> Circle:
    if asked.standing:
        return await public.standing_entry()
    code = asked.code
    if not code and sys.stdin.isatty():
        code = str(typer.prompt(settings.words("ask-code"), default="", show_default=False, err=True))
    return await public.circle(code.strip().lower()) if code else await public.standing_entry()


def _draft(settings: Settings, circle: Circle, asked: Asked) -> Draft:
    subjects, organisations = excluded_names(circle, asked.people, asked.organisations)
    people = _handlers(settings, circle, asked.handlers)
    if any(
        person.member.subject in subjects or person.member.organisation in organisations for person in people
    ):
        raise Problem(settings.words("handler-excluded"))
    return Draft(
        texts={
            kind: text_of(settings, path, settings.words("ask-account")) for kind, path in asked.files.items()
        },
        intake=people,
        production=circle.production,
        categories=[_category(name) for name in asked.categories],
        language=LANGUAGES[settings.language],
        excluded_subjects=subjects,
        excluded_organisations=organisations,
    )


def _handlers(settings: Settings, circle: Circle, asked: list[str]) -> list[Person]:
    if not asked and sys.stdin.isatty():
        asked = [str(typer.prompt(settings.words("ask-handler"), err=True))]
    people = chosen_people(circle, asked)
    if not people:
        raise Problem(settings.words("choose-handler"))
    return people


def _category(name: str) -> common.Category.ValueType:
    if name not in CATEGORIES:
        raise Problem(f"a category is one of {', '.join(CATEGORIES)}")
    return CATEGORIES[name]


async def _send(connection: Connection, screen: Screen, draft: Draft) -> None:
    """Sends, and shows the receipt once; also whenever the report may be in, however this ends."""
    entropy = new_entropy()
    receipt = " ".join(to_words(entropy, screen.words.language))
    reporter = ReporterClient(connection, keys_from(entropy))
    try:
        sent = await reporter.report(draft)
    except BaseException as error:
        if not surely_not_in(error):
            hand_over(screen, {"sent": None, "receipt": receipt, "message": screen.words("maybe-sent")})
        raise
    names = [person.member.subject_name for person in draft.intake]
    hand_over(screen, {"sent": True, "receipt": receipt, "incident": sent.name, "handlers": names})
    if screen.as_json:
        return
    screen.word("here-is-receipt")
    screen.note("receipt-limits")
    screen.word("report-sent", names=", ".join(names))
    screen.word("look-again-soon")
    for category in draft.categories:
        screen.line(label(screen.words, name_of(common.Category, category)))


def surely_not_in(error: BaseException) -> bool:
    """Tells whether a report that ended so is in for nobody: the service itself refused it, or it never left.

    The client repeats: what ends in anything else may have been taken at an earlier attempt.
    """
    if isinstance(error, Refused):
        return error.code in DEFINITE_CODES and bool(error.reason)
    return isinstance(error, CryptoError)


def hand_over(screen: Screen, content: Mapping[str, Any]) -> None:
    """Shows the receipt before anything else; on standard error where standard output fails."""
    try:
        if screen.data(content):
            return
        screen.panel(screen.words("receipt"), content["receipt"])
        if message := content.get("message"):
            screen.line(message, style="yellow")
    except BaseException as error:
        plain = f"{content['receipt']}\n{content.get('message', '')}".strip()
        with contextlib.suppress(OSError, ValueError):
            print(json.dumps(content) if screen.as_json else plain, file=sys.stderr, flush=True)
        if not isinstance(error, Exception | SystemExit):
            raise
