"""The day plan against brute force: feasible, the best pair of hours first, nothing left out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stacking import columns as c
from stacking import state as s
from stacking.assets.battery import drain_mwh
from stacking.compile import compile_portfolios
from stacking.markets.day_ahead import MAX_PAIRS, add_best_pair, hour_column, plan_day
from stacking.portfolio import Battery, Fleet, Load, Portfolio
from stacking.state import early_sold_mw, hour_cell, set_early
from stacking.units import MTU_H, POWER_EPSILON_MW

from .draws import EPS, NEAR_MWH, NOTHING, batteries, simulate

# ---- day plan ----------------------------------------------------------------------------------------------------------


def planned(p, price, first, count, content, volume, spread, end, *, fleet=None, load=None, high=None, sold=None):
    """Return what the day plan makes of hourly prices: battery MW per MTU, the ring and the scratch table."""
    work, forecast, ring = np.zeros(s.SCRATCH_W), np.zeros((c.HOURLY_W, 60)), np.zeros(s.RING_W, np.float32)
    ring[s.PLAN : s.ENVELOPE] = 7.0  # what stood there before
    hours = range(first // 4, (first + count) // 4)
    forecast[c.DA_NOON, hours[0] : hours[0] + len(price)] = price
    fleet, load = NOTHING if fleet is None else fleet, NOTHING[:, 0] if load is None else load
    early = np.zeros(0 if sold is None else s.EARLY_W, np.float32)
    for hour, mw in zip(hours, [] if sold is None else sold, strict=False):
        set_early(early, s.EARLY_SOLD if mw > 0 else s.EARLY_SOLD + 1, hour, abs(mw))
    plan_day(p, ring, early, work, forecast, c.DA_NOON, fleet, load, first, count, content, content if high is None else high,
             volume, spread, end)  # fmt: skip
    power = np.zeros(len(hours))
    if p[s.RATED_MW] * volume > POWER_EPSILON_MW:
        power = table(work, s.HOUR_POWER, len(hours))
    kept = [hour_cell(ring, s.PLAN_BATTERY, hour) for hour in hours]
    beside = np.array([early_sold_mw(early, hour) for hour in hours])  # delivered with the schedule
    assert kept == (power + beside).astype(np.float32).tolist()
    others = {hour % s.PLAN_HOURS for hour in range(s.PLAN_HOURS)} - {hour % s.PLAN_HOURS for hour in hours}
    assert all(ring[s.PLAN + s.PLAN_BATTERY * s.PLAN_HOURS + place] == 7.0 for place in others)  # no other day is touched
    return np.repeat(power, 4), ring, work


def table(work: np.ndarray, column: int, n: int) -> np.ndarray:
    """Return a column of the plan's table of hours, (n,)."""
    return np.array([work[hour_column(k, column)] for k in range(n)])


