"""Vectors of canonical bytes, keys, previews and receipts."""

import itertools

from meldbrug.common.v1 import common_pb2
from meldbrug.crypto import seal_section, to_words
from tests.unit.crypto import builders as b
from tests.unit.crypto.replay import Values
from tests.vectors.notation import CEK, CTX, ENTROPY, TEXT, gives, refuses

PLACE = [CTX.installation, CTX.incident, CTX.section, CTX.version]


def sealed_hashes() -> list[Values]:
    """Digest and commitment of the section of the vectors, as fields."""
    section = seal_section(CTX, TEXT, CEK, b.REPORTER, b.REPORTER.kid)
    return [{"hex": section.digest.hex()}, {"hex": section.commitment.hex()}]


def canonical_vectors() -> list[Values]:
    return [
        gives("no fields", "canonical", {"label": "preview", "fields": []}),
        gives(
            "one of each",
            "canonical",
            {"label": "wrap", "fields": [{"hex": "00ff"}, "één", 258, ["a", 1, {"hex": ""}], []]},
        ),
        gives("bytes beside a section", "canonical", {"label": "section", "fields": [*PLACE, CTX.kind]}),
        gives(
            "bytes an author signs",
            "canonical",
            {
                "label": "author",
                "fields": [*PLACE, CTX.kind, b.REPORTER.kid, b.REPORTER.kid, *sealed_hashes()],
            },
        ),
        gives(
            "info of a wrap",
            "canonical",
            {"label": "wrap", "fields": [*PLACE, b.CONSENT, [1, 2], b.READER.kid]},
        ),
        gives("the largest number", "canonical", {"label": "x", "fields": [2**64 - 1]}),
    ]


def key_vectors() -> list[Values]:
    public = b.MEMBER.public
    lattice = public.sealing[:1184]

    def malformed(name: str, signing: bytes, sealing: bytes, detail: str) -> Values:
        given = {"signing": signing.hex(), "sealing": sealing.hex()}
        return refuses(name, "public_keys", given, "FIELD_INVALID", detail)

    def point(number: int) -> bytes:
        return number.to_bytes(32, "little")

    p = 2**255 - 19
    order_8_y = bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")
    order_8_u = bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800")
    seeds = {"signing_seed": b.MEMBER.signing_seed.hex(), "sealing_seed": b.MEMBER.sealing_seed.hex()}
    return [
        gives("seeds expand to public keys", "secret_keys", seeds),
        gives(
            "public keys have a kid",
            "public_keys",
            {"signing": public.signing.hex(), "sealing": public.sealing.hex()},
        ),
        malformed("signing key is the identity", point(1), public.sealing, "signing-small-order"),
        malformed("signing key of order 2", point(p - 1), public.sealing, "signing-small-order"),
        malformed("signing key of order 4", point(0), public.sealing, "signing-small-order"),
        malformed("signing key of order 8", order_8_y, public.sealing, "signing-small-order"),
        malformed(
            "signing key of order 8, other sign",
            order_8_y[:31] + b"\x85",
            public.sealing,
            "signing-small-order",
        ),
        malformed("signing key not reduced", point(p + 3), public.sealing, "signing-not-canonical"),
        malformed(
            "sealing key with the zero point", public.signing, lattice + point(0), "sealing-small-order"
        ),
        malformed(
            "sealing key with the point one", public.signing, lattice + point(1), "sealing-small-order"
        ),
        malformed(
            "sealing key with a point of order 8", public.signing, lattice + order_8_u, "sealing-small-order"
        ),
        malformed("sealing key not reduced", public.signing, lattice + point(p), "sealing-not-canonical"),
        malformed(
            "lattice coefficients not reduced",
            public.signing,
            b"\xff" * 384 + public.sealing[384:],
            "sealing-not-canonical",
        ),
        malformed("signing key truncated", public.signing[:-1], public.sealing, "signing-length"),
        malformed("sealing key truncated", public.signing, public.sealing[:-1], "sealing-length"),
    ]


def preview_vectors() -> list[Values]:
    given = {
        "notice": b.NOTICE,
        "ciphertext_digests": [b.hashed("first").hex(), b.hashed("second").hex()],
        "template": "1",
        "language": int(common_pb2.LANGUAGE_NL),
    }
    turned = given | {"ciphertext_digests": list(reversed(given["ciphertext_digests"]))}
    return [
        gives("two sections", "preview_digest", given),
        gives("the other order", "preview_digest", turned),
        gives("English", "preview_digest", given | {"language": int(common_pb2.LANGUAGE_EN)}),
        gives("nothing", "preview_digest", given | {"ciphertext_digests": []}),
    ]


def _between_all(words: list[str]) -> str:
    spaces = itertools.cycle("\ufeff\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2003\u2028\u205f\u3000")
    return "".join(space + word for space, word in zip(spaces, words, strict=False))


def receipt_vectors() -> list[Values]:
    words = list(to_words(ENTROPY, "nl"))

    def of(changed: list[str]) -> Values:
        return {"text": " ".join(changed)}

    def wrong(name: str, given: Values, detail: str) -> Values:
        return refuses(name, "receipt_from_words", given, "FIELD_INVALID", detail)

    return [
        gives("counting bytes", "receipt", {"entropy": ENTROPY.hex()}),
        gives("all zeros", "receipt", {"entropy": bytes(16).hex()}),
        gives("all ones", "receipt", {"entropy": (b"\xff" * 16).hex()}),
        gives("Dutch words", "receipt_from_words", of(words)),
        gives("English words", "receipt_from_words", of(list(to_words(ENTROPY, "en")))),
        gives("capitals, commas and line ends", "receipt_from_words", {"text": ",\n ".join(words).upper()}),
        gives("white space of every kind", "receipt_from_words", {"text": _between_all(words)}),
        wrong("a word with a letter wrong", of([*words[:4], words[4] + "q", *words[5:]]), "unknown-word"),
        wrong("a word of the other language", of([*words[:11], to_words(ENTROPY, "en")[11]]), "unknown-word"),
        wrong("two words in each other's place", of([words[1], words[0], *words[2:]]), "checksum"),
        wrong("a word too few", of(words[:11]), "word-count"),
        wrong("a word too many", of([*words, words[0]]), "word-count"),
    ]
