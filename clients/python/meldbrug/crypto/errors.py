"""What the crypto library refuses, and under which reason.

CryptoError
├── KeyMalformed          a public or secret key is not of the one accepted form
├── SectionInvalid        content or context cannot be sealed as given
├── StatementMalformed    bytes are not exactly one valid statement of the kind
├── StatementSignature    the signature is not the signer's over these bytes
├── StatementForeign      the statement names another signer
├── TokenMalformed · TokenStale · TokenAudience · TokenBody · TokenSignature
├── DigestMismatch · CommitmentMismatch · AuthorSignature · WrapBroken · SectionBroken
├── EndorsementBroken · AppointmentBroken
└── ReceiptError
    ├── WordCount · UnknownWord · ChecksumMismatch
"""

from typing import ClassVar


class CryptoError(Exception):
    """Something that was received, or is to be sent, is not what it claims to be.

    Attributes:
        reason: Name of an `ErrorReason` without its prefix.
        detail: A fixed slug that says which rule failed; never content, a name or a key.
    """

    reason: ClassVar[str] = "FIELD_INVALID"

    def __init__(self, detail: str) -> None:
        """Keeps `detail` as the whole message."""
        super().__init__(detail)
        self.detail = detail


class KeyMalformed(CryptoError):
    """A key has the wrong length, is not canonical, or lies in a small subgroup."""


class SectionInvalid(CryptoError):
    """Content is too large, or a context cannot be written down canonically."""


class StatementMalformed(CryptoError):
    """The bytes are not exactly one valid statement of the kind."""

    reason = "STATEMENT_MALFORMED"


class StatementSignature(CryptoError):
    """The signature does not verify over the bytes received."""

    reason = "STATEMENT_SIGNATURE"


class StatementForeign(CryptoError):
    """The statement names another signer than the key that verifies it."""

    reason = "STATEMENT_FOREIGN"


class TokenMalformed(CryptoError):
    """The token is not of the one accepted form."""

    reason = "TOKEN_MALFORMED"


class TokenStale(CryptoError):
    """The token is too old, from the future, or lives too long."""

    reason = "TOKEN_STALE"


class TokenAudience(CryptoError):
    """The token is for another method or installation."""

    reason = "TOKEN_AUDIENCE"


class TokenBody(CryptoError):
    """The token is for another request body."""

    reason = "TOKEN_BODY"


class TokenSignature(CryptoError):
    """The token's signature does not verify."""

    reason = "TOKEN_SIGNATURE"


class DigestMismatch(CryptoError):
    """A ciphertext is not the one its digest names."""

    reason = "DIGEST_MISMATCH"


class CommitmentMismatch(CryptoError):
    """A content key is not the one its commitment names."""

    reason = "COMMITMENT_MISMATCH"


class AuthorSignature(CryptoError):
    """A section was not signed by this author for this place and reporter."""

    reason = "AUTHOR_SIGNATURE"


class WrapBroken(CryptoError):
    """A wrap does not open for this reader, section, grant and purposes."""

    reason = "WRAP_MISMATCH"


class SectionBroken(CryptoError):
    """A ciphertext does not open in this place under this key."""

    reason = "SECTION_MISMATCH"


class EndorsementBroken(CryptoError):
    """A chain does not lead from the secretariat root to the subject's key."""

    reason = "ENDORSEMENT_BROKEN"


class AppointmentBroken(CryptoError):
    """An appointment is not an admin's of the organisation, or is for another key or place."""

    reason = "APPOINTMENT_BROKEN"


class ReceiptError(CryptoError):
    """A receipt cannot be read."""


class WordCount(ReceiptError):
    """A receipt has another number of words than twelve."""

    def __init__(self, count: int) -> None:
        """Keeps how many words were given."""
        super().__init__("word-count")
        self.count = count


class UnknownWord(ReceiptError):
    """A word is not in the list of the receipt's language.

    The word and its neighbour are attributes for the person at the keyboard; they are part of a secret and
    stay out of the message, so that no log can pick them up.
    """

    def __init__(self, word: str, position: int, nearest: str) -> None:
        """Keeps the word as given, its place counted from 1, and the nearest word of the list."""
        super().__init__("unknown-word")
        self.word = word
        self.position = position
        self.nearest = nearest


class ChecksumMismatch(ReceiptError):
    """Every word is in the list, but one of them is not right."""

    def __init__(self) -> None:
        """Has nothing to add: which word is wrong cannot be known."""
        super().__init__("checksum")
