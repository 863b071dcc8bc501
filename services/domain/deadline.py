"""Deadlines: a period from an instant, moved to a working day where the policy's calendar says so."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from services.domain.policy import Calendar


def deadline(start: datetime, period: timedelta, calendar: Calendar) -> datetime:
    """Return when ``period`` from ``start`` is over, in UTC.

    Where the calendar rolls, a period that would end on a day off ends with the last minute of the next
    working day instead (as Regulation 1182/71 art. 3(4) has it for the EU).
    """
    end = start.astimezone(UTC) + period
    if not calendar.rolls_to_working_day or is_working_day(end, calendar):
        return end
    last = _working_day_from(_local_day(end, calendar), calendar)
    return datetime.combine(last, time(23, 59), ZoneInfo(calendar.zone)).astimezone(UTC)


def window_end(start: datetime, days: int, calendar: Calendar) -> datetime:
    """Return when the last of ``days`` whole local days after the day of ``start`` is over, in UTC.

    The day of the event itself is not counted, and a last day off is followed by the next working day where
    the calendar rolls (Regulation 1182/71 art. 3; CCR 2013 reg. 30: "14 days after the day on which"; the
    Chinese seven days run from the day after the signature).
    """
    last = _working_day_from(_local_day(start, calendar) + timedelta(days=days), calendar)
    return datetime.combine(last + timedelta(days=1), time(), ZoneInfo(calendar.zone)).astimezone(UTC)


def day_of_window(start: datetime, now: datetime, calendar: Calendar) -> int:
    """Return which local day after the day of ``start`` it is at ``now``: 0 on that day itself."""
    return (_local_day(now, calendar) - _local_day(start, calendar)).days


def is_working_day(instant: datetime, calendar: Calendar) -> bool:
    """Tell whether the shop works on the local day of ``instant``."""
    return not _is_day_off(_local_day(instant, calendar), calendar)


def _local_day(instant: datetime, calendar: Calendar) -> date:
    return instant.astimezone(ZoneInfo(calendar.zone)).date()


def _working_day_from(day: date, calendar: Calendar) -> date:
    """Return ``day``, or where the calendar rolls the first working day from it."""
    while calendar.rolls_to_working_day and _is_day_off(day, calendar):
        day += timedelta(days=1)
    return day


def _is_day_off(day: date, calendar: Calendar) -> bool:
    return day.isoweekday() in calendar.weekend or day in calendar.holidays
