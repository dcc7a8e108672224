"""Which installation, whose key, which language: options, then the environment, then the local stack."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from meldbrug.client import MeldbrugError, read_endpoints
from meldbrug.crypto import is_kid

from .problems import Problem
from .words import Language, Words

SERVICES: Final = ("directory", "disclosure", "coordination")
LOCAL_STACK: Final = Path(".stack") / "endpoints.json"


@dataclass(frozen=True)
class Settings:
    """What every command knows.

    Attributes:
        addresses: `host:port` by service; empty until a command needs them.
        installation: Fingerprint of the secretariat root.
        tls_root: PEM of the certificate authority; None for those that gRPC trusts.
        key_path: Where the member's keys are.
        language: Of what is shown.
        as_json: Whether to write JSON.
        receipt_fd: Where the receipt is read from; None to ask.
        passphrase_fd: Where the passphrase is read from; None to ask.
    """

    addresses: Mapping[str, str]
    installation: str
    tls_root: bytes | None
    key_path: Path
    language: Language
    as_json: bool
    receipt_fd: int | None
    passphrase_fd: int | None

    @property
    def words(self) -> Words:
        """Returns the words of the language."""
        return Words(self.language)

    @property
    def pins_path(self) -> Path:
        """Returns where this device remembers the reporters of the incidents it handles."""
        return self.key_path.with_suffix(".reporters.json")

    def require_installation(self) -> None:
        """Raises Problem unless it is known where to call and whom to trust."""
        if not self.addresses or not self.installation:
            raise Problem(self.words("no-installation"))


def environment() -> Mapping[str, str]:
    """Returns the environment; read here and nowhere else."""
    return os.environ


def default_key_path() -> Path:
    """Returns where a member's keys are kept unless something else is said."""
    folder = environment().get("XDG_CONFIG_HOME", "")
    return (Path(folder) if folder else Path.home() / ".config") / "meldbrug" / "key.json"


def default_language() -> Language:
    """Returns the language of the terminal; English where that is neither Dutch nor English."""
    return "nl" if environment().get("LANG", "").startswith("nl") else "en"


def where(endpoints: Sequence[str], root: str, file: Path | None) -> tuple[Mapping[str, str], str]:
    """Returns addresses and installation; empty ones where nothing says it.

    Args:
        endpoints: `host:port` for every service, or `service=host:port` each.
        root: Fingerprint of the secretariat root.
        file: An `endpoints.json`; the local stack's when absent.

    Raises:
        Problem: what was given is not of that form.
    """
    if root and not is_kid(root):
        raise Problem("the root is a fingerprint of 52 letters and digits")
    if endpoints:
        return _addresses(endpoints), root
    source = file or LOCAL_STACK
    if file is None and not source.exists():
        return {}, root
    try:
        addresses, installation = read_endpoints(source)
    except MeldbrugError as error:
        raise Problem(str(error)) from None
    return addresses, root or installation


def _addresses(endpoints: Sequence[str]) -> dict[str, str]:
    addresses: dict[str, str] = {}
    for endpoint in endpoints:
        service, _, address = endpoint.rpartition("=")
        if ":" not in address or (service and service not in SERVICES):
            raise Problem("an endpoint is host:port, or service=host:port")
        for name in [service] if service else SERVICES:
            addresses[name] = address
    return addresses
