"""All faces are the same environment, bit for bit: vector = SyncVectorEnv, single = parallel = Mesa, also after a restore."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

import stacking.envs
from stacking import flows as f
from stacking import layout as v
from stacking.agents.model import StackingModel
from stacking.agents.population import Population
from stacking.envs.infos import infos
from stacking.errors import StackingError

from ..env_toy import ID, library, lively, portfolios, same, single, uneven, vector

ROWS = 7


def vectors(mode: str = "SameStep", **settings: Any) -> tuple[Any, Any]:
    """Return the native vector environment and Gymnasium's own over as many single ones."""
    native = vector(ROWS, autoreset_mode=mode, **settings)
    again = {"autoreset_mode": AutoresetMode(mode)}
    return native, gymnasium.make_vec(ID, num_envs=ROWS, vectorization_mode="sync", vector_kwargs=again, **settings)


@pytest.mark.parametrize(
    ("settings", "steps"),
    [
        ({"info": "full"}, 400),
        ({"reward": "award"}, 300),
        ({"mode": "NextStep", "info": "full"}, 400),
        ({"mode": "NextStep", "reward": "risk", "risk_threshold_eur": 0.0, "reward_baseline": "do_nothing"}, 300),
        ({"mode": "NextStep", "reward_baseline": "do_nothing"}, 300),
        ({"reward": "risk", "risk_threshold_eur": 0.0, "reward_baseline": "do_nothing"}, 300),
        ({"levels": 7, "markets": ("da", "mfrr")}, 300),
    ],
)
def test_the_native_vector_is_sync_vector_bit_for_bit_with_rows_that_end_at_different_times(settings, steps):
    native, sync = vectors(portfolio="battery", library=uneven(), **settings)
    assert native.single_action_space == sync.single_action_space
    assert native.single_observation_space == sync.single_observation_space
    random, partial, ends, paid = np.random.default_rng(1), 0, np.zeros(ROWS, int), 0.0
    same(native.reset(seed=11)[0], sync.reset(seed=11)[0])
    for _ in range(steps):
        levels = "levels" in settings
        action = random.integers(native.single_action_space.nvec, size=(ROWS, v.ACTIONS_W)) if levels else lively(random, ROWS)
        one, two = native.step(action), sync.step(action)
        for name, a, b in zip(("observation", "reward", "terminated", "truncated", "info"), one, two, strict=True):
            same(a, b, name)
        same(native.action_masks(), np.stack(sync.call("action_masks")))
        partial += 0 < one[3].sum() < ROWS
        ends += one[3]
        paid += np.abs(one[1]).sum()
    assert partial >= 3  # some rows began again while others went on
    assert (ends > 0).all()
    assert len(set(ends.tolist())) > 1
    assert paid > 10.0


def test_light_and_full_infos_of_resets_are_those_of_sync_vector():
    for info in ("light", "full"):
        native, sync = vectors(portfolio="battery", library=uneven(), info=info)
        for options in (None, {"scenario": 3}):
            same(native.reset(seed=[5] * ROWS, options=options)[1], sync.reset(seed=[5] * ROWS, options=options)[1])


def test_a_row_that_begins_again_keeps_the_transitions_of_the_others():
    """The others' observations after a partial end are those of an environment in which nobody ends."""
    both = vector(2, portfolio="battery", library=uneven())
    alone = vector(1, portfolio="battery", library=uneven())
    long = int(np.argmax(uneven().length))
    both.reset(options={"scenario": [0, long]})
    alone.reset(options={"scenario": long})
    random, ended = np.random.default_rng(3), 0
    for _ in range(230):
        action = lively(random, 2)
        one, two = both.step(action), alone.step(action[1:])
        ended += int(one[3][0])
        same(one[0][1:], two[0])
        same(one[1][1:], two[1])
    assert ended == 1


