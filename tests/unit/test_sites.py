"""Fleets and loads of scenarios: feasible sessions without overlap, independent draws, forecasts without look ahead."""

import datetime as dt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stacking import columns as c
from stacking.errors import StackingError
from stacking.portfolio import Fleet, Load, Pattern, Portfolio
from stacking.scenario import ScenarioKey, scenario_keys
from stacking.scenario.calendar import clock
from stacking.scenario.profiles import logistic_scores
from stacking.scenario.sessions import charging_mw, draw_sessions, site_forecast
from stacking.scenario.site_parameters import SITES_FILE, load_site_parameters, site_origins
from stacking.scenario.site_tables import LONGEST, WEEK, site_tables, week_hours
from stacking.scenario.sites import Sites, draw_sites, no_sites

SITES = ("home", "work", "public", "depot")
PATTERNS = ("steel", "two_shift", "cold_store", "continuous")
DAYS = (dt.date(2025, 3, 11), dt.date(2025, 3, 28), dt.date(2025, 10, 24), dt.date(2025, 7, 5))  # two with a clock change


def fleet_row(name, site="home", **keys):
    return Portfolio(name=name, connection_mw=5.0, fleet=Fleet(**{"chargers": 10, "site": site, **keys}))


def load_row(name, profile: Pattern = "steel", peak_mw=2.0):
    return Portfolio(name=name, connection_mw=5.0, load=Load(peak_mw=peak_mw, step_mw=0.1, profile=profile))


def draw(rows, count=4, keys=None, days=DAYS):
    keys = keys or scenario_keys("train", count)
    clocks = [clock(day, 7, "Europe/Oslo") for day, _ in zip(days, keys, strict=False)]
    return draw_sites(keys, clocks, rows, max(k.ticks for k in clocks), max(k.hours for k in clocks))


def by_point(sites: Sites, s: int, point: int):
    return sites.sessions[sites.first[s, point] : sites.first[s, point + 1]]


def check_sessions(sites: Sites, rows, lengths):
    """Every session possible, sessions of a point in order and apart."""
    charger_mw = np.concatenate([[row.fleet.charger_mw] * row.fleet.chargers for row in rows if row.fleet])
    assert sites.first.shape == (len(lengths), len(charger_mw) + 1)
    assert sites.first[0, 0] == 0
    assert sites.first[-1, -1] == len(sites.sessions)
    for s, ticks in enumerate(lengths):
        for point, most_mw in enumerate(charger_mw):
            x = by_point(sites, s, point)
            stay_h = (x[:, c.DEPARTURE] - x[:, c.ARRIVAL]) / 4
            assert (stay_h > 0).all()
            assert (x[1:, c.ARRIVAL] >= x[:-1, c.DEPARTURE]).all()
            assert (x[:, c.ARRIVAL] >= 0).all()
            assert (x[:, c.ARRIVAL] < ticks).all()
            assert (x[:, c.POWER_MW] > 0).all()
            assert (x[:, c.POWER_MW] <= most_mw).all()
            assert (x[:, c.ENERGY_MWH] >= 0).all()
            assert (x[:, c.ENERGY_MWH] <= x[:, c.POWER_MW] * stay_h * (1 + 1e-12)).all()
            assert (x[:, c.V2G_MWH] >= 0).all()
            assert (x[:, [c.ARRIVAL, c.DEPARTURE]] % 1 == 0).all()
    assert np.isfinite(sites.sessions).all()


@settings(max_examples=60)
@given(
    site=st.sampled_from(SITES),
    charger_mw=st.floats(0.001, 0.3),
    share=st.floats(0, 1),
    depth=st.floats(0, 1),
    chargers=st.integers(1, 12),
    episode=st.integers(0, 10_000),
    day=st.integers(0, 364),
    days=st.integers(1, 9),
)
def test_every_drawn_session_is_possible(site, charger_mw, share, depth, chargers, episode, day, days):
    rows = [fleet_row("a", site, charger_mw=charger_mw, v2g_share_frac=share, v2g_depth_frac=depth, chargers=chargers)]
    when = clock(dt.date(2025, 1, 2) + dt.timedelta(days=day), days, "Europe/Oslo")
    sites = draw_sites([ScenarioKey("train", "generated", 0, episode)], [when], rows, when.ticks, when.hours)
    check_sessions(sites, rows, [when.ticks])


