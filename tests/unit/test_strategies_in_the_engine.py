"""The shipped strategies on a few generated weeks: what their names promise happens, and the counts are not zero."""

from __future__ import annotations

import numpy as np
import pytest

from stacking import flows as f
from stacking.agents.consent import with_consent
from stacking.agents.population import Population
from stacking.agents.strategies import Strategy, make_strategy
from stacking.agents.strategies.observed import look
from stacking.catalogue import design_names, load_design
from stacking.engine import Engine
from stacking.portfolio import Battery, Portfolio
from stacking.scenario import generate, scenario_keys

COUNT = 16
BATTERY = (Portfolio(name="battery", connection_mw=5.0, battery=Battery(power_mw=5.0, capacity_mwh=10.0)),)
LIBRARY = generate(scenario_keys("train", COUNT, seed=11), days=4)


def run(design: str, strategy: Strategy) -> np.ndarray:
    """Return the sums of the flows of each world, (COUNT, FLOWS_W)."""
    engine = Engine(load_design(design), BATTERY, LIBRARY, worlds=COUNT)
    population = Population({"it": strategy}, ["it"], layout=engine.compiled.layout)
    engine.reset(np.arange(COUNT))
    population.start([str(key) for key in LIBRARY.keys])
    total = np.zeros((COUNT, f.FLOWS_W))
    while not engine.ended.all():
        engine.step(population.act(engine.observation, engine.mask))
        total += engine.flows[:, 0]
    return total


def net(total: np.ndarray) -> float:
    return float(total[:, : f.CASH_W].sum(axis=1).mean())


def test_nothing_happens_to_do_nothing() -> None:
    total = run("parallel", make_strategy("do_nothing"))
    assert np.all(total[:, : f.CASH_W] == 0.0)
    assert np.all(total[:, f.CHARGED] == 0.0)


@pytest.mark.parametrize("name", ["da_arbitrage", "mfrr_only", "rebid", "overbook", "stacked"])
def test_strategies_earn_more_than_nothing(name: str) -> None:
    total = run("norflex_eam", make_strategy(name))
    assert net(total) > 300.0
    if name != "da_arbitrage":
        assert total[:, f.ACTIVATED_MFRR].sum() > 0.0
    else:
        assert total[:, f.OFFERED_MFRR].sum() == total[:, f.OFFERED_LFM].sum() == 0.0


@pytest.mark.parametrize("design", [name for name in design_names() if not load_design(name).joint])
def test_a_strategy_for_the_local_market_plays_every_design_that_has_one(design: str) -> None:
    for name in ("lfm_only", "stacked"):
        assert run(design, make_strategy(name))[:, f.ACTIVATED_LFM].sum() > 0.0


def test_without_a_local_market_a_local_strategy_sells_nothing_and_the_others_keep_nothing_back() -> None:
    assert run("onenet", make_strategy("lfm_only"))[:, [f.OFFERED_LFM, f.OFFERED_MFRR]].sum() == 0.0
    offered = [run("onenet", make_strategy("rebid", lfm_need_mw=need))[:, f.OFFERED_MFRR] for need in (0.0, 0.1)]
    assert offered[0].sum() > 0.0
    assert (offered[0] == offered[1]).all()


@pytest.mark.parametrize("design", ["parallel", "parallel_late", "parallel_adjusted", "exclusive"])
@pytest.mark.parametrize("need_mw", [0.0, 0.1])
def test_an_honest_player_sells_no_mw_twice_even_where_nobody_tells(design: str, need_mw: float) -> None:
    for name in ("rebid", "stacked"):
        total = run(design, make_strategy(name, lfm_need_mw=need_mw))
        assert total[:, f.ACTIVATED_LFM].sum() > 0.0
        assert total[:, f.ACTIVATED_MFRR].sum() > 0.0
        assert total[:, f.DOUBLE_SELECTED].sum() == 0.0
        assert total[:, f.UNDELIVERED_LFM].sum() < 0.02 * total[:, f.ACTIVATED_LFM].sum()
        assert total[:, f.UNDELIVERED_MFRR].sum() < 0.002 * total[:, f.ACTIVATED_MFRR].sum()


def test_overbook_sells_twice_where_nobody_tells_and_not_where_its_sales_are_seen() -> None:
    blind, seen = (run(design, make_strategy("overbook")) for design in ("parallel", "parallel_adjusted"))
    assert blind[:, f.DOUBLE_SELECTED].sum() > 0.0
    assert blind[:, f.UNDELIVERED_MFRR].sum() > 0.0
    assert seen[:, f.DOUBLE_SELECTED].sum() == 0.0


def test_consent_moves_bids_and_its_absence_moves_none() -> None:
    strategy = make_strategy("stacked", lfm_need_mw=0.0)
    yes, no, some = (run("norflex_eam", with_consent(strategy, text)) for text in ("always", "never", "random:0.5"))
    assert yes[:, f.FORWARDED_MWH].sum() > some[:, f.FORWARDED_MWH].sum() > 0.0
    assert no[:, f.FORWARDED_MWH].sum() == 0.0
    assert yes[:, f.OPTED_OUT_COUNT].sum() == 0.0
    assert no[:, f.OPTED_OUT_COUNT].sum() == no[:, f.ASKED_COUNT].sum() > 0.0
    assert 0.3 < some[:, f.OPTED_OUT_COUNT].sum() / some[:, f.ASKED_COUNT].sum() < 0.7


def test_reading_the_observation_agrees_with_the_engine() -> None:
    """What `look` derives (quarter, content path, pending energy) is what then happens when nothing more is called."""
    engine = Engine(load_design("parallel"), BATTERY, LIBRARY, worlds=COUNT)
    plan = Population({"it": make_strategy("da_arbitrage")}, ["it"])
    engine.reset(np.arange(COUNT))
    plan.start(list(range(COUNT)))
    paths, moved = [], 0.0
    for tick in range(200):
        seen = look(engine.observation[:, 0])
        assert np.all(seen.quarter == tick % 4)
        assert seen.pending_up_mwh.max() < 1e-4  # nothing is pending
        assert seen.pending_dn_mwh.max() < 1e-4
        paths.append(seen.path_mwh)
        for ahead in (1, 3, 12):
            if tick > 60 and tick >= ahead:  # the day plan of noon is known twelve hours before it starts
                moved += np.abs(paths[tick - ahead][:, ahead] - paths[tick - ahead][:, 0]).sum()
                np.testing.assert_allclose(paths[tick - ahead][:, ahead], seen.content_mwh, atol=1e-4)
        engine.step(plan.act(engine.observation, engine.mask))
    assert moved > 10.0
