"""The table of every bid's history adds up to the flows, stage by stage, market by market, code by code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest

from stacking import columns as c
from stacking import flows as f
from stacking import state as s
from stacking.agents.drawn import draw_population
from stacking.config import Design
from stacking.engine import Engine
from stacking.errors import StackingError
from stacking.experiments.design_input import chosen_design
from stacking.experiments.system.history import REFUSALS, BidHistory
from stacking.network import default_network
from stacking.scenario import Library, generate, scenario_keys

from ..toy import (
    SHARING,
    balancing,
    busy,
    by_row,
    design,
    library,
    lively,
    local,
    merged,
    need,
    portfolio,
    same_bytes,
    tso_needs_up,
)

SUMS = (
    ("offered_mwh", ("lfm",), (f.OFFERED_LFM,)),
    ("offered_mwh", ("mfrr",), (f.OFFERED_MFRR,)),
    ("forwarded_mwh", ("forwarded",), (f.FORWARDED_MWH,)),
    ("ordered_mwh", ("lfm",), (f.ACTIVATED_LFM,)),
    ("ordered_mwh", ("mfrr",), (f.ACTIVATED_MFRR,)),
    ("ordered_mwh", ("forwarded",), (f.ACTIVATED_FORWARDED,)),
    ("missing_mwh", ("lfm",), (f.UNDELIVERED_LFM,)),
    ("missing_mwh", ("mfrr", "forwarded"), (f.UNDELIVERED_MFRR,)),
    ("paid_eur", ("lfm",), (f.CASH_LFM,)),
    ("paid_eur", ("mfrr",), (f.CASH_MFRR,)),
    ("paid_eur", ("forwarded",), (f.CASH_FORWARDED,)),
)
# what is procured jointly stands in one book and is paid by both operators
JOINT_SUMS = (*SUMS[:8], ("paid_eur", ("lfm", "mfrr", "forwarded"), (f.CASH_LFM, f.CASH_MFRR, f.CASH_FORWARDED)))


def recorded(
    name: str, pooling: bool, count: int, overrides: tuple[str, ...] | dict[str, Any] = ()
) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Return the table, the flows summed by world and portfolio, and what each market accepted, of two lively worlds."""
    portfolios = draw_population("mixed", count, 1, default_network())
    lib = busy(generate(scenario_keys("train", 2), portfolios=portfolios, days=1))
    if isinstance(overrides, dict):
        setting = design(name, mfrr={"min_mw": 0.1, "granularity_mw": 0.1}, **overrides)
        portfolios = tuple(p.model_copy(update={"member": k % 4 != 1, "collateral_eur": 200.0}) for k, p in enumerate(portfolios))
    else:
        setting = chosen_design(name, overrides, pooling)
    engine, twin = (Engine(setting, portfolios, lib, worlds=2) for _ in range(2))
    for each in (engine, twin):
        each.reset([0, 1])
    history, random = BidHistory(engine), np.random.default_rng(1)
    bounds = np.array([engine.compiled.layout.low, engine.compiled.layout.high])
    sums, accepted = np.zeros(engine.flows.shape), np.zeros(2)
    while not engine.ended.all():
        action = lively(bounds, (2, count), random)
        engine.step(action)
        twin.step(action)
        sums += engine.flows
        accepted += engine.market[:, [f.ACCEPTED_LFM_MWH, f.ACCEPTED_MFRR_MWH]].sum(axis=0)
        history.record(action)
        same_bytes(engine, twin)  # recording changes nothing
    frame = history.frame()
    return frame.assign(missing_mwh=frame["ordered_mwh"] - frame["delivered_mwh"]), sums, accepted


FINE = ("products.mfrr.min_mw=0.1", "products.mfrr.granularity_mw=0.1")
CASES = [
    ("norflex_eam", True, 40, ()),
    ("norflex_eam", False, 40, FINE),
    ("norflex", False, 40, ("products.mfrr.min_mw=0.05", "products.mfrr.granularity_mw=0.05")),
    ("sthlmflex", True, 12, ()),
    ("exclusive", False, 12, FINE),
    ("onenet", False, 12, FINE),
    ("parallel_late", False, 12, FINE),
    ("finflex", False, 12, (*FINE, "rules.lock_latency_s=900.0")),
    ("finflex", False, 12, (*FINE, "rules.lock_latency_s=900.0", 'rules.conflict_rule="both_stand"', 'rules.grid_check="limit"')),
    ("opentunity", False, 12, FINE),
    ("onenet_pl", True, 12, FINE),
    ("onenet_pl", False, 12, (*FINE, 'rules.grid_check="reject"')),
    ("mandatory", True, 12, ()),
    ("sthlmflex_eam", False, 12, FINE),
    ("gopacs", False, 12, FINE),
    ("redispatch", False, 12, ()),
    ("gb_stacking", False, 12, FINE),
    ("parallel", False, 12, FINE),
    ("parallel_adjusted", False, 12, FINE),
    ("onenet_cy", False, 12, FINE),
    *(("norflex_eam", rules.get("pooling", False), 12, rules) for rules in SHARING),
]


