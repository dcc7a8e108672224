"""OpenFGA's store and model, and the way to them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from openfga_sdk import ClientConfiguration, CreateStoreRequest
from openfga_sdk.credentials import CredentialConfiguration, Credentials
from openfga_sdk.models import WriteAuthorizationModelRequest
from openfga_sdk.sync import OpenFgaClient

from services.bootstrap.installation import Model
from services.kernel.openfga.adapter import OpenFGA, Probe

MODEL_FILE = Path(__file__).resolve().parents[2] / "policy" / "model.json"
STORE_NAME = "meldbrug"
PROBE = Probe("organisation:probe", "member")
TIMEOUT_MS = 10_000  # The SDK's own is five minutes.


@dataclass(frozen=True, slots=True)
class Engine:
    """Where OpenFGA answers and the file with its preshared key."""

    address: str
    http_url: str
    token_file: Path | None = None

    @property
    def token(self) -> str:
        """The preshared key; empty when the engine wants none."""
        return self.token_file.read_text().strip() if self.token_file else ""


def ensure_model(engine: Engine, former: Model | None = None) -> Model:
    """Returns the store with today's model, making whichever is missing."""
    text = MODEL_FILE.read_text()
    digest = hashlib.sha256(text.encode()).hexdigest()
    if former and former.digest == digest:
        return former
    with OpenFgaClient(configuration(engine)) as client:
        store_id = former.store_id if former else create_store(client)
        client.set_store_id(store_id)
        request = WriteAuthorizationModelRequest(**json.loads(text))  # type: ignore[no-untyped-call]  # the SDK has none
        written = client.write_authorization_model(request)
    return Model(store_id, written.authorization_model_id, digest)


def create_store(client: OpenFgaClient) -> str:
    """Makes the one store and returns its id."""
    request = CreateStoreRequest(name=STORE_NAME)  # type: ignore[no-untyped-call]  # the SDK has none
    return str(client.create_store(request).id)


def configuration(engine: Engine) -> ClientConfiguration:
    """Returns how the SDK reaches the engine."""
    credentials = Credentials(
        method="api_token", configuration=CredentialConfiguration(api_token=engine.token)
    )
    return ClientConfiguration(
        api_url=engine.http_url,
        credentials=credentials if engine.token else None,
        timeout_millisec=TIMEOUT_MS,
    )


def adapter(engine: Engine, model: Model) -> OpenFGA:
    """Returns the engine behind the kernel's port; the caller closes it."""
    return OpenFGA(engine.address, model.store_id, model.model_id, probe=PROBE, token=engine.token)
