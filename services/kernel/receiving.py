"""Requests on their way: who begins a call and says nothing keeps nobody out and nothing full.

gRPC itself waits for a request as long as the connection lives, and counts the call among those under way.
Here each is given up after a while, and when too many are on their way, whoever has waited longest: a request
that comes takes milliseconds, one that does not grows old.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from grpc_status import rpc_status

from services.kernel.answers import status_of
from services.kernel.errors import InvalidField, Refusal
from services.kernel.patience import LONGEST_S, PLACES, Patience

Proceed = Callable[[Any, Any], Any]


class Receiving(grpc.aio.ServerInterceptor):
    """Takes every method's request in, before anything else is done for the call.

    Args:
        longest_s: How long a request may be on its way.
        places: How many may be at once.
    """

    def __init__(self, longest_s: float = LONGEST_S, places: int = PLACES) -> None:
        self._patience = Patience(longest_s, places)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        details: grpc.HandlerCallDetails,
    ) -> Any:
        """Returns a handler that awaits the request itself, where gRPC would have done so."""
        handler = await continuation(details)
        if handler is None or handler.request_streaming:
            return handler
        if handler.response_streaming:
            serve, kind = handler.unary_stream, grpc.stream_stream_rpc_method_handler
        else:
            serve, kind = handler.unary_unary, grpc.stream_unary_rpc_method_handler
        return kind(self._with_request(serve), handler.request_deserializer, handler.response_serializer)

    def _with_request(self, proceed: Proceed) -> Proceed:
        async def serve(_requests: object, context: Any) -> Any:
            return await proceed(await self._request(context), context)

        return serve

    async def _request(self, context: Any) -> Any:
        try:
            return await self._received(context)
        except Refusal as refusal:
            await context.abort_with_status(rpc_status.to_status(status_of(refusal)))
            raise

    async def _received(self, context: Any) -> Any:
        async with self._patience.waiting():
            request = await context.read()
        if request is grpc.aio.EOF:
            raise InvalidField("request", "is missing")
        return request
