"""A key file from elsewhere is damaged, however it is made; it never breaks the program."""

import pytest

from meldbrug.client.keyfile import KeyFileError, opened_file
from tests.support.campaign import ROOT

KEPT = sorted((ROOT / "tests" / "vectors" / "fuzz" / "key_file").iterdir())


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.name)
def test_nesting_and_numbers_without_end_are_damage(path):
    with pytest.raises(KeyFileError) as refused:
        opened_file(path.read_bytes(), None)

    assert refused.value.reason == "damaged"
