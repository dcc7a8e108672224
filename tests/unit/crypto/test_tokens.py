"""A token is good for one caller, method, body and minute, and has exactly one form (T8, T10)."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import OKPKey

from meldbrug.crypto import (
    CryptoError,
    TokenAudience,
    TokenBody,
    TokenMalformed,
    TokenSignature,
    TokenStale,
)
from meldbrug.crypto.tokens import (
    CLOCK_SKEW_S,
    MAX_TOKEN_CHARS,
    TOKEN_LIFETIME_S,
    audience,
    body_hash,
    check,
    mint,
    parse,
)
from tests.unit.crypto.builders import INSTALLATION, MEMBER, NOW, REPORTER, STRANGER

METHOD = "/meldbrug.disclosure.v1.ReporterService/SubmitReport"
AUDIENCE = audience(INSTALLATION, METHOD)
BODY = body_hash(b"request")
TOKEN = mint(MEMBER, AUDIENCE, BODY, NOW, embed_keys=False)
EMBEDDED = mint(REPORTER, AUDIENCE, BODY, NOW, embed_keys=True)
SIGNING = MEMBER.public.signing


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def forge(header: bytes, payload: bytes) -> str:
    """A token of any form with a good signature."""
    signed = f"{b64(header)}.{b64(payload)}"
    return f"{signed}.{b64(MEMBER.sign(signed.encode()))}"


HEADER, PAYLOAD = (unb64(part) for part in TOKEN.split(".")[:2])


def payload(**changes: object) -> bytes:
    return json.dumps(json.loads(PAYLOAD) | changes, separators=(",", ":")).encode()


def test_a_fresh_token_is_accepted_for_its_call() -> None:
    token = parse(TOKEN)

    check(token, SIGNING, AUDIENCE, BODY, NOW)
    assert (token.kid, token.aud, token.bh) == (MEMBER.kid, AUDIENCE, BODY)
    assert token.exp - token.iat == TOKEN_LIFETIME_S
    assert token.embedded is None


def test_a_newcomer_s_token_brings_the_keys_that_its_kid_names() -> None:
    token = parse(EMBEDDED)

    assert token.embedded == REPORTER.public
    check(token, token.embedded.signing, AUDIENCE, BODY, NOW)
    assert len(EMBEDDED) < MAX_TOKEN_CHARS


def test_any_library_of_jws_reads_and_writes_it() -> None:
    """ADR 14: the form is a JWS, made and verified here without a library for it."""
    secret = OKPKey.import_key(
        {"kty": "OKP", "crv": "Ed25519", "x": b64(SIGNING), "d": b64(MEMBER.signing_seed)}
    )

    read = jws.deserialize_compact(TOKEN, secret, algorithms=["Ed25519"])
    written = jws.serialize_compact(json.loads(HEADER), PAYLOAD, secret, algorithms=["Ed25519"])

    assert (read.payload, read.headers()) == (PAYLOAD, json.loads(HEADER))
    assert written == TOKEN


def test_the_form_is_the_documented_one() -> None:
    assert f'{{"alg":"Ed25519","kid":"{MEMBER.kid}","typ":"meldbrug"}}'.encode() == HEADER
    assert (
        f'{{"aud":"{INSTALLATION}{METHOD}","bh":"{b64(BODY)}","iat":1795424400,"exp":1795424460}}'.encode()
    ) == PAYLOAD


@pytest.mark.parametrize(
    ("seconds", "detail"),
    [(TOKEN_LIFETIME_S, "expired"), (3600, "expired"), (-CLOCK_SKEW_S - 1, "from-the-future")],
)
def test_a_token_is_stale_after_its_minute_and_before_its_time(seconds: int, detail: str) -> None:
    with pytest.raises(TokenStale, match=detail):
        check(parse(TOKEN), SIGNING, AUDIENCE, BODY, NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize("seconds", [-CLOCK_SKEW_S, 0, TOKEN_LIFETIME_S - 1])
def test_a_token_lives_for_its_minute_and_a_little_skew(seconds: int) -> None:
    check(parse(TOKEN), SIGNING, AUDIENCE, BODY, NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    "other",
    [
        audience(STRANGER.kid, METHOD),
        audience(INSTALLATION, "/meldbrug.disclosure.v1.ReporterService/GetStatus"),
        audience(INSTALLATION, "/meldbrug.disclosure.v1.HandlerService/SubmitReport"),
    ],
)
def test_a_token_is_no_good_elsewhere(other: str) -> None:
    with pytest.raises(TokenAudience):
        check(parse(TOKEN), SIGNING, other, BODY, NOW)


def test_a_token_is_no_good_for_another_body() -> None:
    with pytest.raises(TokenBody):
        check(parse(TOKEN), SIGNING, AUDIENCE, body_hash(b"request\0"), NOW)


@pytest.mark.parametrize("signing", [STRANGER.public.signing, b"", bytes(32), (1).to_bytes(32, "little")])
def test_a_token_is_its_signer_s_alone(signing: bytes) -> None:
    with pytest.raises(TokenSignature):
        check(parse(TOKEN), signing, AUDIENCE, BODY, NOW)


def test_every_character_counts() -> None:
    for position, character in enumerate(TOKEN):
        other = "A" if character != "A" else "B"
        with pytest.raises(CryptoError) as caught:
            check(parse(TOKEN[:position] + other + TOKEN[position + 1 :]), SIGNING, AUDIENCE, BODY, NOW)
        assert isinstance(caught.value, (TokenMalformed, TokenSignature))


@pytest.mark.parametrize(
    "header",
    [
        HEADER.replace(b"Ed25519", b"none"),
        HEADER.replace(b"Ed25519", b"EdDSA"),
        HEADER.replace(b"Ed25519", b"HS256"),
        HEADER.replace(b"meldbrug", b"JWT"),
        HEADER.replace(b'"alg"', b' "alg"'),
        HEADER.replace(b"}", b',"crit":["b64"],"b64":false}'),
        HEADER.replace(b"}", b',"jwk":{}}'),
        HEADER.replace(b"}", b',"alg":"none"}'),
        f'{{"kid":"{MEMBER.kid}","alg":"Ed25519","typ":"meldbrug"}}'.encode(),
        HEADER.replace(MEMBER.kid.encode(), MEMBER.kid.upper().encode()),
        HEADER.replace(MEMBER.kid.encode(), b""),
        b"",
        b"{}",
        b"\xff" * 80,
    ],
)
def test_there_is_one_header(header: bytes) -> None:
    with pytest.raises(TokenMalformed, match="header"):
        parse(forge(header, PAYLOAD))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b"[" * 2000,
        b"{}",
        PAYLOAD.replace(b":", b": ", 1),
        PAYLOAD.replace(b"}", b',"iat":1}'),
        payload(extra=1),
        payload(iat="1795424400"),
        payload(iat=1795424400.0),
        payload(iat=True),
        payload(iat=-1),
        payload(exp=2**53),
        payload(aud=AUDIENCE + " "),
        payload(aud=None),
        payload(bh=b64(b"short")),
        payload(bh=1),
        payload(pk=1),
        PAYLOAD.replace(b"meldbrug.", b"\\u006deldbrug."),
        b"\xef\xbb\xbf" + PAYLOAD,
    ],
)
def test_there_is_one_form_of_payload(body: bytes) -> None:
    with pytest.raises(TokenMalformed, match="payload"):
        parse(forge(HEADER, body))


@pytest.mark.parametrize("expires", [-1, 0, 61, 3600])
def test_nobody_gives_himself_more_than_a_minute(expires: int) -> None:
    with pytest.raises(TokenMalformed, match="lifetime"):
        parse(forge(HEADER, payload(exp=1795424400 + expires)))


@pytest.mark.parametrize(
    "pk", ["", b64(bytes(1248)), b64(REPORTER.public.signing), b64(REPORTER.public.signing * 39)]
)
def test_embedded_keys_must_be_keys(pk: str) -> None:
    with pytest.raises(TokenMalformed, match="embedded-keys"):
        parse(forge(HEADER, payload(pk=pk)))


def test_embedded_keys_must_be_those_the_kid_names() -> None:
    both = REPORTER.public.signing + REPORTER.public.sealing

    with pytest.raises(TokenMalformed, match="embedded-kid"):
        parse(forge(HEADER, payload(pk=b64(both))))


@pytest.mark.parametrize(
    ("token", "detail"),
    [
        ("", "parts"),
        ("..", "header"),
        (TOKEN + ".", "parts"),
        (TOKEN.rpartition(".")[0], "parts"),
        (TOKEN + "=", "base64"),
        (TOKEN + "A", "signature-length"),
        (TOKEN + "AAA", "base64"),
        (TOKEN.replace(".", "+.", 1), "base64"),
        (" " + TOKEN, "base64"),
        (TOKEN + "\n", "base64"),
        (TOKEN.rpartition(".")[0] + "." + b64(bytes(63)), "signature-length"),
        ("A" * (MAX_TOKEN_CHARS + 1), "size"),
        (TOKEN + "é", "size"),
    ],
)
def test_there_is_one_encoding(token: str, detail: str) -> None:
    with pytest.raises(TokenMalformed, match=detail):
        parse(token)


def test_a_signature_has_no_second_spelling() -> None:
    # The last character of 64 bytes in base64url carries four bits that mean nothing.
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    twins = [alphabet[alphabet.index(TOKEN[-1]) | bits] for bits in range(1, 16)]

    for twin in twins:
        with pytest.raises(TokenMalformed, match="base64"):
            parse(TOKEN[:-1] + twin)


@given(st.text(max_size=200))
def test_no_text_does_more_than_refuse(text: str) -> None:
    with pytest.raises(TokenMalformed):
        parse(text)


@pytest.mark.parametrize("lifetime_s", [0, 61, -1])
def test_a_client_cannot_mint_what_no_server_takes(lifetime_s: int) -> None:
    with pytest.raises(ValueError, match="lifetime"):
        mint(MEMBER, AUDIENCE, BODY, NOW, lifetime_s, embed_keys=False)


def test_minting_wants_a_whole_hash_a_real_audience_and_a_zone() -> None:
    with pytest.raises(ValueError, match="body hash"):
        mint(MEMBER, AUDIENCE, b"", NOW, embed_keys=False)
    with pytest.raises(ValueError, match="audience"):
        mint(MEMBER, METHOD, BODY, NOW, embed_keys=False)
    with pytest.raises(ValueError, match="zone"):
        mint(MEMBER, AUDIENCE, BODY, datetime(2026, 11, 23, 9), embed_keys=False)  # noqa: DTZ001  # No zone is the point.


@pytest.mark.parametrize(
    "method", ["meldbrug.x.v1.S/M", "/meldbrug.x.v1.S", "/a/b/c", "/a b/c", "", "/a/b\n"]
)
def test_an_audience_is_an_installation_and_a_full_method(method: str) -> None:
    with pytest.raises(ValueError, match="full gRPC method"):
        audience(INSTALLATION, method)
    with pytest.raises(ValueError, match="installation"):
        audience("x", METHOD)


def test_fractions_of_a_second_are_cut_off_alike_on_both_sides() -> None:
    now = datetime(2026, 11, 23, 9, 0, 0, 999_999, tzinfo=UTC)

    assert mint(MEMBER, AUDIENCE, BODY, now, embed_keys=False) == TOKEN
