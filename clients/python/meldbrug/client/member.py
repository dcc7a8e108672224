"""A member's client: one key, and what its holder may do as handler, reader, admin or secretariat."""

from __future__ import annotations

from meldbrug.crypto import SecretKeys

from .administering import Administering
from .connection import Connection
from .handling import Handling
from .pins import Pins
from .receiving import Receiving
from .rotating import Rotating
from .secretariat import Secretariat
from .session import Session


class MemberClient(Session):
    """Acts with a member's key; what the server does not permit is refused there, whatever is called here."""

    def __init__(self, connection: Connection, keys: SecretKeys, *, pins: Pins | None = None) -> None:
        """Uses `connection`; the caller closes it.

        Args:
            connection: To the installation.
            keys: The member's keys.
            pins: What this device remembers of reporters; in memory only when absent.
        """
        super().__init__(connection, keys)
        self.handler = Handling(self, pins or Pins())
        self.reader = Receiving(self)
        self.admin = Administering(self)
        self.secretariat = Secretariat(self)
        self.rotation = Rotating(self)
