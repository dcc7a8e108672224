"""The fuzzer as a process of its own: `python -m tests.support.fuzzer FOLDER SEED INPUTS`.

libFuzzer takes over the process that it runs in, and goes by which code an input reaches. It begins with
inputs of the right shape, keeps in FOLDER what reached something new, and what broke as `crash-…`.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path

import atheris

# The search for the nearest word has few branches and many rounds.
with atheris.instrument_imports(
    include=["meldbrug", "services.kernel"], exclude=["meldbrug.crypto.receipt"], enable_loader_override=False
):
    from meldbrug.crypto import seal_section, to_words, tokens, wrap_key
    from tests.support import fuzzing

COUNTED = "counts.json"
LONGEST, SLOWEST_S = 8192, 10


def beginnings() -> list[bytes]:
    """Inputs that each target takes, or nearly."""
    from meldbrug.client.keyfile import sealed_file
    from meldbrug.crypto import SecretKeys
    from tests.support.requests import request_for

    names = {
        "incident": fuzzing.INCIDENT, "notice": f"{fuzzing.INCIDENT}/notices/{'c' * 26}",
        "section": fuzzing.PLACE.section, "sections": fuzzing.PLACE.section, "kids": fuzzing.KEYS.kid,
        "new_kid": fuzzing.STRANGER.kid, "reader_kids": fuzzing.KEYS.kid, "name": f"members/{'a' * 26}",
    }  # fmt: skip
    made = [b"\x00" + bytes([place, caller]) for place in range(76) for caller in range(4)]
    for place, (path, _) in enumerate(fuzzing.chain_handlers()):
        try:
            body = request_for(path, names).SerializeToString()
        except KeyError:
            continue
        made.append(bytes([0, place, 2]) + body)
    token = tokens.mint(
        fuzzing.KEYS, fuzzing.INSTALLATION + "/a/b", bytes(32), fuzzing.NOW - timedelta(), embed_keys=True
    )
    made += [b"\x01" + token.encode(), b"\x00\x00\x01" + token.encode()]
    made += [bytes([2, kind]) + bytes(64) + b"\x0a\x34" + b"a" * 52 for kind in range(len(fuzzing.KINDS))]
    made += [b"\x04" + " ".join(to_words(bytes(16), language)).encode() for language in fuzzing.LANGUAGES]
    cek = bytes(32)
    section = seal_section(fuzzing.PLACE, "Een tekst.", cek, fuzzing.STRANGER, fuzzing.STRANGER.kid)
    wrap = wrap_key(cek, fuzzing.STRANGER.public, fuzzing.PLACE, fuzzing.INCIDENT, ())
    made.append(b"\x05" + bytes(1) + section.commitment + section.author_signature + cek + section.ciphertext)
    made.append(b"\x05" + bytes(1) + wrap)
    made.append(b"\x06" + sealed_file(SecretKeys.generate(), "een zin die lang genoeg is"))
    return made


def main(folder: Path, seed: str, inputs: str) -> None:
    """Plays so many inputs; what it did lies in the folder afterwards."""
    counted: Counter[str] = Counter()

    def one(data: bytes) -> None:
        counted[fuzzing.play(data)] += 1
        if counted.total() % 500 == 0:
            (folder / COUNTED).write_text(json.dumps(counted))

    corpus = folder / "corpus"
    corpus.mkdir(exist_ok=True)
    for number, made in enumerate(beginnings()):
        (corpus / f"begin-{number}").write_bytes(made)
    options = {"seed": seed, "runs": inputs, "max_len": LONGEST, "timeout": SLOWEST_S, "rss_limit_mb": 2048}
    flags = [f"-{name}={value}" for name, value in options.items()]
    atheris.Setup([sys.argv[0], *flags, f"-artifact_prefix={folder}/", str(corpus)], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
