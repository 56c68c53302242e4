"""Laws against their meaning: the battery, the look ahead, the merit order, the day plan, the shares of a shortfall."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from stacking import columns as c
from stacking import layout as v
from stacking import state as s
from stacking.assets.battery import deliverable_mw, drain_mwh, power_for_drain_mw, terminal_value_eur
from stacking.compile import compile_portfolios, lead_mtu
from stacking.coordination import round_down
from stacking.engine import Engine
from stacking.lookahead import column, free_power, renew_plan, renew_sums
from stacking.markets.day_ahead import plan_day
from stacking.markets.merit_order import (
    OFFER_ACCEPTED,
    OFFER_KEY,
    OFFER_MW,
    OFFER_PRIORITY,
    OFFER_ROW,
    OFFER_W,
    accept,
    background_alone_mw,
    shifted_need,
    sort_offers,
    step_price,
)
from stacking.scenario import generate, scenario_keys
from stacking.settlement import forwarded_price, local_pay_eur, overlap_mw, shortfall_shares_mw
from stacking.units import MTU_H

from ..toy import busy, design, portfolio

EPS = 1e-7
fractions = st.floats(0.5, 1.0)
powers = st.floats(-10.0, 10.0)
prices = st.floats(-500.0, 500.0)


@st.composite
def batteries(draw: st.DrawFn) -> np.ndarray:
    """Draw one row of portfolio parameters."""
    low = draw(st.floats(0.0, 0.4))
    one = portfolio(
        power=draw(st.floats(0.1, 10.0)),
        capacity=draw(st.floats(0.2, 40.0)),
        efficiency=draw(fractions),
        low=low,
        high=draw(st.floats(low + 0.1, 1.0)),
        start=None,
    )
    return compile_portfolios((one,))[0]


# ---- battery -----------------------------------------------------------------------------------------------------------


@given(batteries(), powers)
def test_drain_and_power_are_inverse(p: np.ndarray, power: float):
    drain = drain_mwh(power, p[s.INTO], p[s.OUT])
    assert math.isclose(power_for_drain_mw(drain, p[s.INTO], p[s.OUT]), power, rel_tol=1e-12, abs_tol=1e-15)
    assert drain >= power * MTU_H - 1e-12  # the store never wins energy


@given(batteries(), powers, st.floats(0.0, 1.0))
def test_delivery_is_the_nearest_feasible_power(p: np.ndarray, wanted: float, share: float):
    content = p[s.MIN_MWH] + share * (p[s.MAX_MWH] - p[s.MIN_MWH])
    power = deliverable_mw(wanted, content, p[s.RATED_MW], p[s.MIN_MWH], p[s.MAX_MWH], p[s.INTO], p[s.OUT])
    after = content - drain_mwh(power, p[s.INTO], p[s.OUT])
    assert abs(power) <= p[s.RATED_MW] + EPS
    assert p[s.MIN_MWH] - EPS <= after <= p[s.MAX_MWH] + EPS
    if abs(power - wanted) > EPS:  # one step nearer to the wish breaks a limit
        nearer = power + (1e-4 if wanted > power else -1e-4)
        there = content - drain_mwh(nearer, p[s.INTO], p[s.OUT])
        assert abs(nearer) > p[s.RATED_MW] or not p[s.MIN_MWH] <= there <= p[s.MAX_MWH]
    assert power * wanted >= 0.0  # never the other way


@given(st.floats(0, 10), st.floats(0, 10), st.floats(0, 10), st.floats(0, 300), st.floats(0, 50), fractions, fractions)
def test_terminal_value_is_concave_and_no_free_profit(start, a, b, price, wear, charge, discharge):
    def worth(end: float) -> float:
        return terminal_value_eur(start, end, price, wear, charge, discharge)

    assert worth(start) == 0.0
    assert worth((a + b) / 2) >= (worth(a) + worth(b)) / 2 - 1e-6
    assert worth(max(a, b)) >= worth(min(a, b))  # more content is never worth less


# ---- look ahead --------------------------------------------------------------------------------------------------------

ALL = s.ALL_LEDGERS


def simulate(p: np.ndarray, content: float, power: list[float]) -> float:
    """Run a battery along a power path; return the largest deviation that physics forces, MW."""
    worst = 0.0
    for wanted in power:
        got = deliverable_mw(wanted, content, p[s.RATED_MW], p[s.MIN_MWH], p[s.MAX_MWH], p[s.INTO], p[s.OUT])
        content = min(max(content - drain_mwh(got, p[s.INTO], p[s.OUT]), p[s.MIN_MWH]), p[s.MAX_MWH])
        worst = max(worst, abs(got - wanted))
    return worst


@st.composite
def commitments(draw: st.DrawFn):
    """Draw a battery at a full hour with a feasible schedule of 32 MTU, known sales and pending offers that it can keep.

    Offers are added one by one, each no larger than what the look ahead permits, as the gates do it.
    """
    p = draw(batteries())
    tick, quarter = 4 * draw(st.integers(0, 300)), draw(st.integers(0, 3))
    content = p[s.MIN_MWH] + draw(st.floats(0.0, 1.0)) * (p[s.MAX_MWH] - p[s.MIN_MWH])
    plan = np.zeros(s.PLAN_W)
    stored = content
    for hour in range(8):
        wanted = draw(st.floats(-1.0, 1.0)) * p[s.RATED_MW] if draw(st.booleans()) else 0.0
        most = max(0.0, (stored - p[s.MIN_MWH]) / p[s.OUT] / 4)
        least = max(0.0, (p[s.MAX_MWH] - stored) / p[s.INTO] / 4)
        wanted = min(max(wanted, -least), most) * 0.999
        for k in range(4):
            plan[(tick + 4 * hour + k) % s.PLAN_SLOTS] = wanted
            stored -= drain_mwh(wanted, p[s.INTO], p[s.OUT])
    renew_plan(p, plan, tick, tick + 31)
    for k in range(quarter):
        content -= drain_mwh(plan[(tick + k) % s.PLAN_SLOTS], p[s.INTO], p[s.OUT])
    tick += quarter
    book, sums = np.zeros((s.BOOK_SLOTS, s.BOOK_W)), np.zeros((s.SUMS_W, s.BOOK_SLOTS))
    for tau in range(tick, tick + s.WINDOW):
        renew_sums(p, book, sums, plan, tau)
    for _ in range(draw(st.integers(0, 4))):
        first, count = draw(st.sampled_from([(8, 4), (3, 1), (3, 4), (5, 1), (1, 1)]))
        ledger, direction, field = draw(st.integers(0, 2)), draw(st.integers(0, 1)), draw(st.sampled_from([s.KNOWN, s.PENDING]))
        free = free_power(p, content, book, sums, plan, tick, first, count, ALL, ALL)[direction]
        share = draw(st.sampled_from([0.3, 1.0]))
        for tau in range(tick + first, tick + first + count):
            book[tau % s.BOOK_SLOTS, column(ledger, field, direction)] += share * free
            renew_sums(p, book, sums, plan, tau)
    return SimpleNamespace(p=p, tick=tick, content=content, plan=plan, book=book, sums=sums)


def path(w: SimpleNamespace, called: list[float], extra: Mapping[int, Any]) -> list[float]:
    """Return the power of the next 32 MTU if a share of every pending offer is called, with some MW more."""
    out = []
    for j in range(32):
        slot = (w.tick + j) % s.BOOK_SLOTS
        power = w.plan[(w.tick + j) % s.PLAN_SLOTS] + extra.get(j, 0.0)
        if j < s.WINDOW:
            up, down = w.sums[s.UP_PENDING, slot], w.sums[s.DN_PENDING, slot]
            power += w.sums[s.NET, slot] + called[j] * up - (1.0 - called[j]) * down
        out.append(float(power))
    return out


@settings(max_examples=400)
@given(commitments(), st.sampled_from([(3, 1), (8, 4), (3, 4), (4, 1)]), st.integers(0, 1), st.floats(0.0, 1.0), st.data())
def test_what_the_look_ahead_permits_is_feasible_whatever_is_called(w, block, direction, share, data):
    """Adding up to that much to a committed schedule never produces a shortfall: all called, none, and any mixture."""
    first, count = block
    free = free_power(w.p, w.content, w.book, w.sums, w.plan, w.tick, first, count, ALL, ALL)
    assert free[0] >= 0.0
    assert free[1] >= 0.0
    sign = 1.0 if direction == 0 else -1.0
    calls = [[0.0] * 12, [1.0] * 12, data.draw(st.lists(st.floats(0, 1), min_size=12, max_size=12))]
    for called in calls:
        assert simulate(w.p, w.content, path(w, called, {})) <= EPS  # the committed schedule itself
        extra = dict.fromkeys(range(first, first + count), sign * share * free[direction])
        assert simulate(w.p, w.content, path(w, called, extra)) <= EPS


@settings(max_examples=300)
@given(commitments(), st.integers(0, 1))
def test_what_the_look_ahead_permits_for_one_mtu_is_all_there_is(w, direction):
    free = free_power(w.p, w.content, w.book, w.sums, w.plan, w.tick, 3, 1, ALL, ALL)[direction]
    sign = 1.0 if direction == 0 else -1.0
    called = [1.0 if direction == 0 else 0.0] * 12  # the worst case for this direction
    more = path(w, called, {3: sign * (free + 1e-3)})
    assert simulate(w.p, w.content, more) > 1e-5


@settings(max_examples=200)
@given(commitments(), st.integers(0, 1))
def test_what_the_look_ahead_permits_for_a_block_is_all_there_is_where_the_block_is_even(w, direction):
    assume(w.tick % 4 == 0)  # the schedule and all that is committed is then constant over MTU 8 to 11
    free = free_power(w.p, w.content, w.book, w.sums, w.plan, w.tick, 8, 4, ALL, ALL)[direction]
    sign = 1.0 if direction == 0 else -1.0
    called = [1.0 if direction == 0 else 0.0] * 12
    more = path(w, called, dict.fromkeys(range(8, 12), sign * (free + 1e-3)))
    assert simulate(w.p, w.content, more) > 1e-5


def test_feasible_power_is_right_at_every_tick_of_an_episode():
    """Against a look ahead without rings: the observed power of each tick equals that from the whole later schedule.

    Catches what a property of one function cannot: rings that hold something old, in the last hours above all.
    """
    engine = Engine(design("norflex_eam"), (portfolio(start=None),), busy(generate(scenario_keys("train", 6), days=3)), 6)
    engine.reset(np.arange(6))
    random, (low, high) = np.random.default_rng(3), engine.compiled.bounds
    p, compared, scheduled = engine.params[0], 0, 0
    while not engine.ended.all():
        for world in range(6):
            tick, length = int(engine.clock[world]), int(engine.library.length[world])
            sums, plan = engine.sums[world, 0], engine.plan[world, 0]
            free = [math.inf, math.inf]
            lowest = highest = engine.state[world, 0, s.CONTENT]
            contents = []
            for j in range(min(length - tick, s.PLAN_SLOTS - 4)):
                at, slot = (tick + j) % s.PLAN_SLOTS, (tick + j) % s.BOOK_SLOTS
                up = down = plan[at]
                if j < s.WINDOW:
                    known = plan[at] + sums[s.NET, slot]
                    up = min(known + sums[s.UP_PENDING, slot], p[s.RATED_MW])
                    down = max(known - sums[s.DN_PENDING, slot], -p[s.RATED_MW])
                lowest -= drain_mwh(up, p[s.INTO], p[s.OUT])
                highest -= drain_mwh(down, p[s.INTO], p[s.OUT])
                contents.append((up, down, lowest, highest))
            if length - tick <= 3:
                continue
            up, down = contents[3][:2]
            energy = min(x[2] for x in contents[3:]) - p[s.MIN_MWH]
            free[0] = (
                min(power_for_drain_mw(drain_mwh(up, p[s.INTO], p[s.OUT]) + energy, p[s.INTO], p[s.OUT]), p[s.RATED_MW]) - up
            )
            energy = p[s.MAX_MWH] - max(x[3] for x in contents[3:])
            free[1] = down - max(
                power_for_drain_mw(drain_mwh(down, p[s.INTO], p[s.OUT]) - energy, p[s.INTO], p[s.OUT]), -p[s.RATED_MW]
            )
            seen = engine.observation[world, 0, [v.FEASIBLE_UP_MFRR, v.FEASIBLE_DN_MFRR]]
            assert seen.tolist() == pytest.approx([max(0.0, x) for x in free], abs=1e-5), (world, tick, length)
            compared, scheduled = compared + 1, scheduled + bool(plan[: s.PLAN_SLOTS].any())
        action = random.uniform(low, high, engine.mask.shape)
        action[..., v.DA_MIN_SPREAD] = 0.0
        action[..., [v.LFM_PRICE_UP, v.MFRR_PRICE_UP, v.LFM_PRICE_DN, v.MFRR_PRICE_DN]] = 60.0
        action[..., v.ID_POWER_FRAC] *= random.random() < 0.2
        engine.step(action)
    assert compared > 1500
    assert scheduled > 1000


@pytest.mark.parametrize("rows", [1, 3])
def test_the_observed_schedule_and_commitments_are_ones_own(rows: int):
    """Every portfolio sees its own schedule, not its neighbour's, at every quarter of the hour."""
    fleet = tuple(portfolio(name, power, start=None) for name, power in zip("abc"[:rows], (4.0, 2.0, 3.0), strict=False))
    engine = Engine(design("parallel_adjusted"), fleet, busy(generate(scenario_keys("train", 4), rows=rows, days=2)), 4)
    engine.reset(np.arange(4))
    random, (low, high) = np.random.default_rng(5), engine.compiled.bounds
    nonzero = 0
    while not engine.ended.any():
        action = random.uniform(low, high, engine.mask.shape)
        action[..., v.DA_MIN_SPREAD] = 0.0
        action[..., [v.LFM_PRICE_UP, v.MFRR_PRICE_UP, v.LFM_PRICE_DN, v.MFRR_PRICE_DN]] = 60.0
        engine.step(action)
        for world in range(4):
            tick = int(engine.clock[world])
            for row in range(rows):
                plan, seen = engine.plan[world, row], engine.observation[world, row].astype(float)
                hours = [tick] + [tick - tick % 4 + 4 * k for k in range(1, 24)]
                assert seen[v.BOOK + 12 : v.BOOK + 36].tolist() == pytest.approx(
                    [plan[t % s.PLAN_SLOTS] for t in hours], abs=1e-5
                )
                net = [
                    plan[(tick + j) % s.PLAN_SLOTS] + engine.sums[world, row, s.NET, (tick + j) % s.BOOK_SLOTS] for j in range(12)
                ]
                assert seen[v.BOOK : v.BOOK + 12].tolist() == pytest.approx(net, abs=1e-5)
                nonzero += bool(np.any(seen[v.BOOK + 14 : v.BOOK + 36]))
    assert nonzero > 200


