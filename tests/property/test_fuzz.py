"""A fuzzer that goes by the code an input reaches, on everything that strangers' bytes come to first.

Every request type through the real chain of interceptors, tokens, statements, chains of endorsements,
receipts, sealed bytes and key files. What broke something once lies in `tests/vectors/fuzz`, and is played in
every run.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf.message import DecodeError

from tests.support import fuzzing
from tests.support.campaign import FRESH_FROM, ROOT, Campaign
from tests.support.personas import methods, request_class

SHORT, DEEP = 25_000, 250_000
KEPT = sorted((ROOT / "tests" / "vectors" / "fuzz").glob("*"))
DEPTH = 20_000
BROKEN = ("crash-", "timeout-", "oom-")
PLANTED = """
import sys
from pathlib import Path
import atheris
from tests.support import fuzzer, fuzzing
@atheris.instrument_func
def receipt(data):
    if data[:4] == b'zomb' and len(data) > 8:
        raise KeyError('planted')
fuzzing.TARGETS = {**fuzzing.TARGETS, 'receipt': receipt}
fuzzer.main(Path(sys.argv[1]), '1', '200000')
"""


def fuzzed(*program: str) -> subprocess.CompletedProcess[str]:
    """Runs the fuzzer in a process of its own, which it ends."""
    return subprocess.run(
        [sys.executable, *program], cwd=ROOT, capture_output=True, text=True, check=False, timeout=900
    )


@pytest.mark.timeout(900)
@pytest.mark.campaign("fuzz", unit="inputs", floor=20_000, target=10_000_000, short_s=120)
def test_whatever_strangers_send_gets_an_answer_that_we_chose(campaign: Campaign, tmp_path: Path) -> None:
    """Inputs that libFuzzer makes, from those that reached new code (T9, I12, I24, I29).

    No error but the documented ones, no INTERNAL; nothing repeated, opened, vouched for or signed.
    """
    for number in campaign:
        inputs = SHORT if number >= FRESH_FROM else DEEP
        ran = fuzzed("-m", "tests.support.fuzzer", str(tmp_path), str(number + 1), str(inputs))
        broken = [path.name for path in tmp_path.iterdir() if path.name.startswith(BROKEN)]
        assert (ran.returncode, broken) == (0, []), ran.stderr[-3000:]
        counted = json.loads((tmp_path / "counts.json").read_text())
        assert set(fuzzing.TARGETS) <= counted.keys(), counted
        campaign.count(inputs=sum(counted.values()), **counted)


@pytest.mark.parametrize("kept", KEPT, ids=lambda path: path.name)
def test_what_broke_something_once_breaks_nothing_now(kept: Path) -> None:
    """T9."""
    fuzzing.play(kept.read_bytes())


def test_a_planted_fault_is_found(tmp_path: Path) -> None:
    """Teeth: an error that no target documents, behind four bytes that nobody finds by chance."""
    ran = fuzzed("-c", PLANTED, str(tmp_path))

    (crash,) = tmp_path.glob("crash-*")
    assert ran.returncode
    assert crash.read_bytes()[1:5] == b"zomb"


@pytest.mark.parametrize(
    "nested",
    [
        b"\x0b" * DEPTH,
        b"\x0a\x7f" * DEPTH,
        b"\xfb\x7f" * DEPTH,
        b"".join(b"\x0a" + bytes([0x80 | size & 0x7F, size >> 7]) for size in range(8000, 0, -3)),
    ],
    ids=["groups", "messages", "unknown groups", "honest lengths"],
)
def test_nesting_without_end_is_only_a_bad_request(nested: bytes) -> None:
    """T9: what CVE-2025-4565 and CVE-2026-0994 were about, at every method."""
    for place, path in enumerate(path for path, _ in fuzzing.chain_handlers()):
        fuzzing.request(bytes([place, 2]) + nested)
        assert path in methods()
        with pytest.raises(DecodeError):
            request_class(path).FromString(nested)
