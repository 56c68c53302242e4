"""Advice: changes of 0 play the adviser, all faces agree, snapshots go on identically; baselines and marks add up."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest

from stacking import layout as v
from stacking import state as s
from stacking.agents.strategies import make_strategy, one_by_row, values_of
from stacking.envs.advice import REACHES, reach_of
from stacking.envs.learned import named_strategy
from stacking.envs.scaling import between, change_between, change_of, changed
from stacking.errors import StackingError

from ..env_toy import ID, library, lively, same, single, uneven, vector

SETTINGS: dict[str, Any] = {"portfolio": "battery", "library": library(), "advice": "rebid", "mask_seen": True}
NOTHING = np.zeros(v.ACTIONS_W, np.float32)


def play(env: Any, actions: Any, scenario: int = 2) -> tuple[float, list[Any]]:
    env.reset(options={"scenario": scenario})
    total, seen, k = 0.0, [], 0
    while True:
        observation, reward, _, ended, info = env.step(actions[k])
        total, k = total + reward, k + 1
        seen.append(observation)
        if ended:
            return info["net_eur"], seen


def by_itself(name: str, scenario: int) -> float:
    """Return the net revenue of a strategy that decides in physical units."""
    env = single(portfolio="battery", library=library())
    env.reset(options={"scenario": scenario})
    strategy = named_strategy(name)
    state = strategy.start(1, 0)
    while not env.engine.ended.all():
        observation, mask = env.worlds.physical
        action, state = strategy.act(observation[0], mask[0], state)
        env.engine.step(action[:, None])
    return float(env.engine.state[0, 0, s.CASH])


def test_changes_of_nothing_play_the_adviser() -> None:
    for scenario in (0, 2, 5):
        plain = by_itself("do_nothing", scenario)
        env = single(**{**SETTINGS, "advice": "lfm_only"})
        advised, _ = play(env, [NOTHING] * 400, scenario)
        assert advised == pytest.approx(by_itself("lfm_only", scenario), abs=1e-6 * abs(plain) + 1e-3)


def test_advice_and_mask_stand_behind_the_layout_and_decisions_are_changes() -> None:
    env = single(**SETTINGS)
    seen, info = env.reset(options={"scenario": 2})
    assert env.observation_space.shape == seen.shape == (v.OBSERVATIONS_W + 2 * v.ACTIONS_W,)
    met = 0
    for tick in range(60):
        mask, advice = seen[-v.ACTIONS_W :] > 0.5, seen[v.OBSERVATIONS_W : -v.ACTIONS_W]
        same(mask, info["action_mask"])
        closed = ~env.worlds.physical[1][0, 0]
        assert not advice[closed].any()
        assert mask.tolist() == (~closed & (env.worlds.reach > 0.0)).tolist()
        change = lively(np.random.default_rng(tick))
        wanted = [changed(float(a), float(x), float(r)) for a, x, r in zip(advice, change, env.worlds.reach, strict=True)]
        seen, _, _, _, info = env.step(change)
        decided = env.worlds._decided[0, 0]
        assert decided[mask] == pytest.approx(np.array(wanted)[mask], abs=1e-6)
        assert decided[~mask] == pytest.approx(advice[~mask], abs=1e-6)  # as advised
        met += int(mask.sum())
    assert met > 100
    assert env.observation_space.contains(seen)


def test_a_steered_change_leads_to_what_the_adviser_does_at_other_prices() -> None:
    shift, met, kept, values = 20.0, 0, 0, values_of(named_strategy("rebid"))
    env = single(**SETTINGS, steer_eur_per_mwh=shift)
    seen, _ = env.reset(options={"scenario": 2})
    assert env.observation_space.shape == seen.shape == (v.OBSERVATIONS_W + 2 * v.ACTIONS_W + 2,)
    sisters, states = [], []
    for sign in (-1.0, 1.0):  # prices that are lower, and higher
        sister = one_by_row([make_strategy("rebid", **values)], np.zeros(1, np.int64))
        object.__setattr__(sister, "id_sell_margin_eur_per_mwh", values["id_sell_margin_eur_per_mwh"] - sign * shift)
        object.__setattr__(sister, "id_buy_margin_eur_per_mwh", values["id_buy_margin_eur_per_mwh"] + sign * shift)
        sisters.append(sister)
        states.append(sister.start(1, 0))
    for tick in range(140):
        observation, mask = env.worlds.physical
        wanted = np.zeros(2)
        for k in range(2):
            decided, states[k] = sisters[k].act(observation[0], mask[0], states[k])
            wanted[k] = decided[0, v.ID_POWER_FRAC]
        advice, shown = seen[v.OBSERVATIONS_W + v.ID_POWER_FRAC], seen[v.OBSERVATIONS_W + v.ACTIONS_W :][:2]
        assert shown == pytest.approx(wanted, abs=1e-6)
        assert wanted[0] - 1e-9 <= advice <= wanted[1] + 1e-6
        change = lively(np.random.default_rng(tick))
        seen, _, _, _, _ = env.step(change)
        x = float(change[v.ID_POWER_FRAC]) if mask[0, 0, v.ID_POWER_FRAC] else 0.0
        decided = env.worlds._decided[0, 0, v.ID_POWER_FRAC]
        assert decided == pytest.approx(between(float(advice), *wanted, x), abs=1e-6)
        met, kept = met + (abs(decided - advice) > 1e-3), kept + (wanted[0] == wanted[1])
    assert met > 10
    assert kept > 5  # nothing is traded whatever is changed


def test_a_steered_decision_is_found_again() -> None:
    env, met = single(**SETTINGS, steer_eur_per_mwh=20.0), 0
    env.reset(options={"scenario": 2})
    for tick in range(100):
        change = 0.9 * lively(np.random.default_rng(tick))
        change[v.LFM_SHARE_UP :] = 0.0
        advised, others = env.worlds.advised[0, 0], env.worlds.alternatives[0, 0, :, v.ID_POWER_FRAC].copy()
        env.step(change)
        wanted = env.worlds._decided[0, 0, v.ID_POWER_FRAC]
        found = change_between(wanted, advised[v.ID_POWER_FRAC], *others)
        assert between(advised[v.ID_POWER_FRAC], *others, found) == pytest.approx(wanted, abs=1e-9)
        met += abs(found) > 0.01
    assert met > 10


def test_numbers_of_is_the_change_that_leads_to_a_decision() -> None:
    env = single(**{**SETTINGS, "reach": {"id_power_frac": 2.0}})
    env.reset(options={"scenario": 2})
    action = np.zeros(v.ACTIONS_W)
    action[v.ID_POWER_FRAC] = -0.25
    number = env.numbers_of(action)[v.ID_POWER_FRAC]
    env.step(env.numbers_of(action))
    assert env.worlds._action[0, 0, v.ID_POWER_FRAC] == pytest.approx(-0.25)
    assert number == pytest.approx(change_of(-0.25, env.worlds.advised[0, 0, v.ID_POWER_FRAC], 2.0), abs=0.2)


@pytest.mark.parametrize("steer", [0.0, 20.0])
def test_the_vector_face_is_the_single_one_also_where_rows_end_at_different_times(steer: float) -> None:
    settings = {**SETTINGS, "library": uneven(), "steer_eur_per_mwh": steer}
    own = vector(4, **settings)
    theirs = gymnasium.vector.SyncVectorEnv([lambda: gymnasium.make(ID, **settings)] * 4,
                                            autoreset_mode=gymnasium.vector.AutoresetMode.SAME_STEP)  # fmt: skip
    same(own.reset(seed=3)[0], theirs.reset(seed=3)[0])
    random, ended = np.random.default_rng(1), 0
    for _ in range(300):
        actions = 0.3 * lively(random, 4)
        ours, others = own.step(actions), theirs.step(actions)
        same(ours[0], others[0])
        same(ours[1], others[1])
        same(ours[3], others[3])
        ended += int(ours[3].sum())
    assert ended == 4


@pytest.mark.parametrize("steer", [0.0, 20.0])
def test_snapshots_go_on_identically(steer: float) -> None:
    env = single(**SETTINGS, steer_eur_per_mwh=steer)
    env.reset(options={"scenario": 1})
    random = np.random.default_rng(2)
    actions = [0.5 * lively(random) for _ in range(130)]
    first = 50
    for action in actions[:first]:
        env.step(action)
    while steer:  # until a change leads somewhere
        advised, others = env.worlds.advised[0, 0, v.ID_POWER_FRAC], env.worlds.alternatives[0, 0, :, v.ID_POWER_FRAC]
        if abs(between(advised, *others, actions[first][v.ID_POWER_FRAC]) - advised) > 0.01:
            break
        env.step(actions[first])
        first += 1
    moment = env.snapshot()
    once = [env.step(action)[:2] for action in actions[first:]]
    seen = env.restore(moment)
    assert seen.shape == once[0][0].shape
    again = [env.step(action)[:2] for action in actions[first:]]
    assert len(once) > 30
    for (a, x), (b, y) in zip(once, again, strict=True):
        same(a, b)
        assert x == y


def test_a_baseline_is_what_learners_earn_with_a_strategy() -> None:
    actions = [0.3 * lively(np.random.default_rng(k)) for k in range(400)]
    env = single(**{**SETTINGS, "reward_baseline": "rebid", "reward_scale_eur": 1.0})
    env.reset(options={"scenario": 3})
    total, ended, k, info = 0.0, False, 0, {}
    while not ended:
        _, reward, _, ended, info = env.step(actions[k])
        total, k = total + reward, k + 1
    assert total == pytest.approx(info["net_eur"] - by_itself("rebid", 3), abs=1e-6)
    assert abs(total) > 1.0


@pytest.mark.parametrize("kind", ["battery", "default"])
def test_marked_rewards_sum_to_settlement_and_buying_costs_no_more_than_it_loses(kind: str) -> None:
    random = np.random.default_rng(5)
    actions = [lively(random) for _ in range(144)]
    sums, most = {}, {}
    for reward in ("settlement", "award", "marked"):
        env = single(portfolio=kind, library=library(kind), reward=reward)
        env.reset(options={"scenario": 2})
        each = np.array([env.step(action)[1] for action in actions])
        sums[reward], most[reward] = each.sum(), np.abs(each).mean()
    assert sums["marked"] == pytest.approx(sums["settlement"], abs=1e-9) == pytest.approx(sums["award"], abs=1e-9)
    assert most["marked"] != most["award"]


def test_reaches_are_known_for_every_decision() -> None:
    reach = reach_of({"da_volume_frac": 0.7})
    assert reach[v.DA_VOLUME_FRAC] == 0.7
    assert reach[v.LFM_PRICE_UP] == REACHES["lfm_up_price"]
    assert reach[v.MFRR_SHARE_UP] == 0.0


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"advice": "nobody"}, "nobody"),
        ({"reach": {"da_volume_frac": 0.5}, "advice": None}, "reach goes with advice"),
        ({"reach": {"everything": 0.5}}, "everything"),
        ({"steer_eur_per_mwh": 5.0, "advice": None}, "steer_eur_per_mwh goes with advice"),
        ({"steer_eur_per_mwh": 5.0, "advice": "lfm_only"}, "other prices"),
        ({"steer_eur_per_mwh": -5.0}, "steer_eur_per_mwh"),
        ({"reach": {"da_volume_frac": 3.0}}, "da_volume_frac"),
    ],
)
def test_bad_advice_is_named(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(StackingError, match=words):
        single(**{**SETTINGS, **settings})


@pytest.mark.parametrize("bad", [np.nan, 1.5, -np.inf])
def test_a_bad_change_is_an_error_and_nothing_moves(bad: float) -> None:
    env = single(**SETTINGS)
    env.reset(options={"scenario": 2})
    action = NOTHING.copy()
    action[v.ID_POWER_FRAC] = bad
    with pytest.raises(StackingError, match="id_power_frac"):
        env.step(action)
    assert env.engine.clock[0] == 0
