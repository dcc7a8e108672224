"""Makes a new installation: OpenFGA's store and model, the services' keys, the secretariat with its root key.

Safe to repeat: what is there stays, what is missing is added, a changed policy model is written beside it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from services.bootstrap import policy, secrets
from services.bootstrap.secretariat import found
from services.kernel.db import Database

__all__ = ["Installation", "Plan", "bootstrap"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What an installation is made from.

    Args:
        keys: Folder for the secrets and for `installation.json`, which says what was made.
        services: Names of the services that need a key.
        root_key: File with an existing root key; one is made when absent.
        title: Name of the secretariat as shown, and of who holds its root key.
    """

    database_url: str
    engine: policy.Engine
    keys: Path
    services: tuple[str, ...]
    root_key: Path | None = None
    title: str = "Secretariaat"


@dataclass(frozen=True, slots=True)
class Installation:
    """What was made, and what every service must be told of it."""

    installation: str
    organisation: str
    member: str
    model: policy.Model
    service_keys: dict[str, str]
    keys: str
    token_file: str
    root_key_file: str

    def settings(self) -> dict[str, str]:
        """Returns the settings of a service process that follow from the installation."""
        settings = {
            "MELDBRUG_INSTALLATION": self.installation,
            "MELDBRUG_OPENFGA__STORE_ID": self.model.store_id,
            "MELDBRUG_OPENFGA__MODEL_ID": self.model.model_id,
            "MELDBRUG_SERVICE_SECRETS_DIR": self.keys,
            "MELDBRUG_SERVICE_KEYS": json.dumps(self.service_keys),
            "MELDBRUG_PAGE_KEY_FILE": str(Path(self.keys) / "pages.key"),
        }
        return settings | ({"MELDBRUG_OPENFGA__TOKEN_FILE": self.token_file} if self.token_file else {})


async def bootstrap(plan: Plan) -> Installation:
    """Makes the installation, or completes it. The database must be migrated.

    Raises:
        ConfigurationError: the database was founded with another root key.
    """
    plan.keys.mkdir(parents=True, exist_ok=True, mode=0o700)
    root_key_file = plan.root_key or plan.keys / "secretariat.key"
    root = secrets.key_pair(root_key_file)
    model = policy.ensure_model(plan.engine, former_model(plan.keys))
    database = Database(plan.database_url, "directory", app_name="meldbrug bootstrap", pool_size=1)
    authz = policy.adapter(plan.engine, model)
    try:
        await authz.write([policy.PROBE.tuple])
        secretariat = await found(database, authz, root, plan.title)
    finally:
        await authz.close()
        await database.close()
    secrets.hex_secret(plan.keys / "pages.key", 32)
    made = Installation(
        installation=root.kid,
        organisation=secretariat.organisation,
        member=secretariat.member,
        model=model,
        service_keys={
            name: secrets.public_text(secrets.key_pair(plan.keys / f"{name}.key")) for name in plan.services
        },
        keys=str(plan.keys.resolve()),
        token_file=str(plan.engine.token_file or ""),
        root_key_file=str(root_key_file.resolve()),
    )
    secrets.write_private(plan.keys / "installation.json", json.dumps(asdict(made), indent=2) + "\n")
    return made


def former_model(keys: Path) -> policy.Model | None:
    """Returns the store and model that an earlier bootstrap made; None at the first."""
    known = keys / "installation.json"
    return policy.Model(**json.loads(known.read_text())["model"]) if known.exists() else None