# ---- merit order -------------------------------------------------------------------------------------------------------


@st.composite
def offer_books(draw: st.DrawFn, most: int = 8):
    """Draw offers (key, priority, MW) with many ties, and memory for them."""
    rows = draw(st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 3), st.floats(0.01, 5.0)), max_size=most))
    offers, spare = np.zeros((max(1, len(rows)), OFFER_W)), np.zeros((max(1, len(rows)), OFFER_W))
    for i, (key, priority, mw) in enumerate(rows):
        offers[i, [OFFER_KEY, OFFER_PRIORITY, OFFER_MW, OFFER_ROW]] = 10.0 * key, 0.25 * priority, mw, i
    return offers, spare, len(rows)


@settings(max_examples=150)
@given(offer_books(most=90))
def test_sorting_is_stable_and_sorts(book):
    offers, spare, n = book
    expected = sorted(offers[:n].tolist(), key=lambda o: (o[OFFER_KEY], o[OFFER_PRIORITY]))
    sort_offers(offers, spare, n)
    assert offers[:n].tolist() == expected


@pytest.mark.parametrize("n", [0, 1, 15, 16, 17, 31, 32, 33, 64, 65, 1000])
def test_sorting_at_the_edges_of_runs(n: int):
    random = np.random.default_rng(n)
    offers = np.zeros((n + 1, OFFER_W))
    offers[:n, OFFER_KEY], offers[:n, OFFER_ROW] = random.integers(0, 9, n), np.arange(n)
    expected = sorted(offers[:n].tolist(), key=lambda o: (o[OFFER_KEY], o[OFFER_PRIORITY]))
    sort_offers(offers, np.zeros_like(offers), n)
    assert offers[:n].tolist() == expected


