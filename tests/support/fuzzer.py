"""The fuzzer as a process of its own: `python -m tests.support.fuzzer FOLDER SEED INPUTS`.

libFuzzer takes over the process that it runs in, and goes by which code an input reaches. It begins with
inputs of the right shape, keeps in FOLDER what reached something new, and what broke as `crash-…`.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import atheris

# The search for the nearest word has few branches and many rounds.
with atheris.instrument_imports(
    include=["meldbrug", "services.kernel"], exclude=["meldbrug.crypto.receipt"], enable_loader_override=False
):
    from services.kernel import log
    from tests.support import fuzz_targets, fuzzing
    from tests.support.requests import request_for

COUNTED = "counts.json"
LONGEST, SLOWEST_S = 8192, 10


def beginnings() -> list[bytes]:
    """Inputs that each target takes, or nearly."""
    names = list(fuzzing.TARGETS)
    made = [
        bytes([0, place, caller]) for place in range(len(fuzzing.chain_handlers())) for caller in range(4)
    ]
    made += [bytes([0, place, 2]) + body for place, body in requests()]
    made += [
        bytes([names.index(name)]) + seed
        for name in fuzz_targets.TARGETS
        if name in names
        for seed in fuzz_targets.seeds(name)
    ]
    return made


def requests() -> Iterator[tuple[int, bytes]]:
    """Yields requests of the right shape, with the place of their method."""
    incident = f"incidents/{'a' * 26}"
    names = {
        "incident": incident, "notice": f"{incident}/notices/{'c' * 26}", "kids": fuzzing.KEYS.kid,
        "section": f"{incident}/sections/{'b' * 26}", "sections": f"{incident}/sections/{'b' * 26}",
        "new_kid": fuzzing.STRANGER.kid, "reader_kids": fuzzing.KEYS.kid, "name": f"members/{'a' * 26}",
    }  # fmt: skip
    for place, (path, _) in enumerate(fuzzing.chain_handlers()):
        with suppress(KeyError):
            yield place, request_for(path, names).SerializeToString()


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
    with Path(os.devnull).open("w") as nowhere:
        log.configure("ERROR", nowhere)
        atheris.Fuzz()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