def test_an_uneven_end_tells_the_last_observation_and_info_of_the_row_that_ended():
    env = vector(2, portfolio="battery", library=uneven(), info="full")
    env.reset(options={"scenario": [0, int(np.argmax(uneven().length))]})
    one = single(portfolio="battery", library=uneven(), info="full")
    one.reset(options={"scenario": 0})
    random = np.random.default_rng(4)
    actions = [lively(random, 2) for _ in range(144)]
    *_, last = [one.step(action[0]) for action in actions]
    *_, (seen, _, _, truncated, told) = [env.step(action) for action in actions]
    assert truncated.tolist() == [True, False]
    same(told["final_obs"][0], last[0])
    assert told["final_obs"][1] is None
    assert told["_final_obs"].tolist() == told["_final_info"].tolist() == [True, False]
    assert told["final_info"]["net_eur"][0] == last[4]["net_eur"] != 0.0
    assert told["final_info"]["cash_eur"]["terminal"][0] == last[4]["cash_eur"]["terminal"]
    assert seen[0, v.TIME + 5] == 1.0  # remaining: the next episode has begun
    assert told["tick"].tolist() == [0, 144]


# ---- single = parallel = Mesa --------------------------------------------------------------------------------------------
CO_PLAYERS = {"rebid": 2, "stacked": 1}


def world(**settings: Any) -> dict[str, Any]:
    return {"portfolio": "battery", "co_players": CO_PLAYERS, "library": library(rows=4), **settings}


def test_single_is_parallel_is_mesa_for_a_whole_episode():
    pytest.importorskip("pettingzoo")
    one = single(info="full", **world())
    many = stacking.envs.parallel_env(ID, info="full", **world(learners=["battery"]))
    engine = many.engine
    names = [p.name for p in engine.portfolios]
    strategies = {name: many.worlds.scene.others[row] for row, name in enumerate(names) if row > 0}

    class Follower:
        """Decides as the environments' learner does: the last action that they were given, in physical units."""

        name = "follower"

        def start(self, n: int, seed: Any) -> None:
            return None

        def act(self, observation, mask, state):
            return follow[0][None], state

    follow = [np.zeros(v.ACTIONS_W)]
    population = Population({**strategies, "battery": Follower()}, names, portfolio_names=names)  # type: ignore[dict-item]
    random, traded, ended = np.random.default_rng(2), np.zeros(f.FLOWS_W), False
    one.reset(options={"scenario": 4})
    seen, told = many.reset(options={"scenario": 4})
    key = str(library(rows=4).keys[4])
    own = stacking.envs.StackingEnv(design="norflex_eam", **world()).engine
    with StackingModel(own, population, scenario=4, seed_key=key) as model:
        while many.agents:
            action = lively(random)
            same(one.worlds.seen[0, 0], seen["battery"])
            same(model.observation, one.engine.observation[0])
            same(model.observation, many.engine.observation[0])
            observation, reward, _, ended, info = one.step(action)
            seen, paid, _, over, told = many.step({"battery": action})
            follow[0] = one.worlds._action[0, 0].copy()
            model.step()
            same(observation, seen["battery"])
            same({"battery": reward}, paid)
            same(info, told["battery"])
            same(model.engine.flows, one.engine.flows)
            assert over == {"battery": ended}
            traded += model.engine.flows[0].sum(axis=0)
    assert ended
    assert traded[f.ACTIVATED_MFRR] > 0.0
    assert traded[f.ACTIVATED_LFM] > 0.0
    assert traded[f.FORWARDED_MWH] > 0.0


def test_an_fsp_among_learners_gets_what_it_gets_alone_among_the_same_decisions():
    """Parallel with four learners = the engine stepped by hand with the same physical actions."""
    pytest.importorskip("pettingzoo")
    many = stacking.envs.parallel_env(ID, portfolio=[p.model_dump() for p in FOUR], library=library(rows=4))
    random = np.random.default_rng(8)
    seen, _ = many.reset(options={"scenario": 1})
    other = stacking.envs.StackingEnv(design="norflex_eam", portfolio=FOUR, co_players="rebid", library=library(rows=4)).engine
    other.reset([1])
    while many.agents:
        seen, paid, *_ = many.step({name: lively(random) for name in many.agents})
        other.step(many.worlds._action)
        same(other.flows, many.engine.flows)
        assert [paid[p.name] for p in FOUR] == (other.reward[0] / 100.0).tolist()
    assert set(seen) == {p.name for p in FOUR}