@settings(max_examples=300)
@given(
    batteries(),
    st.lists(st.floats(-100, 300), min_size=25, max_size=25),
    st.sampled_from([92, 96, 100]),
    st.floats(0, 1),
    st.floats(0, 1),
    st.floats(0, 200),
    st.floats(0, 1),
)
def test_the_day_plan_is_feasible_and_keeps_its_reserve(p, price, count, share, volume, spread, end):
    window = p[s.MAX_MWH] - p[s.MIN_MWH]
    content = p[s.MIN_MWH] + share * window
    power, _, work = planned(p, price[: count // 4], 48, count, content, volume, spread, end)
    assert np.abs(power).max() <= p[s.RATED_MW] * volume + EPS
    contents = np.cumsum([0.0] + [-drain_mwh(x, p[s.INTO], p[s.OUT]) for x in power]) + content
    target = min(max(end * p[s.CAPACITY_MWH], p[s.MIN_MWH]), p[s.MAX_MWH])
    # the way to the end content may lead through the reserve, trading may not
    low = min(p[s.MIN_MWH] + 0.5 * (1 - volume) * window, content, target)
    high = max(p[s.MAX_MWH] - 0.5 * (1 - volume) * window, content, target)
    assert low - EPS <= contents.min()
    assert contents.max() <= high + EPS
    if volume * p[s.RATED_MW] * p[s.INTO] * count > abs(target - content) + EPS:  # the day is long enough
        assert contents[-1] == pytest.approx(target, abs=1e-6)
    if p[s.RATED_MW] * volume > POWER_EPSILON_MW:
        assert not add_best_pair(work, count // 4, p[s.CHARGE_FRAC], p[s.DISCHARGE_FRAC], spread)  # no pair was left out


@settings(max_examples=200)
@given(batteries(), st.lists(st.floats(-100, 300), min_size=24, max_size=24), st.floats(0, 1))
def test_trading_pairs_never_lose_on_the_forecast(p, price, share):
    """With the end content asked = the start content every pair earns at least the spread on the forecast."""
    content = p[s.MIN_MWH] + share * (p[s.MAX_MWH] - p[s.MIN_MWH])
    power, _, _ = planned(p, price, 0, 96, content, 1.0, 5.0, content / p[s.CAPACITY_MWH])
    cash = float((power * MTU_H * np.repeat(price, 4)).sum())
    assert cash >= 5.0 * power.clip(min=0.0).sum() * MTU_H - 1e-5


@settings(max_examples=200)
@given(
    batteries(),
    st.lists(st.floats(-100, 300), min_size=24, max_size=24),
    st.floats(0, 1),
    st.floats(0, 1),
    st.floats(0.1, 1),
    st.floats(0, 1),
)
def test_the_day_plan_fits_every_content_the_day_may_begin_with(p, price, a, b, volume, end):
    """Whether the day begins with the lowest or the highest content: the plan is carried out."""
    window = p[s.MAX_MWH] - p[s.MIN_MWH]
    low, high = p[s.MIN_MWH] + min(a, b) * window, p[s.MIN_MWH] + max(a, b) * window
    power, _, _ = planned(p, price, 48, 96, low, volume, 0.0, end, high=high)
    for content in (low, 0.5 * (low + high), high):
        assert simulate(p, content, power.tolist()) <= EPS


@settings(max_examples=200)
@given(
    batteries(),
    st.lists(st.floats(-100, 300), min_size=24, max_size=24),
    st.floats(0, 1),
    st.lists(st.integers(0, 23), min_size=4, max_size=4, unique=True),
    st.lists(st.integers(-8, 8), min_size=4, max_size=4),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_the_day_plan_keeps_what_was_sold_on_the_day_before(p, price, share, hours, sales, volume, end):
    """Four hours of what a battery can promise at any time: sold and scheduled power together are delivered."""
    window = p[s.MAX_MWH] - p[s.MIN_MWH]
    content, sold = p[s.MIN_MWH] + share * window, np.zeros(24)
    up = min(p[s.RATED_MW], (content - p[s.MIN_MWH]) / (16 * p[s.OUT]))
    down = min(p[s.RATED_MW], (p[s.MAX_MWH] - content) / (16 * p[s.INTO]))
    for hour, part in zip(hours, sales, strict=True):
        sold[hour] = np.float32(part / 8 * (up if part > 0 else down))
    power, _, _ = planned(p, price, 48, 96, content, volume, 0.0, end, sold=sold)
    total = power + np.repeat(sold, 4)
    assert np.abs(total).max() <= p[s.RATED_MW] + EPS
    assert (power * np.repeat(sold, 4) >= 0.0).all()  # nothing is scheduled against a sale
    assert simulate(p, content, total.tolist()) <= 10 * EPS


@settings(max_examples=200)
@given(
    st.floats(1.0, 8.0),
    st.lists(st.floats(-100, 300), min_size=24, max_size=24),
    st.lists(st.floats(0.0, 6.0), min_size=24, max_size=24),
    st.floats(0, 1),
)
def test_the_day_plan_leaves_room_for_consumption_behind_the_same_connection(power, price, consumption, end):
    one = Portfolio(
        name="both",
        connection_mw=6.0,
        battery=Battery(power_mw=power, capacity_mwh=12.0),
        load=Load(peak_mw=6.0, step_mw=0.5),
    )
    p, load = compile_portfolios((one,))[0], np.zeros(100)
    load[12:36] = consumption
    mw, _, _ = planned(p, price, 48, 96, 6.0, 1.0, 0.0, end, load=load)
    metered = mw - np.repeat(consumption, 4)
    assert np.abs(metered).max() <= 6.0 + EPS
    assert np.abs(mw).max() <= min(power, 6.0) + EPS
    assert simulate(p, 6.0, mw.tolist()) <= EPS


@settings(max_examples=200)
@given(
    st.lists(st.floats(-100, 300), min_size=24, max_size=24),
    st.lists(st.sampled_from([0.0, 1.0]) | st.floats(0.0, 3.0), min_size=24, max_size=24),
    st.integers(0, 6),
    st.floats(0.05, 1.0),
    st.floats(0.0, 50.0),
)
def test_the_day_plan_of_a_fleet_charges_the_same_energy_later_and_cheaper(price, at_once, wait, volume, spread):
    """Charging waits at most as long as the cars can, never comes before them, and each MWh that waits saves the spread."""
    p = compile_portfolios((Portfolio(name="cars", connection_mw=50.0, fleet=Fleet(chargers=400)),))[0]
    fleet = np.zeros((100, c.FLEET_W))
    fleet[12:36, c.AT_ONCE] = at_once
    fleet[12 + wait : 36, c.LATEST] = at_once[: 24 - wait]
    _, ring, _ = planned(p, price, 48, 96, 0.0, volume, spread, 0.5, fleet=fleet)
    moved = np.array([hour_cell(ring, s.PLAN_FLEET, hour) for hour in range(12, 36)])
    charged, tolerance = np.array(at_once) - moved, 24 * NEAR_MWH * max(1.0, *at_once)
    assert charged.min() >= -tolerance
    assert charged.max() <= max(at_once) + tolerance
    assert np.all(moved <= volume * np.array(at_once) + tolerance)
    assert np.all(np.cumsum(charged) <= np.cumsum(at_once) + tolerance)
    assert np.all(np.cumsum(charged) >= np.cumsum(fleet[12:36, c.LATEST]) - tolerance)
    assert moved.sum() == pytest.approx(0.0, abs=tolerance)
    saved = float((moved * price).sum())
    assert saved >= spread * moved.clip(min=0.0).sum() - 300.0 * tolerance
    if wait == 0:
        assert not moved.any()


@st.composite
def plan_tables(draw: st.DrawFn, *, ties: bool = True):
    """Draw a table of a few hours with powers that lead from content to content inside its limits, and efficiencies."""
    n = draw(st.integers(2, 7))
    money = st.integers(-3, 6).map(lambda x: 20.0 * x) if ties else st.floats(-100.0, 300.0)
    work, size = np.zeros(s.SCRATCH_W), draw(st.floats(0.2, 8.0))
    charge, discharge = draw(st.floats(0.6, 1.0)), draw(st.floats(0.6, 1.0))
    content = draw(st.floats(0.0, 1.0)) * size
    for k in range(n):
        limit = draw(st.floats(0.1, 4.0))
        wanted = draw(st.sampled_from([0.0, 0.0, -1.0, 1.0, 0.4])) * limit
        power = min(max(wanted, -(size - content) / charge), content * discharge)
        content -= power / discharge if power > 0.0 else power * charge
        columns = (s.HOUR_PRICE, s.HOUR_POWER, s.HOUR_CONTENT, s.HOUR_BUY, s.HOUR_SELL, s.HOUR_LOW, s.HOUR_HIGH)
        margins = draw(st.sampled_from([(0.0, 0.0), (0.3, 0.0), (0.0, 0.3)]))  # the reserve may be used already
        values = (draw(money), power, content, limit, draw(st.sampled_from([0.5, 1.0])) * limit, margins[0], size - margins[1])
        for name, value in zip(columns, values, strict=True):
            work[hour_column(k, name)] = value
    return work, n, charge, discharge


def pair_energy(work: np.ndarray, buy: int, sell: int, charge: float, discharge: float) -> float:
    """Return the energy in the store that can move from one hour to another: power of both and the store between them."""
    at = {name: work[[hour_column(k, name) for k in range(s.DAY_HOURS)]] for name in range(s.HOUR_W)}
    if at[s.HOUR_POWER][buy] > 0.0 or at[s.HOUR_POWER][sell] < 0.0:
        return 0.0
    between = slice(min(buy, sell), max(buy, sell))
    store = (at[s.HOUR_HIGH] - at[s.HOUR_CONTENT])[between] if buy < sell else (at[s.HOUR_CONTENT] - at[s.HOUR_LOW])[between]
    bought = (at[s.HOUR_BUY] + at[s.HOUR_POWER])[buy] * charge
    return max(0.0, min(bought, (at[s.HOUR_SELL] - at[s.HOUR_POWER])[sell] / discharge, store.min()))


def best_pair(work: np.ndarray, n: int, charge: float, discharge: float, spread: float) -> tuple[float, int, int, float] | None:
    """Return spread, hours and energy of the best pair by trying all, first of equals, or None."""
    best = None
    for first in range(n):
        for second in range(first + 1, n):
            for buy, sell in ((first, second), (second, first)):
                gain = work[hour_column(sell, s.HOUR_PRICE)] - work[hour_column(buy, s.HOUR_PRICE)] / (charge * discharge)
                energy = pair_energy(work, buy, sell, charge, discharge)
                if gain >= spread and energy > 1e-7 and (best is None or gain > best[0]):
                    best = (gain, buy, sell, energy)
    return best


def profit(work: np.ndarray, n: int) -> float:
    """Return the revenue of the table at its prices, EUR."""
    return float(table(work, s.HOUR_PRICE, n) @ table(work, s.HOUR_POWER, n))


@settings(max_examples=500)
@given(plan_tables(), st.sampled_from([-50.0, 0.0, 20.0]))
def test_each_pair_is_the_best_there_is(drawn, spread):
    """Against all pairs of hours: the same spread, as much energy as fits, booked in both hours and in the store between."""
    work, n, charge, discharge = drawn
    for _ in range(40):
        before, best = work.copy(), best_pair(work, n, charge, discharge, spread)
        found = add_best_pair(work, n, charge, discharge, spread)
        assert found == (best is not None)
        if best is None:
            assert work.tobytes() == before.tobytes()
            return
        moved = table(work, s.HOUR_POWER, n) - table(before, s.HOUR_POWER, n)
        (buy,), (sell,) = np.flatnonzero(moved < 0.0), np.flatnonzero(moved > 0.0)
        price = table(work, s.HOUR_PRICE, n)
        assert price[sell] - price[buy] / (charge * discharge) == pytest.approx(best[0], abs=1e-9)
        energy = pair_energy(before, int(buy), int(sell), charge, discharge)
        assert -moved[buy] * charge == pytest.approx(energy, abs=1e-9)
        assert moved[sell] / discharge == pytest.approx(energy, abs=1e-9)
        step = np.zeros(n)
        step[min(buy, sell) : max(buy, sell)] = energy if buy < sell else -energy
        assert table(work, s.HOUR_CONTENT, n) - table(before, s.HOUR_CONTENT, n) == pytest.approx(step, abs=1e-9)
    raise AssertionError("pairs without end")


@settings(max_examples=300)
@given(plan_tables(ties=False), st.sampled_from([0.0, 20.0]))
def test_pairs_earn_what_the_best_of_all_pairs_earn(drawn, spread):
    """The whole plan, pair by pair, against choosing among all pairs every time."""
    work, n, charge, discharge = drawn
    other = work.copy()
    for _ in range(MAX_PAIRS):
        if not add_best_pair(work, n, charge, discharge, spread):
            break
    for _ in range(MAX_PAIRS):
        best = best_pair(other, n, charge, discharge, spread)
        if best is None:
            break
        _, buy, sell, energy = best
        other[hour_column(buy, s.HOUR_POWER)] -= energy / charge
        other[hour_column(sell, s.HOUR_POWER)] += energy * discharge
        for k in range(min(buy, sell), max(buy, sell)):
            other[hour_column(k, s.HOUR_CONTENT)] += energy if buy < sell else -energy
    assert profit(work, n) >= profit(other, n) - 1e-6
