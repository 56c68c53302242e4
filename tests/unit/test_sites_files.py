"""Session files and load profile files: laid on the days of a scenario, and every bad cell named."""

import datetime as dt

import numpy as np
import pytest

from stacking import columns as c
from stacking.errors import StackingError
from stacking.portfolio import Fleet, Load, Portfolio
from stacking.scenario import ScenarioKey, scenario_keys
from stacking.scenario.calendar import clock
from stacking.scenario.session_files import file_forecast, read_sessions
from stacking.scenario.site_files import local_quarters, ticks_of
from stacking.scenario.sites import draw_sites

DAY = dt.date(2025, 3, 11)  # the episode starts on Monday 10 March, 12:00
WHEN = clock(DAY, 2, "Europe/Oslo")
HEAD = "charger,plugin,plugout,energy_kwh"


def replay_key(day=DAY):
    return ScenarioKey("all", "prices", 0, int(f"{day:%Y%m%d}"))


def write(tmp_path, text, name="s.csv"):
    path = tmp_path / name
    path.write_text(text.strip() + "\n", "utf-8")
    return str(path)


def fleet(path, **keys):
    return Portfolio(name="garage", connection_mw=1.0, fleet=Fleet(**{"chargers": 3, "sessions_file": path, **keys}))


def load(path, **keys):
    return Portfolio(name="works", connection_mw=9.0, load=Load(**{"peak_mw": 2.0, "step_mw": 0.1, "profile_file": path, **keys}))


def draw(row, key=None, when=WHEN):
    return draw_sites([key or replay_key()], [when], [row], when.ticks, when.hours)


def point(sites, k):
    return sites.sessions[sites.first[0, k] : sites.first[0, k + 1]]


REPLAYED = f"""
{HEAD}
east,2025-03-10T09:30,2025-03-10T13:00,20
west,2025-03-10T18:05,2025-03-11T07:20,12.5
east,2025-03-10T13:00:00,2025-03-10T15:10,5
east,2025-03-12 22:00,2025-03-13 06:00,8
west,2025-03-08T10:00,2025-03-08T12:00,1
"""


def test_replay_takes_the_scenarios_own_dates(tmp_path):
    sites = draw(fleet(write(tmp_path, REPLAYED), charger_mw=0.010))
    east, west = point(sites, 0), point(sites, 1)
    assert len(point(sites, 2)) == 0
    # plugged in 2.5 h before the first tick: of 20 kWh charging at once has done 25
    assert east[0].tolist() == [0.0, 4.0, 0.0, 0.010, 0.0]
    assert east[1].tolist() == [4.0, 13.0, 0.005, 0.010, 0.0]  # leaves at 15:10: there until 15:15
    assert east[2].tolist() == [(12 + 24 + 24 - 2 + 0) * 4, (12 + 24 + 24 + 6) * 4, 0.008, 0.010, 0.0]
    assert east[2, c.DEPARTURE] > WHEN.ticks
    assert west.tolist() == [[24.0, 78.0, 0.0125, 0.010, 0.0]]  # 18:05 counts from 18:00, 07:20 until 07:30


def test_optional_columns(tmp_path):
    text = f"{HEAD},power_kw,v2g_kwh\na,2025-03-10T13:00,2025-03-10T17:00,8,3.7,15\nb,2025-03-10T13:00,2025-03-13T17:00,8,22,0"
    sites = draw(fleet(write(tmp_path, text), v2g_share_frac=0.5))
    assert point(sites, 0).tolist() == [[4.0, 20.0, 0.008, 0.0037, 0.015]]
    assert point(sites, 1)[0, c.POWER_MW] == 0.011
    assert point(sites, 1)[0, c.V2G_MWH] == 0.0


ROW = "a,2025-03-10T13:00,2025-03-10T17:00,8"


