"""Dutch working days: holidays that move, the ends of years and months, the days the clock is changed."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from services.coordination.domain.calendar import (
    ZONE,
    easter,
    end_of_working_day,
    holidays,
    is_working_day,
    kings_day,
    months_later,
)


def local(year: int, month: int, day: int, hour: int = 10) -> datetime:
    return datetime(year, month, day, hour, tzinfo=ZONE)


@pytest.mark.parametrize(
    ("year", "day"),
    [
        (1961, date(1961, 4, 2)),
        (2000, date(2000, 4, 23)),
        (2008, date(2008, 3, 23)),
        (2025, date(2025, 4, 20)),
        (2026, date(2026, 4, 5)),
        (2027, date(2027, 3, 28)),
        (2038, date(2038, 4, 25)),
        (2285, date(2285, 3, 22)),
    ],
)
def test_easter_falls_where_almanacs_have_it(year: int, day: date) -> None:
    assert easter(year) == day


def test_kings_day_moves_to_saturday_when_it_would_be_a_sunday() -> None:
    assert kings_day(2026) == date(2026, 4, 27)
    assert kings_day(2025) == date(2025, 4, 26)
    assert not is_working_day(date(2026, 4, 27))


def test_the_holidays_of_2026_are_those_of_the_law() -> None:
    assert sorted(holidays(2026)) == [
        date(2026, 1, 1),
        date(2026, 4, 3),  # Good Friday
        date(2026, 4, 6),  # Easter Monday
        date(2026, 4, 27),  # King's Day
        date(2026, 5, 5),
        date(2026, 5, 14),  # Ascension Day
        date(2026, 5, 25),  # Whit Monday
        date(2026, 12, 25),
        date(2026, 12, 26),
    ]


def test_a_working_day_is_neither_weekend_nor_holiday() -> None:
    assert is_working_day(date(2026, 11, 23))
    assert not is_working_day(date(2026, 11, 21))
    assert not is_working_day(date(2026, 11, 22))
    assert not is_working_day(date(2026, 5, 5))


def test_the_day_itself_does_not_count_and_the_last_day_counts_whole() -> None:
    assert end_of_working_day(local(2026, 11, 23), 3) == local(2026, 11, 27, 0)


def test_weekends_are_stepped_over() -> None:
    assert end_of_working_day(local(2026, 11, 20), 1) == local(2026, 11, 24, 0)
    assert end_of_working_day(local(2026, 11, 21), 1) == local(2026, 11, 24, 0)


def test_easter_takes_friday_and_monday() -> None:
    # Thursday 2 April 2026; the next working day is Tuesday 7 April.
    assert end_of_working_day(local(2026, 4, 2), 1) == local(2026, 4, 8, 0)


def test_kings_day_is_stepped_over() -> None:
    # Friday 24 April 2026; Monday 27 is King's Day, Tuesday is the first working day.
    assert end_of_working_day(local(2026, 4, 24), 1) == local(2026, 4, 29, 0)


def test_the_end_of_the_year_is_stepped_over() -> None:
    # Thursday 24 December 2026; Christmas, a weekend, then Monday to Thursday, then New Year's Day.
    assert end_of_working_day(local(2026, 12, 24), 5) == local(2027, 1, 5, 0)


def test_the_dutch_day_decides_not_the_one_of_greenwich() -> None:
    # 23:30 UTC on Monday is Tuesday in the Netherlands.
    late = datetime(2026, 11, 23, 23, 30, tzinfo=UTC)

    assert end_of_working_day(late, 1) == local(2026, 11, 26, 0)


def test_a_clock_over_the_change_to_winter_time_ends_at_dutch_midnight() -> None:
    # Winter time begins on Sunday 25 October 2026.
    due = end_of_working_day(local(2026, 10, 23), 1)

    assert due == datetime(2026, 10, 26, 23, 0, tzinfo=UTC)


def test_a_clock_over_the_change_to_summer_time_ends_at_dutch_midnight() -> None:
    # Summer time begins on Sunday 29 March 2026.
    due = end_of_working_day(local(2026, 3, 27), 1)

    assert due == datetime(2026, 3, 30, 22, 0, tzinfo=UTC)


def test_months_keep_the_dutch_time_of_day_over_the_change_of_the_clock() -> None:
    assert months_later(local(2026, 1, 15), 3) == local(2026, 4, 15)
    assert months_later(local(2026, 1, 15), 3) == datetime(2026, 4, 15, 8, tzinfo=UTC)


def test_months_stop_at_the_end_of_a_shorter_month_and_pass_the_year() -> None:
    assert months_later(local(2026, 11, 30), 3) == local(2027, 2, 28)
    assert months_later(local(2027, 11, 30), 3) == local(2028, 2, 29)
    assert months_later(local(2026, 12, 31), 12) == local(2027, 12, 31)
