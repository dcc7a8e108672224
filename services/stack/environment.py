"""Makes the project's environment in `.venv` from `uv.lock`; the first thing `make` runs, on any Python.

It uses the standard library only. Where uv is missing or too old, it fetches the pinned one from the package
registry into an environment of its own under `.stack/tools`. An interrupted run is taken up where it stopped.
"""

from __future__ import annotations

import importlib.util
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

UV = "0.13.9"  # The version that wrote uv.lock.
UV_AT_LEAST = (0, 9)  # Older ones cannot read the lock's revision.
FASTER = 1.15  # Another build of Python is taken where it is so many times as fast.
LOOKS = 5
# Calls, attributes and dictionaries: what the services do most.
WORK = """
import sys, time
class Thing:
    def __init__(self, value): self.value = value
    def more(self, by): return self.value + by
def work():
    began, kept = time.process_time(), {}
    for number in range(40_000):
        kept[number % 100] = Thing(number).more(kept.get(number % 7, 1) % 3)
    return time.process_time() - began
print(*sys.version_info[:2], min(work() for _ in range(5)))
"""
ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / ".stack" / "tools"


def main() -> None:
    """Brings `.venv` to what `uv.lock` says and marks it as such."""
    if sys.version_info < (3, 11):
        newer = next(
            filter(None, map(shutil.which, ("python3.13", "python3.12", "python3.11", "python3.14"))), None
        )
        if newer:
            os.execv(newer, [newer, *sys.argv])
        this = ".".join(map(str, sys.version_info[:2]))
        sys.exit(
            f"Python 3.11 or newer is needed, this is {this}: install one and run `make PYTHON=python3.x`."
        )
    uv = system_uv() or pinned_uv()
    python = sys.executable if "--this" in sys.argv else fastest(sys.executable)
    environment = {**os.environ, "UV_PYTHON_DOWNLOADS": "never", "UV_PYTHON": python}
    environment.pop("VIRTUAL_ENV", None)
    if not (ROOT / ".venv" / "pyvenv.cfg").exists():
        shutil.rmtree(
            ROOT / ".venv", ignore_errors=True
        )  # What an interruption left; uv refuses to go on from it.
    print("Installing the locked dependencies into .venv ...", flush=True)
    # Compiled once, here: every process that starts would do it again where writing bytecode is switched off.
    command = [uv, "sync", "--locked", "--compile-bytecode"]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=False)
    if done.returncode:
        sys.exit("Installing the dependencies failed; run the same command again to go on.")
    (ROOT / ".venv" / ".synced").touch()


def fastest(this: str) -> str:
    """Returns `this` Python, or another build of its version on the path that is clearly faster.

    Version managers build Python without optimisation unless they are told to.
    """
    version = sys.version_info[:2]
    names = "python3", "python{}.{}".format(*version)
    places = [Path(folder) / name for folder in os.get_exec_path() for name in names]
    builds = {os.path.realpath(place) for place in places if os.access(place, os.X_OK)}
    took = dict.fromkeys([this, *sorted(builds - {os.path.realpath(this)})], math.inf)
    for _ in range(LOOKS):  # By turns: what slows the machine for a while slows them all.
        for python in took:
            took[python] = min(took[python], pace(python, version))
    best = min(took, key=lambda python: took[python])
    if took[this] < FASTER * took[best] or took[best] == math.inf:
        return this
    print(f"Taking {best}: it is {took[this] / took[best]:.1f} times as fast as {this}.", flush=True)
    return best


def pace(python: str, version: tuple[int, int]) -> float:
    """Returns how long a little work takes a Python, in s; infinite where it is of another version."""
    command = [python, "-I", "-c", WORK]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        *said, took_s = done.stdout.split()
        return float(took_s) if said == [str(part) for part in version] else math.inf
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return math.inf


def system_uv() -> str | None:
    """Returns the path of a uv that is new enough, or None."""
    uv = os.environ.get("UV") or shutil.which("uv")
    return uv if uv and version(uv) >= UV_AT_LEAST else None


def pinned_uv() -> str:
    """Returns the path of the pinned uv, fetched at first use."""
    home = TOOLS / f"uv-{UV}"
    uv = home / "bin" / "uv"
    if version(uv) < UV_AT_LEAST:
        if not (importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip")):
            sys.exit(
                "Python's venv module is missing: install python3-venv, then run the same command again."
            )
        print(f"Fetching uv {UV} from the package registry ...", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", home], check=True)
        subprocess.run([home / "bin" / "python", "-m", "pip", "install", "--quiet", f"uv=={UV}"], check=True)
    return str(uv)


def version(uv: str | Path) -> tuple[int, int]:
    """Returns major and minor version of a uv, (0, 0) when it does not run."""
    try:
        said = subprocess.run([uv, "--version"], capture_output=True, text=True, timeout=30, check=False)
    except OSError:
        return (0, 0)
    found = re.match(r"uv (\d+)\.(\d+)", said.stdout)
    return (int(found.group(1)), int(found.group(2))) if found else (0, 0)


if __name__ == "__main__":
    main()
