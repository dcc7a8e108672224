"""Makes an installation, step by step, each of which may be repeated.

What is there stays, what is missing is added, and a changed policy model is written beside the old one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from services.bootstrap import files, policy, secrets
from services.bootstrap.installation import FILE, PAGE_KEY, ROOT_KEY, Installation
from services.bootstrap.secretariat import found
from services.kernel.db import Database

PAGE_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Plan:
    """What an installation is made from.

    Args:
        keys: Folder for the secrets, and for what is known of the installation.
        services: Names of the services that need a key.
        root_key: File with an existing root key; one is made among the others when absent.
        title: Name of the secretariat as shown, and of who holds its root key.
    """

    database_url: str
    engine: policy.Engine
    keys: Path
    services: tuple[str, ...]
    root_key: Path | None = None
    title: str = "Secretariaat"


async def bootstrap(plan: Plan) -> Installation:
    """Makes the installation, or completes it. The database must be migrated.

    Raises:
        ConfigurationError: the database was founded with another root key.
    """
    plan.keys.mkdir(parents=True, exist_ok=True, mode=0o700)
    root = secrets.key_pair(plan.root_key or plan.keys / ROOT_KEY)
    files.hex_secret(plan.keys / PAGE_KEY, PAGE_KEY_BYTES)
    former = Installation.read(plan.keys).model if (plan.keys / FILE).exists() else None
    model = policy.ensure_model(plan.engine, former)
    database = Database(plan.database_url, "directory", app_name="meldbrug bootstrap", pool_size=1)
    authz = policy.adapter(plan.engine, model)
    try:
        await authz.write([policy.PROBE.tuple])
        secretariat = await found(database, authz, root, plan.title)
    finally:
        await authz.close()
        await database.close()
    made = Installation(
        installation=root.kid,
        organisation=secretariat.organisation,
        member=secretariat.member,
        model=model,
        service_keys={
            name: secrets.public_text(secrets.key_pair(plan.keys / f"{name}.key")) for name in plan.services
        },
    )
    made.write(plan.keys)
    return made
