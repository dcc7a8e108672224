"""Digests of what a person was shown before saying yes; never of a plaintext, which one could guess."""

import hashlib
from collections.abc import Sequence

from .canonical import canonical


def preview_digest(notice: str, ciphertext_digests: Sequence[bytes], template: str, language: int) -> bytes:
    """Returns the digest a consent carries for its preview.

    Args:
        notice: `incidents/{incident}/notices/{notice}`.
        ciphertext_digests: Digests of the sections in the order shown.
        template: Version of the text around them.
        language: Number of the `Language` shown.
    """
    shown = canonical("preview", notice, tuple(ciphertext_digests), template, language)
    return hashlib.sha256(shown).digest()


def terms_digest(text: str) -> bytes:
    """Returns the SHA-256 of the handling terms in the language shown, in UTF-8 exactly as shown."""
    return hashlib.sha256(text.encode("utf-8")).digest()
