"""Runs of the real stack for tests: throw-away folders beside the developer's own stack."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STACK = ROOT / ".stack"
TOOLS = STACK / "tools"


@contextmanager
def throw_away_folder() -> Iterator[Path]:
    """Yields a fresh folder for a stack and removes it afterwards."""
    STACK.mkdir(exist_ok=True)
    TOOLS.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="test-", dir=STACK))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
