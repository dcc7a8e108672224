"""Every reason of a refusal is in the contract, in `docs/errors.md` and in the code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from meldbrug.crypto import errors as crypto_errors
from meldbrug.error.v1.error_pb2 import ErrorReason
from services.kernel import errors
from tests.docs.pages import tracked
from tests.support.stack import ROOT

PAGE = (ROOT / "docs" / "errors.md").read_text("utf-8")
PROTO = (ROOT / "proto/meldbrug/error/v1/error.proto").read_text("utf-8")
REASONS = {name.removeprefix("ERROR_REASON_") for name in ErrorReason.DESCRIPTOR.values_by_name} - {
    "UNSPECIFIED"
}
REFUSALS = {
    name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.Refusal)
}


def raised_reasons(source: str) -> Iterator[str]:
    """Yields the reasons that are named where a refusal is made, those of subclasses too."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called in REFUSALS or called == "__init__":
            for part in node.args:
                if isinstance(part, ast.Constant) and re.fullmatch(r"[A-Z]+(_[A-Z]+)+", str(part.value)):
                    yield str(part.value)


def in_code() -> set[str]:
    found = {
        reason
        for path in tracked("services/*.py")
        if "_pb2" not in path.name
        for reason in raised_reasons(path.read_text("utf-8"))
    }
    of_crypto = {
        kind.reason
        for kind in vars(crypto_errors).values()
        if isinstance(kind, type) and issubclass(kind, crypto_errors.CryptoError)
    }
    return found - {code.value for code in errors.Code} | {reason for reason in of_crypto if reason}


def sections() -> dict[str, str]:
    parts = re.split(r"^## (.+)$", PAGE, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_every_reason_has_a_heading_and_every_heading_is_a_reason():
    assert set(sections()) == REASONS


def test_a_reason_comes_with_the_code_that_the_contract_names():
    commented = re.findall(r"// ([A-Z_]+): .*(?:\n  //.*)*\n  ERROR_REASON_([A-Z_]+) =", PROTO)
    codes = {reason: code for code, reason in commented}

    assert set(codes) == REASONS
    assert [name for name, text in sections().items() if not text.startswith(f"\n\n`{codes[name]}`.")] == []


def test_every_reason_that_the_services_use_is_in_the_contract():
    assert in_code() <= REASONS


def test_every_reason_of_the_contract_is_sent_by_something():
    code = "\n".join(path.read_text("utf-8") for path in tracked("services/*.py"))

    assert {reason for reason in REASONS - in_code() if f'"{reason}"' not in code} == set()


def test_the_search_finds_what_it_is_for():
    source = (
        'raise InvalidArgument("WRAP_MISMATCH")\nraise errors.Unavailable("SUN_GONE", 1.0)\nprint("NOT_IT")\n'
    )

    assert set(raised_reasons(source)) == {"WRAP_MISMATCH", "SUN_GONE"}