def test_a_key_gives_the_same_bytes_alone_and_in_a_batch():
    rows = [fleet_row("a"), load_row("b"), fleet_row("c", "depot"), fleet_row("d", "public"), load_row("e", "cold_store")]
    keys, clocks = scenario_keys("train", 4), [clock(day, 7, "Europe/Oslo") for day in DAYS]
    batch = draw(rows)
    for s in range(4):
        alone = draw_sites([keys[s]], [clocks[s]], rows, clocks[s].ticks, clocks[s].hours)
        inside = batch.sessions[batch.first[s, 0] : batch.first[s, -1]]
        assert alone.sessions.tobytes() == inside.tobytes()
        assert len(inside) > 50
        assert (alone.first[0] == batch.first[s] - batch.first[s, 0]).all()
        assert alone.load_mw[0].tobytes() == batch.load_mw[s, :, : clocks[s].ticks].tobytes()
        assert alone.load_hourly[0].tobytes() == batch.load_hourly[s, :, : clocks[s].hours].tobytes()
        assert alone.fleet_hourly[0].tobytes() == batch.fleet_hourly[s, :, : clocks[s].hours].tobytes()
        assert (batch.load_mw[s, :, clocks[s].ticks :] == 0).all()
    assert batch.sessions[: batch.first[0, -1]].tobytes() != batch.sessions[batch.first[1, 0] : batch.first[1, -1]].tobytes()


def test_draws_of_a_portfolio_hang_on_its_name_only():
    one, other = fleet_row("mine", "public", chargers=7), load_row("works")
    crowd = [fleet_row("w", "home", chargers=5), fleet_row("x", "public", chargers=35), load_row("y", "continuous"), one, other]
    alone, among = draw([one, other]), draw(crowd)
    for s in range(4):
        for point in range(7):
            assert by_point(alone, s, point).tobytes() == by_point(among, s, 40 + point).tobytes()
    assert alone.load_mw[:, 0].tobytes() == np.ascontiguousarray(among.load_mw[:, 1]).tobytes()
    assert alone.fleet_hourly[:, 0].tobytes() == np.ascontiguousarray(among.fleet_hourly[:, 2]).tobytes()
    renamed = draw([fleet_row("yours", "public", chargers=7), load_row("mills")])
    assert renamed.sessions.tobytes() != alone.sessions.tobytes()
    assert renamed.load_mw.tobytes() != alone.load_mw.tobytes()


