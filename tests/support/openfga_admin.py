"""Stores and models for tests, made with the SDK over the HTTP API."""

from __future__ import annotations

import json
from typing import Any

from openfga_sdk import ClientConfiguration, CreateStoreRequest, OpenFgaClient, WriteAuthorizationModelRequest
from openfga_sdk.credentials import CredentialConfiguration, Credentials

# The SDK's own is five minutes.
TIMEOUT_MS = 10_000


def client(http_url: str, *, store_id: str | None = None, token: str = "") -> OpenFgaClient:
    """A client of the SDK, to be used in `async with`."""
    configuration = CredentialConfiguration(api_token=token)
    credentials = Credentials(method="api_token", configuration=configuration) if token else None
    return OpenFgaClient(
        ClientConfiguration(
            api_url=http_url, store_id=store_id, credentials=credentials, timeout_millisec=TIMEOUT_MS
        )
    )


async def create_store(http_url: str, name: str, *, token: str = "") -> str:
    """Makes a store and returns its id."""
    async with client(http_url, token=token) as engine:
        request = CreateStoreRequest(name=name)  # type: ignore[no-untyped-call]  # the SDK has no types
        return str((await engine.create_store(request)).id)


async def write_model(http_url: str, store_id: str, model_json: str, *, token: str = "") -> str:
    """Writes a model beside the older ones and returns its id."""
    model: dict[str, Any] = json.loads(model_json)
    request = WriteAuthorizationModelRequest(  # type: ignore[no-untyped-call]  # the SDK has no types
        schema_version=model["schema_version"],
        type_definitions=model["type_definitions"],
        conditions=model.get("conditions"),
    )
    async with client(http_url, store_id=store_id, token=token) as engine:
        return str((await engine.write_authorization_model(request)).authorization_model_id)
