"""The app's files, read once at the start: no path that is asked for reaches a disk."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from services.kernel.config import ConfigurationError

MAX_BYTES = 32 * 2**20
INDEX = "/index.html"
TEXT = b"text/plain; charset=utf-8"
CONTENT_TYPES = {
    ".css": b"text/css; charset=utf-8",
    ".html": b"text/html; charset=utf-8",
    ".ico": b"image/x-icon",
    ".js": b"text/javascript; charset=utf-8",
    ".json": b"application/json",
    ".png": b"image/png",
    ".svg": b"image/svg+xml",
    ".txt": TEXT,
    ".wasm": b"application/wasm",
    ".webmanifest": b"application/manifest+json",
    ".webp": b"image/webp",
    ".woff2": b"font/woff2",
}


@dataclass(frozen=True, slots=True)
class Page:
    """What is answered for a path."""

    status: int
    content_type: bytes
    body: bytes


CONFIGURATION = "/config.json"
NOT_FOUND = Page(404, TEXT, b"not found\n")
NOT_BUILT = Page(200, TEXT, b"The app is not built. The API answers.\n")


def read(folder: Path | None) -> Mapping[str, Page]:
    """Returns the files of a folder by the path they are asked for under; none where there is no folder.

    Raises:
        ConfigurationError: a file is of no known type, leads elsewhere, or all together are too large.
    """
    if folder is None or not folder.is_dir():
        return {}
    found, total = {}, 0
    for path in sorted(each for each in folder.rglob("*") if not each.is_dir()):
        total += path.stat().st_size
        if path.is_symlink() or path.suffix not in CONTENT_TYPES or total > MAX_BYTES:
            raise ConfigurationError(
                f"app_dir: {path.relative_to(folder)}: a link, of no known type, or more than is served"
            )
        found[f"/{path.relative_to(folder).as_posix()}"] = Page(
            200, CONTENT_TYPES[path.suffix], path.read_bytes()
        )
    if INDEX not in found:
        raise ConfigurationError("app_dir: there is no index.html")
    return found


def configuration(installation: str, leave_to: str) -> Page:
    """Returns what the app is configured with."""
    given = {"installation": installation, "leaveTo": leave_to}
    return Page(200, CONTENT_TYPES[".json"], json.dumps(given).encode() + b"\n")


def chosen(pages: Mapping[str, Page], path: str) -> Page:
    """The page for a path: a file, or the app itself for the routes that the app has."""
    if path in pages:
        return pages[path]
    if "." in path.rpartition("/")[2]:
        return NOT_FOUND
    return pages.get(INDEX, NOT_BUILT)
