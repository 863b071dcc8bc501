"""Deadlines and windows end when the shop's calendar says so."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.domain.deadline import day_of_window, deadline, is_working_day, window_end
from services.domain.policy import Calendar

# Easter in Berlin: Good Friday, Easter Monday and Labour Day; the clocks change on 29 March 2026.
BERLIN = Calendar(
    zone="Europe/Berlin",
    holidays=(date(2026, 4, 3), date(2026, 4, 6), date(2026, 5, 1)),
    rolls_to_working_day=True,
)
INSTANTS = st.datetimes(datetime(2025, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
PERIODS = st.timedeltas(timedelta(0), timedelta(days=90))
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "Asia/Shanghai", "America/New_York", "Pacific/Apia"])
CALENDARS = st.builds(
    Calendar,
    zone=ZONES,
    weekend=st.sets(st.integers(1, 7), max_size=6).map(tuple),
    rolls_to_working_day=st.booleans(),
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@given(INSTANTS, PERIODS, ZONES)
def test_a_period_runs_by_the_clock_where_nothing_rolls(
    start: datetime, period: timedelta, zone: str
) -> None:
    """Hours are hours, also over a clock change and on a day off."""
    assert deadline(start, period, Calendar(zone=zone)) == start + period


@given(INSTANTS, PERIODS, CALENDARS)
def test_a_deadline_is_never_early_nor_on_a_day_off(
    start: datetime, period: timedelta, calendar: Calendar
) -> None:
    """Rolling only adds, at most the days off there are, and ends on a working day."""
    end = deadline(start, period, calendar)

    assert timedelta(0) <= end - (start + period) < timedelta(days=len(calendar.weekend) + 1, hours=1)
    assert is_working_day(end, calendar) or not calendar.rolls_to_working_day
    assert end.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("start", "days", "end"),
    [
        # Two weeks to Monday: as it is.
        ("2026-03-02T12:00+00:00", 14, "2026-03-16T12:00+00:00"),
        # To Saturday: the last minute of Monday, still winter time.
        ("2026-02-28T12:00+00:00", 14, "2026-03-16T22:59+00:00"),
        # To Good Friday: over the weekend and Easter Monday to Tuesday, summer time.
        ("2026-03-20T12:00+00:00", 14, "2026-04-07T21:59+00:00"),
        # To a holiday on a Friday, at night: it is Saturday in Berlin already, so Monday.
        ("2026-04-17T22:30+00:00", 14, "2026-05-04T21:59+00:00"),
        # Over the clock change to a Sunday that is still Saturday by UTC.
        ("2026-03-21T22:30+00:00", 14, "2026-04-07T21:59+00:00"),
    ],
)
def test_a_period_that_ends_on_a_day_off_ends_with_the_next_working_day(
    start: str, days: int, end: str
) -> None:
    """Regulation 1182/71 art. 3(4), by the shop's own days and clock."""
    assert deadline(at(start), timedelta(days=days), BERLIN) == at(end)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        # The day of delivery is not counted, early or late on it.
        ("2026-03-02T00:00+01:00", "2026-03-17T00:00+01:00"),
        ("2026-03-02T23:59+01:00", "2026-03-17T00:00+01:00"),
        # It is the next day in Berlin already.
        ("2026-03-02T23:30+00:00", "2026-03-18T00:00+01:00"),
        # Over the clock change.
        ("2026-03-24T12:00+01:00", "2026-04-08T00:00+02:00"),
        # The last day is a Saturday.
        ("2026-02-28T12:00+01:00", "2026-03-17T00:00+01:00"),
    ],
)
def test_a_window_counts_whole_local_days(start: str, end: str) -> None:
    """Fourteen days run to the end of the fourteenth after the day of the event."""
    assert window_end(at(start), 14, BERLIN) == at(end)


@given(INSTANTS, st.integers(1, 60), ZONES)
def test_a_window_is_never_shorter_than_its_days(start: datetime, days: int, zone: str) -> None:
    """Nobody loses an hour to a clock change or to the time of day of the delivery."""
    calendar = Calendar(zone=zone)
    end = window_end(start, days, calendar)

    assert timedelta(days=days) - timedelta(hours=1) < end - start
    assert end - start <= timedelta(days=days + 1, hours=1)
    assert day_of_window(start, start, calendar) == 0
    assert day_of_window(start, end, calendar) == days + 1
