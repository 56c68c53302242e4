"""The clock of an episode, by hand and against the time zone database tick by tick."""

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from stacking import columns as c
from stacking.errors import StackingError
from stacking.scenario.calendar import clock

OSLO = "Europe/Oslo"


@pytest.mark.parametrize(
    ("first", "days", "ticks"),
    [
        (dt.date(2025, 6, 2), 7, 48 + 96 * 7),
        (dt.date(2025, 3, 30), 1, 48 + 92),
        (dt.date(2025, 10, 26), 1, 48 + 100),
        (dt.date(2025, 3, 31), 1, 48 + 96),  # the change lies in the night before noon of the eve
        (dt.date(2025, 10, 23), 7, 48 + 96 * 6 + 100),
    ],
)
def test_length_with_and_without_clock_change(first, days, ticks):
    now = clock(first, days, OSLO)
    assert now.ticks == ticks
    assert now.hours == ticks // 4 + 48
    assert now.start == dt.datetime(first.year, first.month, first.day, 12, tzinfo=ZoneInfo(OSLO)) - dt.timedelta(days=1)


def test_gates_and_publications_of_an_ordinary_day_by_hand():
    table = clock(dt.date(2025, 6, 2), 2, OSLO).table
    gates = np.flatnonzero(table[:, c.DA_FIRST] >= 0)
    assert gates.tolist() == [0, 96]  # noon of the eve and of the first day; the day after the end has no gate
    assert table[gates, c.DA_FIRST].tolist() == [48, 144]
    assert table[gates, c.DA_COUNT].tolist() == [96, 96]
    known = table[:, c.KNOWN_HOURS]
    assert known[[0, 3, 4, 8, 47]].tolist() == [12, 12, 35, 34, 25]
    assert known[[48, 51, 52, 95, 96, 99, 100]].tolist() == [24, 24, 23, 13, 12, 12, 35]
    assert known[-1] == 25  # the day after the end was published at 13:00
    assert table[[0, 47, 48, 95, 96], c.NEXT_DAY_HOURS].tolist() == [36, 25, 48, 37, 36]
    before_noon = table[48:96, c.NEXT_DAY_FORECAST]
    assert set(before_noon) == {c.DA_MIDNIGHT}
    assert set(table[96:144, c.NEXT_DAY_FORECAST]) == {c.DA_NOON}
    assert table[:6, c.QUARTER].tolist() == [0, 1, 2, 3, 0, 1]


@pytest.mark.parametrize(("day", "quarters"), [(dt.date(2025, 3, 30), 92), (dt.date(2025, 10, 26), 100)])
def test_gates_and_publications_around_a_clock_change(day, quarters):
    table = clock(day, 2, OSLO).table
    assert table[0, [c.DA_FIRST, c.DA_COUNT]].tolist() == [48, quarters]
    noon = 48 + quarters - 48  # noon lies 12 hours before the end of the day
    assert table[noon, [c.DA_FIRST, c.DA_COUNT]].tolist() == [48 + quarters, 96]
    assert table[4, c.KNOWN_HOURS] == 11 + quarters // 4
    assert table[48, c.KNOWN_HOURS] == quarters // 4
    assert table[48, c.NEXT_DAY_HOURS] == quarters // 4 + 24
    assert table[:, c.KNOWN_HOURS].max() <= c.FORECAST_HOURS


@pytest.mark.parametrize("zone", ["Europe/Oslo", "America/New_York", "Australia/Adelaide", "Asia/Kolkata", "UTC"])
@pytest.mark.parametrize("first", [dt.date(2025, 3, 28), dt.date(2025, 10, 3), dt.date(2025, 10, 25), dt.date(2024, 12, 30)])
def test_every_tick_against_the_zone_data_base(zone, first):
    now, info = clock(first, 7, zone), ZoneInfo(zone)
    cycles = now.cycles()
    for tick in range(now.ticks):
        local = (now.start + dt.timedelta(minutes=15 * tick)).astimezone(info)
        angle = 2 * np.pi * (local.hour + local.minute / 60) / 24
        assert cycles[tick, 0] == pytest.approx(np.sin(angle), abs=1e-12)
        assert cycles[tick, 1] == pytest.approx(np.cos(angle), abs=1e-12)
        assert cycles[tick, 4] == (local.weekday() >= 5)
        assert now.table[tick, c.QUARTER] == local.minute // 15
        assert now.month[tick // 4] == local.month
        published = 1 if local.hour >= 13 else 0
        midnight = dt.datetime.combine(local.date() + dt.timedelta(days=1 + published), dt.time(), info)
        hour_start = local.replace(minute=0)
        assert now.table[tick, c.KNOWN_HOURS] * 3600 == midnight.timestamp() - hour_start.timestamp()
    end = (now.start + dt.timedelta(minutes=15 * now.ticks)).astimezone(info)
    assert (end.date(), end.hour, end.minute) == (first + dt.timedelta(days=7), 0, 0)


def test_no_hour_is_read_from_a_forecast_made_later():
    """Hours after the next day are read from the forecast made at noon: they come into view from noon on only."""
    for first in (dt.date(2025, 3, 28), dt.date(2025, 6, 2), dt.date(2025, 10, 24)):
        now = clock(first, 7, OSLO)
        beyond = now.table[:, c.NEXT_DAY_HOURS] < c.FORECAST_HOURS
        hour = now.hour[np.arange(now.ticks) // 4]
        assert beyond.any()
        assert (hour[beyond] >= 12).all()


@pytest.mark.parametrize(
    ("zone", "first"),
    [
        ("Europe/Olso", dt.date(2025, 6, 2)),
        ("", dt.date(2025, 6, 2)),
        ("../etc/passwd", dt.date(2025, 6, 2)),
        ("Australia/Lord_Howe", dt.date(2025, 4, 6)),
        ("Pacific/Apia", dt.date(2011, 12, 30)),
    ],
)
def test_zones_that_cannot_be_used(zone, first):
    with pytest.raises(StackingError) as caught:
        clock(first, 1, zone)
    assert caught.value.key == "timezone"