@pytest.mark.parametrize(
    ("text", "place", "key", "allowed"),
    [
        (f"{HEAD}\n{ROW}\na,2025-03-10T16:00,2025-03-10T18:00,1", "line 3", "plugin", "2025-03-10T17:00"),
        (f"{HEAD}\na,2025-03-10T13:00,2025-03-10T12:00,8", "line 2", "plugout", "2025-03-10T13:00"),
        (f"{HEAD}\na,2025-03-10T13:00,2025-03-10T13:00,8", "line 2", "plugout", "2025-03-10T13:00"),
        (f"{HEAD}\n{ROW}\nb,2025-03-10T13:00,2025-03-10T14:00,12", "line 3", "energy_kwh", "<= 11 kWh"),
        (f"{HEAD}\na,2025-03-10T13:00,2025-03-10T13:05,1\na,2025-03-10T13:06,2025-03-10T13:10,1", "line 3", "energy_kwh", "<= 0"),
        (f"{HEAD},colour\n{ROW},red", "", "colour", "power_kw (optional)"),
        (f"{HEAD},plugin\n{ROW},x", "", "plugin", "each name once"),
        ("charger,plugin,plugout\na,2025-03-10T13:00,2025-03-10T17:00", "", "energy_kwh", "energy_kwh"),
        (f"{HEAD}\na,2025-03-10T13:00,2025-03-10T17:00,much", "line 2", "energy_kwh", "number"),
        (f"{HEAD}\na,2025-03-10T13:00,2025-03-10T17:00,nan", "line 2", "energy_kwh", "number"),
        (f"{HEAD}\na,2025-03-10T13:00,2025-03-10T17:00,-8", "line 2", "energy_kwh", ">= 0"),
        (f"{HEAD}\na,2025-03-10T13:00,2025-03-10T17:00,", "line 2", "energy_kwh", "number"),
        (f"{HEAD}\n,2025-03-10T13:00,2025-03-10T17:00,1", "line 2", "charger", "name"),
        (f"{HEAD}\na,,2025-03-10T17:00,1", "line 2", "plugin", "local time"),
        (f"{HEAD}\na,13 o'clock,2025-03-10T17:00,1", "line 2", "plugin", "local time"),
        (f"{HEAD}\na,2025-03-10T13:00+01:00,2025-03-10T17:00,1", "line 2", "plugin", "without offset"),
        (f"{HEAD}\na,2025-03-10T13:00,2025-03-10T17:00", "line 2", "cells", "4"),
        (HEAD, "", "charger", "one or more"),
        ("", "", "charger", "charger"),
        (f"{HEAD},power_kw\n{ROW},0", "line 2", "power_kw", "> 0"),
        (f"{HEAD}\n" + "\n".join(f"c{k},2025-03-10T13:00,2025-03-10T17:00,8" for k in range(4)), "line 5", "charger", "3 names"),
        (f"{HEAD}\n{ROW}", "", "days", "2025-03-10 to 2025-03-10"),
    ],
)
def test_bad_session_files_are_named(tmp_path, text, place, key, allowed):
    path = write(tmp_path, text)
    with pytest.raises(StackingError) as error:
        draw(fleet(path))
    assert error.value.place.startswith(path)
    assert place in error.value.place
    assert error.value.key == key
    assert allowed in error.value.allowed
    assert error.value.remedy


def test_other_session_file_errors(tmp_path):
    with pytest.raises(StackingError) as error:
        draw(fleet(str(tmp_path / "none.csv")))
    assert "none.csv" in error.value.place
    with pytest.raises(StackingError) as error:
        draw(fleet(write(tmp_path, REPLAYED), v2g_share_frac=0.1))
    assert error.value.key == "v2g_kwh"
    with pytest.raises(StackingError) as error:
        draw(fleet(write(tmp_path, f"{HEAD}\n{ROW}")), scenario_keys("train", 1)[0])
    assert (error.value.key, error.value.allowed) == ("days", "at least 9 days")


def many_days(count, first=dt.datetime(2024, 1, 1)):
    """A session a day: energy tells the day, the hours are those of an office."""
    rows = [
        f"a,{first + dt.timedelta(days=k, hours=9)},{first + dt.timedelta(days=k, hours=17)},{1 + k / 10:.1f}"
        for k in range(count)
    ]
    return f"{HEAD}\n" + "\n".join(rows)


def test_whole_weeks_are_drawn_for_generated_scenarios(tmp_path):
    path = write(tmp_path, many_days(70))
    row = fleet(path)
    found = set()
    for key in scenario_keys("train", 40):
        sites = draw(row, key)
        x = point(sites, 0)
        assert draw(row, key).sessions.tobytes() == sites.sessions.tobytes()
        days = (x[:, c.ENERGY_MWH] * 1000 - 1) * 10
        assert x[1:, c.ARRIVAL].tolist() == [84.0, 180.0]  # 9:00 of both days; the first car is there at noon
        assert np.diff(days[1:]) == pytest.approx([1])
        assert days[1] % 7 == pytest.approx(1)  # 1 January 2024 is a Monday, the second day of the scenario a Tuesday
        found.add(round(days[1]))
    assert len(found) > 5
    other = fleet(path).model_copy(update={"name": "elsewhere"})
    key = [key for key in scenario_keys("train", 10) if draw(row, key).sessions.tobytes() != draw(other, key).sessions.tobytes()]
    assert key


