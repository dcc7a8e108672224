"""The journal of narrowings: durable lines of ids, torn ends, damage."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from services.kernel.clock import SystemIds
from services.kernel.config import ConfigurationError
from services.kernel.errors import Unavailable
from services.kernel.narrowings import Journal, JournalDamaged, Narrowing, collected, note, read

ONE = Narrowing("ended", {"targets": ["a", "b"]})
TWO = Narrowing("report", {"incident": "incidents/x", "version": 3})


async def journal(folder: Path, *narrowings: Narrowing) -> Path:
    """A journal with a line for each narrowing; returns its file."""
    kept = Journal(folder, "disclosure", SystemIds())
    for each in narrowings:
        await kept.append([each])
    return files(folder)[0]


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


async def test_what_was_kept_is_read_back_with_the_service_it_belongs_to(tmp_path: Path):
    file = await journal(tmp_path, ONE, TWO)

    assert read(tmp_path) == [("disclosure", ONE), ("disclosure", TWO)]
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("cut", range(1, 40, 7))
async def test_a_torn_end_is_left_out(tmp_path: Path, cut: int):
    """I19: its unit never committed."""
    file = await journal(tmp_path, ONE, TWO)

    os.truncate(file, file.stat().st_size - cut)

    assert read(tmp_path) == [("disclosure", ONE)]


async def test_an_end_of_zeros_is_left_out(tmp_path: Path):
    """I19: a file system may have made the file longer before the bytes came."""
    file = await journal(tmp_path, ONE)

    file.write_bytes(file.read_bytes() + b"\0" * 40)

    assert read(tmp_path) == [("disclosure", ONE)]


async def test_damage_anywhere_else_is_an_error(tmp_path: Path):
    """I19: every byte of the first line is flipped in turn."""
    file = await journal(tmp_path, ONE, TWO)
    whole = file.read_bytes()

    for place in range(whole.index(b"\n") + 1):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(JournalDamaged):
            read(tmp_path)


async def test_a_line_that_could_not_be_kept_fails_and_the_next_one_begins_a_file(tmp_path: Path):
    kept = Journal(tmp_path, "disclosure", SystemIds())
    assert kept._file is not None
    os.close(kept._file)

    with pytest.raises(Unavailable):
        await kept.append([ONE])
    await kept.append([TWO])

    assert read(tmp_path) == [("disclosure", TWO)]
    assert len(files(tmp_path)) == 2


def test_a_folder_without_a_journal_is_an_error(tmp_path: Path):
    with pytest.raises(ConfigurationError):
        read(tmp_path)


def test_a_folder_that_is_not_there_refuses_the_start(tmp_path: Path):
    with pytest.raises(ConfigurationError, match="narrowings_dir"):
        Journal(tmp_path / "none", "disclosure", SystemIds())


def test_only_ids_are_kept():
    """I25: no text that a person wrote can get into it."""
    with pytest.raises(ValueError, match="ids only"):
        Narrowing("report", {"incident": "Wat mij overkwam"})


def test_nothing_is_closed_outside_of_a_unit():
    """I19."""
    with pytest.raises(RuntimeError, match="outside of a unit"):
        note("ended", targets=["a"])

    with collected() as noted:
        note("ended", targets=["a", "b"])
    assert noted == [ONE]