CURVE = np.array([[0.25, 0.2], [0.5, 0.5], [1.0, 1.0], [1.5, 2.0]])


def brute(offers, curve, sign, need, volume, reference, anchor, limit, priority):
    """Accept by listing everything that is offered, sorting it once and taking from the top."""
    pieces = [(o[OFFER_KEY], o[OFFER_PRIORITY], 0, i, o[OFFER_MW]) for i, o in enumerate(offers)]
    before = 0.0
    for share, step in curve:
        pieces.append((sign * (anchor * step + reference * (1 - step)), priority, 1, -1, share * volume - before))
        before = share * volume
    left, mine, others, price, taken = need, 0.0, 0.0, anchor, [0.0] * len(offers)
    for key, _, background, i, mw in sorted(pieces, key=lambda piece: piece[:2]):
        amount = min(mw, left)
        if key > sign * limit or left <= 1e-9 or amount <= 1e-9:
            continue
        left, price = left - amount, sign * key
        if background:
            others += amount
        else:
            mine, taken[i] = mine + amount, taken[i] + amount
    return price, mine, others, taken


@settings(max_examples=500)
@given(
    offer_books(),
    st.sampled_from([1.0, -1.0]),
    st.floats(0.0, 20.0),
    st.sampled_from([0.0, 2.0, 7.0]),
    st.floats(-20.0, 20.0),
    st.floats(0.0, 40.0),
    st.sampled_from([-15.0, 0.0, 25.0, math.inf]),
)
def test_accept_is_the_merit_order(book, sign, need, volume, reference, height, limit):
    offers, spare, n = book
    anchor = reference + sign * height
    limit = limit if math.isfinite(limit) else sign * math.inf
    priority = 0.4  # between the offers', so that ties go either way and never to a third rule
    sort_offers(offers, spare, n)
    price, mine, others, taken = brute(offers[:n].tolist(), CURVE, sign, need, volume, reference, anchor, limit, priority)
    got = accept(offers, n, CURVE, sign, need, volume, reference, anchor, limit, priority)
    assert got == pytest.approx((price, mine, others), abs=1e-7)
    assert offers[:n, OFFER_ACCEPTED].tolist() == pytest.approx(taken, abs=1e-7)
    # nobody is paid less than it asked, nobody is left out who asked less, and no more is bought than needed
    assert mine + others <= need + 1e-7
    for key, amount, mw in offers[:n][:, [OFFER_KEY, OFFER_ACCEPTED, OFFER_MW]]:
        assert amount <= 1e-9 or key <= sign * price + 1e-9
        assert amount >= mw - 1e-7 or key >= sign * price - 1e-9 or mine + others <= 1e-9 or key > sign * limit


