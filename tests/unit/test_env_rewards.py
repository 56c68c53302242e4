"""Rewards: what counts when, that episode sums are what they are said to be, and the hand-solved award."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from stacking import flows as f
from stacking import layout as v
from stacking import state as s
from stacking.agents.strategies import make_strategy
from stacking.engine import Engine
from stacking.envs import StackingEnv
from stacking.envs.rewards import utility
from stacking.experiments.runner import Contest, run

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


def test_a_forwarded_sale_is_claimed_at_the_price_of_the_rule_and_less_the_fee() -> None:
    """2 MW go to the DSO at 70 (35 EUR an MTU), 2 MW unsold are forwarded and taken as bid, less a fee of 3 EUR/MWh."""
    decisions = {0: {**local("up", 1.0, 70.0)[0], **consents(1.0)}}
    rules = {"forward_fee_eur_per_mwh": 3.0, "forward_price": "as_bid"}
    settled, flows = hand_solved("settlement", decisions, "norflex_eam", **rules)
    awarded, _ = hand_solved("award", decisions, "norflex_eam", **rules)
    assert flows[8:, f.CASH_FORWARDED].tolist() == pytest.approx([0.5 * 70.0] * 4)
    assert flows[8:, f.CASH_FEE].tolist() == pytest.approx([-0.5 * 3.0] * 4)
    assert awarded[7] == pytest.approx(0.5 * 67.0, abs=1e-4)
    assert sum(awarded[:8]) == pytest.approx(140.0 + 33.5, abs=1e-4)
    assert sum(awarded) == pytest.approx(sum(settled))


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
