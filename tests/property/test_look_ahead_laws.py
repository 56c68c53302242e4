"""The look ahead against brute force: what it permits is feasible whatever is called, and all there is."""

from __future__ import annotations

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
from stacking.assets.battery import drain_mwh, power_for_drain_mw, renew_reach
from stacking.compile import compile_portfolios
from stacking.engine import Engine
from stacking.lookahead import (
    add_ahead,
    free_power,
    known_mw,
    known_sale_mw,
    pending_in,
    publish_market,
    reserve,
    set_ahead,
    split_order,
)
from stacking.markets.day_ahead import set_plan
from stacking.portfolio import Battery, Fleet, Load, Portfolio
from stacking.ring import move_slots, take_plan
from stacking.scenario import generate, scenario_keys
from stacking.state import ahead, cell, column, consented, hour_cell, set_consent, slot_of
from stacking.units import MTU_H

from ..toy import busy, design, portfolio
from .draws import NEAR_MWH, NOTHING, batteries, simulate

# ---- look ahead --------------------------------------------------------------------------------------------------------

BEYOND = 32  # MTU of the schedule that are simulated


def near(p: np.ndarray) -> float:
    """Return the energy that single precision may lose in one MTU, MWh."""
    return NEAR_MWH * max(1.0, p[s.RATED_MW])


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
    renew_reach(p, ring, hour, hour + 7)
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
    given = [[slot % (3 + d) == 0 for slot in range(s.SLOTS)] for d in range(2)]
    ring[s.CONSENTS : s.CONSENTS + 2] = 0.0
    for d in range(2):
        for slot in range(s.SLOTS):
            set_consent(ring, slot, d, True)
            set_consent(ring, slot, d, given[d][slot])
    assert [[consented(ring, slot, d) for slot in range(s.SLOTS)] for d in range(2)] == given
    before = ring.copy()
    move_slots(ring)
    for d in range(2):
        assert [consented(ring, slot, d) for slot in range(s.SLOTS)] == [*given[d][1:], False]
    for first, last, shape in ((s.AHEAD, s.BOOK, (s.AHEAD_COLS, s.SLOTS)), (s.BOOK, s.PLAN, (s.SLOTS, s.BOOK_W))):
        now, then = ring[first:last].reshape(shape), before[first:last].reshape(shape)
        if first == s.BOOK:
            now, then = now.T, then.T
        assert (now[:, :-1] == then[:, 1:]).all()
        assert (now[:, -1] == 0.0).all()
    assert (ring[s.PLAN : s.CONSENTS] == before[s.PLAN : s.CONSENTS]).all()


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
        assert known_mw(ring, s.BATTERY, field, slot) == pytest.approx(parts[s.BATTERY], abs=NEAR_MWH)
        assert known_sale_mw(ring, field, slot) == pytest.approx(order[0] - order[1], abs=4 * NEAR_MWH)
    kept = ring.copy()
    publish_market(p, ring, slot, field, local, work)
    split_order(p, ring, slot, field, local, s.SHARE + 3, work)
    assert ring.tobytes() == kept.tobytes()
    assert work[s.SHARE + 3 : s.SHARE + 6].tolist() == pytest.approx(parts, abs=NEAR_MWH)