@given(
    st.floats(0.0, 20.0), st.floats(0.01, 20.0), prices, st.floats(0.0, 300.0), st.sampled_from([1.0, -1.0]), st.floats(-300, 300)
)
def test_background_alone_is_accept_without_offers(need, volume, reference, height, sign, limit):
    anchor = reference + sign * height
    alone = background_alone_mw(CURVE, sign, need, volume, reference, anchor, limit)
    got = accept(np.zeros((1, OFFER_W)), 0, CURVE, sign, need, volume, reference, anchor, limit, 0.5)
    assert alone == pytest.approx(got[2], abs=1e-7)


@given(prices, prices)
def test_the_published_price_comes_back_exactly(reference, anchor):
    assert step_price(reference, anchor, 1.0) == anchor


@given(st.floats(0, 50), st.floats(0, 50), st.floats(-80, 80))
def test_a_shift_moves_the_net_need_by_itself(up, down, shift):
    new_up, new_down = shifted_need(up, down, shift)
    assert new_up >= 0.0
    assert new_down >= 0.0
    assert (new_up - new_down) == pytest.approx(up - down - shift, abs=1e-9)


# ---- day plan ----------------------------------------------------------------------------------------------------------


def planned(p, price, first, count, content, volume, spread, end) -> np.ndarray:
    """Return the schedule that the day plan makes of hourly prices, MW per MTU."""
    hours, forecast, plan = np.zeros((s.SCRATCH_ROWS, s.SCRATCH_W)), np.zeros((c.HOURLY_W, 60)), np.zeros(s.PLAN_W)
    forecast[c.DA_NOON, first // 4 : first // 4 + len(price)] = price
    plan_day(p, plan, hours, forecast, c.DA_NOON, first, count, content, content, volume, spread, end)
    return np.array([plan[(first + i) % s.PLAN_SLOTS] for i in range(count)])


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
    power = planned(p, price, 48, count, content, volume, spread, end)
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


@settings(max_examples=200)
@given(batteries(), st.lists(st.floats(-100, 300), min_size=24, max_size=24), st.floats(0, 1))
def test_trading_pairs_never_lose_on_the_forecast(p, price, share):
    """With the end content asked = the start content every pair earns at least the spread on the forecast."""
    content = p[s.MIN_MWH] + share * (p[s.MAX_MWH] - p[s.MIN_MWH])
    power = planned(p, price, 0, 96, content, 1.0, 5.0, content / p[s.CAPACITY_MWH])
    cash = float((power * MTU_H * np.repeat(price, 4)).sum())
    assert cash >= 5.0 * power.clip(min=0.0).sum() * MTU_H - 1e-5


# ---- shares of a shortfall, prices, roundings ---------------------------------------------------------------------------


@given(powers, powers, powers, st.sampled_from([s.DSO_FIRST, s.TSO_FIRST, s.PRO_RATA]))
def test_shortfall_shares_sum_to_what_orders_can_bear(shortfall, local, balancing, priority):
    short_local, short_balancing = shortfall_shares_mw(shortfall, local, balancing, priority)
    for short, order in ((short_local, local), (short_balancing, balancing)):
        assert short * order >= 0.0  # sign of its order
        assert abs(short) <= abs(order) + 1e-9
        assert abs(short) <= 1e-12 or short * shortfall > 0.0
    able = sum(abs(order) for order in (local, balancing) if order * shortfall > 0.0)
    assume(able > 1e-8)
    assert abs(short_local + short_balancing) == pytest.approx(min(abs(shortfall), able), abs=1e-7)
    first, second = (short_balancing, short_local) if priority == s.DSO_FIRST else (short_local, short_balancing)
    bears, order = (second, balancing if priority == s.DSO_FIRST else local), None
    if priority != s.PRO_RATA and abs(bears[0]) > 1e-9:  # the other one is short only if the first is wholly so
        order = balancing if priority == s.DSO_FIRST else local
        assert order * shortfall <= 0.0 or abs(first) == pytest.approx(abs(order), abs=1e-9)


@given(st.floats(0, 20), st.floats(0, 20), st.floats(-5, 20))
def test_overlap_is_what_does_not_fit(local, balancing, headroom):
    overlap = overlap_mw(local, balancing, headroom)
    assert 0.0 <= overlap <= min(local, balancing)
    assert local + balancing - overlap <= max(local, balancing, headroom) + 1e-9


@given(st.floats(0, 50), st.sampled_from([0.01, 0.1, 1.0, 5.0]))
def test_round_down_gives_whole_multiples(quantity, granularity):
    rounded = round_down(quantity, granularity)
    assert rounded <= quantity + 1e-8 * granularity + 1e-12
    assert quantity - rounded < granularity * (1 + 1e-8)
    assert rounded / granularity == pytest.approx(round(rounded / granularity), abs=1e-9)


@given(prices, st.floats(0.01, 5), st.floats(0, 5), st.floats(0, 1), st.sampled_from([1.0, -1.0]))
def test_local_pay(price, ordered, delivered, threshold, sign):
    pay = local_pay_eur(price, sign * ordered, sign * delivered, threshold)
    if delivered / ordered < threshold - 1e-9:
        assert pay == 0.0
    elif delivered / ordered > threshold + 1e-9:
        assert pay == pytest.approx(price * sign * min(ordered, delivered))


@given(prices, prices, st.sampled_from([1.0, -1.0]))
def test_the_better_price_is_never_worse_for_the_fsp(bid, marginal, sign):
    best = sign * forwarded_price(s.BETTER, bid, marginal, sign)
    assert best == max(sign * bid, sign * marginal)
    assert forwarded_price(s.AS_BID, bid, marginal, sign) == bid
    assert forwarded_price(s.AT_MARGINAL, bid, marginal, sign) == marginal


@pytest.mark.parametrize(
    ("minutes", "gate", "publication"), [(0, 0, 0), (7.5, 1, 0), (14, 1, 0), (15, 1, 1), (44, 3, 2), (45, 3, 3), (120, 8, 8)]
)
def test_off_grid_times(minutes: float, gate: int, publication: int):
    assert (lead_mtu(minutes, earlier=True), lead_mtu(minutes, earlier=False)) == (gate, publication)
