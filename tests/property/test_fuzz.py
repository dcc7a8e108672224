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

from tests.support import fuzzing
from tests.support.campaign import FRESH_FROM, ROOT, Campaign

SHORT, DEEP = 25_000, 250_000
KEPT = sorted((ROOT / "tests" / "vectors" / "fuzz").glob("*/*"))
BROKEN = ("crash-", "timeout-", "oom-")
PLANTED = """
import sys
from pathlib import Path
import atheris
from tests.support import fuzzer, fuzzing
@atheris.instrument_func
def receipt(data):
    if data[:3] == b'zom' and len(data) > 8:
        raise KeyError('planted')
fuzzing.TARGETS = {'receipt': receipt}
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


@pytest.mark.parametrize("kept", KEPT, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_what_broke_something_once_breaks_nothing_now(kept: Path) -> None:
    """T9: here or elsewhere; what CVE-2025-4565 and CVE-2026-0994 were about, at every method."""
    held = kept.read_bytes()
    if kept.parent.name != "request":
        fuzzing.TARGETS[kept.parent.name](held)
        return
    for place in range(len(fuzzing.chain_handlers())):
        for caller in range(4):
            fuzzing.request(bytes([place, caller]) + held)


def test_a_planted_fault_is_found(tmp_path: Path) -> None:
    """Teeth: an error that no target documents, behind three bytes that chance does not find."""
    ran = fuzzed("-c", PLANTED, str(tmp_path))

    (crash,) = tmp_path.glob("crash-*")
    assert ran.returncode
    assert crash.read_bytes()[1:4] == b"zom"
