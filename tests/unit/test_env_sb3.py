"""The adapter for stable-baselines3: ends, masks, and that it is what DummyVecEnv makes of single environments."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest

from stacking import layout as v
from stacking.errors import StackingError

from ..env_toy import ID, lively, same, uneven, vector

pytest.importorskip("stable_baselines3")
from stable_baselines3.common.vec_env import DummyVecEnv

from stacking.envs import Sb3VecEnv

ROWS = 5


def adapter(**settings: Any) -> Sb3VecEnv:
    return Sb3VecEnv(vector(ROWS, portfolio="battery", library=uneven(), **settings))


def test_the_adapter_is_dummy_vec_env_over_uneven_ends() -> None:
    own = adapter()
    theirs = DummyVecEnv([lambda: gymnasium.make(ID, portfolio="battery", library=uneven()) for _ in range(ROWS)])
    own.seed(3)
    theirs.seed(3)
    same(own.reset(), theirs.reset())
    random, ends, sums = np.random.default_rng(1), 0, np.zeros(ROWS)
    for _ in range(300):
        action = lively(random, ROWS)
        seen, rewards, dones, infos = own.step(action)
        wanted = theirs.step(action)
        same(seen, wanted[0])
        same(rewards, wanted[1])
        same(dones, wanted[2])
        sums += rewards
        for i in np.flatnonzero(dones):
            ends += 1
            assert infos[i]["TimeLimit.truncated"] is wanted[3][i]["TimeLimit.truncated"] is True
            same(infos[i]["terminal_observation"], wanted[3][i]["terminal_observation"])
            assert infos[i]["episode"]["r"] == pytest.approx(sums[i], rel=1e-5)
            assert infos[i]["episode"]["l"] in (144, 240)
            assert infos[i]["net_eur"] == wanted[3][i]["net_eur"]
            sums[i] = 0.0
        assert all(infos[i] == {} for i in np.flatnonzero(~dones))
    assert ends > ROWS


def test_rows_that_begin_again_in_the_next_step_are_refused() -> None:
    with pytest.raises(StackingError, match="autoreset_mode"):
        adapter(autoreset_mode="NextStep")


def test_what_is_returned_is_not_overwritten() -> None:
    """Rollout buffers keep the last observation until the next one has come."""
    env = adapter()
    before = env.reset()
    kept, random = before.copy(), np.random.default_rng(1)
    for _ in range(3):
        after = env.step(lively(random, ROWS))[0]
        same(before, kept)
        before, kept = after, after.copy()


def test_masks_reach_maskable_ppo() -> None:
    utils = pytest.importorskip("sb3_contrib.common.maskable.utils")
    env = adapter(levels=5)
    env.reset()
    assert utils.is_masking_supported(env)
    masks = utils.get_action_masks(env)
    assert masks.shape == (ROWS, 5 * v.CONSENT_UP + 4)
    same(masks, env.env.action_masks())
    assert env.get_attr("num_envs", [0, 1]) == [ROWS] * 2
    assert env.env_is_wrapped(gymnasium.Wrapper, 0) == [False]
    assert not env.has_attr("nothing")


@pytest.mark.parametrize("algorithm", ["PPO", "SAC", "MaskablePPO"])
def test_algorithms_learn_through_it(algorithm: str) -> None:
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    if algorithm == "MaskablePPO":
        made = pytest.importorskip("sb3_contrib").MaskablePPO
        model = made("MlpPolicy", adapter(levels=3), n_steps=16, batch_size=40, n_epochs=1, seed=1, device="cpu")
    elif algorithm == "PPO":
        made = pytest.importorskip("stable_baselines3").PPO
        model = made("MlpPolicy", adapter(), n_steps=32, batch_size=40, n_epochs=1, seed=1, device="cpu")
    else:
        made = pytest.importorskip("stable_baselines3").SAC
        model = made("MlpPolicy", adapter(), learning_starts=50, batch_size=16, buffer_size=1000, seed=1, device="cpu")
    model.learn(160 if algorithm == "SAC" else 800)
    assert model.num_timesteps >= 160
    assert (len(model.ep_info_buffer) > 0) == (algorithm != "SAC")
