"""Talks to an installation for one person or system: what is shown was verified, what is sent is sealed.

```python
async with Connection(addresses, installation) as connection:
    member = MemberClient(connection, load_keys(path, passphrase))
    async for stub in member.reader.inbox():
        notice = await member.reader.open(stub.name, PURPOSE_PROTECT_PEOPLE)
        print(notice.texts)
```
"""

from .book import Book
from .circle import Circle, Person
from .connection import Connection, Credentials
from .consenting import Consents
from .device import ServerClock, new_id, new_request_id
from .endpoints import read_endpoints
from .enrolling import accept_invitation
from .errors import (
    DoesNotOpen,
    MeldbrugError,
    NotPermitted,
    NotReached,
    Refused,
    Stale,
    Unavailable,
    Unverified,
)
from .handlers import Case
from .keyfile import KeyFileError, kid_in, load_keys, save_keys
from .member import MemberClient
from .names import name_of
from .notices import OpenedNotice
from .pins import Pins
from .previews import WHOLE, Act, Preview, Yes
from .proposing import Decided, Proposal
from .public import PublicClient, Terms
from .reading import Author, Content, Text, Unopened
from .reporter import ReporterClient
from .reports import Draft, Seen

__all__ = [
    "WHOLE",
    "Act",
    "Author",
    "Book",
    "Case",
    "Circle",
    "Connection",
    "Consents",
    "Content",
    "Credentials",
    "Decided",
    "DoesNotOpen",
    "Draft",
    "KeyFileError",
    "MeldbrugError",
    "MemberClient",
    "NotPermitted",
    "NotReached",
    "OpenedNotice",
    "Person",
    "Pins",
    "Preview",
    "Proposal",
    "PublicClient",
    "Refused",
    "ReporterClient",
    "Seen",
    "ServerClock",
    "Stale",
    "Terms",
    "Text",
    "Unavailable",
    "Unopened",
    "Unverified",
    "Yes",
    "accept_invitation",
    "kid_in",
    "load_keys",
    "name_of",
    "new_id",
    "new_request_id",
    "read_endpoints",
    "save_keys",
]
