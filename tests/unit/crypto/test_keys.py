"""Keys: one form each, none of small order, and the same as every other X-Wing library's (T7)."""

import pytest

from meldbrug.crypto import KeyMalformed, PublicKeys, SecretKeys, is_kid, kid_of
from meldbrug.crypto import keys as module
from tests.unit.crypto.builders import MEMBER, STRANGER, hashed

P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P
PUBLIC = MEMBER.public


def encode(coordinate: int) -> bytes:
    return coordinate.to_bytes(32, "little")


def edwards_order(y: int) -> int:
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    x = x if x * x % P == square else x * pow(2, (P - 1) // 4, P) % P
    assert x * x % P == square
    point, order = (x, y), 1
    while point != (0, 1):
        k = D * x * point[0] * y * point[1] % P
        point = (
            (x * point[1] + point[0] * y) * pow(1 + k, -1, P) % P,
            (y * point[1] + x * point[0]) * pow(1 - k, -1, P) % P,
        )
        order += 1
    return order


def doubles_to_zero_or_infinity(u: int) -> bool:
    for _ in range(3):
        below = 4 * u * (u * u + 486662 * u + 1) % P
        if below == 0:
            return True
        u = (u * u - 1) ** 2 * pow(below, -1, P) % P
    return False


def test_a_kid_is_52_letters_and_digits_of_both_keys() -> None:
    assert is_kid(PUBLIC.kid)
    assert PUBLIC.kid == kid_of(PUBLIC.signing, PUBLIC.sealing)
    assert PUBLIC.kid != kid_of(PUBLIC.signing, STRANGER.public.sealing)
    assert not is_kid(PUBLIC.kid.upper())
    assert not is_kid(PUBLIC.kid + "\n")


def test_keys_are_made_from_the_randomness_that_is_passed_in() -> None:
    drawn = iter((b"\x01" * 32, b"\x02" * 32))

    assert SecretKeys.generate(lambda _: next(drawn)) == SecretKeys(b"\x01" * 32, b"\x02" * 32)
    assert SecretKeys.generate() != SecretKeys.generate()


def test_no_secret_is_in_a_representation() -> None:
    assert repr(MEMBER) == "SecretKeys()"
    assert MEMBER.signing_seed.hex() not in repr(MEMBER.public)


@pytest.mark.parametrize("seeds", [(b"", b"\0" * 32), (b"\0" * 32, b"\0" * 31), (b"\0" * 33, b"\0" * 32)])
def test_seeds_of_another_length_are_refused(seeds: tuple[bytes, bytes]) -> None:
    with pytest.raises(KeyMalformed, match="seed-length"):
        SecretKeys(*seeds)


def test_every_small_order_point_of_the_signing_curve_is_listed() -> None:
    orders = {y: edwards_order(y) for y in module._SMALL_ORDER_Y}

    # Order 8 has four points in pairs of equal y, order 4 one pair, orders 2 and 1 one each: eight in all.
    assert sorted(orders.values()) == [1, 2, 4, 8, 8]


def test_every_small_order_point_of_the_sealing_curve_is_listed() -> None:
    assert len(module._SMALL_ORDER_U) == 5
    assert all(map(doubles_to_zero_or_infinity, module._SMALL_ORDER_U))
    assert not doubles_to_zero_or_infinity(9)


@pytest.mark.parametrize("y", sorted(module._SMALL_ORDER_Y))
@pytest.mark.parametrize("sign", [0, 1 << 255])
def test_a_signing_key_of_small_order_is_refused(y: int, sign: int) -> None:
    with pytest.raises(KeyMalformed, match="signing-small-order"):
        PublicKeys(encode(y | sign), PUBLIC.sealing)
    assert not module.verify_signature(encode(y | sign), encode(1) + bytes(32), b"anything")


@pytest.mark.parametrize("u", sorted(module._SMALL_ORDER_U))
def test_a_sealing_key_of_small_order_is_refused(u: int) -> None:
    with pytest.raises(KeyMalformed, match="sealing-small-order"):
        PublicKeys(PUBLIC.signing, PUBLIC.sealing[:1184] + encode(u))


@pytest.mark.parametrize("over", [P, P + 1, P + 3, 2**255 - 1])
def test_a_coordinate_has_one_encoding(over: int) -> None:
    with pytest.raises(KeyMalformed, match="signing-not-canonical"):
        PublicKeys(encode(over), PUBLIC.sealing)
    with pytest.raises(KeyMalformed, match="sealing-not-canonical"):
        PublicKeys(PUBLIC.signing, PUBLIC.sealing[:1184] + encode(over))
    with pytest.raises(KeyMalformed, match="sealing-not-canonical"):
        PublicKeys(PUBLIC.signing, PUBLIC.sealing[:-1] + bytes([PUBLIC.sealing[-1] | 0x80]))


def test_lattice_coefficients_beyond_the_modulus_are_refused() -> None:
    with pytest.raises(KeyMalformed, match="sealing-not-canonical"):
        PublicKeys(PUBLIC.signing, b"\xff" * 384 + PUBLIC.sealing[384:])


@pytest.mark.parametrize(
    ("signing", "sealing"), [(31, 1216), (33, 1216), (32, 1215), (32, 1217), (0, 1216), (32, 0)]
)
def test_public_keys_of_another_length_are_refused(signing: int, sealing: int) -> None:
    with pytest.raises(KeyMalformed, match="length"):
        PublicKeys((PUBLIC.signing * 2)[:signing], (PUBLIC.sealing * 2)[:sealing])


def test_a_signature_is_good_for_one_message_and_key() -> None:
    signature = MEMBER.sign(b"message")

    assert PUBLIC.verify(signature, b"message")
    assert not PUBLIC.verify(signature, b"messagf")
    assert not STRANGER.public.verify(signature, b"message")
    assert not PUBLIC.verify(signature[:-1], b"message")
    assert not PUBLIC.verify(b"", b"message")


def test_a_signing_key_that_is_no_point_verifies_nothing() -> None:
    no_point = next(encode(y) for y in range(2, 99) if not is_point(encode(y)))

    assert not module.verify_signature(no_point, hashed("r") + hashed("s"), b"message")


def is_point(signing: bytes) -> bool:
    y = int.from_bytes(signing, "little")
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    return pow(square, (P - 1) // 2, P) in (0, 1)
