"""The production stack made small: PostgreSQL, OpenFGA and the services on one machine.

Everything it makes lives in one folder (`.stack/`); nothing it starts outlives it.
`services.stack.stack` adds the services; it is not imported here: who needs PostgreSQL alone shall not wait.
"""

from services.stack.backends import Backends
from services.stack.folder import AlreadyRunning, Endpoints, Folder
from services.stack.processes import StackError

__all__ = ["AlreadyRunning", "Backends", "Endpoints", "Folder", "StackError"]