def test_forecast_of_a_file_knows_the_past_only(tmp_path):
    start = dt.datetime(2025, 3, 10)
    past = many_days(63, start - dt.timedelta(days=63))
    tail = [f"a,2025-03-1{day}T20:00,2025-03-1{day}T23:00,9" for day in (0, 1, 2)]
    over = [f"b,2025-03-09T20:00,2025-03-10T{leaves},9" for leaves in ("00:15", "12:00")]  # when it leaves is not yet known
    one = write(tmp_path, "\n".join([past, *tail, over[0]]))
    two = write(tmp_path, "\n".join([past, tail[2], over[1]]), "t.csv")
    first, second = draw(fleet(one)), draw(fleet(two))
    assert first.sessions.tobytes() != second.sessions.tobytes()
    assert first.fleet_hourly.tobytes() == second.fleet_hourly.tobytes()
    weeks = [
        file_forecast(read_sessions("garage", Fleet(chargers=3, sessions_file=path)), replay_key(), WHEN) for path in (one, two)
    ]
    assert weeks[0] is not None
    assert weeks[1] is not None
    assert np.array_equal(weeks[0], weeks[1])
    at_once = first.fleet_hourly[0, 0, :48, c.AT_ONCE]  # from Monday noon on
    assert at_once[21] > 0.003  # Tuesday 9 h
    assert at_once[32] == 0.0  # Tuesday 20 h
    site = draw(fleet(write(tmp_path, REPLAYED)))  # too little of a past: statistics of the site
    assert site.fleet_hourly[0, 0, 4, c.AT_ONCE] > 0


def test_the_hour_that_the_clock_loses(tmp_path):
    when = clock(dt.date(2025, 3, 30), 1, "Europe/Oslo")
    rows = ("29T12:00,2025-03-29T13:00,1", "30T01:00,2025-03-30T04:00,30", "30T22:00,2025-03-30T23:00,1")
    text = "\n".join([HEAD, *(f"a,2025-03-{row}" for row in rows)])
    x = point(draw(fleet(write(tmp_path, text)), replay_key(when.date[-60].item()), when), 0)
    assert x[1, :3].tolist() == [52.0, 60.0, pytest.approx(0.022)]  # two hours of 11 kW are left of three
    assert x[2, 0] == (12 + 21) * 4
    assert (ticks_of(when, local_quarters(when)) == np.arange(when.ticks)).all()
    back = clock(dt.date(2025, 10, 26), 1, "Europe/Oslo")
    again = ticks_of(back, local_quarters(back))
    assert (again[:60] == np.arange(60)).all()
    assert (again[60:64] == np.arange(56, 60)).all()  # the second 2 h is the first


def profile(count, first=dt.datetime(2025, 3, 10), step=60, value="0.{k:03d}"):
    moments = [f"{first + dt.timedelta(minutes=step * k):%Y-%m-%dT%H:%M},{value.format(k=k % 1000)}" for k in range(count)]
    return "time,mw\n" + "\n".join(moments)


def test_a_profile_is_replayed(tmp_path):
    sites = draw(load(write(tmp_path, profile(72))))
    hours = np.arange(12, 72) / 1000
    assert sites.load_mw[0, 0].tolist() == np.repeat(hours, 4).tolist()
    quarters = draw(load(write(tmp_path, profile(72 * 4, step=15), "q.csv")))
    assert quarters.load_mw[0, 0].tolist() == (np.arange(48, 288) / 1000).tolist()
    assert (quarters.load_hourly == sites.load_hourly).all()  # no past: mean of the pattern


def test_weeks_of_a_profile_are_drawn(tmp_path):
    row = load(write(tmp_path, profile(24 * 56, dt.datetime(2024, 1, 1))))
    starts = {float(draw(row, key).load_mw[0, 0, 0]) for key in scenario_keys("train", 30)}
    assert starts <= {round((12 + 168 * k) % 1000 / 1000, 3) for k in range(8)}
    assert len(starts) > 4
    forecasts = {draw(row, key).load_hourly.tobytes() for key in scenario_keys("train", 5)}
    assert len(forecasts) == 1


@pytest.mark.parametrize(
    ("text", "place", "key", "allowed"),
    [
        (profile(72) + "\n2025-03-13T00:00,2.5", "line 74", "mw", "<= 2 MW"),
        (profile(72) + "\n2025-03-13T00:00,-1", "line 74", "mw", ">= 0"),
        (profile(72) + "\n2025-03-13T00:00,", "line 74", "mw", "number"),
        (profile(72) + "\n2025-03-12T00:00,1", "line 74", "time", "later than 2025-03-12T23:00"),
        (profile(72) + "\n2025-03-13T00:07,1", "line 74", "time", "minute 0, 15"),
        (profile(72, step=30), "", "time", "15 or 60"),
        (profile(1), "", "time", "15 or 60"),
        (profile(30), "", "days", "2025-03-10 to 2025-03-11"),
        (profile(70), "", "time", "a row for every"),
        (profile(72).replace("mw", "kw", 1), "", "kw", "time, mw"),
    ],
)
def test_bad_profiles_are_named(tmp_path, text, place, key, allowed):
    path = write(tmp_path, text)
    with pytest.raises(StackingError) as error:
        draw(load(path))
    assert error.value.place.startswith(path)
    assert place in error.value.place
    assert error.value.key == key
    assert allowed in error.value.allowed
    assert error.value.remedy


def test_a_file_is_read_again_when_it_has_changed(tmp_path):
    path = write(tmp_path, profile(72))
    before = draw(load(path)).load_mw
    write(tmp_path, profile(72, value="1.{k:03d}0"))
    assert (draw(load(path)).load_mw > before).all()
