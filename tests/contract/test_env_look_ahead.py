"""No look into the future over every id: what is later than now may be anything, observation and masks stay the same."""

from __future__ import annotations

import numpy as np
import pytest

from stacking.envs import env_ids
from stacking.envs.ids import CUSTOM

from ..env_toy import lively, single, vector
from ..toy import FLEET
from .test_look_ahead import chosen_ticks, lib, spoiled

__all__ = ["lib"]


def compare(lib, name: str, early: str = "", **settings) -> tuple[int, int, int, float]:
    """Play one row per tested tick with the same actions; return views compared, that differ up to t, after t; MWh accepted."""
    length = int(lib.length[0])
    ticks = chosen_ticks(length)
    own = single(name, portfolio=FLEET[0], library=lib, **settings)
    worlds = spoiled(lib, own.worlds.scene.design, ticks, early)
    env = vector(len(ticks) + 1, name, portfolio=FLEET[0], library=worlds, **settings)
    seen, _ = env.reset(options={"scenario": np.arange(len(ticks) + 1)})
    until, random = np.array([length, *ticks]), np.random.default_rng(2)
    compared = wrong = after = 0
    accepted = 0.0
    for tick in range(length):
        masks = env.action_masks()
        same = (seen == seen[:1]).all(axis=1) & (masks == masks[:1]).all(axis=1)
        compared += int((until >= tick).sum()) - 1
        wrong += int((~same & (until >= tick)).sum())
        after += int((~same & (until < tick)).any())
        seen, *_ = env.step(np.repeat(lively(random, 1), len(until), axis=0))
        accepted += float(env.engine.market[0, 4:6].sum())
    return compared, wrong, after, accepted


@pytest.mark.parametrize("name", env_ids())
def test_nothing_later_than_now_is_seen(lib, name: str) -> None:
    settings = {"design": "mandatory", "levels": None, "co_players": {"rebid": 1}} if name == CUSTOM else {}
    compared, wrong, after, accepted = compare(lib, name, **settings)
    assert wrong == 0
    assert compared > 5000
    assert after > 150  # the garbage does reach the observation once it is due
    assert accepted > 10.0


@pytest.mark.parametrize("name", ["stacking/NorFlexEam-v0", "stacking/ParallelAdjusted-v0", "stacking/OneNetHu-v0"])
def test_advice_tells_nothing_of_later(lib, name: str) -> None:
    compared, wrong, after, accepted = compare(lib, name, advice="stacked", steer_eur_per_mwh=20.0, mask_seen=True)
    assert wrong == 0
    assert compared > 5000
    assert after > 150
    assert accepted > 1.0


@pytest.mark.parametrize("early", ["balancing", "local", "imbalance", "realised", "near"])
def test_the_test_sees_a_leak(lib, early: str) -> None:
    assert compare(lib, "stacking/NorFlexEam-v0", early)[1] > 0
