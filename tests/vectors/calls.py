"""Vectors of call tokens."""

from typing import Any

from meldbrug.crypto import (
    tokens,
)
from tests.unit.crypto import builders as b
from tests.unit.crypto.replay import Values
from tests.vectors.notation import AUDIENCE, NOW_S, OTHER_METHOD, flipped, gives, refuses


def token_vectors() -> list[Values]:
    minting = {
        "caller": "member",
        "audience": AUDIENCE,
        "body": b"request".hex(),
        "now": NOW_S,
        "embed_keys": False,
    }
    by_member = gives("by a member", "mint_token", minting)
    by_reporter = gives("by a reporter", "mint_token", minting | {"caller": "reporter", "embed_keys": True})
    token = by_member["result"]["token"]
    checking = {
        "token": token,
        "caller": "member",
        "audience": AUDIENCE,
        "body": b"request".hex(),
        "now": NOW_S,
    }
    newcomer = {name: value for name, value in checking.items() if name != "caller"} | by_reporter["result"]
    head, payload, signature = token.split(".")

    def refused(name: str, reason: str, detail: str, **changes: Any) -> Values:
        return refuses(name, "check_token", checking | changes, reason, detail)

    return [
        by_member,
        by_reporter,
        gives("a member's token", "check_token", checking),
        gives("a reporter's token", "check_token", newcomer),
        gives("in its last second", "check_token", checking | {"now": NOW_S + 59}),
        gives("five seconds early", "check_token", checking | {"now": NOW_S - 5}),
        refused("stale", "TOKEN_STALE", "expired", now=NOW_S + 60),
        refused("from the future", "TOKEN_STALE", "from-the-future", now=NOW_S - 6),
        refused("foreign: another method", "TOKEN_AUDIENCE", "audience", audience=OTHER_METHOD),
        refused(
            "foreign: another installation",
            "TOKEN_AUDIENCE",
            "audience",
            audience=AUDIENCE.replace(b.INSTALLATION, b.STRANGER.kid),
        ),
        refused("another body", "TOKEN_BODY", "body", body=b"requesu".hex()),
        refused("another caller", "TOKEN_SIGNATURE", "signature", caller="stranger"),
        refused(
            "flipped bit in the signature",
            "TOKEN_SIGNATURE",
            "signature",
            token=f"{head}.{payload}.{tokens._encode(flipped(tokens._decode(signature), 3))}",
        ),
        refused("truncated", "TOKEN_MALFORMED", "parts", token=f"{head}.{payload}"),
        refused(
            "without algorithm", "TOKEN_MALFORMED", "header", token=with_header(token, "Ed25519", "none")
        ),
        refused(
            "another algorithm", "TOKEN_MALFORMED", "header", token=with_header(token, "Ed25519", "HS256")
        ),
        refused(
            "a header more", "TOKEN_MALFORMED", "header", token=with_header(token, '"}', '","b64":false}')
        ),
        refused("a space in the payload", "TOKEN_MALFORMED", "payload", token=with_payload(token, ":", ": ")),
        refused("unknown claim", "TOKEN_MALFORMED", "payload", token=with_payload(token, "}", ',"sub":"x"}')),
        refused(
            "lives too long", "TOKEN_MALFORMED", "lifetime", token=with_payload(token, "424460", "424461")
        ),
        refused("padded base64", "TOKEN_MALFORMED", "base64", token=token + "="),
        refused(
            "embedded keys of another", "TOKEN_MALFORMED", "embedded-kid", token=with_foreign_keys(token)
        ),
    ]


def with_header(token: str, old: str, new: str) -> str:
    """`token` with a changed header, signed anew by the member."""
    head, payload, _ = token.split(".")
    return resigned_token(tokens._decode(head).replace(old.encode(), new.encode()), tokens._decode(payload))


def with_payload(token: str, old: str, new: str) -> str:
    """`token` with a changed payload, signed anew by the member."""
    head, payload, _ = token.split(".")
    return resigned_token(
        tokens._decode(head), tokens._decode(payload).replace(old.encode(), new.encode(), 1)
    )


def with_foreign_keys(token: str) -> str:
    """`token` that brings keys which its kid does not name."""
    both = tokens._encode(b.REPORTER.public.signing + b.REPORTER.public.sealing)
    return with_payload(token, "}", f',"pk":"{both}"}}')


def resigned_token(head: bytes, payload: bytes) -> str:
    """Any header and payload under the member's signature."""
    signed = f"{tokens._encode(head)}.{tokens._encode(payload)}"
    return f"{signed}.{tokens._encode(b.MEMBER.sign(signed.encode()))}"
