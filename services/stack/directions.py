"""What `make run` and `make demo` print at their end: where everything is, and what to sign in with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from demo.cast import TITLE
from demo.seed import Sector
from demo.trying import PASSPHRASE, SECRETARIAT, Begun, Trying
from services.stack import edge
from services.stack.folder import Endpoints


@dataclass(frozen=True)
class Door:
    """Where one kind of user begins.

    Attributes:
        who: The kind.
        path: The page of the app.
        key: Name of the key file to sign in with; empty for those who have none.
    """

    who: str
    path: str
    key: str = ""


REPORTER, RETURNING = Door("a reporter, starting", "start"), Door("a reporter, coming back", "back")
MEMBERS = (
    Door("the handler of that report", "work/cases", "handler"),
    Door("a reader it is offered to", "work/inbox", "reader"),
    Door("an organisation's admin", "work/members", "admin"),
    Door("the secretariat", "work/secretariat", SECRETARIAT),
)


def directions(
    home: Path, endpoints: Endpoints, sector: Sector, begun: Begun, metrics: str, *, lan: bool
) -> str:
    """Returns how to talk to a running stack, and where each kind of user begins."""
    services = "\n".join(
        f"  {name:<14}{address}  (gRPC, with reflection)" for name, address in endpoints.services.items()
    )
    roots = [endpoints.edge, *(edge.on_the_network(urlsplit(endpoints.edge).port or 0) if lan else [])]
    link = edge.start_link(roots[-1], endpoints.installation, sector.code(TITLE))
    return (
        f"{services}\n"
        f"{browsing(roots, endpoints.edge_ca_path, lan=lan)}\n"
        f"  metrics       http://{metrics}/metrics\n"
        f"  addresses and key files: {home / 'endpoints.json'}\n"
        "  commands: .venv/bin/meldbrug --help\n\n"
        f"{trying(roots[-1], link, home / 'keys', begun)}\n\n"
        "Press Ctrl-C to stop."
    )


def browsing(roots: Sequence[str], authority: str, *, lan: bool) -> str:
    """Returns where browsers go, and what makes them trust it."""
    places = "\n".join(f"  {'browsers':<14}{root}" for root in roots)
    phone = (
        "send it to the phone and install it as a certificate authority"
        if lan
        else "`make run ARGS=--lan` lets a phone on this network in"
    )
    return f"{places}\n  their certificate comes from {authority}; {phone} (docs/edge.md)"


def trying(root: str, link: str, keys: Path, begun: Begun) -> str:
    """Returns where each kind of user of the demo sector begins, and what they sign in with.

    Args:
        root: Where the app is, for other devices too where they are let in.
        link: Where telling begins for the demo's production.
        keys: The folder of the stack's keys.
        begun: The report that is there to try.
    """
    made = Trying(keys)
    signing = [f"{at(root, door)}\n{'':<30}key file {made.key_file(door.key)}" for door in MEMBERS]
    return "\n".join(
        [
            "Try it as any of these; a private window for each, since a browser keeps one key.",
            "Everybody in it is made up, and the receipt and keys are for this demo only:",
            "a real receipt is shown once, to its reporter, and kept by nobody else.",
            f"  {REPORTER.who:<28}{link}",
            f"{at(root, RETURNING)}\n{'':<30}twelve words: {begun.receipt}",
            *signing,
            f"  the passphrase of every key file here: {PASSPHRASE}",
        ]
    )


def coming_back() -> str:
    """Returns what of all this there is to try once a throw-away stack is gone."""
    doors = "\n".join(at("", door) for door in (REPORTER, RETURNING, *MEMBERS))
    return (
        "\nThis stack is gone. `make run` starts one that stays, with the app for browsers, and prints the\n"
        f"address of each of these with the receipt or key file to sign in with:\n{doors}"
    )


def at(root: str, door: Door) -> str:
    """Returns one kind of user with the page where they begin."""
    return f"  {door.who:<28}{root}/#/nl/{door.path}"
