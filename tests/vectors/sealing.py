"""Vectors of sections and wraps."""

import json
from dataclasses import asdict, replace
from typing import Any

from meldbrug.common.v1 import common_pb2
from meldbrug.crypto import (
    CryptoError,
    SealedSection,
    SecretKeys,
    SectionContext,
    commitment_of,
    digest_of,
    seal_section,
    unwrap_key,
    wrap_key,
)
from tests.unit.crypto import builders as b
from tests.unit.crypto.replay import Values, sealed_values
from tests.vectors.notation import CEK, CTX, FOLDER, TEXT, flipped, gives, refuses


def sealed() -> SealedSection:
    return seal_section(CTX, TEXT, CEK, b.REPORTER, b.REPORTER.kid)


def opening(
    section: SealedSection, ctx: SectionContext = CTX, cek: bytes = CEK, author: str = "reporter"
) -> Values:
    return {"context": asdict(ctx), "sealed": sealed_values(section), "cek": cek.hex(), "author": author}


def resigned(section: SealedSection, ctx: SectionContext = CTX) -> SealedSection:
    """`section` with digest and signature made anew by its author: only the layers below can refuse it."""
    from meldbrug.crypto.sealing import _signed_by_author

    digest = digest_of(section.ciphertext)
    message = _signed_by_author(ctx, section.author_kid, section.reporter_kid, digest, section.commitment)
    return replace(section, digest=digest, author_signature=b.REPORTER.sign(message))


def section_vectors() -> list[Values]:
    good = sealed()
    other_cek = b.hashed("other cek")
    twin = seal_section(CTX, "Iets heel anders.", other_cek, b.REPORTER, b.REPORTER.kid)
    elsewhere = {
        "installation": b.context(installation=b.STRANGER.kid),
        "incident": b.context(incident=f"incidents/{b.ident('other')}"),
        "section": b.context(section=f"{b.INCIDENT}/sections/{b.ident('other')}"),
        "version": b.context(version=2),
        "kind": b.context(kind=int(common_pb2.KIND_IMPACT)),
    }
    sealing = {"context": asdict(CTX), "cek": CEK.hex(), "author": "reporter", "reporter_kid": b.REPORTER.kid}

    def refused(name: str, given: Values, reason: str, detail: str) -> Values:
        return refuses(name, "open_section", given, reason, detail)

    return [
        gives("a text", "seal_section", sealing | {"content": TEXT.encode().hex()}),
        gives("nothing", "seal_section", sealing | {"content": ""}),
        gives("just over the floor", "seal_section", sealing | {"content": (b"x" * 1021).hex()}),
        gives("by a handler", "seal_section", sealing | {"content": TEXT.encode().hex(), "author": "member"}),
        gives("a text opens", "open_section", opening(good)),
        *(
            refused(f"wrong context: {name}", opening(good, ctx), "AUTHOR_SIGNATURE", "signature")
            for name, ctx in elsewhere.items()
        ),
        *(
            refused(
                f"wrong context, signed anew: {name}",
                opening(resigned(good, ctx), ctx),
                "SECTION_MISMATCH",
                "tag",
            )
            for name, ctx in elsewhere.items()
        ),
        refused("a kind below every number", opening(good, b.context(kind=-1)), "FIELD_INVALID", "context"),
        refused(
            "flipped bit in the ciphertext",
            opening(replace(good, ciphertext=flipped(good.ciphertext, 100))),
            "DIGEST_MISMATCH",
            "ciphertext",
        ),
        refused(
            "flipped bit in the ciphertext, signed anew",
            opening(resigned(replace(good, ciphertext=flipped(good.ciphertext, 100)))),
            "SECTION_MISMATCH",
            "tag",
        ),
        refused(
            "truncated ciphertext, signed anew",
            opening(resigned(replace(good, ciphertext=good.ciphertext[:-1]))),
            "SECTION_MISMATCH",
            "length",
        ),
        refused(
            "flipped bit in the signature",
            opening(replace(good, author_signature=flipped(good.author_signature, 0))),
            "AUTHOR_SIGNATURE",
            "signature",
        ),
        refused("swapped author", opening(good, author="member"), "AUTHOR_SIGNATURE", "other-author"),
        refused(
            "swapped author with the kid",
            opening(replace(good, author_kid=b.MEMBER.kid), author="member"),
            "AUTHOR_SIGNATURE",
            "signature",
        ),
        refused(
            "swapped reporter",
            opening(replace(good, reporter_kid=b.STRANGER.kid)),
            "AUTHOR_SIGNATURE",
            "signature",
        ),
        refused("wrong commitment: another key", opening(good, cek=other_cek), "COMMITMENT_MISMATCH", "cek"),
        refused("wrong commitment: another section", opening(twin), "COMMITMENT_MISMATCH", "cek"),
        refused(
            "wrong commitment: swapped in",
            opening(replace(twin, commitment=commitment_of(CEK))),
            "AUTHOR_SIGNATURE",
            "signature",
        ),
        refused(
            "wrong commitment, signed anew",
            opening(resigned(replace(twin, commitment=commitment_of(CEK)))),
            "SECTION_MISMATCH",
            "tag",
        ),
    ]


