"""What is asked of the user: receipt, passphrase, texts. None of it is ever taken from the command line."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

import typer

from meldbrug.client import KeyFileError, load_keys
from meldbrug.crypto import MAX_CONTENT_BYTES, SecretKeys, from_words, keys_from

from .output import visible
from .problems import Problem
from .settings import Settings

MAX_LINE_BYTES: Final = 4_096


def receipt_keys(settings: Settings) -> SecretKeys:
    """Returns the keys of the receipt that the user gives.

    Raises:
        ReceiptError: it is mistyped.
    """
    return keys_from(from_words(secret_line(settings.receipt_fd, settings.words("ask-receipt"))))


def member_keys(settings: Settings) -> SecretKeys:
    """Returns the member's keys, asking for the passphrase where there is one."""
    try:
        return load_keys(settings.key_path)
    except KeyFileError as error:
        if error.reason != "passphrase-needed":
            raise
    return load_keys(settings.key_path, secret_line(settings.passphrase_fd, settings.words("ask-passphrase")))


def new_passphrase(settings: Settings) -> str:
    """Returns a passphrase typed twice, or read once from a descriptor.

    Raises:
        Problem: it is empty, or the two differ.
    """
    passphrase = secret_line(settings.passphrase_fd, settings.words("ask-new-passphrase"))
    if not passphrase:
        raise Problem(settings.words("empty-passphrase"))
    if settings.passphrase_fd is None and sys.stdin.isatty():
        again = secret_line(None, settings.words("ask-passphrase-again"))
        if again != passphrase:
            raise Problem(settings.words("passphrases-differ"))
    return passphrase


def secret_line(descriptor: int | None, prompt: str) -> str:
    """Returns one line from a descriptor, a hidden prompt, or standard input when that is no terminal."""
    if descriptor is not None:
        return _line_of(descriptor)
    if sys.stdin.isatty():
        return str(typer.prompt(prompt, hide_input=True, err=True))
    try:
        return sys.stdin.readline(MAX_LINE_BYTES).rstrip("\r\n")
    except UnicodeError:
        raise Problem("standard input cannot be read") from None


def text_of(settings: Settings, path: Path | None, prompt: str) -> str:
    """Returns a text from a file, from standard input (`-`), or typed until the end of input.

    Raises:
        Problem: it is empty, too long, or not UTF-8.
    """
    held = _typed(settings, prompt) if path is None or str(path) == "-" else _read(settings, path)
    text = held.strip()
    if not text:
        raise Problem(settings.words("empty-text"))
    # What was held is one character more than fits when there may be more: white space there says nothing.
    if len(held) > MAX_CONTENT_BYTES or len(text.encode()) > MAX_CONTENT_BYTES:
        raise Problem(settings.words("long-text", limit=MAX_CONTENT_BYTES))
    return text


def agreed(settings: Settings, question: str, *, yes: bool) -> None:
    """Goes on when the user says so; `yes` says so beforehand.

    Raises:
        Problem: the user does not, or cannot be asked.
    """
    if yes:
        return
    if settings.as_json or not sys.stdin.isatty():
        raise Problem(settings.words("say-yes"))
    if not typer.confirm(visible(question), err=True):
        raise Problem(settings.words("nothing-done"))


def _typed(settings: Settings, prompt: str) -> str:
    """Returns what is on standard input, asking for it on a terminal."""
    if sys.stdin.isatty():
        typer.echo(prompt, err=True)
    try:
        held = sys.stdin.read(MAX_CONTENT_BYTES + 1)
        # Under some locales bytes that are no text are smuggled in as characters that no text has.
        held.encode()
    except UnicodeError:
        raise Problem(settings.words("unreadable-input")) from None
    return held


def _read(settings: Settings, path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            return file.read(MAX_CONTENT_BYTES + 1)
    except (OSError, UnicodeDecodeError):
        raise Problem(settings.words("unreadable-file", name=path.name)) from None


def _line_of(descriptor: int) -> str:
    try:
        held = bytearray()
        while len(held) < MAX_LINE_BYTES and (byte := os.read(descriptor, 1)) not in {b"", b"\n"}:
            held += byte
        return held.decode().rstrip("\r")
    except (OSError, UnicodeDecodeError):
        raise Problem("the descriptor cannot be read") from None
