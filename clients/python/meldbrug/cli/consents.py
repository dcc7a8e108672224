"""A reporter's answers: list, see what readers would see, give, refuse, withdraw, look back."""

# ruff: noqa: FBT002 - typer reads options off the signature, and a flag is a boolean with a default

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from meldbrug.client import WHOLE, Act, Consents, Preview, ReporterClient, Yes, name_of
from meldbrug.common.v1 import common_pb2 as common
from meldbrug.disclosure.v1.disclosure_pb2 import ConsentRequest
from meldbrug.statements.v1 import statements_pb2 as said

from .asked import notice_of, notice_to_answer, oldest_first, whom_in, whom_of
from .asking import agreed
from .labels import LANGUAGES, PURPOSES, kind_of, label
from .output import Screen, moment
from .problems import Problem
from .running import as_reporter, settings_of
from .showing import person_data, person_line, said_by, text_data

Notice = Annotated[str, typer.Argument(help="the notice, or the number in the list")]
Confirmed = Annotated[bool, typer.Option("--yes", help="do not ask")]
Readers = Annotated[list[str] | None, typer.Option("--reader", help="only this reader: number or name")]
Kinds = Annotated[list[str] | None, typer.Option("--kind", help="only this part, e.g. summary")]

consent_app = typer.Typer(
    help="Wat de behandelaar vraagt te delen / What the handler asks to share.", no_args_is_help=True
)


@consent_app.command("list")
def list_(context: typer.Context) -> None:
    """Wat er gevraagd is / What was asked."""

    async def act(reporter: ReporterClient, screen: Screen) -> None:
        items = [_request_data(request) for request in await oldest_first(Consents(reporter))]
        if screen.data({"items": items}):
            return
        screen.table(
            ("number", "asked-on", "answer-before", "your-answer", "state", "notice"),
            [
                (
                    str(number),
                    moment(item["asked"]),
                    moment(item["answerBefore"]),
                    label(screen.words, item["answer"]),
                    label(screen.words, item["state"]),
                    item["notice"],
                )
                for number, item in enumerate(items, 1)
            ],
        )

    as_reporter(context, act)


@consent_app.command("preview")
def preview(context: typer.Context, notice: Notice) -> None:
    """Precies zoals de lezers het zouden zien / Exactly as its readers would see it."""

    async def act(reporter: ReporterClient, screen: Screen) -> None:
        consents = Consents(reporter)
        found = await consents.preview(await notice_of(consents, notice), LANGUAGES[screen.words.language])
        if not screen.data(_preview_data(found)):
            _show(screen, found)

    as_reporter(context, act)


@consent_app.command("give")
def give(
    context: typer.Context,
    notice: Notice,
    reader: Readers = None,
    kind: Kinds = None,
    purpose: Annotated[list[str] | None, typer.Option(help="only for this: " + ", ".join(PURPOSES))] = None,
    until: Annotated[datetime | None, typer.Option(help="only until this day", formats=["%Y-%m-%d"])] = None,
    yes: Confirmed = False,
) -> None:
    """Ja zeggen, of ja tegen een deel / Say yes, or yes to a part."""

    async def act(reporter: ReporterClient, screen: Screen) -> None:
        consents = Consents(reporter)
        name = await notice_to_answer(consents, screen, notice, unasked=yes)
        found = await consents.preview(name, LANGUAGES[screen.words.language])
        part = Yes(
            reader_kids=_readers(found, reader or []),
            sections=_sections(found, kind or []),
            purposes=[_purpose(name) for name in purpose or []],
            valid_until=until.astimezone(UTC) if until else None,
        )
        if not screen.as_json:
            _show(screen, found)
            if part != WHOLE:
                screen.word("only-a-part")
        whom = whom_in(found, part.reader_kids)
        agreed(settings_of(context), screen.words("ask-give", who=whom), yes=yes)
        answered = await consents.give(found, part)
        if not screen.data({**_request_data(answered), **whom.data}):
            screen.word("given", who=whom)

    as_reporter(context, act)


@consent_app.command("refuse")
def refuse(context: typer.Context, notice: Notice, yes: Confirmed = False) -> None:
    """Nee zeggen; dat ziet alleen jij / Say no; only you can see it."""

    async def act(reporter: ReporterClient, screen: Screen) -> None:
        consents = Consents(reporter)
        name = await notice_to_answer(consents, screen, notice, unasked=yes)
        whom = await whom_of(reporter, name)
        agreed(settings_of(context), screen.words("ask-refuse", who=whom), yes=yes)
        if not screen.data({**_request_data(await consents.refuse(name)), **whom.data}):
            screen.word("refused-it", who=whom)

    as_reporter(context, act)


