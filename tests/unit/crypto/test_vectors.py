"""The vectors that every language must pass, replayed; each refusal is refused for its stated reason."""

import json
from pathlib import Path

import pytest

from meldbrug.crypto import CryptoError
from meldbrug.error.v1 import error_pb2
from tests.unit.crypto.replay import Replay, Values
from tests.vectors import generate

FOLDER = Path(generate.__file__).parent
ACTORS = json.loads((FOLDER / "actors.json").read_text("utf-8"))
VECTORS = {
    f"{name}: {vector['name']}: {vector['operation']}": vector
    for name in generate.FILES
    for vector in json.loads((FOLDER / f"{name}.json").read_text("utf-8"))["vectors"]
}
RESULTS = [name for name, vector in VECTORS.items() if "result" in vector]
REFUSALS = [name for name, vector in VECTORS.items() if "refused" in vector]


def play(vector: Values) -> Values:
    return Replay(ACTORS).play(vector["operation"], vector["given"])


@pytest.mark.parametrize("name", RESULTS)
def test_a_vector_gives_its_result(name: str) -> None:
    assert play(VECTORS[name]) == VECTORS[name]["result"]


@pytest.mark.parametrize("name", REFUSALS)
def test_a_vector_is_refused_for_its_stated_reason(name: str) -> None:
    with pytest.raises(CryptoError) as caught:
        play(VECTORS[name])

    assert {"reason": caught.value.reason, "detail": caught.value.detail} == VECTORS[name]["refused"]


def test_every_vector_gives_or_refuses_and_none_both() -> None:
    assert (
        len(RESULTS) + len(REFUSALS)
        == len(VECTORS)
        == sum(len(make()) for _, make in generate.FILES.values())
    )
    assert len(REFUSALS) > 80


def test_the_committed_files_are_what_the_generator_writes() -> None:
    for name, content in generate.files().items():
        assert (FOLDER / name).read_text("utf-8") == content, f"{name}: run python -m tests.vectors.generate"


@pytest.mark.parametrize(
    "wanted",
    [
        "flipped bit",
        "wrong context",
        "swapped author",
        "wrong commitment",
        "wrong appointment",
        "low-order point",
        "truncated",
        "unknown field",
        "stale",
        "foreign",
        "broken chain",
    ],
)
def test_every_kind_of_forgery_has_a_vector(wanted: str) -> None:
    assert any(wanted in name for name in REFUSALS)


def test_every_reason_is_one_that_the_services_know() -> None:
    known = set(error_pb2.ErrorReason.keys())

    assert {f"ERROR_REASON_{VECTORS[name]['refused']['reason']}" for name in REFUSALS} <= known


def subclasses(cls: type[CryptoError]) -> set[type[CryptoError]]:
    return {cls}.union(*map(subclasses, cls.__subclasses__()))


def test_every_error_of_the_library_has_a_known_reason() -> None:
    known = set(error_pb2.ErrorReason.keys())

    assert all(f"ERROR_REASON_{cls.reason}" in known for cls in subclasses(CryptoError))