@pytest.mark.parametrize(("name", "pooling", "count", "overrides"), CASES)
def test_sums_over_the_table_are_the_flows(name: str, pooling: bool, count: int, overrides: Any):
    frame, sums, accepted = recorded(name, pooling, count, overrides)
    names = [p.name for p in draw_population("mixed", count, 1, default_network())]
    for row, portfolio_name in enumerate(names):
        part = frame.loc[frame["portfolio"] == portfolio_name]
        for column, markets, flows in JOINT_SUMS if name == "onenet" else SUMS:
            told = part.loc[part["market"].isin(markets), column].sum()
            assert told == pytest.approx(sums[:, row, list(flows)].sum(), rel=1e-6, abs=1e-6), (portfolio_name, column, markets)
        for k, column in enumerate(REFUSALS):
            assert part[column].sum() == pytest.approx(sums[:, row, f.REFUSED + k].sum(), rel=1e-6, abs=1e-6), column
    for k, markets in enumerate((("lfm",), ("mfrr", "forwarded"))):
        selected = frame.loc[frame["market"].isin(markets), "selected_mwh"].sum()
        assert selected == pytest.approx(accepted[k], rel=1e-6, abs=1e-6)
    assert frame[list(REFUSALS)].to_numpy().min() >= -1e-6
    assert frame.groupby("market")["selected_mwh"].sum().to_numpy() == pytest.approx(
        frame.groupby("market")["ordered_mwh"].sum().to_numpy()
    )


def test_a_mixed_population_reaches_every_stage():
    for name, pooling, count, overrides in CASES[:2]:
        frame, sums, _ = recorded(name, pooling, count, overrides)
        passed = frame[frame["market"] == "forwarded"]
        for column in ("forwarded_mwh", "selected_mwh", "ordered_mwh", "delivered_mwh"):
            assert float(passed[column].to_numpy().sum()) > 0.0, column
        assert np.abs(passed["paid_eur"].to_numpy()).sum() > 0.0
        assert (frame.loc[frame["market"] == "lfm", ["offered_mwh", "ordered_mwh"]].to_numpy().sum(axis=0) > 0.0).all()
        assert frame["missing_mwh"].to_numpy().sum() > 0.0
        used = {k for k in range(len(REFUSALS)) if sums[..., f.REFUSED + k].sum() > 0.0}
        assert len(used) >= 4


def test_a_forwarded_bid_solved_by_hand():
    # as tests/golden: 3.5 MW locally at 80, the DSO buys 1, 2 of the unsold 2.5 are forwarded, the TSO takes one of them at 80;
    # beside it 1 MW own at 30. The refused half MW is the forward gate's, in each of the four MTU
    lib = library(imbalance=100.0)
    need(lib, 1, 0, 12.0, volume=12.0, reference=40.0, anchor=100.0)
    need(lib, 0, 0, 1.0, limit=300.0)
    engine = Engine(design("norflex_eam"), (portfolio(),), lib, backend="python")
    history, names = BidHistory(engine), engine.compiled.layout.names
    decisions = merged(local("up", 0.875, 80.0, consent=1.0), balancing("up", 1.0, 30.0))
    for tick in range(12):
        action = np.zeros((1, 1, len(names)))
        for column, value in decisions.get(tick, {}).items():
            action[0, 0, names.index(column)] = value
        engine.step(action)
        history.record(action)
    frame = history.frame().set_index(["market", "mtu"])
    assert frame["direction"].unique().tolist() == ["up"]
    rows = {market: frame.loc[market] for market in ("lfm", "forwarded", "mfrr")}
    for part in rows.values():
        assert part.index.tolist() == [8, 9, 10, 11]
    columns = ["offered_mwh", "forwarded_mwh", "selected_mwh", "ordered_mwh", "delivered_mwh", "paid_eur"]
    assert rows["lfm"][columns].to_numpy().tolist() == [[0.875, 0.0, 0.25, 0.25, 0.25, 20.0]] * 4
    assert rows["forwarded"][columns].to_numpy().tolist() == [[0.0, 0.5, 0.25, 0.25, 0.25, 20.0]] * 4
    assert rows["mfrr"][columns].to_numpy().tolist() == [[0.25, 0.0, 0.25, 0.25, 0.25, 20.0]] * 4
    assert rows["forwarded"]["refused_granularity_rest_mwh"].tolist() == [0.125] * 4
    assert rows["lfm"]["refused_granularity_rest_mwh"].sum() == 0.0


