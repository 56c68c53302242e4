"""Rewards: what counts when, that episode sums are what they are said to be, and the hand-solved award."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from stacking import columns as c
from stacking import flows as f
from stacking import layout as v
from stacking import state as s
from stacking.agents.strategies import make_strategy
from stacking.engine import Engine
from stacking.envs import StackingEnv
from stacking.envs.rewards import utility
from stacking.experiments.runner import Contest, run
from stacking.scenario import Library

from ..env_toy import library, lively, portfolios, single
from ..toy import DESIGNS, LFM, UP, balancing, consents, design, local, merged, need, portfolio, tso_needs_up
from ..toy import library as toy_library

SCALE = 100.0


def episode(actions: list[np.ndarray], **settings: Any) -> tuple[np.ndarray, Any]:
    """Return the rewards of an episode, and the environment."""
    env = single(**settings)
    env.reset(options={"scenario": 2})
    return np.array([env.step(action)[1] for action in actions]), env


@pytest.fixture(scope="module")
def actions() -> list[np.ndarray]:
    random = np.random.default_rng(5)
    return [lively(random) for _ in range(144)]


@pytest.mark.parametrize("kind", ["battery", "default", "load", "fleet"])
def test_settlement_is_the_cash_of_each_mtu(kind: str, actions) -> None:
    rewards, env = episode(actions, portfolio=kind, library=library(kind))
    assert rewards.sum() * SCALE == pytest.approx(env.engine.state[0, 0, s.CASH], rel=1e-12)
    assert np.count_nonzero(rewards) > 50
    half, _ = episode(actions, portfolio=kind, library=library(kind), reward_scale_eur=50.0)
    assert half.tolist() == (2.0 * rewards).tolist()


@pytest.mark.parametrize("name", DESIGNS)
def test_award_sums_to_settlement_in_every_design_and_comes_earlier(name: str, actions) -> None:
    for kind in ("default", "battery")[: 1 + (name == "norflex_eam")]:
        settings = {"portfolio": kind, "library": library(kind), "design": name}
        settled, _ = episode(actions, **settings)
        awarded, env = episode(actions, **settings, reward="award")
        assert awarded.sum() == pytest.approx(settled.sum(), abs=1e-6)
        assert np.abs(awarded - settled).max() > 1.0  # EUR 100 and more at another time
        assert (env.worlds.rewards._claimed() == 0.0).all()  # nothing is open at the end


def hand_solved(reward: str, decisions: dict[int, dict[str, float]], name: str, **rules: Any) -> tuple[list[float], np.ndarray]:
    """Play twelve MTU in which the DSO needs 2 MW up and the TSO 4 MW; return rewards in EUR and flows (tick, FLOWS_W)."""
    lib = toy_library()
    need(lib, LFM, UP, 2.0, volume=0.0, reference=50.0, anchor=50.0, limit=500.0)
    tso_needs_up(lib, 4.0, 90.0, 90.0, first=8)
    env = StackingEnv(design=design(name, **rules).model_dump(), portfolio=portfolio(), library=lib, reward=reward,
                      reward_scale_eur=1.0)  # fmt: skip
    env.reset()
    names, paid, flows = env.engine.compiled.layout.names, [], []
    for tick in range(12):
        action = np.zeros(v.ACTIONS_W)
        for key, value in decisions.get(tick, {}).items():
            action[names.index(key)] = value
        paid.append(env.step(env.numbers_of(action))[1])
        flows.append(env.engine.flows[0, 0].copy())
    return paid, np.array(flows)


def test_a_hand_solved_award_is_paid_when_the_markets_clear() -> None:
    """2 MW go to the DSO at 120 EUR/MWh (60 EUR an MTU), the other 2 MW to the TSO at their own 80 (40 EUR an MTU)."""
    decisions = merged(local("up", 0.5, 120.0), balancing("up", 1.0, 80.0))
    settled, flows = hand_solved("settlement", decisions, "parallel_adjusted")
    awarded, same_flows = hand_solved("award", decisions, "parallel_adjusted")
    assert (flows == same_flows).all()
    assert flows[8:, f.CASH_LFM].tolist() == [60.0] * 4
    assert flows[8:, f.CASH_MFRR].tolist() == pytest.approx([40.0] * 4)
    assert settled[:8] == [0.0] * 8
    # the local block is cleared at its gate (tick 0), an MTU of balancing one tick before; what was paid is not paid again
    wanted = [240.0, *[0.0] * 6, 40.0, *(settled[t] - 60.0 for t in (8, 9, 10)), settled[11] - 100.0]
    assert awarded == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize(
    ("rules", "fee", "price"),
    [
        ({}, 3.0, 70.0),
        ({"forward_fee_payer": "tso"}, 0.0, 70.0),
        ({"change_forwarded": "price"}, 3.0, 60.0),
    ],
)
def test_a_forwarded_sale_is_claimed_at_the_price_of_the_rule_and_less_the_fee(rules, fee: float, price: float) -> None:
    """2 MW go to the DSO at 70 (35 EUR an MTU), 2 MW unsold are forwarded and taken as bid, less a fee of 3 EUR/MWh."""
    repriced = balancing("up", 0.0, 60.0) if rules.get("change_forwarded") else {}
    decisions = merged({0: {**local("up", 1.0, 70.0)[0], **consents(1.0)}}, repriced)
    rules = {"forward_fee_eur_per_mwh": 3.0, "forward_price": "as_bid", **rules}
    settled, flows = hand_solved("settlement", decisions, "norflex_eam", **rules)
    awarded, _ = hand_solved("award", decisions, "norflex_eam", **rules)
    assert flows[8:, f.CASH_FORWARDED].tolist() == pytest.approx([0.5 * price] * 4)
    assert flows[8:, f.CASH_FEE].tolist() == pytest.approx([-0.5 * fee] * 4)
    assert awarded[7] == pytest.approx(0.5 * (price - fee), abs=1e-4)
    assert sum(awarded[:8]) == pytest.approx(140.0 + 0.5 * (price - fee), abs=1e-4)
    assert sum(awarded) == pytest.approx(sum(settled))


def forecast_needs(days: int) -> Library:
    """Return scenarios in which the DSO expects a need of 3 MW up in every fourth hour and pays for it."""
    lib = library(days=days)
    local, hourly = lib.local.copy(), lib.local_hourly.copy()
    hourly[:, :, [c.LFM_NEED_FAR, c.LFM_NEED_NEAR]] = np.where(np.arange(hourly.shape[3]) % 4 == 1, 3.0, 0.0)
    hourly[:, :, [c.LFM_LIMIT_FAR, c.LFM_LIMIT_NEAR]] = 500.0
    local[..., c.background_column(UP) + c.VOLUME] = 0.0  # nobody else offers
    local[..., c.background_column(UP) + c.LIMIT] = 500.0
    return replace(lib, local=local, local_hourly=hourly)


def test_a_local_sale_of_the_day_before_is_claimed_when_it_is_made_and_kept_out_of_the_day_plan() -> None:
    """At 06:00 the DSO buys hours of the next day: that is the award; at noon only what is traded day-ahead is added."""
    env = single("stacking/OneNetHu-v0", portfolio="battery", library=forecast_needs(2), reward="award", reward_scale_eur=1.0)
    sales, plans = 0, 0
    for scenario in range(6):
        env.reset(options={"scenario": scenario})
        for tick in range(120):
            numbers = np.full(v.ACTIONS_W, -1.0)
            numbers[[v.ID_POWER_FRAC, v.LFM_PRICE_UP]] = 0.0
            numbers[v.LFM_SHARE_UP] = 1.0
            if tick == 96:
                numbers[[v.DA_VOLUME_FRAC, v.DA_END_CONTENT_FRAC]] = 1.0
            before = env.worlds.rewards._claimed()[0, 0]
            reward = env.step(numbers)[1]
            change, engine = reward - env.engine.reward[0, 0], env.engine
            assert env.worlds.rewards._claimed()[0, 0] - before == pytest.approx(change, abs=1e-6)
            early = engine.early[0, 0].reshape(s.EARLY_FIELDS, s.PLAN_HOURS).astype(float)
            sold = (early[s.EARLY_SOLD] * early[s.EARLY_PRICE]).sum()
            if tick == 72:  # 18 hours after noon
                assert change == pytest.approx(sold, rel=1e-6, abs=1e-6)
                sales += sold > 0.0
            if tick == 96 and engine.ring[0, 0, s.PLAN : s.PLAN + s.PLAN_HOURS].any():
                hours = np.arange(s.PLAN_HOURS)
                hours = 24 + (hours - 24) % s.PLAN_HOURS  # the hour that a cell stands for, from noon on
                series = library(days=2).series[scenario, :, c.DA_PRICE]
                traded = engine.ring[0, 0, s.PLAN : s.PLAN + s.PLAN_HOURS] - early[s.EARLY_SOLD] + early[s.EARLY_SOLD + 1]
                value = sum(
                    mw * series[4 * h : 4 * h + 4].sum() * 0.25 for h, mw in zip(hours, traded, strict=True) if 36 <= h < 60
                )
                assert change == pytest.approx(value, rel=1e-4, abs=0.05)
                plans += abs(value) > 1.0
    assert sales >= 2
    assert plans >= 2


def test_awarded_availability_is_claimed_at_its_rate() -> None:
    """OneNet Cyprus pays 20 EUR/MW/h for being ready, from the award on."""
    env = single("stacking/OneNetCy-v0", portfolio="battery", library=forecast_needs(1), reward="award", reward_scale_eur=1.0)
    awards = 0
    for scenario in range(6):
        env.reset(options={"scenario": scenario})
        for _ in range(40):
            numbers = np.full(v.ACTIONS_W, -1.0)
            numbers[[v.ID_POWER_FRAC, v.LFM_PRICE_UP, v.LFM_PRICE_DN]] = 0.0
            numbers[[v.LFM_SHARE_UP, v.LFM_SHARE_DN]] = 1.0
            reward = env.step(numbers)[1]
            change, awarded = reward - env.engine.reward[0, 0], env.engine.flows[0, 0, f.AWARDED]
            others = env.engine.flows[0, 0, [f.CASH_READY, f.CASH_LFM, f.CASH_MFRR, f.CASH_FORWARDED]]
            if awarded > 0.0 and not others.any() and not env.engine.market[0, f.ACCEPTED_LFM_MWH]:
                assert change == pytest.approx(20.0 * awarded, rel=1e-6)
                awards += 1
    assert awards > 3


# ---- risk ------------------------------------------------------------------------------------------------------------
def test_utility_by_hand() -> None:
    # w = 0.5, a = 0.1, v = -10: u(R) = 0.5 R + 0.5 (-10 - max(0, -10 - R) / 0.1)
    assert utility(np.array([0.0, -10.0, -20.0]), 0.5, 0.1, -10.0).tolist() == [-5.0, -10.0, -65.0]
    assert utility(np.array([7.0]), 0.0, 0.1, 3.0).tolist() == [7.0]


def test_the_best_threshold_makes_mean_cvar_of_a_sample() -> None:
    revenue = np.random.default_rng(1).normal(50.0, 30.0, 1000)
    worst = np.sort(revenue)[:50].mean()
    found = max(utility(revenue, 0.3, 0.05, x).mean() for x in np.sort(revenue)[:200])
    assert found == pytest.approx(0.7 * revenue.mean() + 0.3 * worst, rel=1e-9)
    assert all(utility(revenue, 0.3, 0.05, x).mean() <= found + 1e-9 for x in np.linspace(-100.0, 150.0, 60))


def test_risk_sums_to_the_utility_of_the_episode(actions) -> None:
    settings = {"portfolio": "battery", "library": library(), "risk_threshold_eur": 50.0, "risk_weight": 0.4}
    rewards, env = episode(actions, reward="risk", **settings)
    net = float(env.engine.state[0, 0, s.CASH])
    wanted = utility(np.array([net, 0.0]), 0.4, 0.05, 50.0)
    assert rewards.sum() * SCALE == pytest.approx(wanted[0] - wanted[1], rel=1e-9)
    plain, _ = episode(actions, portfolio="battery", library=library())
    assert not np.allclose(rewards, plain)
    env.reset(options={"scenario": 2})  # a second episode begins from nothing
    assert [env.step(action)[1] for action in actions] == rewards.tolist()


# ---- baseline --------------------------------------------------------------------------------------------------------
def test_over_the_baseline_doing_nothing_earns_nothing() -> None:
    nothing = [np.where(np.arange(v.ACTIONS_W) == v.ID_POWER_FRAC, 0.0, -1.0)] * 144
    for reward in ("settlement", "award"):
        rewards, env = episode(
            nothing, portfolio="default", library=library("default"), reward=reward, reward_baseline="do_nothing"
        )  # fmt: skip
        assert rewards.tolist() == [0.0] * 144
        assert env.engine.state[0, 0, s.CASH] != 0.0


def test_over_the_baseline_a_strategy_earns_its_flex_revenue() -> None:
    lib, setting = library("default"), design("norflex_eam")
    contest = Contest((setting,), {"rebid": make_strategy("rebid")}, portfolios("default"), lib)
    rows = run(contest).episodes
    wanted = rows[rows.strategy == "rebid"].flex_eur.to_numpy()
    env = StackingEnv(design=setting.model_dump(), portfolio="default", library=lib, reward_baseline="do_nothing")
    strategy, found = make_strategy("rebid"), []
    for scenario in range(len(lib)):
        env.reset(options={"scenario": scenario})
        state, total, ended = strategy.start(1, 0), 0.0, False
        while not ended:
            observation, mask = env.worlds.physical
            action, state = strategy.act(observation[0], mask[0], state)
            _, reward, _, ended, _ = env.step(env.numbers_of(action[0]))
            total += reward
        found.append(total * SCALE)
    assert found == pytest.approx(wanted.tolist(), abs=1e-4)
    assert np.abs(wanted).max() > 10.0


def test_a_broken_claim_would_be_seen(actions, monkeypatch: pytest.MonkeyPatch) -> None:
    """Break: claims that are still open at the end make the sums unequal."""
    settings = {"portfolio": "battery", "library": library()}
    settled, _ = episode(actions, **settings)
    monkeypatch.setattr("stacking.envs.rewards.Rewards._claimed", lambda self: np.full((1, 1), 7.0 * self.engine.clock[0]))
    awarded, _ = episode(actions, **settings, reward="award")
    assert abs(awarded.sum() - settled.sum()) > 1.0


def test_the_engine_of_the_baseline_is_not_the_one_that_is_played() -> None:
    env = StackingEnv(design="parallel", portfolio="battery", library=library(), reward_baseline="do_nothing")
    assert isinstance(env.engine, Engine)
    assert env.engine.clock.tolist() == [0]
