"""Every bound at the bound and one beyond it, and every refusal with its own detail (T7, T8, T9)."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from meldbrug.common.v1.common_pb2 import Signed
from meldbrug.crypto import CryptoError, EndorsementBroken, SecretKeys, receipt, sealing, tokens
from meldbrug.crypto.chains import verify_member
from meldbrug.crypto.keys import PublicKeys, require_signing_key
from meldbrug.crypto.statements import MAX_STATEMENT_BYTES, StatementKind, parse
from meldbrug.statements.v1 import statements_pb2 as said
from tests.unit.crypto.builders import (
    INSTALLATION,
    MEMBER,
    NOW,
    REPORTER,
    ROOT,
    admin_endorsed,
    context,
    rotated,
)

METHOD = "/meldbrug.disclosure.v1.ReporterService/SubmitReport"
AUDIENCE = INSTALLATION + METHOD
BODY = tokens.body_hash(b"request")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def detail(act: Callable[[], object]) -> str:
    with pytest.raises(CryptoError) as refused:
        act()
    return refused.value.detail


def with_part(place: int, part: str, *, embed_keys: bool = False) -> str:
    """A token with one of its three parts replaced."""
    parts = tokens.mint(REPORTER, AUDIENCE, BODY, NOW, embed_keys=embed_keys).split(".")
    parts[place] = part
    return ".".join(parts)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def test_an_audience_is_the_installation_and_the_method() -> None:
    assert tokens.audience(INSTALLATION, METHOD) == INSTALLATION + METHOD


@pytest.mark.parametrize("now", [NOW, EPOCH], ids=["now", "the first second there is"])
def test_a_token_may_live_for_one_second(now: datetime) -> None:
    token = tokens.parse(tokens.mint(MEMBER, AUDIENCE, BODY, now, 1, embed_keys=False))

    assert (token.iat, token.exp - token.iat) == (int(now.timestamp()), 1)


def test_a_token_may_be_as_long_as_the_bound_and_no_longer() -> None:
    longest = "A" * tokens.MAX_TOKEN_CHARS

    assert detail(lambda: tokens.parse(longest)) == "parts"
    assert detail(lambda: tokens.parse(longest + "A")) == "size"


@pytest.mark.parametrize(
    ("token", "why"),
    [
        (with_part(1, b64(b"{}")), "payload"),
        (with_part(1, b64(b"[" * 500)), "payload"),
        (with_part(2, b64(b"s" * 63)), "signature-length"),
        (with_part(2, "*" * 86), "base64"),
        (with_part(2, "A"), "base64"),
        (with_part(0, b64(b"{}")), "header"),
    ],
)
def test_a_token_is_refused_for_what_is_wrong_with_it(token: str, why: str) -> None:
    assert detail(lambda: tokens.parse(token)) == why


def test_embedded_keys_of_another_form_are_refused_as_such() -> None:
    minted = tokens.mint(REPORTER, AUDIENCE, BODY, NOW, embed_keys=True).split(".")[1]
    payload = json.loads(base64.urlsafe_b64decode(minted + "=" * (-len(minted) % 4)))
    short = json.dumps(payload | {"pk": b64(b"short")}, separators=(",", ":")).encode()

    assert detail(lambda: tokens.parse(with_part(1, b64(short), embed_keys=True))) == "embedded-keys"


def test_a_statement_may_be_as_large_as_the_bound_and_no_larger() -> None:
    def parsed(size: int) -> object:
        return parse(StatementKind.WITHDRAWAL, Signed(statement=b"\xff" * size), said.Withdrawal)

    assert detail(lambda: parsed(MAX_STATEMENT_BYTES)) == "does-not-parse"
    assert detail(lambda: parsed(MAX_STATEMENT_BYTES + 1)) == "too-large"


def test_a_chain_may_be_as_long_as_the_bound_and_no_longer() -> None:
    def verified(length: int) -> object:
        return verify_member(INSTALLATION, [admin_endorsed()] * length, [], ROOT.public)

    assert detail(lambda: verified(4)) == "other-key"
    with pytest.raises(EndorsementBroken, match="length"):
        verified(5)


def test_when_an_endorsement_began_is_told_in_utc() -> None:
    admin = verify_member(
        INSTALLATION, [admin_endorsed(ROOT, ROOT, organisation="organisations/" + "a" * 26)], [], ROOT.public
    )

    assert admin.valid_from.tzinfo is UTC


@pytest.mark.parametrize(
    ("act", "why"),
    [
        (lambda: SecretKeys(bytes(31), bytes(32)), "signing-seed-length"),
        (lambda: SecretKeys(bytes(32), bytes(33)), "sealing-seed-length"),
        (lambda: require_signing_key(bytes(31)), "signing-length"),
        (lambda: require_signing_key(bytes(32)), "signing-small-order"),
        (lambda: require_signing_key(b"\xff" * 32), "signing-not-canonical"),
        (lambda: PublicKeys(MEMBER.public.signing, b"short"), "sealing-length"),
        (lambda: receipt.to_words(bytes(15), "nl"), "entropy-length"),
        (lambda: receipt.keys_from(bytes(17)), "entropy-length"),
        (lambda: receipt.from_words("a " * 501), "too-long"),
        (lambda: sealing.seal_section(context(), b"", bytes(31), MEMBER, REPORTER.kid), "cek-length"),
        (lambda: sealing.seal_section(context(), "\ud800", bytes(32), MEMBER, REPORTER.kid), "not-unicode"),
        (
            lambda: sealing.seal_section(
                context(), bytes(sealing.MAX_CONTENT_BYTES + 1), bytes(32), MEMBER, REPORTER.kid
            ),
            "too-large",
        ),
        (lambda: sealing._unpad(b"\xff" * 64), "padding"),
        (
            lambda: verify_member(
                INSTALLATION,
                [admin_endorsed()],
                [rotated(ROOT, MEMBER, installation=MEMBER.kid)],
                MEMBER.public,
            ),
            "installation",
        ),
        (lambda: sealing.wrap_key(bytes(31), MEMBER.public, context(), "", ()), "cek-length"),
    ],
)
def test_what_is_too_short_or_too_long_is_refused_as_that(act: Callable[[], object], why: str) -> None:
    assert detail(act) == why


def test_a_receipt_may_be_typed_with_as_many_spaces_as_the_bound() -> None:
    words = " ".join(receipt.to_words(bytes(16), "nl"))

    assert receipt.from_words(words.ljust(1000)) == bytes(16)


def test_keys_ask_for_as_many_random_bytes_as_a_seed_has() -> None:
    asked: list[int] = []

    def random(length: int) -> bytes:
        asked.append(length)
        return bytes([len(asked)]) * length

    keys = SecretKeys.generate(random)

    assert asked == [32, 32]
    assert (keys.signing_seed, keys.sealing_seed) == (b"\1" * 32, b"\2" * 32)


@pytest.mark.parametrize(
    ("first", "second", "steps"),
    [
        ("", "", 0),
        ("", "abc", 3),
        ("abc", "", 3),
        ("brug", "brug", 0),
        ("brug", "burg", 2),
        ("brug", "rug", 1),
        ("rug", "brug", 1),
        ("brug", "brugje", 2),
        ("brugje", "brug", 2),
        ("brug", "kruk", 2),
        ("kitten", "sitting", 3),
        ("saturday", "sunday", 3),
        ("abcd", "dcba", 4),
    ],
)
def test_words_are_as_far_apart_as_letters_must_change(first: str, second: str, steps: int) -> None:
    assert receipt._distance(first, second) == steps


def test_only_padding_is_left_out_of_what_is_encoded() -> None:
    assert tokens._encode(b"\x00\x00\x17") == "AAAX"
    assert tokens._decode("AAAX") == b"\x00\x00\x17"
