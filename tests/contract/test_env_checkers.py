"""The checkers of Gymnasium, stable-baselines3 and PettingZoo over every id and several portfolios."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import stacking.envs
from stacking.envs import env_ids
from stacking.envs.ids import CUSTOM

from ..env_toy import ID, PORTFOLIOS, library, lively, vector

SHORT: dict[str, Any] = {"days": 1, "scenarios": 4}
KNOWN = "minimum value is -infinity|maximum value is infinity"
"""Prices and needs have no bounds: Gymnasium warns of boxes that say so."""


def settings_of(name: str) -> dict:
    return {"design": "parallel"} if name == CUSTOM else {}


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Let every warning be an error but the one that is known."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=f".*({KNOWN}).*")
        yield


@pytest.mark.parametrize("portfolio", PORTFOLIOS)
@pytest.mark.parametrize("name", env_ids())
def test_gymnasium_finds_nothing(name: str, portfolio: str) -> None:
    env = gymnasium.make(name, portfolio=portfolio, **SHORT, **settings_of(name))
    check_env(env.unwrapped, skip_render_check=portfolio != "default")


ADVISED: dict[str, Any] = {
    "advice": "stacked",
    "steer_eur_per_mwh": 20.0,
    "mask_seen": True,
    "reward": "marked",
    "reward_baseline": "rebid",
}
VARIANTS = ({"levels": 5}, {"info": "full", "reward": "award"}, {"co_players": {"rebid": 2}}, ADVISED, ADVISED | {"levels": 5})


@pytest.mark.parametrize("settings", VARIANTS)
def test_gymnasium_finds_nothing_in_variants(settings: dict) -> None:
    env = gymnasium.make(ID, render_mode="rgb_array", **SHORT, **settings)
    check_env(env.unwrapped)


@pytest.mark.parametrize("name", env_ids())
def test_stable_baselines_finds_nothing(name: str) -> None:
    checker = pytest.importorskip("stable_baselines3.common.env_checker")
    for portfolio in PORTFOLIOS:
        checker.check_env(gymnasium.make(name, portfolio=portfolio, **SHORT, **settings_of(name)).unwrapped)
    for more in ({"levels": 3}, ADVISED):
        checker.check_env(gymnasium.make(name, **SHORT, **more, **settings_of(name)).unwrapped)


@pytest.mark.parametrize("name", env_ids())
def test_pettingzoo_finds_nothing(name: str) -> None:
    test = pytest.importorskip("pettingzoo.test")
    with_others = [{"portfolio": "load", "co_players": {"rebid": 2}}, {"population": "mixed:3", **ADVISED}] if name == ID else []
    for settings in ({"population": "mixed:3"}, {"portfolio": "battery"}, *with_others):

        def make(settings: dict = settings):
            return stacking.envs.parallel_env(name, **settings, **SHORT, **settings_of(name))

        test.parallel_api_test(make(), num_cycles=150)
        test.parallel_seed_test(make, num_cycles=40)


@pytest.mark.parametrize("name", env_ids())
def test_every_number_of_an_episode_is_finite_and_inside_the_spaces(name: str) -> None:
    env = vector(6, name, portfolio="default", library=library("default"), **settings_of(name))
    random, space, trades = np.random.default_rng(4), env.observation_space, 0
    seen, told = env.reset(seed=1)
    for _ in range(150):
        assert space.contains(seen)
        assert np.isfinite(seen).all()
        assert np.abs(seen).max() < 100.0  # scaled: nothing is large
        assert env.action_masks().shape == told["action_mask"].shape == env.action_space.shape
        seen, reward, *_, told = env.step(lively(random, 6))
        assert np.isfinite(reward).all()
        trades += int(env.engine.market[:, [4, 5]].sum() > 0.0)
    assert trades > 20


def test_every_id_is_registered_with_its_vector_class() -> None:
    for name in env_ids():
        spec = gymnasium.spec(name)
        assert spec.entry_point == "stacking.envs.single:StackingEnv"
        assert spec.vector_entry_point == "stacking.envs.vector:StackingVectorEnv"
        assert gymnasium.envs.registration.EnvSpec.from_json(spec.to_json()).kwargs == spec.kwargs
