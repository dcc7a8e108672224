"""The headers of every answer, whatever it answers, the server's own refusals included.

One list for all: what an answer says never depends on what was asked. `docs/edge.md` has a reason for each.
"""

from __future__ import annotations

POLICY = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "worker-src 'self'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types svelte-trusted-html meldbrug-worker",
)

# What the app has no use for, whoever gets into it has no use of.
UNUSED = ("camera", "display-capture", "geolocation", "microphone", "payment", "usb")


def headers(hsts_s: int) -> list[tuple[str, str]]:
    """The headers of every answer; browsers insist on TLS for `hsts_s` seconds."""
    return [
        ("cache-control", "no-store"),
        ("content-security-policy", "; ".join(POLICY)),
        ("cross-origin-embedder-policy", "require-corp"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("permissions-policy", ", ".join(f"{feature}=()" for feature in UNUSED)),
        ("referrer-policy", "no-referrer"),
        ("strict-transport-security", f"max-age={hsts_s}"),
        ("x-content-type-options", "nosniff"),
    ]