def recorded(name: str) -> bytes | None:
    """The wrap that an earlier run recorded under `name`."""
    path = FOLDER / "wraps.json"
    if not path.exists():
        return None
    cases = {case["name"]: case for case in json.loads(path.read_text("utf-8"))["vectors"]}
    return bytes.fromhex(cases[name]["given"]["wrap"]) if name in cases else None


def wrapped(name: str, reader: SecretKeys, grant: str, purposes: list[int]) -> bytes:
    """The recorded wrap, or a new one."""
    wrap = recorded(name)
    try:
        if wrap is not None and unwrap_key(wrap, reader, CTX, grant, purposes) == CEK:
            return wrap
    except CryptoError:
        pass
    return wrap_key(CEK, reader.public, CTX, grant, purposes)


def wrap_vectors() -> list[Values]:
    wrap = wrapped("for a consented reader", b.READER, b.CONSENT, [1, 2])
    intake = wrapped("for a handler of the intake", b.MEMBER, b.INCIDENT, [])
    given = {
        "wrap": wrap.hex(),
        "reader": "reader",
        "context": asdict(CTX),
        "grant": b.CONSENT,
        "purposes": [1, 2],
    }

    def refused(name: str, detail: str = "does-not-open", **changes: Any) -> Values:
        return refuses(name, "unwrap_key", given | changes, "WRAP_MISMATCH", detail)

    def elsewhere(**changes: str | int) -> Values:
        return asdict(b.context(**changes))

    def encapsulating(point: int) -> str:
        return (wrap[:1088] + point.to_bytes(32, "little") + wrap[1120:]).hex()

    return [
        gives("for a consented reader", "unwrap_key", given),
        gives("purposes in another order", "unwrap_key", given | {"purposes": [2, 1]}),
        gives(
            "for a handler of the intake",
            "unwrap_key",
            given | {"wrap": intake.hex(), "reader": "member", "grant": b.INCIDENT, "purposes": []},
        ),
        refused("wrong reader", reader="stranger"),
        refused("wrong grant: another consent", grant=f"consents/{b.ident('other')}"),
        refused("wrong grant: the intake", grant=b.INCIDENT),
        refused("wrong purposes: fewer", purposes=[1]),
        refused("wrong purposes: more", purposes=[1, 2, 3]),
        refused("wrong purposes: none", purposes=[]),
        refused("wrong purposes: below every number", purposes=[-1]),
        refused("wrong context: installation", context=elsewhere(installation=b.STRANGER.kid)),
        refused("wrong context: incident", context=elsewhere(incident=f"incidents/{b.ident('other')}")),
        refused(
            "wrong context: section", context=elsewhere(section=f"{b.INCIDENT}/sections/{b.ident('other')}")
        ),
        refused("wrong context: version", context=elsewhere(version=2)),
        refused("flipped bit in the lattice part", wrap=flipped(wrap, 7).hex()),
        refused("flipped bit in the curve part", wrap=flipped(wrap, 1100).hex()),
        refused("flipped bit in the sealed key", wrap=flipped(wrap, 1130).hex()),
        refused("flipped bit in the tag", wrap=flipped(wrap, 1167).hex()),
        refused("low-order point: zero", wrap=encapsulating(0)),
        refused("low-order point: one", wrap=encapsulating(1)),
        refused("low-order point: minus one", wrap=encapsulating(2**255 - 20)),
        refused("truncated", "length", wrap=wrap[:-1].hex()),
        refused("a byte too many", "length", wrap=wrap.hex() + "00"),
        refused("empty", "length", wrap=""),
    ]
