"""The `meldbrug` command: options of every command, the commands, and how each ends."""

# ruff: noqa: FBT002 - typer reads options off the signature, and a flag is a boolean with a default

from __future__ import annotations

import json
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Final

import typer

from .cases import case_app, decision_app
from .consents import consent_app
from .directory import directory_app
from .inbox import inbox_app
from .keys import key_app
from .labels import LANGUAGE_NAMES
from .notices import notice_app
from .output import visible
from .problems import INTERRUPTED, USAGE, Ending, Problem, ending_of
from .reporting import register
from .settings import Settings, default_key_path, default_language, environment, where
from .words import Words

HOISTED: Final = frozenset({"--lang", "--endpoint", "--root", "--endpoints-file", "--tls-root", "--key"})
HOISTED_FLAGS: Final = frozenset({"--json"})

app = typer.Typer(
    name="meldbrug",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Melden, delen met toestemming, lezen / Report, share with consent, read.",
)


@app.callback()
def options(
    context: typer.Context,
    endpoint: Annotated[
        list[str] | None,
        typer.Option(envvar="MELDBRUG_ENDPOINT", help="host:port, or service=host:port; may be repeated"),
    ] = None,
    root: Annotated[
        str, typer.Option(envvar="MELDBRUG_ROOT", help="fingerprint of the installation's root")
    ] = "",
    endpoints_file: Annotated[
        Path | None, typer.Option(envvar="MELDBRUG_ENDPOINTS_FILE", help="an endpoints.json")
    ] = None,
    tls_root: Annotated[
        Path | None, typer.Option(envvar="MELDBRUG_TLS_ROOT", help="PEM of the certificate authority")
    ] = None,
    key: Annotated[Path | None, typer.Option(envvar="MELDBRUG_KEY", help="the member's key file")] = None,
    lang: Annotated[
        str, typer.Option(envvar="MELDBRUG_LANG", help="nl or en; the terminal's language when absent")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="write JSON")] = False,
    receipt_fd: Annotated[
        int | None, typer.Option(min=0, help="file descriptor to read the receipt from")
    ] = None,
    passphrase_fd: Annotated[
        int | None, typer.Option(min=0, help="file descriptor to read the passphrase from")
    ] = None,
) -> None:
    """Options of every command."""
    if lang not in {"", *LANGUAGE_NAMES}:
        raise typer.BadParameter("nl or en", param_hint="--lang")
    addresses, installation = where(endpoint or [], root, endpoints_file)
    context.obj = Settings(
        addresses=addresses,
        installation=installation,
        tls_root=_pem(tls_root),
        key_path=key or default_key_path(),
        language=LANGUAGE_NAMES[lang] if lang else default_language(),
        as_json=as_json,
        receipt_fd=receipt_fd,
        passphrase_fd=passphrase_fd,
    )


register(app)
app.add_typer(consent_app, name="consent")
app.add_typer(case_app, name="case")
app.add_typer(decision_app, name="decision")
app.add_typer(notice_app, name="notice")
app.add_typer(inbox_app, name="inbox")
app.add_typer(key_app, name="key")
app.add_typer(directory_app, name="directory")


def main() -> None:
    """Runs the command and exits with what `README.md` documents."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Runs the command; returns the exit code."""
    _write_anything()
    given = hoisted(arguments)
    try:
        result = app(given, standalone_mode=False)
    except typer.Exit as error:
        return error.exit_code
    except (typer.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except typer.TyperException as error:
        return _end(Ending(USAGE, "USAGE", _sentence(error)), as_json="--json" in given)
    except BrokenPipeError:
        return 0
    except Exception as error:  # noqa: BLE001 - the last line of defence: a traceback could quote what somebody wrote
        return _end(ending_of(error, _words(given)), as_json="--json" in given)
    return result if isinstance(result, int) else 0


def _write_anything() -> None:
    """Lets standard output and error show what the terminal cannot encode as escapes, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def hoisted(arguments: list[str]) -> list[str]:
    """Returns the arguments with the options of every command in front, wherever they were given."""
    front, rest, index = list[str](), list[str](), 0
    while index < len(arguments):
        argument = arguments[index]
        if argument == "--":
            return front + rest + arguments[index:]
        name, has_value, _ = argument.partition("=")
        takes = 2 if name in HOISTED and not has_value else 1
        chosen = front if name in HOISTED | HOISTED_FLAGS else rest
        chosen += arguments[index : index + takes]
        index += takes
    return front + rest


def _end(ending: Ending, *, as_json: bool) -> int:
    if as_json:
        error = {"reason": ending.reason, "message": ending.sentence, "exitCode": ending.exit_code}
        sys.stderr.write(json.dumps({"error": error}, ensure_ascii=False) + "\n")
    else:
        sys.stderr.write(visible(ending.sentence) + "\n")
    return ending.exit_code


def _sentence(error: typer.TyperException) -> str:
    """Returns what is wrong with the command line, with the option it concerns where there is one."""
    told = getattr(error, "format_message", None)
    return str(told() if told else error)


def _words(given: list[str]) -> Words:
    """Returns the words to end with, also where the options themselves were wrong."""
    asked = environment().get("MELDBRUG_LANG", "")
    for index, argument in enumerate(given):
        if argument.startswith("--lang="):
            asked = argument.removeprefix("--lang=")
        elif argument == "--lang" and index + 1 < len(given):
            asked = given[index + 1]
    return Words(LANGUAGE_NAMES.get(asked, default_language()))


def _pem(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError:
        raise Problem("the certificate file cannot be read") from None
