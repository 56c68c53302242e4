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
from stacking.assets.battery import deliverable_mw, drain_mwh, power_for_drain_mw, renew_hours, terminal_value_eur
from stacking.compile import compile_portfolios, lead_mtu
from stacking.coordination import round_down
from stacking.engine import Engine
from stacking.kernel import move_slots, take_plan
from stacking.lookahead import (
    add_ahead,
    free_power,
    pending_in,
    publish_market,
    reserve,
    set_ahead,
    split_order,
)
from stacking.markets.day_ahead import MAX_PAIRS, add_best_pair, hour_column, plan_day, set_plan
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
from stacking.portfolio import Battery, Fleet, Load, Portfolio
from stacking.scenario import generate, scenario_keys
from stacking.settlement import forwarded_price, local_pay_eur, overlap_mw, shortfall_shares_mw
from stacking.state import ahead, cell, column, hour_cell, slot_of
from stacking.units import MTU_H, POWER_EPSILON_MW

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

NOTHING = np.zeros((100, c.FLEET_W))  # forecast of a fleet or load that a portfolio does not have
BEYOND = 32  # MTU of the schedule that are simulated
NEAR_MWH = 2e-6  # what is offered is kept in single precision: seven digits of a MW


def near(p: np.ndarray) -> float:
    """Return the energy that single precision may lose in one MTU, MWh."""
    return NEAR_MWH * max(1.0, p[s.RATED_MW])


def simulate(p: np.ndarray, content: float, power: list[float]) -> float:
    """Run a battery along a power path; return the largest energy that physics holds back in one MTU, MWh."""
    worst = 0.0
    for wanted in power:
        got = deliverable_mw(wanted, content, p[s.RATED_MW], p[s.MIN_MWH], p[s.MAX_MWH], p[s.INTO], p[s.OUT])
        content = min(max(content - drain_mwh(got, p[s.INTO], p[s.OUT]), p[s.MIN_MWH]), p[s.MAX_MWH])
        worst = max(worst, abs(got - wanted) * MTU_H)
    return worst


def room(w: SimpleNamespace, lead: int, count: int, local: float = 1.0, balancing: float = 1.0) -> tuple[float, ...]:
    """Return what the look ahead says: MW up, MW down, lowest and highest content behind the window."""
    return free_power(
        w.p, w.state, w.ring, NOTHING, NOTHING[:, 0], w.tick, lead, count, 0, local, balancing, True, True, w.work
    )  # fmt: skip


