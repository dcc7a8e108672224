"""The health service of a process: it says how things are to whoever asks, and keeps nobody on the line."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2

from services.kernel.jobs import pass_time
from services.kernel.log import Event, emit
from services.kernel.rpc import Loop

WATCH_S = 2.0
SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


class Health(health.aio.HealthServicer):
    """The state of the process and of what it depends on, by name."""

    async def Watch(self, _request: object, context: Any) -> None:  # noqa: N802 (the name in the contract)
        """Is not offered, as the contract allows: without a token and an end, anyone would hold a place."""
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "ask Check")

    async def watching(self, name: str, ask: Callable[[], Awaitable[None]]) -> Loop:
        """Returns a loop that shows under `dependency.<name>` whether something answers.

        What was not asked yet does not serve.
        """
        await self.set(f"dependency.{name}", NOT_SERVING)

        async def watch(stopping: asyncio.Event) -> None:
            state = None
            while True:
                found = await _answers(ask)
                if found is not state:
                    state = found
                    await self.set(f"dependency.{name}", SERVING if found else NOT_SERVING)
                    emit(Event.DEPENDENCY_FOUND if found else Event.DEPENDENCY_LOST, dependency=name)
                if await pass_time(stopping, WATCH_S):
                    return

        return watch


async def _answers(ask: Callable[[], Awaitable[None]]) -> bool:
    try:
        await ask()
    except Exception:  # noqa: BLE001 (no answer is no answer)
        return False
    return True
