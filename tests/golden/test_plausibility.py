"""What comes out lies where published figures say it should (docs/sources.md)."""

from __future__ import annotations

import numpy as np
import pytest

from stacking import flows as f
from stacking import generate, load_design, scenario_keys
from stacking import layout as v
from stacking.agents.strategies import make_strategy
from stacking.engine import Engine
from stacking.experiments.runner import Contest, run
from stacking.experiments.stats import revenue_eur_per_kw_year
from stacking.portfolio import Battery, Portfolio
from stacking.units import MTU_H

# 1 MW / 2 MWh, round trip 0.86, wear 10 EUR/MWh, 1.5 cycles a day, foresight within the day, price taker, NO2 2025.
BOUND_DAY_AHEAD_EUR_PER_KW_YEAR = 27.9
BOUND_WITH_MFRR_EUR_PER_KW_YEAR = 57.0

UNIT = Portfolio(
    name="unit",
    connection_mw=1.0,
    battery=Battery(
        power_mw=1.0,
        capacity_mwh=2.0,
        charge_efficiency_frac=0.9274,
        discharge_efficiency_frac=0.9274,
        min_content_frac=0.0,
        max_content_frac=1.0,
        wear_eur_per_mwh=10.0,
    ),
)


def test_blind_double_selection_is_near_the_product_of_the_call_probabilities() -> None:
    """A store without energy limit offers everything everywhere: both calls hit the same MTU as often as chance says."""
    store = Battery(power_mw=1.0, capacity_mwh=100_000.0, start_content_frac=0.5)
    lake = Portfolio(name="lake", connection_mw=1.0, battery=store)
    library = generate(scenario_keys("validation", 192, seed=7))
    engine = Engine(load_design("parallel_late"), (lake,), library, worlds=192)
    engine.reset(np.arange(192))
    action = np.zeros((192, 1, v.ACTIONS_W))
    action[..., v.LFM_SHARE_UP] = action[..., v.MFRR_SHARE_UP] = 1.0
    action[..., v.LFM_PRICE_UP], action[..., v.MFRR_PRICE_UP] = -5000.0, -10000.0
    local = balancing = both = count = 0
    for _ in range(int(library.length.max())):
        engine.step(action, live=engine.clock < library.length[engine.scenario])
        called = engine.flows[:, 0, f.ACTIVATED_LFM] > 0.0, engine.flows[:, 0, f.ACTIVATED_MFRR] > 0.0
        local, balancing = local + called[0].sum(), balancing + called[1].sum()
        both += (engine.flows[:, 0, f.DOUBLE_ACTIVATED] > 0.0).sum()
        count += len(engine.flows)
    expected = local * balancing / count
    assert local > 500
    assert balancing > 5000
    assert 0.6 < both / expected < 1.7


@pytest.mark.parametrize(
    ("strategy", "bound"),
    [("da_arbitrage", BOUND_DAY_AHEAD_EUR_PER_KW_YEAR), ("rebid", BOUND_WITH_MFRR_EUR_PER_KW_YEAR)],
)
def test_battery_revenue_lies_below_the_published_bound(strategy: str, bound: float) -> None:
    """Wholesale and balancing revenue (without the local market) is positive and below the bound with foresight."""
    library = generate(scenario_keys("validation", 48, seed=11))
    contest = Contest((load_design("parallel_adjusted"),), {strategy: make_strategy(strategy)}, (UNIT,), library)
    rows = run(contest).episodes.query("strategy == @strategy")
    assert (rows["activated_mfrr_mwh"].sum() > 0.0) == (strategy == "rebid")
    net = rows["net_eur"] - rows["cash_lfm_eur"]
    hours = float(library.length.mean()) * MTU_H
    revenue = revenue_eur_per_kw_year(float(net.mean()), 1.0, hours)
    assert 0.25 * bound < revenue < bound