@st.composite
def commitments(draw: st.DrawFn):
    """Draw a battery in any quarter of an hour with a feasible schedule of eight hours, known sales and pending offers that it
    can keep.

    Intraday trades, sales and offers are added one by one, each no larger than what the look ahead permits, as the gates do it.
    """
    p = draw(batteries())
    hour, quarter = draw(st.integers(0, 60)), draw(st.integers(0, 3))
    content = p[s.MIN_MWH] + draw(st.floats(0.0, 1.0)) * (p[s.MAX_MWH] - p[s.MIN_MWH])
    ring, stored = np.zeros(s.RING_W, np.float32), content
    for k in range(8):
        wanted = draw(st.floats(-1.0, 1.0)) * p[s.RATED_MW] if draw(st.booleans()) else 0.0
        most = max(0.0, (stored - p[s.MIN_MWH]) / p[s.OUT] / 4)
        least = max(0.0, (p[s.MAX_MWH] - stored) / p[s.INTO] / 4)
        set_plan(ring, s.PLAN_BATTERY, hour + k, min(max(wanted, -least), most) * 0.999)
        stored -= 4 * drain_mwh(hour_cell(ring, s.PLAN_BATTERY, hour + k), p[s.INTO], p[s.OUT])
    renew_hours(p, ring, hour, hour + 7)
    tick = 4 * hour + quarter
    for tau in range(tick - quarter, tick):
        content -= drain_mwh(hour_cell(ring, s.PLAN_BATTERY, tau // 4), p[s.INTO], p[s.OUT])
    for tau in range(tick, tick + s.WINDOW):
        take_plan(ring, tau, slot_of(tau, tick))
    state = np.zeros(s.STATE_W)
    state[s.CONTENT] = content
    w = SimpleNamespace(p=p, tick=tick, state=state, ring=ring, work=np.zeros(s.SCRATCH_W))
    for _ in range(draw(st.integers(0, 4))):
        lead, count = draw(st.sampled_from([(8, 4), (3, 1), (3, 4), (5, 1), (1, 1)]))
        field, direction = draw(st.sampled_from([s.HI_LOCAL, s.HI_BALANCING, s.SCHEDULED])), draw(st.integers(0, 1))
        known = draw(st.booleans())
        amount = draw(st.sampled_from([0.3, 1.0])) * room(w, lead, count)[direction]
        if field == s.SCHEDULED:
            for tau in range(tick + lead, tick + lead + count):
                add_ahead(ring, s.BATTERY, field, slot_of(tau, tick), amount if direction == 0 else -amount)
            continue
        reserve(p, ring, lead + s.PAST, count, field, direction, amount, w.work)
        if known:  # a sale whose result is published: highest and lowest call are one
            reserve(p, ring, lead + s.PAST, count, field + 1 - 2 * direction, direction, amount, w.work)
    return w


def path(w: SimpleNamespace, called: list[float], extra: Mapping[int, Any]) -> list[float]:
    """Return the power of the next 32 MTU if a share of the span between all up and all down is called, with some MW more."""
    out = []
    for j in range(BEYOND - w.tick % 4):
        power = extra.get(j, 0.0)
        if j < s.WINDOW:
            slot = slot_of(w.tick + j, w.tick)
            highest = sum(ahead(w.ring, s.BATTERY, k, slot) for k in (s.HI_LOCAL, s.HI_BALANCING))
            lowest = sum(ahead(w.ring, s.BATTERY, k, slot) for k in (s.LO_LOCAL, s.LO_BALANCING))
            power += ahead(w.ring, s.BATTERY, s.SCHEDULED, slot) + lowest + called[j] * (highest - lowest)
        else:
            power += hour_cell(w.ring, s.PLAN_BATTERY, (w.tick + j) // 4)
        out.append(float(power))
    return out


@settings(max_examples=400)
@given(commitments(), st.sampled_from([(3, 1), (8, 4), (3, 4), (4, 1)]), st.integers(0, 1), st.floats(0.0, 1.0), st.data())
def test_what_the_look_ahead_permits_is_feasible_whatever_is_called(w, block, direction, share, data):
    """Adding up to that much to a committed schedule never produces a shortfall: all called, none, and any mixture."""
    lead, count = block
    free = room(w, lead, count)
    assert free[0] >= 0.0
    assert free[1] >= 0.0
    sign = 1.0 if direction == 0 else -1.0
    calls = [[0.0] * 12, [1.0] * 12, data.draw(st.lists(st.floats(0, 1), min_size=12, max_size=12))]
    for called in calls:
        assert simulate(w.p, w.state[s.CONTENT], path(w, called, {})) <= near(w.p)  # the committed schedule itself
        extra = dict.fromkeys(range(lead, lead + count), sign * share * free[direction])
        assert simulate(w.p, w.state[s.CONTENT], path(w, called, extra)) <= near(w.p)


@settings(max_examples=300)
@given(commitments(), st.integers(0, 1))
def test_what_the_look_ahead_permits_for_one_mtu_is_all_there_is(w, direction):
    free = room(w, 3, 1)[direction]
    sign = 1.0 if direction == 0 else -1.0
    called = [1.0 if direction == 0 else 0.0] * 12  # the worst case for this direction
    more = path(w, called, {3: sign * (free + 1e-3)})
    assert simulate(w.p, w.state[s.CONTENT], more) > 1e-4 * MTU_H


@settings(max_examples=200)
@given(commitments(), st.integers(0, 1))
def test_what_the_look_ahead_permits_for_a_block_is_all_there_is_where_the_block_is_even(w, direction):
    ends = [path(w, [x] * 12, {})[8:12] for x in (0.0, 1.0)]
    assume(all(max(x) - min(x) < 1e-9 for x in ends))  # what is committed is constant over MTU 8 to 11
    free = room(w, 8, 4)[direction]
    sign = 1.0 if direction == 0 else -1.0
    called = [1.0 if direction == 0 else 0.0] * 12
    more = path(w, called, dict.fromkeys(range(8, 12), sign * (free + 1e-3)))
    assert simulate(w.p, w.state[s.CONTENT], more) > 1e-4 * MTU_H


@settings(max_examples=200)
@given(commitments(), st.sampled_from([(3, 1), (8, 4), (0, 1), (11, 1)]))
def test_the_contents_behind_the_window_are_where_the_extreme_calls_lead(w, block):
    """Lowest and highest content at the full hour behind the window, whatever block is asked for."""
    for called, told in ((1.0, 2), (0.0, 3)):
        content, until = w.state[s.CONTENT], s.WINDOW + -(w.tick + s.WINDOW) % 4
        for power in path(w, [called] * 12, {})[:until]:
            content -= drain_mwh(power, w.p[s.INTO], w.p[s.OUT])
        assert room(w, *block)[told] == pytest.approx(content, abs=10 * near(w.p))


@settings(max_examples=200)
@given(commitments(), st.sampled_from([(3, 1), (8, 4)]), st.integers(0, 1))
def test_a_gate_that_does_not_see_a_market_decides_as_if_there_were_none(w, block, market):
    blind = room(w, *block, local=float(market), balancing=float(1 - market))
    hidden = (s.HI_LOCAL, s.LO_LOCAL) if market == 0 else (s.HI_BALANCING, s.LO_BALANCING)
    for field in hidden:
        for slot in range(s.SLOTS):
            set_ahead(w.ring, s.BATTERY, field, slot, 0.0)
    assert blind == room(w, *block)


class Told:
    """What a world has been told of its schedule: day plans at noon and intraday trades, kept apart from all rings."""

    def __init__(self, engine: Engine, world: int, row: int = 0) -> None:
        self.engine, self.world, self.row = engine, world, row
        self.hours: dict[int, float] = {}
        self.trades: dict[int, float] = {}

    def after_step(self) -> None:
        """Note what the gates of the tick that has just passed have changed."""
        tick, scenario = int(self.engine.clock[self.world]) - 1, int(self.engine.scenario[self.world])
        ring, day = self.engine.ring[self.world, self.row], self.engine.library.calendar[scenario, tick]
        if day[c.DA_FIRST] >= 0:
            for hour in range(day[c.DA_FIRST] // 4, (day[c.DA_FIRST] + day[c.DA_COUNT]) // 4):
                self.hours[hour] = hour_cell(ring, s.PLAN_BATTERY, hour)
        self.trades[tick + 4] = cell(ring, slot_of(tick + 4, tick + 1), s.ID_MW)

    def power(self, tau: int) -> float:
        """Return the schedule of one MTU, MW; nothing is scheduled after the end."""
        return self.hours.get(tau // 4, 0.0) + self.trades.get(tau, 0.0)


def brute_room(p: np.ndarray, content: float, spans: list[tuple[float, float]], lead: int) -> list[float]:
    """Return what one MTU can add up and down by trying: the largest power that `simulate` carries to the end."""
    found = []
    for direction in range(2):
        sign = 1.0 if direction == 0 else -1.0
        worst = [span[direction] for span in spans]
        low, high = 0.0, 2.0 * p[s.RATED_MW]
        for _ in range(40):
            middle = 0.5 * (low + high)
            more = [x + (sign * middle if j == lead else 0.0) for j, x in enumerate(worst)]
            low, high = (middle, high) if simulate(p, content, more) <= 1e-7 else (low, middle)
        found.append(low)
    return found


def test_feasible_power_is_right_at_every_tick_of_an_episode():
    """Against a look ahead without rings: the observed power of each tick equals that from the whole later schedule.

    Catches what a property of one function cannot: rings that hold something old, in the last hours above all.
    """
    engine = Engine(design("norflex_eam"), (portfolio(start=None),), busy(generate(scenario_keys("train", 6), days=3)), 6)
    engine.reset(np.arange(6))
    random, (low, high) = np.random.default_rng(3), engine.compiled.bounds
    p, compared, scheduled, tried = engine.params[0], 0, 0, 0
    told = [Told(engine, world) for world in range(6)]
    while not engine.ended.all():
        for world in range(6):
            tick, length = int(engine.clock[world]), int(engine.library.length[world])
            if length - tick <= 3:
                continue
            ring, content, spans = engine.ring[world, 0], engine.state[world, 0, s.CONTENT], []
            for j in range(length - tick):
                up = down = told[world].power(tick + j)
                if j < s.WINDOW:
                    slot = slot_of(tick + j, tick)
                    up += ahead(ring, s.BATTERY, s.HI_LOCAL, slot) + ahead(ring, s.BATTERY, s.HI_BALANCING, slot)
                    down += ahead(ring, s.BATTERY, s.LO_LOCAL, slot) + ahead(ring, s.BATTERY, s.LO_BALANCING, slot)
                spans.append((min(up, p[s.RATED_MW]), max(down, -p[s.RATED_MW])))
            lowest = content - np.cumsum([drain_mwh(up, p[s.INTO], p[s.OUT]) for up, _ in spans])
            highest = content - np.cumsum([drain_mwh(down, p[s.INTO], p[s.OUT]) for _, down in spans])
            up, down = spans[3]
            energy = min(lowest[3:]) - p[s.MIN_MWH]
            top = min(power_for_drain_mw(drain_mwh(up, p[s.INTO], p[s.OUT]) + energy, p[s.INTO], p[s.OUT]), p[s.RATED_MW])
            energy = p[s.MAX_MWH] - max(highest[3:])
            bottom = max(power_for_drain_mw(drain_mwh(down, p[s.INTO], p[s.OUT]) - energy, p[s.INTO], p[s.OUT]), -p[s.RATED_MW])
            expected = [max(0.0, top - up), max(0.0, down - bottom)]
            seen = engine.observation[world, 0, [v.FEASIBLE_UP_MFRR, v.FEASIBLE_DN_MFRR]].tolist()
            assert seen == pytest.approx(expected, abs=1e-5), (world, tick, length)
            if tick % 29 == world:
                assert seen == pytest.approx(brute_room(p, content, spans, 3), abs=2e-5), (world, tick, length)
                tried += 1
            compared, scheduled = compared + 1, scheduled + any(told[world].hours.values())
        action = random.uniform(low, high, engine.mask.shape)
        action[..., v.DA_MIN_SPREAD] = 0.0
        action[..., [v.LFM_PRICE_UP, v.MFRR_PRICE_UP, v.LFM_PRICE_DN, v.MFRR_PRICE_DN]] = 60.0
        action[..., v.ID_POWER_FRAC] *= random.random() < 0.2
        before = engine.clock.copy()
        engine.step(action)
        for world in np.flatnonzero(engine.clock > before):
            told[world].after_step()
    assert compared > 1500
    assert scheduled > 1000
    assert tried > 50


@pytest.mark.parametrize("rows", [1, 3])
def test_the_observed_schedule_and_commitments_are_ones_own(rows: int):
    """Every portfolio sees its own schedule, not its neighbour's, at every quarter of the hour."""
    fleet = tuple(portfolio(name, power, start=None) for name, power in zip("abc"[:rows], (4.0, 2.0, 3.0), strict=False))
    engine = Engine(design("parallel_adjusted"), fleet, busy(generate(scenario_keys("train", 4), rows=rows, days=2)), 4)
    engine.reset(np.arange(4))
    random, (low, high) = np.random.default_rng(5), engine.compiled.bounds
    told = {(world, row): Told(engine, world, row) for world in range(4) for row in range(rows)}
    nonzero = sold = 0
    while not engine.ended.any():
        action = random.uniform(low, high, engine.mask.shape)
        action[..., v.DA_MIN_SPREAD] = 0.0
        action[..., [v.LFM_PRICE_UP, v.MFRR_PRICE_UP, v.LFM_PRICE_DN, v.MFRR_PRICE_DN]] = 60.0
        engine.step(action)
        for (world, row), own in told.items():
            own.after_step()
            tick, length = int(engine.clock[world]), int(engine.library.length[world])
            book, seen = engine.book[world, row].astype(float), engine.observation[world, row].astype(float)
            hours = [tick] + [tick - tick % 4 + 4 * k for k in range(1, 24)]
            expected = [own.power(t) if t < length else 0.0 for t in hours]
            assert seen[v.BOOK + 12 : v.BOOK + 36].tolist() == pytest.approx(expected, abs=1e-5)
            net = []
            for t in range(tick, tick + 12):
                power = own.power(t) if t < length else 0.0
                for ledger, known in ((c.LFM, t - t % 4 <= tick + 8), (c.MFRR, t <= tick + 1)):  # as far as results are out
                    if known:
                        up, down = (book[slot_of(t, tick), column(ledger, s.SOLD, d)] for d in range(2))
                        power, sold = power + up - down, sold + (up != down)
                net.append(power)
            assert seen[v.BOOK : v.BOOK + 12].tolist() == pytest.approx(net, abs=1e-5), (world, row, tick)
            nonzero += bool(np.any(seen[v.BOOK + 14 : v.BOOK + 36]))
    assert nonzero > 200
    assert sold > 200


def test_what_lies_ahead_moves_by_one_slot():
    """Every field of every MTU moves one slot towards the past; what enters is empty, what is older is forgotten."""
    ring = np.random.default_rng(1).random(s.RING_W).astype(np.float32)
    before = ring.copy()
    move_slots(ring)
    for first, last, shape in ((s.AHEAD, s.BOOK, (s.AHEAD_COLS, s.SLOTS)), (s.BOOK, s.PLAN, (s.SLOTS, s.BOOK_W))):
        now, then = ring[first:last].reshape(shape), before[first:last].reshape(shape)
        if first == s.BOOK:
            now, then = now.T, then.T
        assert (now[:, :-1] == then[:, 1:]).all()
        assert (now[:, -1] == 0.0).all()
    assert (ring[s.PLAN :] == before[s.PLAN :]).all()


# ---- how offers and orders are split over assets ------------------------------------------------------------------------


@st.composite
def mixed_portfolios(draw: st.DrawFn) -> np.ndarray:
    """Draw parameters of a battery, a fleet and a load behind one meter, in any order of cost."""
    costs = draw(st.permutations([5.0, 15.0, 200.0]))
    one = Portfolio(
        name="mixed",
        connection_mw=50.0,
        battery=Battery(power_mw=5.0, capacity_mwh=10.0, wear_eur_per_mwh=costs[0]),
        fleet=Fleet(chargers=10, delay_eur_per_mwh=costs[1]),
        load=Load(peak_mw=5.0, step_mw=0.5, cost_eur_per_mwh=costs[2]),
    )
    p = compile_portfolios((one,))[0]
    assert [costs[int(p[s.ORDER + k])] for k in range(3)] == sorted(costs)
    return p


def cheapest_first(p: np.ndarray, rooms: list[float], power: float) -> list[float]:
    """Return the parts of a power by asset kind, the cheapest asset used up before the next."""
    out = [0.0] * s.KINDS_W
    for rank in range(s.KINDS_W):
        kind = int(p[s.ORDER + rank])
        out[kind] = min(rooms[kind], power - sum(out))
    return out


rooms_mw = st.lists(st.sampled_from([0.0, 0.5]) | st.floats(0.0, 8.0), min_size=6, max_size=6)
shares = st.sampled_from([0.0, 1.0]) | st.floats(0.0, 1.0)


@settings(max_examples=300)
@given(mixed_portfolios(), rooms_mw, st.sampled_from([s.HI_LOCAL, s.HI_BALANCING]), shares, shares, shares, shares)
def test_offers_and_orders_are_split_by_cost_within_what_each_asset_offered(p, free, field, up, down, sold_up, sold_down):
    """Parts add up to the offer and to the order; none is larger than what its asset has; the cheapest asset goes first."""
    ring, work, first, count = np.zeros(s.RING_W, np.float32), np.zeros(s.SCRATCH_W), 5, 4
    work[s.ROOM : s.ROOM + 6] = free
    offers = [up * sum(free[0::2]), down * sum(free[1::2])]
    for d in range(2):
        reserve(p, ring, first, count, field, d, offers[d], work)
    for slot in range(s.SLOTS):
        for d, sign in ((0, 1.0), (1, -1.0)):
            parts = [sign * ahead(ring, kind, field + d, slot) for kind in range(s.KINDS_W)]
            inside = first <= slot < first + count
            assert parts == pytest.approx(cheapest_first(p, free[d::2], offers[d]) if inside else [0.0] * 3, abs=NEAR_MWH)
    slot, local, ledger = first, field == s.HI_LOCAL, c.LFM if field == s.HI_LOCAL else c.MFRR
    order = [sold_up * offers[0], sold_down * offers[1]]
    for d in range(2):
        ring[s.BOOK + slot * s.BOOK_W + column(ledger, s.SOLD, d)] = order[d]
    split_order(p, ring, slot, field, local, s.SHARE, work)
    parts = work[s.SHARE : s.SHARE + 3].tolist()
    each = [cheapest_first(p, cheapest_first(p, free[d::2], offers[d]), order[d]) for d in range(2)]
    assert parts == pytest.approx([a - b for a, b in zip(*each, strict=True)], abs=4 * NEAR_MWH)
    assert sum(parts) == pytest.approx(order[0] - order[1], abs=4 * NEAR_MWH)
    # what is published stands still, and another look gives the same parts
    publish_market(p, ring, slot, field, local, work)
    if max(offers) > 1e-6:
        assert not pending_in(ring, slot, field, field + 1)
        assert cell(ring, slot, s.KNOWN_BATTERY) == pytest.approx(parts[s.BATTERY], abs=NEAR_MWH)
        assert cell(ring, slot, s.KNOWN_LOCAL if local else s.KNOWN_BALANCING) == pytest.approx(
            order[0] - order[1], abs=4 * NEAR_MWH
        )
    kept = ring.copy()
    publish_market(p, ring, slot, field, local, work)
    split_order(p, ring, slot, field, local, s.SHARE + 3, work)
    assert ring.tobytes() == kept.tobytes()
    assert work[s.SHARE + 3 : s.SHARE + 6].tolist() == pytest.approx(parts, abs=NEAR_MWH)


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


def planned(p, price, first, count, content, volume, spread, end, *, fleet=None, load=None, high=None):
    """Return what the day plan makes of hourly prices: battery MW per MTU, the ring and the scratch table."""
    work, forecast, ring = np.zeros(s.SCRATCH_W), np.zeros((c.HOURLY_W, 60)), np.zeros(s.RING_W, np.float32)
    ring[s.PLAN : s.ENVELOPE] = 7.0  # what stood there before
    hours = range(first // 4, (first + count) // 4)
    forecast[c.DA_NOON, hours[0] : hours[0] + len(price)] = price
    fleet, load = NOTHING if fleet is None else fleet, NOTHING[:, 0] if load is None else load
    plan_day(p, ring, work, forecast, c.DA_NOON, fleet, load, first, count, content, content if high is None else high,
             volume, spread, end)  # fmt: skip
    power = np.zeros(len(hours))
    if p[s.RATED_MW] * volume > POWER_EPSILON_MW:
        power = table(work, s.HOUR_POWER, len(hours))
    kept = [hour_cell(ring, s.PLAN_BATTERY, hour) for hour in hours]
    assert kept == power.astype(np.float32).tolist()
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
