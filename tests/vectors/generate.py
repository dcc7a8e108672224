"""Writes the vectors: `python -m tests.vectors.generate`.

Everything is the same at every run, except that encapsulation draws its own randomness: a wrap is made once
and recorded, and as long as it opens it is kept. What a refusal is refused for is written by hand.
"""

import json
from collections.abc import Callable

from tests.unit.crypto.replay import Values
from tests.vectors.basics import canonical_vectors, key_vectors, preview_vectors, receipt_vectors
from tests.vectors.calls import token_vectors
from tests.vectors.chains import chain_vectors
from tests.vectors.keyfiles import key_file_vectors
from tests.vectors.notation import FOLDER, actors
from tests.vectors.sealing import section_vectors, wrap_vectors
from tests.vectors.statements import statement_vectors

FILES: dict[str, tuple[str, Callable[[], list[Values]]]] = {
    "canonical": ("Unambiguous byte strings.", canonical_vectors),
    "keys": ("Key expansion, fingerprints, and keys that must be refused.", key_vectors),
    "sections": ("Sealed sections.", section_vectors),
    "wraps": ("Content keys sealed to a reader; recorded, because encapsulation is random.", wrap_vectors),
    "statements": ("Signed statements of every kind.", statement_vectors),
    "tokens": ("Call tokens.", token_vectors),
    "chains": ("Endorsements, rotations and appointments.", chain_vectors),
    "receipts": ("Twelve words.", receipt_vectors),
    "keyfiles": ("Key files, by passphrase and by passkey.", key_file_vectors),
    "previews": ("Digests of what a reporter was shown.", preview_vectors),
}


def files() -> dict[str, str]:
    """The content of every file, by name."""
    contents: dict[str, object] = {"actors": actors()}
    for name, (about, vectors) in FILES.items():
        contents[name] = {"about": about, "vectors": vectors()}
    return {
        f"{name}.json": json.dumps(value, indent=1, ensure_ascii=False) + "\n"
        for name, value in contents.items()
    }


if __name__ == "__main__":
    for name, content in files().items():
        (FOLDER / name).write_text(content, "utf-8")
