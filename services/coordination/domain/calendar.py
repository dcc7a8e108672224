"""Dutch working days, in the time zone of the Netherlands."""

from __future__ import annotations

import calendar
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Europe/Amsterdam")
SATURDAY = 5
SUNDAY = 6
# Days from Easter Sunday: Good Friday, Easter Monday, Ascension Day, Whit Monday.
EASTER_OFFSETS = (-2, 1, 39, 50)


def easter(year: int) -> date:
    """Easter Sunday of a Gregorian year. Source: the anonymous algorithm, Nature 13 (1876), 487."""
    golden, (century, rest) = year % 19, divmod(year, 100)
    leap_centuries, century_rest = divmod(century, 4)
    correction = (century - (century + 8) // 25 + 1) // 3
    epact = (19 * golden + century - leap_centuries - correction + 15) % 30
    weekday = (32 + 2 * century_rest + 2 * (rest // 4) - epact - rest % 4) % 7
    shift = (golden + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * shift + 114, 31)
    return date(year, month, day + 1)


def kings_day(year: int) -> date:
    """27 April, or the day before when that is a Sunday."""
    day = date(year, 4, 27)
    return day - timedelta(days=1) if day.weekday() == SUNDAY else day


def holidays(year: int) -> frozenset[date]:
    """The holidays of the Algemene termijnenwet, article 3: Good Friday and every 5 May among them."""
    fixed = (date(year, 1, 1), kings_day(year), date(year, 5, 5), date(year, 12, 25), date(year, 12, 26))
    moving = (easter(year) + timedelta(days=offset) for offset in EASTER_OFFSETS)
    return frozenset((*fixed, *moving))


def is_working_day(day: date) -> bool:
    """Whether offices are open: neither weekend nor holiday."""
    return day.weekday() < SATURDAY and day not in holidays(day.year)


def end_of_working_day(moment: datetime, count: int) -> datetime:
    """The end, in UTC, of the `count`-th working day after the Dutch day of `moment`."""
    day = moment.astimezone(ZONE).date()
    while count:
        day += timedelta(days=1)
        count -= is_working_day(day)
    return datetime.combine(day + timedelta(days=1), time(), ZONE).astimezone(UTC)


def months_later(moment: datetime, count: int) -> datetime:
    """The same Dutch day and time `count` months on, in UTC; or the month's last day when it is shorter."""
    local = moment.astimezone(ZONE)
    year, month0 = divmod(local.year * 12 + local.month - 1 + count, 12)
    day = min(local.day, calendar.monthrange(year, month0 + 1)[1])
    return local.replace(year=year, month=month0 + 1, day=day, fold=0).astimezone(UTC)
