"""Who may do what: actors, the port to the policy engine, and the grant that proves a check was made."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from meldbrug.crypto.keys import PublicKeys
from services.kernel.errors import NotPermitted

# Values of a condition's context: what JSON holds.
Context = Mapping[str, Any]


class PrincipalClass(StrEnum):
    """The classes of callers; the names are those of `annotations.v1.PrincipalClass`."""

    PUBLIC = "PUBLIC"
    MEMBER = "MEMBER"
    REPORTER = "REPORTER"
    SERVICE = "SERVICE"
    NEWCOMER = "NEWCOMER"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who calls, as its token and the directory say; nothing here came from a request field.

    Args:
        klass: The class of principal.
        subject: Resource name of the person or system of a member; the name of a service; else empty.
        kid: Fingerprint of the key that signed the token; empty for the public.
        organisation: What the directory says of a member's key.
        member: Resource name of the membership.
        admin: Whether the key is endorsed as an admin's.
        keys: The public keys behind `kid`.
    """

    klass: PrincipalClass
    subject: str = ""
    kid: str = ""
    organisation: str = ""
    member: str = ""
    admin: bool = False
    keys: PublicKeys | None = None

    @property
    def principal(self) -> str:
        """What idempotency and admission count by."""
        return self.kid or "public"

    @property
    def user(self) -> str:
        """The policy engine's name of a member."""
        return "user:" + self.subject.rpartition("/")[2]


PUBLIC = Actor(PrincipalClass.PUBLIC)


class Action(Protocol):
    """Something an actor may do; a service declares each as a class."""

    relation: ClassVar[str]


class Ref(Protocol):
    """Something an action is done to."""

    @property
    def object(self) -> str:
        """The policy engine's name of it."""


A = TypeVar("A", bound=Action)
R = TypeVar("R", bound=Ref)
_MINT = object()


@dataclass(frozen=True, slots=True)
class Grant(Generic[A, R]):
    """Proof that `actor` may do `action` on `on`; only this module makes one.

    Store functions that touch protected rows take a grant, so that an unchecked read, the wrong action
    and the wrong kind of resource are type errors.
    """

    actor: Actor
    action: type[A]
    on: R
    basis: str
    model_id: str
    _minted: object = None

    def __post_init__(self) -> None:
        if self._minted is not _MINT:
            raise TypeError("a grant is made by require() or granted_by_record()")


def granted_by_record(actor: Actor, action: type[A], on: R) -> Grant[A, R]:
    """Makes a grant on a record of ours, such as possession of a key; the caller has checked it."""
    return Grant(actor, action, on, "record", "", _MINT)


@dataclass(frozen=True, slots=True)
class PolicyTuple:
    """One relationship; `context` is canonical JSON, so that two of them compare."""

    user: str
    relation: str
    object: str
    condition: str = ""
    context: str = ""

    @classmethod
    def conditional(
        cls, user: str, relation: str, object: str, condition: str, context: Context
    ) -> PolicyTuple:
        """Builds a conditional tuple with its whole context."""
        return cls(
            user, relation, object, condition, json.dumps(context, sort_keys=True, separators=(",", ":"))
        )

    @property
    def key(self) -> tuple[str, str, str]:
        """What the engine knows it by: the condition is not part of it."""
        return self.user, self.relation, self.object


@dataclass(frozen=True, slots=True)
class Question:
    """One check of several."""

    user: str
    relation: str
    object: str
    context: Context | None = None


def timestamp(moment: datetime) -> str:
    """Writes a moment for a condition: RFC 3339, floored to the second so that integer bounds are exact."""
    return moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


class Authz(ABC):
    """The port to the policy engine.

    Anything but a clear answer raises Unavailable: an error is not a denial.
    """

    model_id: str = ""

    @abstractmethod
    async def check(self, user: str, relation: str, object: str, *, context: Context | None = None) -> bool:
        """Whether the relation holds now, never from a cache."""

    @abstractmethod
    async def check_many(self, questions: Sequence[Question]) -> list[bool]:
        """The answers in the order of the questions."""

    @abstractmethod
    async def read(self, object: str, *, relation: str = "", user: str = "") -> list[PolicyTuple]:
        """All tuples of an object."""

    @abstractmethod
    async def write(self, writes: Sequence[PolicyTuple] = (), deletes: Sequence[PolicyTuple] = ()) -> None:
        """Writes and deletes at most 100 tuples in one transaction of the engine. Idempotent."""

    @abstractmethod
    async def ready(self) -> None:
        """Raises Unavailable unless store, model, a known yes and a known no are as expected."""

    async def require(
        self, actor: Actor, action: type[A], on: R, *, context: Context | None = None
    ) -> Grant[A, R]:
        """Returns the grant. Raises NotPermitted, also when nothing like it exists."""
        if actor.klass is not PrincipalClass.MEMBER:
            raise NotPermitted
        if not await self.check(actor.user, action.relation, on.object, context=context):
            raise NotPermitted
        return Grant(actor, action, on, "policy", self.model_id, _MINT)
