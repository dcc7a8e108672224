"""Ports of a stack: given to one, although seconds pass before anybody listens on them."""

from __future__ import annotations

import subprocess
import sys

from services.stack.processes import free_port


def test_a_port_that_was_given_out_is_given_to_nobody_else() -> None:
    given = [free_port() for _ in range(50)]
    asking = f"from services.stack.processes import free_port; print(free_port({given[0]}))"
    elsewhere = subprocess.run([sys.executable, "-c", asking], capture_output=True, text=True, check=True)

    assert len(set(given)) == len(given)
    assert int(elsewhere.stdout) not in given
    assert free_port(given[0]) == given[0], "whoever has it may ask for it again"
