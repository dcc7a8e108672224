"""Where the services are, as the local stack writes it down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from meldbrug.crypto import is_kid

from .errors import MeldbrugError
from .files import read_private

MAX_BYTES: Final = 64 * 1024


def read_endpoints(path: Path) -> tuple[dict[str, str], str]:
    """Returns the address of each service, and the installation, from an `endpoints.json`.

    Raises:
        MeldbrugError: the file is absent, readable by others, or of another form.
    """
    try:
        found = json.loads(read_private(path, MAX_BYTES))
        services = {str(name): str(address) for name, address in found["services"].items()}
        installation = found["installation"]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise MeldbrugError(f"{path.name} does not say where the services are") from None
    if not isinstance(installation, str) or not is_kid(installation):
        raise MeldbrugError(f"{path.name} does not name the installation")
    return services, installation
