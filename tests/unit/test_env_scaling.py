"""Numbers of -1..1 and what they stand for: laws, round trips, limits of products, and what is seen of an observation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stacking import layout as v
from stacking.agents.strategies import make_strategy, strategy_names
from stacking.catalogue import design_names, load_design
from stacking.compile import compile_design
from stacking.envs import spaces
from stacking.envs.config import env_config
from stacking.envs.ids import env_id
from stacking.envs.scaling import asinh, number_of, number_of_price, price_of, reference_price, sinh, value_of

from ..env_toy import ID, library, lively, portfolios, single

FIELDS = v.observation_layout().fields
AT = {field.name: k for k, field in enumerate(FIELDS)}


def made(name: str = ID, kind: str = "battery", **settings: Any) -> Any:
    env = single(name, portfolio=kind, library=library(kind), **settings)
    env.reset(options={"scenario": 1})
    return env


# ---- laws ------------------------------------------------------------------------------------------------------------
@given(st.floats(-6.2, 6.2), st.floats(-1e6, 1e6))
def test_own_functions_are_those_of_the_library(x: float, y: float) -> None:
    assert sinh(x) == pytest.approx(math.sinh(x), rel=1e-12, abs=1e-14)
    assert asinh(y) == pytest.approx(math.asinh(y), rel=1e-12, abs=1e-14)


@given(st.floats(-1.0, 1.0), st.floats(-500.0, 4000.0))
def test_prices_round_trip(x: float, reference: float) -> None:
    assert number_of_price(price_of(x, reference), reference) == pytest.approx(x, abs=1e-9)


@given(st.floats(-1.0, 1.0), st.sampled_from([(0.0, 1.0), (-1.0, 1.0), (0.0, 200.0)]))
def test_fractions_round_trip_and_stay_inside(x: float, bounds: tuple[float, float]) -> None:
    value = value_of(x, *bounds)
    assert bounds[0] <= value <= bounds[1]
    assert number_of(value, *bounds) == pytest.approx(x, abs=1e-12)


def test_prices_rise_with_the_number_and_are_fine_near_the_market() -> None:
    prices = [price_of(x, 50.0) for x in np.linspace(-1.0, 1.0, 201)]
    assert (np.diff(prices) > 0.0).all()
    assert prices[101] - prices[100] < 1.3  # a hundredth is 1.24 EUR/MWh at the market,
    assert prices[200] - prices[199] > 200.0  # and 296 at the end


# ---- decisions -------------------------------------------------------------------------------------------------------
def test_the_reference_of_a_price_is_the_day_ahead_price_of_its_delivery() -> None:
    env = made()
    series, seen = library().hourly[1, :, 0], set()
    for tick in range(100):
        raw = env.engine.observation[0, 0]
        for lead in (3, 8):
            assert reference_price(raw, lead) == raw[v.DA + (tick + lead) // 4 - tick // 4]
            if (tick + lead) // 4 - tick // 4 < raw[AT["da_known_hours"]]:
                assert reference_price(raw, lead) == np.float32(series[(tick + lead) // 4])
                seen.add(tick % 4)
        env.step(np.zeros(v.ACTIONS_W))
    assert seen == {0, 1, 2, 3}


def test_the_reference_of_a_bid_for_the_next_day_is_the_mean_of_its_hours() -> None:
    env = single("stacking/OneNetHu-v0", portfolio="battery", library=library(days=2))
    env.reset(options={"scenario": 1})
    opened = []
    for tick in range(200):
        raw, is_open = env.engine.observation[0, 0].copy(), env.action_masks()
        env.step(np.zeros(v.ACTIONS_W))
        if is_open[v.LFM_PRICE_UP]:
            opened.append(tick)
            hours = raw[v.DA + 18 : v.DA + 36].astype(float)  # at 06:00 midnight is 18 hours away, and 36 hours are shown
            assert env.worlds._action[0, 0, v.LFM_PRICE_UP] == pytest.approx(hours.mean(), rel=1e-6)
    assert opened == [72]


def test_numbers_become_the_decisions_that_the_engine_takes() -> None:
    env = made()
    env.step(np.zeros(v.ACTIONS_W, np.float32))  # tick 0: noon, every gate is open
    action = env.worlds._action[0, 0]
    reference = float(library().hourly[1, 0, 0]), float(library().hourly[1, 2, 0])
    assert action[v.DA_VOLUME_FRAC] == action[v.DA_END_CONTENT_FRAC] == 0.5
    assert action[v.DA_MIN_SPREAD] == 100.0
    assert action[v.ID_POWER_FRAC] == 0.0
    assert action[v.LFM_SHARE_UP : v.LFM_SHARE_DN + 1].tolist() == [0.5, 0.5]
    assert action[v.MFRR_PRICE_UP : v.MFRR_PRICE_DN + 1] == pytest.approx([reference[0]] * 2, rel=1e-6)
    assert action[v.LFM_PRICE_UP : v.LFM_PRICE_DN + 1] == pytest.approx([reference[1]] * 2, rel=1e-6)


@pytest.mark.parametrize("name", strategy_names())
def test_decisions_of_strategies_round_trip(name: str) -> None:
    """A strategy that plays through the numbers of a network earns what it earns by itself."""
    env, strategy = made(kind="default"), make_strategy(name)
    state, open_seen = strategy.start(1, 0), 0
    for _ in range(144):
        observation, mask = env.worlds.physical
        action, state = strategy.act(observation[0], mask[0], state)
        env.step(env.numbers_of(action[0]))
        taken = env.worlds._action[0, 0]
        wanted = np.where(mask[0, 0], action[0], 0.0)
        assert taken == pytest.approx(wanted, rel=1e-9, abs=1e-9)
        open_seen += int(mask.sum())
    assert open_seen > 500


@pytest.mark.parametrize("name", design_names())
def test_prices_keep_to_the_limits_of_their_products_and_cuts_are_counted(name: str) -> None:
    design = load_design(name)
    env = single(env_id(name), portfolio="battery", library=library(), info="full")
    env.reset(options={"scenario": 1})
    cuts = 0
    for x in (-1.0, 1.0, -0.99, 0.99) * 8:
        numbers = np.full(v.ACTIONS_W, x)
        numbers[[v.LFM_SHARE_UP, v.LFM_SHARE_DN, v.MFRR_SHARE_UP, v.MFRR_SHARE_DN]] = 1.0
        before, is_open = env.engine.observation[0, 0].copy(), env.action_masks()
        *_, told = env.step(numbers)
        expected = 0
        for row in spaces.price_table(compile_design(design)):
            column, _, lead, low, high = row
            if is_open[int(column)]:
                asked = price_of(x, reference_price(before, int(lead)))
                price = env.worlds._action[0, 0, int(column)]
                assert price == pytest.approx(min(max(asked, low), high))
                product = design.products["lfm" if column < v.MFRR_OFFER else "mfrr"]
                assert product.price_floor <= price <= product.price_cap
                expected += asked != price
        assert told["clipped_prices"] == expected
        cuts += expected
    assert cuts > 0 or all(product.price_cap >= 5000.0 for product in design.products.values())


def test_a_price_of_no_offer_is_not_counted_as_cut() -> None:
    env = single("stacking/SthlmFlex-v0", portfolio="battery", library=library(), info="full")
    env.reset(options={"scenario": 1})
    numbers = np.ones(v.ACTIONS_W)
    numbers[[v.LFM_SHARE_UP, v.LFM_SHARE_DN, v.MFRR_SHARE_UP, v.MFRR_SHARE_DN]] = -1.0
    for _ in range(8):
        assert env.step(numbers)[4]["clipped_prices"] == 0
    for _ in range(2):  # the local gate is open at the start
        assert env.reset()[1]["clipped_prices"] == 0
        assert env.step(np.ones(v.ACTIONS_W))[4]["clipped_prices"] > 0


# ---- what is seen ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["battery", "default", "load", "fleet"])
def test_observations_are_scaled_by_their_units(kind: str) -> None:
    """All columns, over a whole episode, against the formulas: also those numbers that are remembered and not scaled again."""
    env, (portfolio,) = made(kind=kind), portfolios(kind)
    energy = portfolio.battery.capacity_mwh if portfolio.battery else portfolio.connection_mw
    random, moved = np.random.default_rng(3), 0
    for _ in range(144):
        seen, *_ = env.step(lively(random))
        raw = env.engine.observation[0, 0].astype(float)
        wanted = raw.copy()
        for k, field in enumerate(FIELDS):
            if field.unit == "EUR/MWh":
                wanted[k] = np.arcsinh(raw[k] / 50.0)
            elif field.name.startswith(("need_forecast", "lfm_need", "forwarded_all")):
                wanted[k] = np.arcsinh(raw[k] / portfolio.connection_mw)
            elif field.unit == "MW":
                wanted[k] = raw[k] / portfolio.connection_mw
            elif field.unit == "MWh":
                wanted[k] = raw[k] / energy
        wanted[AT["da_known_hours"]] /= 36.0
        wanted[AT["hours_to_end"]] /= 168.0
        wanted[AT["load_resting_mtu"]] /= 96.0
        wanted[AT["forward_changes"]] /= 2.0
        wanted[AT["consent_revocable_h"]] /= 3.0
        wanted[v.TIER_KIND : v.TIER_KIND + v.TIERS] /= 2.0
        assert seen == pytest.approx(wanted, rel=2e-7, abs=1e-7)
        moved += int((env.worlds._last != 0.0).sum())
    assert moved > 1000


def test_numbers_move_on_within_their_series() -> None:
    scales = spaces.scales_of(portfolios("battery"))
    source = {FIELDS[k].name: FIELDS[scales.large[j]].name for k, j in zip(scales.large, scales.sources, strict=True)}
    assert source["da_price_h0"] == "da_price_h1"
    assert source["da_price_h35"] == "da_price_h35"
    assert source["mfrr_up_price_lag3"] == "mfrr_up_price_lag2"
    assert source["imbalance_price_lag0"] == "imbalance_price_lag0"
    assert source["lfm_limit_h2"] == "lfm_limit_h3"
    assert source["cost_up"] == "cost_up"
    place = {name: k for k, name in enumerate(source)}
    assert all(place[name] <= place[other] for name, other in source.items())


def test_the_space_is_that_of_the_layout() -> None:
    space = spaces.observation_space(portfolios("default")[0], env_config(None, {"design": "parallel"}))
    assert space.shape == (v.OBSERVATIONS_W,)
    assert space.dtype == np.float32
    for k, field in enumerate(FIELDS):
        assert (space.low[k] == -np.inf) == (field.low == -math.inf)
        assert (space.high[k] == np.inf) == (field.high == math.inf)
    assert (space.low[AT["stored_frac"]], space.high[AT["da_known_hours"]]) == (0.0, 1.0)


# ---- whose decisions -------------------------------------------------------------------------------------------------
def test_closed_markets_and_choices_are_masked_and_decided() -> None:
    env = made(markets=("da", "lfm"))
    assert not env.action_masks()[v.MFRR_OFFER : v.MFRR_OFFER + 4].any()
    assert not env.action_masks()[v.ID_POWER_FRAC]
    assert env.action_masks()[v.LFM_OFFER : v.LFM_OFFER + 4].all()
    env.step(np.ones(v.ACTIONS_W))
    assert env.worlds._action[0, 0, v.MFRR_SHARE_UP] == env.worlds._action[0, 0, v.ID_POWER_FRAC] == 0.0
    env = made(choice="consent")
    masks = env.action_masks()
    assert not masks[[v.MFRR_SHARE_UP, v.MFRR_PRICE_UP]].any()
    assert masks[[v.CONSENT_UP, v.CONSENT_DN]].all()  # which bids are shared stays with the learner
    env.step(np.ones(v.ACTIONS_W))
    assert env.worlds._action[0, 0, [v.CONSENT_UP, v.CONSENT_DN, v.MFRR_SHARE_UP]].tolist() == [1.0, 1.0, 0.0]
    env = made(choice="bid_itself")
    assert not env.action_masks()[[v.CONSENT_UP, v.CONSENT_DN]].any()
    env.step(np.ones(v.ACTIONS_W))
    assert env.worlds._action[0, 0, [v.CONSENT_UP, v.CONSENT_DN, v.MFRR_SHARE_UP]].tolist() == [0.0, 0.0, 1.0]
    env = made(choice="leave", markets="lfm")
    assert not env.action_masks().any()


def test_levels_stand_for_even_numbers_and_masks_leave_one_level_of_a_closed_column() -> None:
    env = made(levels=5)
    assert env.action_space.nvec.tolist() == [5] * v.CONSENT_UP + [2, 2]
    env.step(np.where(np.arange(v.ACTIONS_W) < v.CONSENT_UP, 2, 1))  # the middle; consent
    assert env.worlds._action[0, 0, v.DA_MIN_SPREAD] == 100.0
    assert env.worlds._action[0, 0, v.CONSENT_UP] == 1.0
    is_open, masks = env.worlds.is_open[0, 0], env.action_masks()
    assert masks.shape == (5 * v.CONSENT_UP + 4,)
    blocks = np.split(masks, np.cumsum(env.action_space.nvec)[:-1])
    assert [int(block.sum()) for block in blocks] == [
        n if o else 1 for n, o in zip(env.action_space.nvec.tolist(), is_open, strict=True)
    ]
    assert all(block[0] for block in blocks)
    assert not is_open.all()
    assert is_open.any()
