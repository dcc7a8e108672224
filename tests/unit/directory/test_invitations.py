"""Codes: the same for the same membership, another for any other, told by nothing that is kept."""

from __future__ import annotations

from services.directory.usecases.invitations import Invitations, code_digest
from services.kernel.clock import SystemIds, is_id

ONE, TWO = Invitations(b"1" * 32, SystemIds()), Invitations(b"2" * 32, SystemIds())


def test_a_code_belongs_to_one_membership_of_one_installation() -> None:
    codes = {keys.code(member) for keys in (ONE, TWO) for member in ("members/a", "members/b")}

    assert len(codes) == 4
    assert all(map(is_id, codes))
    assert ONE.code("members/a") == ONE.code("members/a")


def test_what_is_kept_of_a_code_is_not_the_code() -> None:
    code = ONE.code("members/a")

    assert code.encode() not in code_digest(code)
    assert len(code_digest(code)) == 32
    assert code_digest(code) != code_digest(TWO.code("members/a"))
