"""A member's keys on this device: make, show, rotate, hand to another device."""

# ruff: noqa: FBT002 - typer reads options off the signature, and a flag is a boolean with a default

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from meldbrug.client import Connection, MemberClient, Refused, kid_in, load_keys, save_keys
from meldbrug.client.files import read_private
from meldbrug.crypto import SecretKeys

from .asking import member_keys, new_passphrase
from .output import Screen
from .problems import Problem
from .running import connected, settings_of
from .settings import Settings

SEEDS_BYTES: Final = 64

NoPassphrase = Annotated[
    bool, typer.Option("--no-passphrase", help="anyone who has the file can use the key")
]
Replace = Annotated[bool, typer.Option("--replace", help="overwrite a key file that is there")]

key_app = typer.Typer(help="Je sleutels op dit apparaat / Your keys on this device.", no_args_is_help=True)


@key_app.command("create")
def create(context: typer.Context, no_passphrase: NoPassphrase = False) -> None:
    """Nieuwe sleutels maken / Make new keys; they never leave this device unless you export them."""
    settings = settings_of(context)
    keys = SecretKeys.generate()
    if settings.key_path.exists():
        raise Problem(settings.words("key-exists"))
    save_keys(settings.key_path, keys, None if no_passphrase else new_passphrase(settings))
    _show(settings, keys.kid)


@key_app.command("show")
def show(context: typer.Context) -> None:
    """De vingerafdruk, om voor te lezen / The fingerprint, to read out."""
    settings = settings_of(context)
    _show(settings, kid_in(settings.key_path))


@key_app.command("export")
def export(
    context: typer.Context,
    target: Annotated[Path, typer.Argument(help="where the copy goes")],
    no_passphrase: NoPassphrase = False,
) -> None:
    """Een kopie voor een ander apparaat / A copy for another device, under a passphrase of its own."""
    settings = settings_of(context)
    keys = member_keys(settings)
    save_keys(target, keys, None if no_passphrase else new_passphrase(settings))
    if not Screen(settings).data({"kid": keys.kid, "file": str(target)}):
        Screen(settings).word("exported", name=target.name)


@key_app.command("import")
def import_(
    context: typer.Context,
    source: Annotated[Path, typer.Argument(help="a key file, or the installation's own hexadecimal one")],
    no_passphrase: NoPassphrase = False,
    replace: Replace = False,
) -> None:
    """Sleutels van elders hier bewaren / Keep keys from elsewhere on this device."""
    settings = settings_of(context)
    keys = _imported(settings, source)
    if settings.key_path.exists() and not replace:
        raise Problem(settings.words("key-exists"))
    passphrase = None if no_passphrase else new_passphrase(settings)
    save_keys(settings.key_path, keys, passphrase, replace=replace)
    _show(settings, keys.kid)


@key_app.command("rotate")
def rotate(context: typer.Context, no_passphrase: NoPassphrase = False) -> None:
    """Nieuwe sleutels in plaats van de oude / New keys for the old ones; what opens now stays readable.

    The new keys are kept beside the old ones until the installation has taken them, so that an interrupted
    rotation goes on where it stopped.
    """
    settings = settings_of(context)
    settings.require_installation()
    old_keys = member_keys(settings)
    waiting = settings.key_path.with_suffix(".next.json")
    passphrase = None if no_passphrase else new_passphrase(settings)
    if not waiting.exists():
        save_keys(waiting, SecretKeys.generate(), passphrase)
    new_keys = load_keys(waiting, passphrase)

    async def act(connection: Connection) -> None:
        screen = Screen(settings)
        await _rotated(connection, old_keys, new_keys)
        save_keys(settings.key_path, new_keys, passphrase, replace=True)
        waiting.unlink()
        if not screen.data({"kid": new_keys.kid, "before": old_keys.kid}):
            screen.word("rotated")
            screen.line(grouped(new_keys.kid), style="bold")

    connected(settings, act)


async def _rotated(connection: Connection, old_keys: SecretKeys, new_keys: SecretKeys) -> None:
    """Rotates, or finds that an earlier call did and was interrupted before the new keys were in place."""
    try:
        await MemberClient(connection, old_keys).rotation.rotate(new_keys)
    except Refused as refusal:
        if refusal.reason != "KEY_UNKNOWN":
            raise
        await MemberClient(connection, new_keys).me()


def grouped(kid: str) -> str:
    """Returns a fingerprint in groups of four, as it is read out."""
    return " ".join(kid[start : start + 4] for start in range(0, len(kid), 4))


def _show(settings: Settings, kid: str) -> None:
    screen = Screen(settings)
    if not screen.data({"kid": kid, "file": str(settings.key_path)}):
        screen.word("fingerprint")
        screen.line(grouped(kid), style="bold")


def _imported(settings: Settings, source: Path) -> SecretKeys:
    held = read_private(source, 16 * 1024)
    text = held.strip()
    if len(text) == 2 * SEEDS_BYTES and not text.startswith(b"{"):
        try:
            seeds = bytes.fromhex(text.decode())
        except ValueError:
            raise Problem(settings.words("no-key-file")) from None
        return SecretKeys(seeds[: SEEDS_BYTES // 2], seeds[SEEDS_BYTES // 2 :])
    return member_keys(_with_key(settings, source))


def _with_key(settings: Settings, path: Path) -> Settings:
    return Settings(**{**vars(settings), "key_path": path})
