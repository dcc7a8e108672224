"""How a command runs: one connection, one coroutine, and its keys."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import typer

from meldbrug.client import Connection, MemberClient, Pins, PublicClient, ReporterClient

from .asking import member_keys, receipt_keys
from .output import Screen
from .settings import Settings

T = TypeVar("T")


def settings_of(context: typer.Context) -> Settings:
    """Returns the settings that the options of this call make."""
    settings = context.obj
    if not isinstance(settings, Settings):
        raise TypeError("the command was called without its options")
    return settings


def as_reporter(context: typer.Context, act: Callable[[ReporterClient, Screen], Awaitable[T]]) -> T:
    """Runs `act` with the keys of a receipt that the user gives."""
    settings = settings_of(context)
    settings.require_installation()
    keys = receipt_keys(settings)
    return connected(settings, lambda connection: act(ReporterClient(connection, keys), Screen(settings)))


def as_member(context: typer.Context, act: Callable[[MemberClient, Screen], Awaitable[T]]) -> T:
    """Runs `act` with the member's keys of this device."""
    settings = settings_of(context)
    settings.require_installation()
    keys = member_keys(settings)
    pins = Pins(settings.pins_path)
    return connected(
        settings, lambda connection: act(MemberClient(connection, keys, pins=pins), Screen(settings))
    )


def as_anyone(context: typer.Context, act: Callable[[PublicClient, Screen], Awaitable[T]]) -> T:
    """Runs `act` without a key."""
    settings = settings_of(context)
    settings.require_installation()
    return connected(settings, lambda connection: act(PublicClient(connection), Screen(settings)))


def connected(settings: Settings, act: Callable[[Connection], Awaitable[T]]) -> T:
    """Runs `act` with a connection that is closed afterwards."""

    async def run() -> T:
        async with Connection(
            settings.addresses, settings.installation, tls_root=settings.tls_root
        ) as connection:
            return await act(connection)

    return asyncio.run(run())
