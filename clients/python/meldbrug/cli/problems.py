"""How a command ends when something is wrong: one clear sentence and an exit code, never a traceback."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from meldbrug.client import (
    KeyFileError,
    MeldbrugError,
    NotPermitted,
    NotReached,
    Refused,
    Stale,
    Unavailable,
    Unverified,
)
from meldbrug.crypto import ChecksumMismatch, CryptoError, ReceiptError, UnknownWord, WordCount

from .labels import state_label
from .words import Words

USAGE: Final = 2
CLOSED: Final = 3
REFUSED: Final = 4
UNVERIFIED: Final = 5
LATER: Final = 6
CHANGED: Final = 7
LOCAL: Final = 8
INTERRUPTED: Final = 130

CHANGED_CODES: Final = frozenset({"ABORTED", "FAILED_PRECONDITION", "ALREADY_EXISTS"})
LATER_CODES: Final = frozenset({"UNAVAILABLE", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED"})


class Problem(Exception):
    """Something the user can put right here, on this device."""


@dataclass(frozen=True)
class Ending:
    """What is said and returned."""

    exit_code: int
    reason: str
    sentence: str


def ending_of(error: Exception, words: Words) -> Ending:
    """Returns what to say about an error; nothing of what anybody wrote is in it."""
    if isinstance(error, Refused | NotReached | Unverified):
        return _said_by_server(error, words)
    match error:
        case ReceiptError():
            return Ending(LOCAL, "RECEIPT", receipt_sentence(error, words))
        case KeyFileError():
            return Ending(LOCAL, "KEY_FILE", f"{error}.")
        case MeldbrugError() | Problem():
            return Ending(LOCAL, "LOCAL", f"{error}.".replace("..", "."))
        case CryptoError():
            return Ending(REFUSED, error.reason, words("does-not-fit"))
    return Ending(LOCAL, "UNEXPECTED", words("unexpected", kind=type(error).__name__))


def _said_by_server(error: Refused | NotReached | Unverified, words: Words) -> Ending:
    match error:
        case NotPermitted():
            return Ending(CLOSED, error.reason, words("not-permitted"))
        case Stale():
            return Ending(CHANGED, error.reason, words("changed-meanwhile"))
        case NotReached() | Unavailable():
            return Ending(LATER, getattr(error, "reason", "NOT_REACHED"), words("come-back-later"))
        case Unverified():
            return Ending(UNVERIFIED, "UNVERIFIED", words("does-not-verify", what=error.what))
    if error.reason == "WRONG_STATE":
        return Ending(CHANGED, error.reason, _state_sentence(error, words))
    return Ending(_code_of(error), error.reason, _refused_sentence(error, words))


def _refused_sentence(refusal: Refused, words: Words) -> str:
    """Returns why not; for a failure of the service, the request id by which it is found."""
    request_id = refusal.metadata.get("requestId", "")
    if refusal.reason == "INTERNAL" and request_id:
        return words("failed-there", request_id=request_id)
    return words("refused", sentence=str(refusal))


def _state_sentence(refusal: Refused, words: Words) -> str:
    """Returns that it stands otherwise, and how, where the caller may see that."""
    state = refusal.metadata.get("state", "")
    return words("wrong-state-known", state=state_label(words, state)) if state else words("wrong-state")


def receipt_sentence(error: ReceiptError, words: Words) -> str:
    """Returns what is wrong with a receipt; a word is repeated only when it can be no receipt's word."""
    match error:
        case UnknownWord():
            return words("unknown-word", position=error.position, word=error.word, nearest=error.nearest)
        case WordCount():
            return words("word-count", count=error.count)
        case ChecksumMismatch():
            return words("wrong-word")
    return words("wrong-word")


def _code_of(refusal: Refused) -> int:
    if refusal.code in LATER_CODES:
        return LATER
    return CHANGED if refusal.code in CHANGED_CODES else REFUSED