@pytest.mark.parametrize("site", SITES)
def test_the_first_tick_is_like_any_other(site):
    """Cars that are there at the start: as many as the steady state has, also a week later, and some leave behind the end."""
    points, ticks = 3000, np.arange(3 * WEEK) % WEEK
    fleet = Fleet(chargers=points, site=site)
    point, x = draw_sessions(scenario_keys("train", 1)[0], ticks, site, [("a", fleet)], load_site_parameters())
    there = [np.mean((x[:, c.ARRIVAL] <= t) & (x[:, c.DEPARTURE] > t)) * len(x) / points for t in (0, WEEK, 2 * WEEK)]
    tables = site_tables(site, load_site_parameters())
    expected = tables.occupied[0] + tables.wanted[0]
    assert there == pytest.approx([expected] * 3, abs=4 * np.sqrt(expected * (1 - expected) / points) + 1e-3)
    arrivals = np.bincount(x[x[:, c.ARRIVAL] > 0, c.ARRIVAL].astype(int) // (WEEK // 7), minlength=21).reshape(3, 7) / points
    assert arrivals.sum(axis=1) == pytest.approx([float(getattr(load_site_parameters(), site).sessions_per_week)] * 3, rel=0.05)
    assert (x[:, c.DEPARTURE] > len(ticks)).any()
    assert len(np.unique(point)) > 0.99 * points


def means(site, **keys):
    ticks = np.arange(4 * WEEK) % WEEK
    fleet = Fleet(chargers=2500, site=site, **keys)
    _, x = draw_sessions(scenario_keys("test", 1)[0], ticks, site, [("a", fleet)], load_site_parameters())
    x = x[x[:, c.ARRIVAL] >= WEEK]
    return (x[:, c.DEPARTURE] - x[:, c.ARRIVAL]) / 4, x[:, c.ENERGY_MWH] * 1000, x


def test_home_is_like_norway():
    stay_h, energy_kwh, x = means("home")
    assert energy_kwh.mean() == pytest.approx(12.65, rel=0.04)
    assert stay_h.mean() == pytest.approx(12.66, rel=0.04)
    assert np.quantile(energy_kwh, [0.25, 0.5, 0.75, 0.95]) == pytest.approx([5.16, 9.03, 16.41, 36.34], rel=0.06)
    assert np.quantile(stay_h, [0.25, 0.5, 0.75, 0.95]) == pytest.approx([3.45, 11.20, 15.91, 37.55], rel=0.06)
    assert len(x) / 2500 / 3 == pytest.approx(2.68, rel=0.03)
    assert 0.08 < np.corrcoef(stay_h, energy_kwh)[0, 1] < 0.2
    hour = x[:, c.ARRIVAL].astype(int) % WEEK // 4
    shares = np.bincount(hour[hour < 120] % 24, minlength=24) / (hour < 120).sum()
    assert shares[[3, 8, 16, 20]] == pytest.approx([0.008, 0.015, 0.124, 0.089], abs=0.006)


@pytest.mark.parametrize(
    ("site", "energy", "stay"),
    [
        ("work", {0.25: 5.4, 0.5: 8.8, 0.75: 16.7, 0.95: 31.9}, {0.25: 2.5, 0.5: 4.9, 0.75: 8.5, 0.95: 13.2}),
        ("public", {0.25: 4.2, 0.5: 7.2, 0.75: 13.8, 0.95: 41.6}, {0.25: 1.7, 0.5: 4.4, 0.75: 12.1, 0.95: 21.7}),
    ],
)
def test_work_and_public_are_like_elaadnl(site, energy, stay):
    stay_h, energy_kwh, _ = means(site)
    assert np.quantile(energy_kwh, list(energy)) == pytest.approx(list(energy.values()), rel=0.1)
    assert np.quantile(stay_h, list(stay)) == pytest.approx(list(stay.values()), rel=0.13)


def test_vans_are_out_by_day_and_in_at_night():
    tables = site_tables("depot", load_site_parameters())
    by_hour = tables.occupied[: 5 * 96].reshape(5, 24, 4)[:, :, 0]
    assert (by_hour[:, 11:14] < 0.01).all()
    assert (by_hour[1:, 0:4] > 0.9).all()
    assert (tables.occupied[5 * 96 : 6 * 96 + 60] > 0.9).all()
    _, energy_kwh, x = means("depot")
    assert 20 < energy_kwh.mean() < 30
    leaves = x[:, c.DEPARTURE].astype(int) % 96 / 4
    assert 4.4 < leaves.min() < leaves.max() < 10.6  # 5 to 10 h and the quarter of the arrival


def test_two_way_cars():
    _, energy_kwh, x = means("home", v2g_share_frac=0.4, v2g_depth_frac=0.25)
    two_way = x[:, c.V2G_MWH] > 0
    assert two_way.mean() == pytest.approx(0.4, abs=0.02)
    batteries = np.array(load_site_parameters().cars.battery_kwh)
    taken = x[two_way, c.V2G_MWH] * 1000
    assert np.isin(taken.round(9), (0.25 * batteries).round(9)).all()
    assert (energy_kwh[two_way] <= 3 * taken + 1e-9).all()  # energy + taken <= battery = taken / 0.25
    assert (means("home")[2][:, c.V2G_MWH] == 0).all()
    fast = means("public", charger_mw=0.15)[2][:, c.POWER_MW]
    assert fast.max() == pytest.approx(0.12)  # direct current: the car's own limit
    assert means("public", charger_mw=0.0037)[2][:, c.POWER_MW].max() == 0.0037


def test_charging_profiles_by_hand():
    x = np.array([[1.0, 9.0, 0.0055, 0.010, 0.0], [6.0, 20.0, 0.0025, 0.010, 0.0], [0.0, 2.0, 0.005, 0.010, 0.0]])
    power = charging_mw(x, 12) * 1000
    assert power[:, c.AT_ONCE] == pytest.approx([10, 20, 10, 2, 0, 0, 10, 0, 0, 0, 0, 0])
    assert power[:, c.LATEST] == pytest.approx([10, 10, 0, 0, 0, 0, 2, 10, 10, 0, 0, 0])


@pytest.mark.parametrize("site", SITES)
def test_the_forecast_is_the_mean_and_the_bounds_hold_the_same_energy(site):
    week = site_forecast(site, 0.011, load_site_parameters())
    assert week.shape == (168, c.FLEET_W)
    assert (week >= 0).all()
    assert week[:, c.AT_ONCE].sum() == pytest.approx(week[:, c.LATEST].sum(), rel=0.03)
    _, x = draw_sessions(
        scenario_keys("test", 1)[0],
        np.arange(3 * WEEK) % WEEK,
        site,
        [("b", Fleet(chargers=3000, site=site))],
        load_site_parameters(),
    )
    real = charging_mw(x, 3 * WEEK + LONGEST)[WEEK : 2 * WEEK].reshape(168, 4, 2).mean(axis=1) / 3000
    assert np.abs(real - week).sum(axis=0) == pytest.approx([0, 0], abs=0.16 * week[:, 0].sum())
    assert real.sum(axis=0) == pytest.approx(week.sum(axis=0), rel=0.04)


def test_forecasts_do_not_look_ahead():
    """Other realised sessions and loads, the same forecast: it hangs on the days and the statistics only."""
    rows = [fleet_row("a", "public"), load_row("b")]
    keys = scenario_keys("train", 2)
    first, second = (draw(rows, keys=[key], days=[DAYS[0]]) for key in keys)
    assert first.sessions.tobytes() != second.sessions.tobytes()
    assert first.load_mw.tobytes() != second.load_mw.tobytes()
    assert first.fleet_hourly.tobytes() == second.fleet_hourly.tobytes()
    assert first.load_hourly.tobytes() == second.load_hourly.tobytes()
    assert first.fleet_hourly.min() >= 0
    when = clock(DAYS[0], 7, "Europe/Oslo")
    week = site_forecast("public", 0.011, load_site_parameters()) * 10
    assert (first.fleet_hourly[0, 0] == week[week_hours(when)]).all()


@pytest.mark.parametrize("profile", PATTERNS)
def test_loads_stay_inside_and_follow_their_statistics(profile):
    days = [dt.date(2025, 1, 7) + dt.timedelta(days=7 * k) for k in range(50)] * 3
    rows, keys = [load_row("a", profile, peak_mw=3.0)], scenario_keys("train", 150)
    clocks = [clock(day, 7, "UTC") for day in days]
    sites = draw_sites(keys, clocks, rows, clocks[0].ticks, clocks[0].hours)
    assert (sites.load_mw >= 0).all()
    assert (sites.load_mw <= 3.0).all()
    at = week_hours(clocks[0])[: clocks[0].ticks // 4]
    p = getattr(load_site_parameters(), profile)
    mw = sites.load_mw[:, 0].reshape(150, -1, 4)
    weekday = mw[:, (at < 120) & (at % 24 == 10)]
    assert weekday.mean() == pytest.approx(3 * p.mean_weekday_frac[10], rel=0.05)
    assert weekday.std() == pytest.approx(3 * p.deviation_weekday_frac[10], rel=0.1)
    forecast = sites.load_hourly[0, 0, : len(at)]
    assert mw.mean(axis=(0, 2)) == pytest.approx(forecast, abs=0.12)
    assert sites.load_hourly.shape == (150, 1, clocks[0].hours)
    ahead, behind = sites.load_mw[:, 0, 1:].ravel(), sites.load_mw[:, 0, :-1].ravel()
    assert np.corrcoef(ahead, behind)[0, 1] > 0.7
    if profile == "steel":
        assert np.corrcoef(ahead, behind)[0, 1] == pytest.approx(0.91, abs=0.03)
        assert sites.load_mw.mean() / 3 == pytest.approx(0.174, rel=0.06)


def test_logistic_scores_have_the_wanted_moments():
    mean, deviation = np.array([0.02, 0.5, 0.9, 0.43]), np.array([0.05, 0.12, 0.03, 0.18])
    middle, slope = logistic_scores(mean, deviation)
    z = np.random.default_rng(0).standard_normal(400_000)
    share = 1 / (1 + np.exp(-(middle[:, None] + slope[:, None] * z)))
    assert share.mean(axis=1) == pytest.approx(mean, rel=0.01)
    assert share.std(axis=1) == pytest.approx(deviation, rel=0.02)


def test_without_fleets_and_loads():
    empty = no_sites(3, 10, 5)
    assert empty.sessions.shape == (0, c.SESSION_W)
    assert empty.first.shape == (3, 1)
    assert empty.fleet_hourly.shape == (3, 0, 5, c.FLEET_W)
    assert empty.load_mw.shape == (3, 0, 10)
    only_load = draw([load_row("a")])
    assert only_load.sessions.shape == (0, c.SESSION_W)
    assert only_load.first.tolist() == [[0]] * 4


@pytest.mark.parametrize(
    ("rows", "ticks", "key"),
    [
        ([fleet_row("a"), load_row("a")], 1000, "name"),
        ([fleet_row("a").model_copy(update={"count": 2})], 1000, "count"),
        ([fleet_row("a")], 3, "ticks"),
    ],
)
def test_bad_calls_are_named(rows, ticks, key):
    when = clock(DAYS[0], 7, "Europe/Oslo")
    with pytest.raises(StackingError) as error:
        draw_sites(scenario_keys("train", 1), [when], rows, ticks, 300)
    assert error.value.key == key
    assert error.value.remedy


def test_parameters_carry_unit_and_origin():
    facts = site_origins()
    assert len(facts) > 60
    assert all(fact["unit"] and fact["origin"] for fact in facts.values())


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("sessions_per_week = { value = 4.75", "sessions_per_week = { value = 5.5", "depot.sessions_per_week"),
        ("dc_from_kw = { value = 22.5", "dc_from_kw = { value = -1.0", "cars.dc_from_kw"),
        ('unit = "kW", origin = "assumed', 'origin = "assumed', "cars.dc_from_kw.unit"),
        ("base_frac = { value = 0.0155", "base_frac = { value = 0.5", "steel"),
    ],
)
def test_bad_parameters_are_named(tmp_path, old, new, key):
    text = SITES_FILE.read_text("utf-8")
    assert old in text
    path = tmp_path / "sites.toml"
    path.write_text(text.replace(old, new, 1), "utf-8")
    when = clock(DAYS[0], 7, "Europe/Oslo")
    with pytest.raises(StackingError) as error:
        draw_sites(scenario_keys("train", 1), [when], [fleet_row("a", "depot")], when.ticks, when.hours, path)
    assert error.value.key == key
