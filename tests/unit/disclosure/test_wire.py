"""Between the wire and the domain: which moments are one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from services.disclosure.usecases import wire
from services.kernel.errors import InvalidArgument

LAST = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "nanos", "moment"),
    [
        (0, 0, datetime(1970, 1, 1, tzinfo=UTC)),
        (0, 1000, datetime(1970, 1, 1, microsecond=1, tzinfo=UTC)),
        (wire.LAST_SECOND, 0, LAST),
        (wire.LAST_SECOND, 999_999_000, LAST + timedelta(microseconds=999_999)),
    ],
)
def test_a_moment_is_read_and_written_to_the_microsecond(seconds: int, nanos: int, moment: datetime) -> None:
    assert wire.moment(Timestamp(seconds=seconds, nanos=nanos)) == moment
    assert wire.stamp(moment) == Timestamp(seconds=seconds, nanos=nanos)


@pytest.mark.parametrize(
    ("seconds", "nanos"),
    [(-1, 0), (wire.LAST_SECOND + 1, 0), (0, -1000), (0, 10**9), (0, 1), (0, 999_999_999)],
)
def test_what_no_datetime_holds_is_no_moment(seconds: int, nanos: int) -> None:
    with pytest.raises(InvalidArgument, match=r"^PERIOD_MISMATCH$"):
        wire.moment(Timestamp(seconds=seconds, nanos=nanos))
