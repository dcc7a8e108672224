"""The doorbell wakes whom it should, and keeps nothing of streams that ended."""

from __future__ import annotations

from services.coordination.usecases.doorbell import Doorbell


def test_it_wakes_every_stream_of_the_reader_and_no_other() -> None:
    bell = Doorbell()
    with (
        bell.listening("persons/a") as first,
        bell.listening("persons/a") as second,
        bell.listening("persons/b") as other,
    ):
        bell.ring("persons/a")

        assert first.is_set()
        assert second.is_set()
        assert not other.is_set()


def test_a_stream_that_ended_leaves_nothing_behind() -> None:
    bell = Doorbell()
    with bell.listening("persons/a"):
        with bell.listening("persons/a"):
            pass
        assert len(bell._listeners["persons/a"]) == 1

    bell.ring("persons/a")
    assert not bell._listeners


def test_closing_wakes_everyone() -> None:
    bell = Doorbell()
    with bell.listening("persons/a") as first, bell.listening("persons/b") as second:
        bell.close()

        assert bell.is_closing
        assert first.is_set()
        assert second.is_set()