@consent_app.command("withdraw")
def withdraw(
    context: typer.Context, notice: Notice, reader: Readers = None, kind: Kinds = None, yes: Confirmed = False
) -> None:
    """Terugnemen; het lezen stopt meteen / Take it back; reading stops at once."""

    async def act(reporter: ReporterClient, screen: Screen) -> None:
        consents = Consents(reporter)
        name = await notice_to_answer(consents, screen, notice, unasked=yes)
        readers, sections = list[str](), list[str]()
        if reader or kind:
            found = await consents.preview(name, LANGUAGES[screen.words.language])
            readers, sections = list(_readers(found, reader or [])), list(_sections(found, kind or []))
        whom = await whom_of(reporter, name, readers)
        screen.note("withdraw-limits")
        agreed(settings_of(context), screen.words("ask-withdraw", who=whom), yes=yes)
        answered = await consents.withdraw(name, reader_kids=readers, sections=sections)
        if not screen.data({**_request_data(answered), **whom.data}):
            screen.word("withdrawn", who=whom)

    as_reporter(context, act)


@consent_app.command("history")
def history(context: typer.Context) -> None:
    """Waar je ja en nee op zei / What you said yes and no to."""

    async def act(reporter: ReporterClient, screen: Screen) -> None:
        acts = [done async for done in Consents(reporter).history()]
        items = [_act_data(done) for done in acts]
        if screen.data({"items": items}):
            return
        screen.table(
            ("when", "your-answer", "what", "until", "notice"),
            [
                (
                    moment(item["time"]),
                    screen.words(f"act-{item['act']}"),
                    ", ".join(label(screen.words, kind) for kind in item["kinds"]),
                    moment(item["validUntil"]),
                    item["notice"],
                )
                for item in items
            ],
        )

    as_reporter(context, act)


def _show(screen: Screen, found: Preview) -> None:
    screen.word("preview-readers", organisation=found.organisation_title)
    for number, reader in enumerate(found.readers, 1):
        screen.line(f"  {number}. {person_line(screen, reader)}")
    if found.request.excluded_reader_kids:
        screen.word("left-out", count=len(found.request.excluded_reader_kids))
    for text in found.texts:
        screen.panel(label(screen.words, name_of(common.Kind, text.kind)), said_by(screen, text))
    purposes = [label(screen.words, name_of(common.Purpose, purpose)) for purpose in found.request.purposes]
    screen.word("preview-purposes", purposes=", ".join(purposes), until=moment(found.valid_until))
    handler = found.handler.member.subject_name if found.handler.member else ""
    ground = label(screen.words, name_of(common.Ground, found.decision.ground))
    screen.word("preview-handler", handler=handler, ground=ground, terms=found.request.terms_version)
    screen.note("preview-limits")


def _preview_data(found: Preview) -> dict[str, Any]:
    return {
        **_request_data(found.request),
        "organisation": found.organisation_title,
        "readers": [person_data(reader) for reader in found.readers],
        "texts": [text_data(text) for text in found.texts],
        "purposes": [name_of(common.Purpose, purpose) for purpose in found.request.purposes],
        "validUntil": found.valid_until,
        "termsVersion": found.request.terms_version,
        "handler": found.handler.member.subject_name if found.handler.member else "",
        "ground": name_of(common.Ground, found.decision.ground),
        "leftOut": len(found.request.excluded_reader_kids),
    }


def _request_data(request: ConsentRequest) -> dict[str, Any]:
    return {
        "notice": request.notice,
        "answer": name_of(ConsentRequest.Answer, request.answer),
        "state": name_of(common.NoticeState, request.state),
        "recipient": request.recipient,
        "asked": request.create_time,
        "answerBefore": request.answer_by_time,
    }


def _act_data(act: Act) -> dict[str, Any]:
    consent = act.statement if isinstance(act.statement, said.Consent) else said.Consent()
    return {
        "time": act.create_time,
        "act": act.kind.value,
        "notice": act.notice,
        "kinds": [name_of(common.Kind, ref.kind) for ref in consent.sections],
        "purposes": [name_of(common.Purpose, purpose) for purpose in consent.purposes],
        "validUntil": consent.valid_until,
    }


def _readers(found: Preview, asked: list[str]) -> list[str]:
    return [_reader(found, choice) for choice in asked]


def _reader(found: Preview, choice: str) -> str:
    for number, reader in enumerate(found.readers, 1):
        if choice in {str(number), reader.kid} or choice.casefold() == reader.member.subject_name.casefold():
            return reader.kid
    raise Problem(f"no reader in the list is {choice!r}")


def _sections(found: Preview, asked: list[str]) -> list[str]:
    kinds = {kind_of(name) for name in asked}
    if missing := kinds - {text.kind for text in found.texts}:
        raise Problem(f"{len(missing)} of the parts was not asked for")
    return [text.section for text in found.texts if text.kind in kinds]


def _purpose(name: str) -> common.Purpose.ValueType:
    if name not in PURPOSES:
        raise Problem(f"a purpose is one of {', '.join(PURPOSES)}")
    return PURPOSES[name]
