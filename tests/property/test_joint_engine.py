"""Joint procurement in the engine against a linear program that is written from the definitions."""

from __future__ import annotations

import numpy as np
import pytest

from stacking import columns as c
from stacking import flows as f
from stacking import layout as v
from stacking import state as s
from stacking.columns import background_column
from stacking.engine import Engine
from stacking.invariants import check_step
from stacking.network import compile_network, load_network
from stacking.portfolio import Battery, Portfolio
from stacking.scenario import Library, ScenarioKey, generate

from ..joint_toy import Problem, area, least_cost, problem
from ..toy import busy, design

AREAS = ("Norra", "City", "Sodra", "E.ON")
TICKS = 150
CAP = 10_000.0


def world() -> tuple[Engine, Library]:
    """Return eight batteries in four areas with needs in both directions, and their scenarios."""
    random = np.random.default_rng(3)
    given = tuple(
        Portfolio(
            name=f"{name} {k}",
            node=name,
            connection_mw=20.0,
            battery=Battery(power_mw=float(random.uniform(0.2, 5.0)), capacity_mwh=float(random.uniform(1.0, 12.0))),
        )
        for k in range(2)
        for name in AREAS
    )
    network = load_network("stockholm")
    areas = compile_network(network, given)
    portfolios = tuple(given[k] for k in areas.order)
    lib = busy(generate([ScenarioKey("train", "generator", 4, 0)], days=2, portfolios=portfolios, network=network), seed=8)
    for a in range(1, len(AREAS)):  # what one area needs another needs later, a little less
        lib.local[:, a] = np.roll(lib.local[:, 0], 8 * a, axis=1)
    return Engine(design("onenet"), portfolios, lib, network=network), lib


def problem_of(engine: Engine, lib: Library) -> tuple[Problem, list[tuple[int, int]]]:
    """Return the bids and limits of the MTU that is cleared in this tick, and row and direction of the first of them."""
    tick = int(engine.clock[0])
    slot, at, curves = s.PAST + 1, lib.series[0, tick + 1], engine.compiled.curves
    bids: list[tuple[int, int, float, float]] = []
    own: list[tuple[int, int]] = []
    for row in range(engine.rows):
        for d, sign in enumerate((1, -1)):
            offered = float(engine.book[0, row, slot, s.LEDGER_COLS + s.OFFERED + d])
            if offered > 1e-9:
                own.append((row, d))
                bids.append((int(engine.areas.row_area[row]), sign, float(engine.book[0, row, slot, s.LEDGER_COLS + s.PRICE + d]),
                             offered))  # fmt: skip
    root, limits, others = len(AREAS), [], 0.0
    for a in range(root):
        margin, spans = lib.local[0, a, tick + 1], engine.areas.rows(a)
        scheduled = float(engine.ahead[0, spans, s.SCHEDULED, slot].astype(float).sum())
        up, down = (margin[background_column(d) + c.NEED] for d in range(2))
        price_up, price_dn = (margin[background_column(d) + c.LIMIT] for d in range(2))
        limits.append(area(root, up - scheduled, -(down + scheduled), max(0.0, min(price_up, CAP)), max(0.0, -price_dn)))
        for d, sign in enumerate((1, -1)):
            columns = margin[background_column(d) :][: c.BACKGROUND_W]
            steps = supply(columns, sign, curves[c.LFM])
            drawn, need = max(0.0, columns[c.NEED]), max(0.0, columns[c.NEED] - sign * scheduled)
            others += sign * min(drawn, sum(mw for _, mw in steps))
            for price, mw in steps:
                bids.append((a, sign, price, min(mw, need)))
                need -= min(mw, need)
    needs = [at[background_column(d) + c.NEED] for d in range(2)]
    balance = needs[0] - needs[1] + others
    limits.append(area(-1, balance, balance, CAP, CAP))
    for d, sign in enumerate((1, -1)):
        done = min(needs)
        for price, mw in supply(at[background_column(d) :][: c.BACKGROUND_W], sign, curves[c.MFRR]):
            bids.append((root, sign, price, max(0.0, mw - done)))
            done -= min(done, mw)
    return problem(limits, bids), own


