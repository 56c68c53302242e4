"""The clock of one episode: local days, gates of the day-ahead market and what is published when.

An episode starts at 12:00 local on the day before its first delivery day and ends at 24:00 local of its last one.
Days have 92, 96 or 100 quarter hours; ticks and hours are counted from the start, in UTC.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from .. import columns as c
from ..errors import StackingError
from ..units import MTU_MIN, MTU_PER_HOUR

TAIL_HOURS = 48
"""Hours after the last tick that the hourly series hold, so that a forecast of 36 hours always ends inside."""

NOON_TO_RESULT = MTU_PER_HOUR
"""Ticks from the day-ahead gate (12:00 local) to the publication of its result (13:00 local)."""

DAY_TICKS = (92, 96, 100)
"""MTU of a local day: with a change to summer time, without a change, with a change back."""

_UTC = dt.UTC
_DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Clock:
    """Local time of every hour and the calendar of every tick of one episode."""

    start: dt.datetime  # first tick, UTC
    ticks: int  # MTU of the episode, L
    next_day_ticks: int  # MTU of the local day after the end
    hour: NDArray[np.int64]  # (H,) local wall-clock hour 0..23
    day: NDArray[np.int64]  # (H,) local days since the day of the first tick
    date: NDArray[np.datetime64]  # (H,) local date
    table: NDArray[np.int64]  # (L, CALENDAR_W)

    @property
    def hours(self) -> int:
        """Return the number of hours H that the hourly series hold."""
        return len(self.hour)

    @property
    def month(self) -> NDArray[np.int64]:
        """Return the local month 1..12 of every hour."""
        return self.date.astype("datetime64[M]").astype(np.int64) % 12 + 1

    @property
    def weekend(self) -> NDArray[np.bool_]:
        """Return whether each hour lies on a Saturday or Sunday."""
        return (self.date.astype("datetime64[D]").astype(np.int64) + 3) % 7 >= 5

    def cycles(self) -> NDArray[np.float64]:
        """Return sine and cosine of the local hour and of the year, and the weekend flag, (L, 5)."""
        tick = np.arange(self.ticks)
        hour = tick // MTU_PER_HOUR
        day_angle = 2 * np.pi * (self.hour[hour] + tick % MTU_PER_HOUR / MTU_PER_HOUR) / 24
        first = self.date.astype("datetime64[Y]").astype("datetime64[D]")
        year_angle = 2 * np.pi * ((self.date - first).astype(np.int64) / 365.25)[hour]
        parts = (np.sin(day_angle), np.cos(day_angle), np.sin(year_angle), np.cos(year_angle))
        return np.stack([*parts, self.weekend[hour].astype(np.float64)], axis=1)


def time_zone(name: str) -> ZoneInfo:
    """Return the time zone of an IANA name.

    Raises:
        StackingError: if it is unknown.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError, TypeError, AttributeError) as error:
        raise StackingError(
            "Unknown time zone.",
            place="scenario",
            key="timezone",
            value=name,
            allowed="an IANA name such as Europe/Oslo",
            remedy="Check the spelling; on a machine without time zone data install `tzdata`.",
        ) from error


def local_midnight(date: dt.date, zone: ZoneInfo) -> dt.datetime:
    """Return the first instant of a local day, in UTC."""
    return dt.datetime(date.year, date.month, date.day, tzinfo=zone).astimezone(_UTC)


def episode_start(first_day: dt.date, zone: ZoneInfo) -> dt.datetime:
    """Return 12:00 local on the day before the first delivery day, in UTC."""
    eve = first_day - _DAY
    return dt.datetime(eve.year, eve.month, eve.day, 12, tzinfo=zone).astimezone(_UTC)


@lru_cache(maxsize=512)
def clock(first_day: dt.date, days: int, timezone: str) -> Clock:
    """Return the clock of the episode whose first delivery day is ``first_day``.

    Ticks = 48 + 96 days, less 4 for each change to summer time inside, plus 4 for each change back.

    Raises:
        StackingError: for an unknown zone, or one whose clock changes by other than whole hours inside the episode.
    """
    zone = time_zone(timezone)
    start = episode_start(first_day, zone)
    # tick of the first instant of each local day, from the day before delivery to the second day after the end
    edges = [_tick(local_midnight(first_day + k * _DAY, zone), start) for k in range(-1, days + 3)]
    ticks = edges[days + 1]
    hours = ticks // MTU_PER_HOUR + TAIL_HOURS
    if any(after - before not in DAY_TICKS for before, after in pairwise(edges)):
        raise StackingError(
            "This zone has a day inside the episode that is not 23, 24 or 25 hours long.",
            place="scenario",
            key="timezone",
            value=f"{timezone}, {first_day}, {days} days",
            allowed="days of 92, 96 or 100 quarter hours",
            remedy="Use another zone or other days.",
        )
    local = [(start + dt.timedelta(hours=h)).astimezone(zone) for h in range(hours)]
    date = np.array([f"{moment:%Y-%m-%d}" for moment in local], dtype="datetime64[D]")
    noons = [_tick(episode_start(first_day + k * _DAY, zone), start) for k in range(days + 1)]
    return Clock(
        start=start,
        ticks=ticks,
        next_day_ticks=edges[days + 2] - edges[days + 1],
        hour=np.array([moment.hour for moment in local], dtype=np.int64),
        day=(date - date[0]).astype(np.int64),
        date=date,
        table=_calendar(ticks, edges, noons, [moment.hour for moment in local]),
    )


def _tick(moment: dt.datetime, start: dt.datetime) -> int:
    return int((moment - start).total_seconds()) // (MTU_MIN * 60)


def _calendar(ticks: int, edges: list[int], noons: list[int], hours: list[int]) -> NDArray[np.int64]:
    """Fill the calendar columns; day k lies between edges[k] and edges[k + 1], its noon is noons[k]."""
    table = np.zeros((ticks, c.CALENDAR_W), dtype=np.int64)
    tick = np.arange(ticks)
    hour_start = tick - tick % MTU_PER_HOUR
    table[:, c.QUARTER] = tick % MTU_PER_HOUR
    table[:, c.HOUR_OF_DAY] = np.array(hours)[tick // MTU_PER_HOUR]
    table[:, c.DA_FIRST] = -1
    table[:, c.NEXT_DAY_FORECAST] = c.DA_MIDNIGHT
    for day, noon in enumerate(noons):
        now = slice(max(edges[day], 0), edges[day + 1])
        after_noon, after_result = slice(noon, edges[day + 1]), slice(noon + NOON_TO_RESULT, edges[day + 1])
        table[now, c.DAY_LEFT] = edges[day + 1] - tick[now]
        table[now, c.KNOWN_HOURS] = (edges[day + 1] - hour_start[now]) // MTU_PER_HOUR
        table[after_result, c.KNOWN_HOURS] = (edges[day + 2] - hour_start[after_result]) // MTU_PER_HOUR
        table[now, c.NEXT_DAY_HOURS] = (edges[day + 2] - hour_start[now]) // MTU_PER_HOUR
        table[after_noon, c.NEXT_DAY_FORECAST] = c.DA_NOON
        if edges[day + 1] < ticks:
            table[noon, c.DA_FIRST], table[noon, c.DA_COUNT] = edges[day + 1], edges[day + 2] - edges[day + 1]
    return table