FOUR = tuple(portfolios("battery")[0].model_copy(update={"name": name}) for name in ("a", "b", "c", "d"))


# ---- snapshot and restore ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("reward", ["settlement", "award", "risk"])
def test_a_restored_environment_continues_identically(reward):
    threshold = {"risk_threshold_eur": -100.0} if reward == "risk" else {}
    env = single(reward=reward, info="full", **threshold, **world())
    other = single(reward=reward, info="full", **threshold, **world())
    random = np.random.default_rng(6)
    env.reset(seed=3)
    for _ in range(60):
        env.step(lively(random))
    moment, actions = env.snapshot(), [lively(random) for _ in range(84 + 30)]

    def play(face: Any) -> list[Any]:
        out = []
        for action in actions:
            out.append(face.step(action))
            if out[-1][3]:
                out.append(face.reset())
        return out

    first = play(env)
    other.reset(seed=99)
    other.step(actions[0])
    for face in (env, other):
        same(face.restore(moment), moment_seen(face))
        for a, b in zip(first, play(face), strict=True):
            for x, y in zip(a, b, strict=True):
                same(x, y)


def moment_seen(face: Any) -> Any:
    return face.worlds.seen[0, 0]


@pytest.mark.parametrize("mode", ["SameStep", "NextStep"])
def test_a_restored_vector_environment_continues_identically_over_uneven_ends(mode: str):
    env = vector(ROWS, portfolio="battery", library=uneven(), info="full", autoreset_mode=mode)
    random = np.random.default_rng(9)
    env.reset(seed=2)
    truncated = np.zeros(ROWS, bool)
    while not truncated.any():  # the moment lies between the end of a row and its next beginning, where there is one
        truncated = env.step(lively(random, ROWS))[3]
    moment, actions = env.snapshot(), [lively(random, ROWS) for _ in range(150)]
    first = [env.step(action) for action in actions]
    assert sum(int(step[3].sum()) for step in first) > 0
    env.restore(moment)
    for action, step in zip(actions, first, strict=True):
        for x, y in zip(step, env.step(action), strict=True):
            same(x, y)


def test_a_restored_parallel_environment_continues_identically():
    pytest.importorskip("pettingzoo")
    env = stacking.envs.parallel_env(ID, portfolio=FOUR, library=library(rows=4))
    random = np.random.default_rng(9)
    env.reset(seed=2)
    env.choose({"b": "leave"})
    for _ in range(30):
        env.step({name: lively(random) for name in env.agents})
    moment, actions = env.snapshot(), [{name: lively(random) for name in env.agents} for _ in range(114)]
    first = [env.step(action) for action in actions]
    assert not env.agents
    env.choose({"b": None})
    env.restore(moment)
    for action, step in zip(actions, first, strict=True):
        for x, y in zip(step, env.step(action), strict=True):
            same(x, y)


def test_a_snapshot_of_another_environment_is_refused():
    one = single(portfolio="battery", library=uneven())
    two = single(**world())
    one.reset()
    with pytest.raises(StackingError, match="snapshot"):
        two.restore(one.snapshot())


# ---- back ends -----------------------------------------------------------------------------------------------------------
def test_plain_python_and_compiled_faces_agree_bit_for_bit():
    faces = [
        vector(3, portfolio="battery", library=uneven(), backend=backend, reward="award", info="full")
        for backend in ("serial", "python")
    ]
    random = np.random.default_rng(12)
    for env in faces:
        env.reset(seed=4)
    for _ in range(24):
        action = lively(random, 3)
        one, two = (env.step(action) for env in faces)
        for x, y in zip(one, two, strict=True):
            same(x, y)


def test_infos_of_chosen_worlds_are_rows_of_those_of_all():
    env = vector(3, portfolio="battery", library=uneven(), info="full")
    env.reset(seed=4)
    env.step(lively(np.random.default_rng(1), 3))
    whole, part = infos(env.worlds, env.worlds.all), infos(env.worlds, np.array([2]))
    for key, value in part.items():
        for name, row in value.items() if isinstance(value, dict) else [(None, value)]:
            same(row, (whole[key] if name is None else whole[key][name])[2:])