def supply(columns: np.ndarray, sign: int, curve: np.ndarray) -> list[tuple[float, float]]:
    """Return price and MW of other people's steps that the buyer could take."""
    widths = np.diff(curve[:, 0], prepend=0.0) * columns[c.VOLUME]
    prices = columns[c.ANCHOR] * curve[:, 1] + columns[c.REF] * (1.0 - curve[:, 1])
    return [(float(p), float(w)) for p, w in zip(prices, widths, strict=True) if sign * p <= sign * columns[c.LIMIT]]


def played_tick(engine: Engine, random: np.random.Generator) -> None:
    """Offer much, near the market, and check the invariants."""
    action = random.uniform(engine.compiled.bounds[0], engine.compiled.bounds[1], (1, engine.rows, v.ACTIONS_W))
    for column in (v.MFRR_PRICE_UP, v.MFRR_PRICE_DN):
        action[..., column] = random.normal(60.0, 60.0, action.shape[:2])
    action[..., v.ID_POWER_FRAC] *= random.random(action.shape[:2]) < 0.2
    before = engine.snapshot()
    engine.step(action)
    check_step(engine, before, action)


def test_what_the_engine_buys_costs_least_for_all_operators_together() -> None:
    engine, lib = world()
    random = np.random.default_rng(11)
    bought = partly = areas_apart = 0
    for _ in range(TICKS):
        case, own = problem_of(engine, lib)
        least = least_cost(case)
        tick = int(engine.clock[0])
        played_tick(engine, random)
        sold = np.array([float(engine.book[0, row, s.PAST, s.LEDGER_COLS + s.SOLD + d]) for row, d in own])
        fixed = case.bids.copy()
        cost = 0.0
        for k, mw in enumerate(sold):  # what was bought is given, the rest of the program is free
            a, sign, price = int(case.bids[k, 0]), case.bids[k, 1], case.bids[k, 2]
            cost += sign * price * mw
            fixed[k, 3] = 0.0
            while a >= 0:
                case.areas[a, 1:3] -= sign * mw
                a = case.parent[a]
            local = engine.prices[0, int(case.bids[k, 0]), s.PAST]
            assert mw <= 1e-6 or sign * (local - price) >= -1e-4
            assert mw >= case.bids[k, 3] - 1e-5 or sign * (local - price) <= 1e-4
            bought, partly = bought + (mw > 1e-6), partly + (1e-6 < mw < case.bids[k, 3] - 1e-5)
        cost += least_cost(Problem(fixed, case.areas))
        assert cost == pytest.approx(least, abs=1e-3, rel=1e-6), tick
        areas_apart += np.ptp(engine.prices[0, :, s.PAST]) > 1.0
    assert min(bought, 5 * partly, 2 * areas_apart) > 100, (bought, partly, areas_apart)


def test_the_dso_and_the_tso_pay_what_the_areas_price_says() -> None:
    engine, _ = world()
    random = np.random.default_rng(12)
    paid = 0.0
    for _ in range(TICKS):
        played_tick(engine, random)
        flows, prices = engine.flows[0], engine.prices[0]
        for row in range(engine.rows):
            sold = sum(sign * float(engine.book[0, row, 0, s.LEDGER_COLS + s.SOLD + d]) for d, sign in enumerate((1, -1)))
            expected = 0.25 * sold * prices[int(engine.areas.row_area[row]), 0]
            assert flows[row, f.CASH_MFRR] + flows[row, f.CASH_LFM] == pytest.approx(expected, abs=1e-4)
            assert flows[row, f.CASH_MFRR] == pytest.approx(0.25 * sold * prices[-1, 0], abs=1e-4)
            paid += abs(flows[row, f.CASH_LFM])
    assert paid > 100.0
