"""Writes what is generated here and committed: `model.json` from the DSL, `matrix.txt` from the engine."""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # `make generate` runs this file by its path.

from policy import matrix
from policy.engine import HERE, MODEL, run_fga, running


def main() -> None:
    """Writes both files."""
    MODEL.write_text(model_json())
    with running() as engine:
        matrix.PATH.write_text(matrix.render(engine.store()))


def model_json() -> str:
    """Returns the DSL as the JSON that the services load. Raises ValueError when `fga` refuses it."""
    done = run_fga("model", "transform", "--file", HERE / "model.fga", "--output-format", "json")
    if done.returncode:
        raise ValueError(done.stderr)
    return json.dumps(json.loads(done.stdout), indent=2) + "\n"


if __name__ == "__main__":
    main()
