"""One unambiguous byte string for a list of fields: what is signed, bound and hashed outside protobuf."""

import re
from collections.abc import Sequence
from typing import TypeAlias

Field: TypeAlias = "bytes | str | int | Sequence[Field]"

_LABEL = re.compile(r"[a-z][a-z-]{0,31}")
_BYTES, _TEXT, _INTEGER, _LIST = b"\x01", b"\x02", b"\x03", b"\x04"


def canonical(label: str, *fields: Field) -> bytes:
    """Returns `meldbrug/<label>/v1`, a zero byte, and every field with its tag and length.

    Two different lists of fields never give the same bytes, because each field says its type and its length.

    Raises:
        ValueError: `label` is not lower-case letters and hyphens, or a number does not fit 64 bits unsigned.
        TypeError: a field is of another type; `bool` counts as another type.
    """
    if not _LABEL.fullmatch(label):
        raise ValueError("a label is 1-32 lower-case letters and hyphens")
    return b"meldbrug/" + label.encode("ascii") + b"/v1\0" + b"".join(map(_encode, fields))


def _encode(field: Field) -> bytes:
    match field:
        case bool():
            raise TypeError("write a truth value as 0 or 1")
        case bytes():
            return _BYTES + _u32(len(field)) + field
        case str():
            text = field.encode("utf-8")
            return _TEXT + _u32(len(text)) + text
        case int():
            return _INTEGER + _u32(8) + _u64(field)
        case list() | tuple():
            return _LIST + _u32(len(field)) + b"".join(map(_encode, field))
        case _:
            raise TypeError(f"no canonical form for {type(field).__name__}")


def _u32(number: int) -> bytes:
    return number.to_bytes(4, "big")


def _u64(number: int) -> bytes:
    if not 0 <= number < 1 << 64:
        raise ValueError("a number is 0 to 2^64 - 1")
    return number.to_bytes(8, "big")
