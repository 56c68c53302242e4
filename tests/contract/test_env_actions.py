"""Bad actions, options and settings get a clear error, and move nothing."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest

import stacking.envs
from stacking import layout as v
from stacking.errors import StackingError

from ..env_toy import ID, library, lively, same, single, uneven, vector

NOTHING = np.full(v.ACTIONS_W, -1.0, np.float32)


def made(**settings: Any) -> Any:
    env = single(portfolio="battery", library=uneven(), **settings)
    env.reset(seed=1)
    return env


def with_value(value: float, column: int = v.MFRR_SHARE_UP) -> np.ndarray:
    out = NOTHING.copy()
    out[column] = value
    return out


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (with_value(np.nan), "mfrr_up_share_frac"),
        (with_value(np.inf), "mfrr_up_share_frac"),
        (with_value(1.01), "-1..1"),
        (with_value(-1.5, v.ID_POWER_FRAC), "id_power_frac"),
        (NOTHING[:-1], "wrong shape"),
        (NOTHING[None], "wrong shape"),
        (0.5, "wrong shape"),
        (None, "wrong shape"),
        ("sell", "wrong shape"),
        ([["a"] * v.ACTIONS_W], "wrong shape"),
        (NOTHING.astype(complex), "wrong shape"),
    ],
)
def test_a_bad_action_is_named_and_moves_nothing(action: Any, words: str) -> None:
    env = made()
    env.step(NOTHING)
    before = env.snapshot()
    with pytest.raises(StackingError, match=words):
        env.step(action)
    for name, array in before.worlds.engine.arrays.items():
        same(array, getattr(env.engine, name), name)
    env.step(NOTHING)


def test_a_bad_row_of_a_vector_is_named_and_no_row_moves() -> None:
    env = vector(3, portfolio="battery", library=uneven())
    with pytest.raises(StackingError, match="No episode"):
        env.step(np.zeros((3, v.ACTIONS_W)))
    env.reset(seed=1)
    action = lively(np.random.default_rng(1), 3)
    action[2, v.ID_POWER_FRAC] = np.nan
    with pytest.raises(StackingError, match="world 2"):
        env.step(action)
    assert env.engine.clock.tolist() == [0, 0, 0]
    with pytest.raises(StackingError, match="shape"):
        env.step(action[:2])


def test_anything_may_stand_in_a_closed_column() -> None:
    one, two, three = made(), made(), made()
    random, closed_seen = np.random.default_rng(3), 0
    for _ in range(140):
        action, closed = lively(random), ~one.action_masks()
        junk = np.where(closed, random.choice([np.nan, np.inf, -7.0, 3.0], v.ACTIONS_W), action)
        closed_seen += int(closed.sum())
        a, b, c = one.step(action), two.step(junk), three.step(np.where(closed, 0.0, action))
        for x, y, z in zip(a, b, c, strict=True):
            same(x, y)
            same(x, z)
    assert closed_seen > 500


@pytest.mark.parametrize(
    "action",
    [
        np.zeros(v.ACTIONS_W),
        np.full(v.ACTIONS_W, 5),
        np.full(v.ACTIONS_W, -1),
        np.eye(1, v.ACTIONS_W, v.CONSENT_UP, dtype=int)[0] * 2,
        np.zeros(3, int),
    ],
)
def test_bad_levels_are_named(action: np.ndarray) -> None:
    env = made(levels=5)
    with pytest.raises(StackingError, match=r"level|shape"):
        env.step(action)


def test_an_ended_episode_must_be_begun_again() -> None:
    env = single(portfolio="battery", library=library())
    with pytest.raises(StackingError, match="reset"):
        env.step(NOTHING)
    env.reset()
    assert [env.step(NOTHING)[3] for _ in range(144)] == [False] * 143 + [True]
    with pytest.raises(StackingError, match="reset"):
        env.step(NOTHING)
    env.reset()
    env.step(NOTHING)


@pytest.mark.parametrize(
    "call",
    [
        lambda env: env.reset(options={"scenarios": 1}),
        lambda env: env.reset(options={"scenario": 99}),
        lambda env: env.reset(options={"scenario": "first"}),
        lambda env: env.reset(options={"scenario": 1.5}),
    ],
)
def test_bad_options_of_a_reset_are_named(call: Any) -> None:
    with pytest.raises(StackingError, match="scenario"):
        call(made())


def test_bad_seeds_and_numbers_of_scenarios_are_named() -> None:
    env = vector(3, portfolio="battery", library=uneven())
    with pytest.raises(StackingError, match="scenarios"):
        env.reset(options={"scenario": [1, 2]})
    for seed in ([1, 2], -1, [1, 2, -3]):
        with pytest.raises((StackingError, gymnasium.error.Error), match=r"seed|Seed"):
            env.reset(seed=seed)


def test_parallel_actions_must_be_those_of_the_agents() -> None:
    pytest.importorskip("pettingzoo")
    env = stacking.envs.parallel_env(ID, population="mixed:2", days=1, scenarios=2)
    with pytest.raises(StackingError, match="reset"):
        env.step({})
    env.reset(seed=1)
    for actions in ({}, {"fsp 1": NOTHING}, {"fsp 1": NOTHING, "fsp 2": NOTHING, "fsp 3": NOTHING}):
        with pytest.raises(StackingError, match="agents"):
            env.step(actions)
    with pytest.raises(StackingError, match="fsp 2"):
        env.step({"fsp 1": NOTHING, "fsp 2": with_value(np.nan, v.ID_POWER_FRAC)})
    with pytest.raises(StackingError, match="learner"):
        env.choose({"fsp 9": "leave"})
    with pytest.raises(StackingError, match="choice"):
        env.choose({"fsp 1": "sleep"})


# ---- settings --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"dayz": 3}, "dayz"),
        ({"days": 0}, "days"),
        ({"days": "7"}, "days"),
        ({"split": "training"}, "split"),
        ({"split": "all"}, "split"),
        ({"scenarios": 0}, "scenarios"),
        ({"prices": "nowhere.csv"}, "nowhere.csv"),
        ({"timezone": "Mars/Base"}, "Mars"),
        ({"world": "nowhere"}, "nowhere"),
        ({"portfolio": "big"}, "default, battery, fleet, load"),
        ({"portfolio": 3}, "portfolio"),
        ({"portfolio": "nowhere.toml"}, "nowhere.toml"),
        ({"portfolio": [{"name": "a"}]}, "asset"),
        ({"population": "nowhere:3"}, "nowhere"),
        ({"population": "mixed:0"}, "COUNT"),
        ({"network": "atlantis"}, "atlantis"),
        ({"network": 3}, "network"),
        ({"network": "stockholm"}, "stockholm"),
        ({"learners": "nobody"}, "nobody"),
        ({"population": "mixed:3", "learners": ["fsp 1", "fsp 2"]}, "parallel_env"),
        ({"co_players": {"rebid": 0}}, "co_players.rebid"),
        ({"co_players": {"nobody": 1}}, "nobody"),
        ({"co_players": 5}, "co_players"),
        ({"co_players": ["rebid"]}, "co_players"),
        ({"population": "mixed:3", "co_players": {"rebid": 1}}, "co_players"),
        ({"population": "mixed:3", "co_players": [1, 2]}, "name"),
        ({"markets": "fcr"}, "markets"),
        ({"choice": "sleep"}, "choice"),
        ({"overrides": {"rules.speed": 1}}, "rules.speed"),
        ({"overrides": {"pooling": True}}, "table.key"),
        ({"pooling": "yes"}, "pooling"),
        ({"reward": "profit"}, "reward"),
        ({"reward": "risk"}, "risk_threshold_eur"),
        ({"risk_threshold_eur": 1.0}, "risk_threshold_eur"),
        ({"reward_scale_eur": 0.0}, "reward_scale_eur"),
        ({"reward_baseline": "nobody"}, "nobody"),
        ({"levels": 1}, "levels"),
        ({"info": "loud"}, "info"),
        ({"backend": "gpu"}, "backend"),
        ({"library": 3}, "library"),
        ({"library": uneven(), "scenarios": 3}, "scenarios"),
        ({"library": uneven(), "portfolio": "default"}, "charging"),
        ({"config": 3}, "config"),
        ({"config": "nowhere.toml"}, "nowhere.toml"),
        ({"render_mode": "human"}, "render_mode"),
        ({"design": 3}, "design"),
        ({"design": "nowhere"}, "nowhere"),
    ],
)
def test_a_bad_setting_is_named(settings: dict[str, Any], words: str) -> None:
    given = {"days": 1, "scenarios": None, "design": "norflex_eam", **settings}
    with pytest.raises(StackingError, match=words.replace(".", r"\.")):
        stacking.envs.StackingEnv(**given)


def test_faces_without_a_figure_and_of_no_size_are_refused() -> None:
    for settings in ({"render_mode": "rgb_array"}, {"num_envs": 0}, {"autoreset_mode": "Disabled"}):
        with pytest.raises(StackingError, match=next(iter(settings))):
            stacking.envs.StackingVectorEnv(**{"design": "norflex", **settings})
    with pytest.raises(StackingError, match="id"):
        stacking.envs.parallel_env("stacking/Nowhere-v0")
