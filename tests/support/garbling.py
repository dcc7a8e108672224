"""Requests that were good once and are garbled: what somebody sends who may pass the door.

One or a few fields hold another value: none, an extreme, one that another request had there, or nonsense.
What is said in a statement is changed too, and signed again by whoever sends it, so that what lies behind the
signature is tried.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

from meldbrug.common.v1.common_pb2 import Signed
from meldbrug.crypto import SecretKeys, statements
from meldbrug.crypto.statements import StatementKind
from tests.support.personas import Answer

NUMBERS = (0, 1, -1, 2, 3, 7, 99, 10**6, 2**31 - 1, -(2**31), 2**53, 253_402_300_800, 2**63 - 1, -(2**63))
TEXTS = ("", " ", "\0", "a\0b", "x", "-", "/", "..", "%s", "'", "\u202e", "é" * 3, "\U0001f6a7", "incidents/")
NONSENSE = "Nergens te herhalen."
"""Long enough to be known again in an answer; no method gives it back to whoever is refused."""
LONGEST = 2000
NEVER = {"INTERNAL", "UNKNOWN", "UNIMPLEMENTED", "DATA_LOSS", "DEADLINE_EXCEEDED", "UNAVAILABLE"}


def judge(method: str, body: bytes, answer: Answer) -> None:
    """Whether the answer is one that was thought of, and says nothing back."""
    assert answer.code not in NEVER, (method, answer.code, answer.reason, body.hex())
    assert NONSENSE not in repr(answer.seen), (method, answer.reason, "repeats what was sent")
    assert answer.code == "OK" or answer.reason, (method, answer.code, answer.details)


@dataclass(frozen=True)
class Place:
    """A field that holds something, of a message anywhere in a request."""

    message: Message
    field: FieldDescriptor


def places(message: Message) -> Iterator[Place]:
    """Yields every field of a message, those of its submessages included."""
    for field in message.DESCRIPTOR.fields:
        yield Place(message, field)
    for field, value in message.ListFields():
        for child in _children(field, value):
            yield from places(child)


def _children(field: FieldDescriptor, value: object) -> Iterable[Message]:
    if field.message_type is None:
        return ()
    return value if field.is_repeated else (value,)  # type: ignore[return-value]


def _holds_message(field: FieldDescriptor) -> bool:
    return bool(field.message_type)


class Garbler:
    """Garbles requests by chance, with values that other requests had in a field of that name or type."""

    def __init__(self, chance: Random, seen: Iterable[Message]) -> None:
        self._chance = chance
        self._pool: dict[object, list[object]] = defaultdict(list)
        for message in seen:
            self._remember(message)

    def _remember(self, message: Message) -> None:
        for place in places(message):
            for value in _values(place):
                self._pool[_named(place.field)].append(value)
                self._pool[_type(place.field)].append(value)
                if isinstance(value, Signed) and (said := _said(place.field, value)):
                    self._remember(said[1])

    def garbled(self, good: Message, keys: SecretKeys | None) -> bytes:
        """A request like `good`, garbled; `keys` sign what is said in it."""
        request = type(good)()
        request.CopyFrom(good)
        if "request_id" in request.DESCRIPTOR.fields_by_name:
            request.request_id = self._fresh()  # type: ignore[attr-defined]
        if self._chance.random() < 0.7 and keys:
            self._garble_statement(request, keys)
        for _ in range(self._chance.choice((0, 0, 1, 1, 2))):
            self._garble(request)
        body = request.SerializeToString(deterministic=True)
        return self._bytes(body) if self._chance.random() < 0.05 else body

    def _fresh(self) -> str:
        return str(uuid.UUID(int=self._chance.getrandbits(128), version=4))

    def _garble_statement(self, request: Message, keys: SecretKeys) -> None:
        signed = [
            (value, said)
            for place in places(request)
            for value in _values(place)
            if isinstance(value, Signed) and (said := _said(place.field, value))
        ]
        if not signed:
            return
        held, (kind, message) = self._chance.choice(signed)
        for _ in range(self._chance.choice((0, 1, 1, 1, 3))):
            self._garble(message)
        statement = message.SerializeToString(deterministic=True)
        held.statement = statement
        held.signature = keys.sign(statements.signing_input(kind, statement))

    def _garble(self, message: Message) -> None:
        found = list(places(message))
        if not found:
            return
        place = self._chance.choice(found)
        if place.field.is_repeated:
            self._list(place)
        elif self._chance.random() < 0.15:
            place.message.ClearField(place.field.name)
        else:
            _put(place, self._value(place.field))

    def _list(self, place: Place) -> None:
        """Fewer, more, doubled, or in another order."""
        held = list(getattr(place.message, place.field.name))
        how = self._chance.randrange(4)
        if how == 0 and held:
            held.pop(self._chance.randrange(len(held)))
        elif how == 1 and held:
            held *= self._chance.choice((2, 3, 40))
        elif how == 2:
            self._chance.shuffle(held)
        else:
            held.append(self._value(place.field))
        place.message.ClearField(place.field.name)
        for value in held:
            _put(place, value)

    def _value(self, field: FieldDescriptor) -> object:
        kind = field.cpp_type
        for known in (self._pool[_named(field)], self._pool[_type(field)]):
            if known and self._chance.random() < 0.4:
                return self._chance.choice(known)
        if kind == FieldDescriptor.CPPTYPE_STRING and field.type == FieldDescriptor.TYPE_BYTES:
            return self._chance.randbytes(self._chance.choice((0, 1, 12, 16, 31, 32, 33, 64, 1168, LONGEST)))
        if kind == FieldDescriptor.CPPTYPE_STRING:
            return self._text()
        if kind == FieldDescriptor.CPPTYPE_MESSAGE:
            return field.message_type._concrete_class()
        return self._number(field)

    def _text(self) -> str:
        text = self._chance.choice((*TEXTS, NONSENSE))
        return text * self._chance.choice((1, 1, LONGEST // len(text))) if text else text

    def _number(self, field: FieldDescriptor) -> object:
        if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
            return self._chance.random() < 0.5
        value, wide = self._chance.choice(NUMBERS), field.cpp_type in _WIDE
        lowest, highest = _WIDE[field.cpp_type] if wide else (-(2**31), 2**31 - 1)
        return min(max(value, lowest), highest)

    def _bytes(self, body: bytes) -> bytes:
        """Cut off, or with other bytes somewhere."""
        at = self._chance.randrange(len(body) + 1)
        return body[:at] + self._chance.choice((b"", self._chance.randbytes(4) + body[at + 4 :]))


_WIDE = {
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
}


def _type(field: FieldDescriptor) -> object:
    return (field.type, field.message_type.full_name if field.message_type else "")


def _named(field: FieldDescriptor) -> object:
    return (field.name, _type(field))


def _values(place: Place) -> Sequence[object]:
    value = getattr(place.message, place.field.name)
    if place.field.is_repeated:
        return list(value)
    if _holds_message(place.field) and not place.message.HasField(place.field.name):
        return ()
    return (value,)


def _put(place: Place, value: object) -> None:
    if place.field.is_repeated:
        getattr(place.message, place.field.name).extend([value])
    elif _holds_message(place.field):
        getattr(place.message, place.field.name).CopyFrom(value)
    else:
        setattr(place.message, place.field.name, value)


def _said(field: FieldDescriptor, signed: Signed) -> tuple[StatementKind, Message] | None:
    """Of which kind a statement is, by its field's name, and what it says; None where it says nothing."""
    kind = _KINDS[field.name]
    message = statements._FORMS[kind][0]()
    try:
        message.ParseFromString(signed.statement)
    except DecodeError:
        return None
    return kind, message


_KINDS = {kind.value: kind for kind in StatementKind} | {
    "answer": StatementKind.TERMS,
    "exclusions": StatementKind.EXCLUSION,
    "rewraps": StatementKind.REWRAP,
}
