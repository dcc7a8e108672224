"""The model is what it says, its tests pass with the real `fga`, and its table for lawyers is up to date."""

from __future__ import annotations

import re

import pytest

from meldbrug.common.v1 import common_pb2
from policy import generate, matrix
from policy.engine import HERE, MODEL, Engine, run_fga
from policy.world import NOTICES, PERSONAS

SUITES = sorted(path.name for path in (HERE / "tests").glob("*.fga.yaml"))


def test_the_json_that_services_load_is_the_model_that_people_read() -> None:
    assert MODEL.read_text() == generate.model_json()


@pytest.mark.parametrize("name", ["model.fga", "union.fga"])
def test_openfga_takes_the_model(name: str) -> None:
    done = run_fga("model", "validate", "--file", HERE / name)

    assert '"is_valid":true' in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("suite", SUITES)
def test_the_sentences_about_the_policy_hold(suite: str) -> None:
    done = run_fga("model", "test", "--allow-external-files", "--tests", HERE / "tests" / suite)

    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"Checks ([1-9]\d*)/\1 passing", done.stdout + done.stderr)


def test_the_suite_is_the_one_we_know() -> None:
    assert {name.removesuffix(".fga.yaml") for name in SUITES} == {
        "appointing",
        "consent_window",
        "handlers",
        "kinds",
        "purposes",
        "readers",
    }


@pytest.fixture(scope="module")
def rendered(engine: Engine) -> str:
    """The matrix as the engine has it now."""
    return matrix.render(engine.store())


class TestMatrix:
    def test_the_committed_matrix_is_what_the_engine_says(self, rendered: str) -> None:
        assert rendered == matrix.PATH.read_text(), "run `make generate` and read the difference"

    def test_only_the_two_named_readers_ever_open_anything(self, rendered: str) -> None:
        openings = rendered.partition("\n2. ")[2].partition("\n9. ")[0]
        labels = set(PERSONAS.values())
        rows = [line for line in openings.splitlines() if line[: matrix.LABEL_WIDTH].rstrip() in labels]

        opened = {line[: matrix.LABEL_WIDTH].rstrip() for line in rows if matrix.YES in line}

        assert len(rows) == 7 * len(PERSONAS)
        assert opened == {PERSONAS["reader"], PERSONAS["system-reader"]}

    def test_the_whole_product_holds_only_the_openings_that_the_consents_allow(self, rendered: str) -> None:
        counts = rendered.partition("\n9. ")[2].splitlines()[2:]
        found = {line[: matrix.LABEL_WIDTH].rstrip(): int(line[matrix.LABEL_WIDTH :]) for line in counts}

        # Moments within the consent x its purposes x (stub, three kinds, all three); likewise the system.
        expected = {PERSONAS["reader"]: 7 * 2 * 5, PERSONAS["system-reader"]: 3 * 1 * 2}
        assert found == {label: expected.get(label, 0) for label in PERSONAS.values()}

    def test_only_the_chosen_counsellor_and_deputy_handle(self, rendered: str) -> None:
        duties = rendered.partition("\n1. ")[2].partition("\n2. ")[0].splitlines()
        handling = {
            line[: matrix.LABEL_WIDTH].rstrip()
            for line in duties
            if line[matrix.LABEL_WIDTH :].startswith(matrix.YES)
        }

        assert handling == {PERSONAS["handler"], PERSONAS["deputy"]}

    def test_only_the_consented_notice_opens_in_any_state(self, rendered: str) -> None:
        for title in ("\n7. ", "\n8. "):
            page = rendered.partition(title)[2].partition("\n\n")[2].partition("\n\n")[0].splitlines()[1:]
            marks = [line[matrix.LABEL_WIDTH :].split() for line in page]
            assert [sum(mark == matrix.YES for mark in column) for column in zip(*marks, strict=True)] == [
                1,
                0,
                0,
                0,
            ]
            assert len(marks[0]) == len(NOTICES)

    def test_kinds_and_purposes_are_those_of_the_contract(self) -> None:
        shareable = [name for name, number in common_pb2.Kind.items() if number in range(1, 12)]
        purposes = [name for name, number in common_pb2.Purpose.items() if number]

        assert [name.removeprefix("KIND_") for name in shareable] == list(matrix.KINDS)
        assert [name.removeprefix("PURPOSE_") for name in purposes] == [
            name for name in matrix.PURPOSES if name
        ]
