"""What an installation consists of, kept beside its keys; the keys themselves are files of their own."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from services.bootstrap.files import write_private

FILE = "installation.json"
PAGE_KEY = "pages.key"
ROOT_KEY = "secretariat.key"


@dataclass(frozen=True, slots=True)
class Model:
    """A store with a model in it; `digest` is of the file that the model was written from."""

    store_id: str
    model_id: str
    digest: str


@dataclass(frozen=True, slots=True)
class Installation:
    """What was made. It names no folder: a project that moves takes its installation along."""

    installation: str
    organisation: str
    member: str
    model: Model
    service_keys: dict[str, str]

    @classmethod
    def read(cls, keys: Path) -> Self:
        """Returns the installation whose keys are in `keys`. Raises FileNotFoundError before there is one."""
        kept = json.loads((keys / FILE).read_text())
        return cls(**{**kept, "model": Model(**kept["model"])})

    def write(self, keys: Path) -> None:
        """Keeps what was made beside its keys."""
        write_private(keys / FILE, json.dumps(asdict(self), indent=2) + "\n")

    def settings(self, keys: Path) -> dict[str, str]:
        """Returns the settings of a service process that follow from the installation."""
        return {
            "MELDBRUG_INSTALLATION": self.installation,
            "MELDBRUG_OPENFGA__STORE_ID": self.model.store_id,
            "MELDBRUG_OPENFGA__MODEL_ID": self.model.model_id,
            "MELDBRUG_SERVICE_SECRETS_DIR": str(keys),
            "MELDBRUG_SERVICE_KEYS": json.dumps(self.service_keys),
            "MELDBRUG_PAGE_KEY_FILE": str(keys / PAGE_KEY),
        }
