"""Statements as use cases take them: verified over the bytes received, refused with their own reason."""

from __future__ import annotations

from typing import TypeVar

from google.protobuf.message import Message

from meldbrug.common.v1 import common_pb2
from meldbrug.crypto.errors import CryptoError
from meldbrug.crypto.keys import PublicKeys
from meldbrug.crypto.statements import StatementKind, verify
from services.kernel.errors import InvalidArgument

M = TypeVar("M", bound=Message)


def spoken(kind: StatementKind, signed: common_pb2.Signed, signer: PublicKeys, cls: type[M]) -> M:
    """Returns what `signer` stated. Raises InvalidArgument with the reason of the library otherwise."""
    try:
        return verify(kind, signed, signer, cls)
    except CryptoError as broken:
        raise InvalidArgument(broken.reason) from broken
