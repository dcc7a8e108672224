"""Two different lists of fields never give the same bytes (T7)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meldbrug.crypto import canonical
from meldbrug.crypto.canonical import Field

numbers = st.integers(0, 2**64 - 1)
leaves: st.SearchStrategy[Field] = st.one_of(st.binary(max_size=8), st.text(max_size=8), numbers)
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3), max_leaves=6)


def test_the_bytes_are_label_tag_length_and_value() -> None:
    written = canonical("wrap", b"\xff", "é", 7, ["a", 1])

    assert written == (
        b"meldbrug/wrap/v1\0"
        b"\x01\0\0\0\x01\xff"
        b"\x02\0\0\0\x02\xc3\xa9"
        b"\x03\0\0\0\x08\0\0\0\0\0\0\0\x07"
        b"\x04\0\0\0\x02" + b"\x02\0\0\0\x01a" + b"\x03\0\0\0\x08\0\0\0\0\0\0\0\x01"
    )


@given(st.lists(values, max_size=4), st.lists(values, max_size=4))
def test_different_fields_give_different_bytes(first: list[Field], second: list[Field]) -> None:
    assert (canonical("x", *first) == canonical("x", *second)) == (first == second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("ab", "c"), ("a", "bc")),
        ((b"a",), ("a",)),
        ((1,), (b"\0\0\0\0\0\0\0\x01",)),
        ((["a", "b"],), ("a", "b")),
        (([], "a"), (["a"],)),
        ((), ([],)),
    ],
)
def test_neighbours_do_not_run_into_each_other(first: tuple[Field, ...], second: tuple[Field, ...]) -> None:
    assert canonical("x", *first) != canonical("x", *second)


def test_labels_do_not_run_into_fields() -> None:
    assert canonical("wrap", "x") != canonical("wra", "px")


@pytest.mark.parametrize("label", ["", "Wrap", "wrap/v1", "wrap\0", "x" * 33, "wrap\n", "1"])
def test_a_label_has_one_shape(label: str) -> None:
    with pytest.raises(ValueError, match="label"):
        canonical(label)


@pytest.mark.parametrize("number", [-1, 2**64])
def test_a_number_fits_64_bits(number: int) -> None:
    with pytest.raises(ValueError, match="number"):
        canonical("x", number)


@pytest.mark.parametrize("field", [True, None, 1.5, {"a": 1}, bytearray(b"a")])
def test_other_types_are_refused(field: object) -> None:
    with pytest.raises(TypeError):
        canonical("x", field)
