"""Parameter sharing: row = world x learner; each world is a parallel environment, bit for bit, over ends and restores."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

import stacking.envs
from stacking import layout as v
from stacking.envs.shared import SharedVectorEnv
from stacking.errors import StackingError

from ..env_toy import ID, library, lively, portfolios, same, uneven

FOUR = tuple(portfolios("battery")[0].model_copy(update={"name": name}) for name in ("a", "b", "c", "d"))
TWO = ("b", "d")


def shared(rows: int, **settings: Any) -> SharedVectorEnv:
    return SharedVectorEnv(rows, design="norflex_eam", **settings)


@pytest.mark.parametrize(
    ("settings", "learners"),
    [
        ({"portfolio": FOUR, "library": uneven(4), "info": "full"}, 4),
        ({"portfolio": FOUR, "library": uneven(4), "learners": TWO, "co_players": "rebid", "advice": "rebid",
          "steer_eur_per_mwh": 10.0, "mask_seen": True, "reward_baseline": "rebid", "reward": "marked"}, 2),
        ({"population": "mixed:3", "days": 1, "scenarios": 6, "levels": 5}, 3),
    ],
)  # fmt: skip
def test_worlds_of_shared_rows_are_parallel_environments_bit_for_bit(settings: dict[str, Any], learners: int):
    pytest.importorskip("pettingzoo")
    worlds, seed = 3, 20
    rows = shared(worlds * learners, **settings)
    each = [stacking.envs.parallel_env(ID, **settings) for _ in range(worlds)]
    names, levels = each[0].possible_agents, settings.get("levels")
    assert len(names) == rows.learners == learners
    seen, told = rows.reset(seed=seed)
    random, ended, paid = np.random.default_rng(5), 0, 0.0
    for b, world in enumerate(each):
        own, infos = world.reset(seed=seed + b * learners)
        for k, name in enumerate(names):
            same(seen[b * learners + k], own[name])
            same(told["action_mask"][b * learners + k], infos[name]["action_mask"])
    for _ in range(330):
        draw = (
            random.integers(rows.single_action_space.nvec, size=(len(seen), v.ACTIONS_W)) if levels else lively(random, len(seen))
        )
        seen, reward, _, truncated, told = rows.step(draw)
        assert rows.observation_space.contains(seen)
        masks = rows.action_masks()
        for b, world in enumerate(each):
            at = {name: b * learners + k for k, name in enumerate(names)}
            own, eur, _, over, infos = world.step({name: draw[row] for name, row in at.items()})
            paid += sum(abs(x) for x in eur.values())
            for name, row in at.items():
                assert (reward[row], truncated[row]) == (eur[name], over[name])
                if over[name]:
                    same(told["final_obs"][row], own[name])
                    assert told["final_info"]["net_eur"][row] == infos[name]["net_eur"]
                    assert told["final_info"]["scenario"][row] == infos[name]["scenario"]
            if not world.agents:
                ended += 1
                own, infos = world.reset()
            for name, row in at.items():
                same(seen[row], own[name])
                same(masks[row], infos[name]["action_mask"])
                same(told["action_mask"][row], infos[name]["action_mask"])
                if settings.get("info") == "full" and infos[name]["tick"]:
                    assert {key: x[row] for key, x in told["cash_eur"].items() if key[0] != "_"} == infos[name]["cash_eur"]
    assert ended > worlds
    assert paid > 10.0


def test_shared_rows_begin_again_in_the_next_step_and_continue_after_a_restore():
    env = shared(8, portfolio=FOUR, library=uneven(4), autoreset_mode=AutoresetMode.NEXT_STEP)
    random = np.random.default_rng(9)
    env.reset(seed=2)
    truncated, told = np.zeros(8, bool), {}
    while not truncated.any():
        *_, truncated, told = env.step(lively(random, 8))
    assert truncated.sum() in (4, 8)
    assert (told["_net_eur"] == truncated).all()
    moment, actions = env.snapshot(), [lively(random, 8) for _ in range(120)]
    first = [env.step(action) for action in actions]
    assert (first[0][1][truncated] == 0.0).all()
    env.restore(moment)
    for action, step in zip(actions, first, strict=True):
        for x, y in zip(step, env.step(action), strict=True):
            same(x, y)


def test_the_adapter_takes_shared_rows_and_its_seeds_are_those_of_worlds():
    pytest.importorskip("stable_baselines3")
    settings = {"portfolio": FOUR, "library": library(rows=4)}
    own, plain = stacking.envs.Sb3VecEnv(shared(8, **settings)), shared(8, **settings)
    own.seed(4)
    same(own.reset(), plain.reset(seed=4)[0])
    random, ends = np.random.default_rng(1), 0
    for _ in range(150):
        action = lively(random, 8)
        seen, rewards, dones, infos = own.step(action)
        wanted = plain.step(action)
        same(seen, wanted[0])
        same(rewards, wanted[1].astype(np.float32))
        ends += int(dones.sum())
        for i in np.flatnonzero(dones):
            assert infos[i]["net_eur"] == wanted[4]["final_info"]["net_eur"][i]
    assert ends == 8


def test_rows_that_are_no_whole_number_of_worlds_are_refused():
    with pytest.raises(StackingError, match="Use 8 rows") as raised:
        shared(7, portfolio=FOUR, library=uneven(4))
    assert raised.value.to_dict()["key"] == "num_envs"