def written(rules: Design, lib: Library, decisions: Mapping[tuple[int, int], Mapping[str, float]], count: int) -> pd.DataFrame:
    """Play scenario 0 with decisions by (tick, portfolio) of batteries of 4 MW / 16 MWh; return the bids."""
    engine = Engine(rules, tuple(portfolio(name, capacity=16.0) for name in "ab"[:count]), lib, backend="python")
    history, names = BidHistory(engine), engine.compiled.layout.names
    for tick in range(12):
        action = np.zeros((1, count, len(names)))
        for (at, row), columns in decisions.items():
            if at == tick:
                action[0, row, [names.index(name) for name in columns]] = list(columns.values())
        engine.step(action)
        history.record(action)
    return history.frame()


def by_mtu(frame: pd.DataFrame, market: str, *columns: str) -> list[list[float]]:
    """Return some columns of the bids that stood in a market, MTU 8 to 11."""
    part = frame.loc[frame["market"] == market]
    assert part["mtu"].tolist() == [8, 9, 10, 11]
    return np.round(part[list(columns)].to_numpy(), 6).tolist()


def test_a_match_in_vain_solved_by_hand():
    """4 MW at 55 in a shared book for an hour: the DSO buys all of it, the TSO matches 1.5 MW behind a late lock: void.

    The refusal is the match's, at the market `forwarded`, 0.375 MWh in each MTU; nothing of it was selected. If both stand, it
    is, and the DSO, who is served first, leaves nothing to deliver.
    """
    lib, offer = library(), by_row(r0=local("up", 1.0, 55.0))
    tso_needs_up(lib, 2.0, 80.0, 50.0, first=8)
    lib.series[:, 8:, c.NEED_FORECAST], lib.series[:, :, c.LOOK_S] = 2.0, 30.0
    need(lib, 0, 0, 4.0, limit=400.0, first=8)
    frame = written(design("finflex", lock_latency_s=31.0), lib, offer, 1)
    columns = ("forwarded_mwh", "selected_mwh", "delivered_mwh", "refused_locked_mwh")
    assert by_mtu(frame, "forwarded", *columns) == [[0.0, 0.0, 0.0, 0.375]] * 4
    assert by_mtu(frame, "lfm", "offered_mwh", "selected_mwh", "paid_eur", "refused_locked_mwh") == [[1.0, 1.0, 55.0, 0.0]] * 4
    both = written(design("finflex", lock_latency_s=31.0, conflict_rule="both_stand"), lib, offer, 1)
    assert by_mtu(both, "forwarded", *columns) == [[0.375, 0.375, 0.0, 0.0]] * 4


def test_what_the_grid_refuses_stands_where_the_bid_stood():
    """a forwards 1 MW at 40, b bids 1 MW itself at 60; half a MW may flow out, the TSO needs 2 MW and others ask 90.

    0.5 MW of a is called; 0.5 MW of the forwarded bid and all of b's own are refused by the check.
    """
    lib = library(rows=2)
    tso_needs_up(lib, 2.0, 90.0, 90.0, first=8)
    lib.local[:, 0, 8:, c.background_column(1) + c.NEED] = -0.5
    decisions = by_row(r0=local("up", 0.25, 40.0, consent=1.0), r1=balancing("up", 0.25, 60.0))
    frame = written(design("norflex_eam", grid_check="limit", location="kept"), lib, decisions, 2)
    assert by_mtu(frame, "forwarded", "selected_mwh", "refused_grid_limit_mwh") == [[0.125, 0.125]] * 4
    assert by_mtu(frame, "mfrr", "selected_mwh", "refused_grid_limit_mwh") == [[0.0, 0.25]] * 4
    assert float(frame["refused_grid_limit_mwh"].to_numpy().sum()) == pytest.approx(1.5)


def test_a_joint_bid_solved_by_hand():
    """1 MW at 100 serves the DSO (42.5 above the root's 57.5) and the TSO: it stands at `mfrr` and is paid by both."""
    lib = library()
    tso_needs_up(lib, 2.0, 80.0, 50.0, first=8)
    need(lib, 0, 0, 1.0, limit=400.0, first=8)
    frame = written(design("onenet"), lib, by_row(r0=balancing("up", 0.75, 100.0)), 1)
    columns = ("offered_mwh", "selected_mwh", "delivered_mwh", "paid_eur")
    assert by_mtu(frame, "mfrr", *columns) == [[0.75, 0.25, 0.25, 25.0]] * 4
    assert len(frame) == 4


def test_a_reset_in_between_is_an_error():
    lib = library(scenarios=2)
    engine = Engine(design("norflex_eam"), (portfolio(),), lib, backend="python")
    history = BidHistory(engine)
    action = np.zeros((1, 1, len(engine.compiled.layout.names)))
    engine.step(action)
    history.record(action)
    assert engine.control[0, s.CLOCK] == 1
    engine.reset([1])
    with pytest.raises(StackingError, match="reset"):
        history.record(action)
