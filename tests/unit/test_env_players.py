"""Who takes part in an environment, what co-players play, and that their memory is their own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

import stacking.envs
from stacking import flows as f
from stacking import layout as v
from stacking.agents.drawn import draw_population, draw_strategies
from stacking.agents.parameters import shipped_parameters
from stacking.agents.strategies import make_strategy
from stacking.envs import StackingEnv
from stacking.errors import StackingError

from ..env_toy import ID, library, lively, portfolios, same, single, uneven, vector

SHORT: dict[str, Any] = {"days": 1, "scenarios": 2}


def names(env: Any) -> list[str]:
    return [p.name for p in env.engine.portfolios]


def played(env: Any) -> dict[str, str]:
    """Return what the others play."""
    return {names(env)[row]: strategy.name for row, strategy in env.worlds.scene.others.items()}


# ---- who -------------------------------------------------------------------------------------------------------------
def test_presets_are_parts_of_the_default_portfolio() -> None:
    (whole,) = portfolios("default")
    for kind in ("battery", "fleet", "load"):
        (part,) = StackingEnv(design="parallel", portfolio=kind, **SHORT).engine.portfolios
        assert part.name == kind
        assert getattr(part, kind) == getattr(whole, kind)
        assert sum(getattr(part, each) is not None for each in ("battery", "fleet", "load")) == 1
    assert StackingEnv(design="parallel", **SHORT).engine.portfolios == (whole,)


def test_portfolios_come_from_files_and_records(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(
        '[[portfolio]]\nname = "a"\ncount = 2\nconnection_mw = 2.0\n[portfolio.battery]\npower_mw = 2.0\ncapacity_mwh = 4.0\n'
    )
    env = StackingEnv(design="parallel", portfolio=file, co_players="rebid", **SHORT)
    assert names(env) == ["a 1", "a 2"]
    assert played(env) == {"a 2": "rebid"}
    record = {"name": "b", "connection_mw": 2.0, "battery": {"power_mw": 2.0, "capacity_mwh": 4.0}}
    assert names(StackingEnv(design="parallel", portfolio=[record], **SHORT)) == ["b"]
    with pytest.raises(StackingError, match="co_players"):
        StackingEnv(design="parallel", portfolio=file, **SHORT)
    with pytest.raises(StackingError, match="same name"):
        StackingEnv(design="parallel", portfolio=[record, record], co_players="rebid", **SHORT)


def test_co_players_are_copies_of_the_learner() -> None:
    env = StackingEnv(design="norflex_eam", portfolio="battery", co_players={"rebid": 2, "stacked": 1}, **SHORT)
    assert names(env) == ["battery", "rebid 1", "rebid 2", "stacked 1"]
    assert played(env) == {"rebid 1": "rebid", "rebid 2": "rebid", "stacked 1": "stacked"}
    assert all(p.battery == portfolios("battery")[0].battery for p in env.engine.portfolios)
    # tuned as they are shipped, one object for the same name
    others = env.worlds.scene.others
    assert others[1] is others[2]
    assert others[3] == make_strategy("stacked", **shipped_parameters("stacked"))


def test_a_population_plays_its_drawn_strategies_around_a_learner_of_its_own() -> None:
    env = StackingEnv(design="norflex_eam", population="mixed:6", population_seed=3, **SHORT)
    drawn = draw_population("mixed", 6, 3)
    assert names(env) == [p.name for p in drawn]
    assert env.worlds.names == ("fsp 1",)
    wanted = dict(zip(names(env), draw_strategies(drawn, "mixed", 3), strict=True))
    del wanted["fsp 1"]
    assert {name: each.partition("[")[0] for name, each in played(env).items()} == wanted
    other = StackingEnv(design="norflex_eam", population="mixed:6", population_seed=3, learners="fsp 4", **SHORT)
    assert other.worlds.names == ("fsp 4",)
    beside = StackingEnv(design="norflex_eam", portfolio="battery", population="mixed:6", **SHORT)
    assert names(beside) == ["battery", *(f"fsp {k + 1}" for k in range(6))]
    assert beside.worlds.names == ("battery",)


def test_a_network_places_the_population() -> None:
    env = StackingEnv(design="sthlmflex_eam", population="mixed:8", network="stockholm", **SHORT)
    assert len(env.engine.areas.names) > 1
    assert sorted(names(env)) == sorted(f"fsp {k + 1}" for k in range(8))
    assert names(env)[int(env.worlds.rows[0])] == "fsp 1"
    env.reset(seed=1)
    env.step(np.zeros(v.ACTIONS_W))


def test_in_a_parallel_environment_all_learn_for_whom_nobody_decides() -> None:
    pytest.importorskip("pettingzoo")
    make = stacking.envs.parallel_env
    assert make(ID, population="mixed:3", **SHORT).possible_agents == ["fsp 1", "fsp 2", "fsp 3"]
    assert make(ID, portfolio="battery", population="mixed:3", **SHORT).possible_agents == ["battery"]
    assert make(ID, portfolio="battery", co_players={"rebid": 2}, **SHORT).possible_agents == ["battery"]
    few = make(ID, population="mixed:4", learners=["fsp 3", "fsp 1"], **SHORT)
    assert few.possible_agents == ["fsp 1", "fsp 3"]


# ---- memory of co-players ------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Remembers:
    """Bids a price that follows from how often it was asked, and from its seed."""

    name: str = "remembers"

    def start(self, n: int, seed: Any) -> Any:
        """Return calls and seeds."""
        return np.zeros(n), np.broadcast_to(np.asarray(seed) % 7, n).astype(float)

    def act(self, observation: Any, mask: Any, state: Any) -> Any:
        """Offer half of what is feasible."""
        calls, seeds = state
        action = np.zeros(mask.shape)
        action[:, [v.MFRR_SHARE_UP, v.MFRR_SHARE_DN, v.LFM_SHARE_UP]] = 0.5
        action[:, v.MFRR_PRICE_UP] = 20.0 + calls + seeds
        action[:, v.MFRR_PRICE_DN] = 90.0 - calls / 2.0
        action[:, v.LFM_PRICE_UP] = 60.0 + seeds
        return np.where(mask, action, 0.0), (calls + 1.0, seeds)


def test_co_players_of_rows_that_end_at_different_times_remember_their_own_episode() -> None:
    settings = {"portfolio": "battery", "library": uneven(3), "co_players": [Remembers(), "rebid"]}
    settings["portfolio"] = [portfolios("battery")[0].model_copy(update={"name": name}) for name in "abc"]
    native = vector(5, **settings)
    same_step = {"autoreset_mode": AutoresetMode.SAME_STEP}
    sync = gymnasium.make_vec(ID, num_envs=5, vectorization_mode="sync", vector_kwargs=same_step, **settings)
    random, partial, cohorts, sold = np.random.default_rng(2), 0, set(), 0.0
    same(native.reset(seed=4)[0], sync.reset(seed=4)[0])
    for _ in range(300):
        action = lively(random, 5)
        for a, b in zip(native.step(action), sync.step(action), strict=True):
            same(a, b)
        partial += 0 < native.engine.ended.sum() < 5
        groups = native.worlds.others._cohorts
        cohorts.add(len(groups))
        assert sorted(world for each in groups for world in each.worlds[each.live]) == list(range(5))
        sold += native.engine.flows[:, 1, f.ACTIVATED_MFRR].sum()
    assert max(cohorts) > 1
    assert sold > 1.0


def test_a_restored_environment_asks_co_players_with_the_memory_of_then() -> None:
    settings = {"library": library(rows=2), "co_players": [Remembers()]}
    settings["portfolio"] = [portfolios("battery")[0].model_copy(update={"name": name}) for name in "ab"]
    env = single(**settings)
    env.reset(seed=1)
    random = np.random.default_rng(1)
    for _ in range(20):
        env.step(lively(random))
    moment, actions = env.snapshot(), [lively(random) for _ in range(40)]
    first = [(env.step(action)[0], env.worlds._action.copy()) for action in actions]
    env.restore(moment)
    for action, (seen, taken) in zip(actions, first, strict=True):
        same(env.step(action)[0], seen)
        same(env.worlds._action, taken)
    env.restore(moment)
    env.worlds.others.start(np.zeros(1, np.int64), ["another"])  # broken on purpose: a fresh memory decides otherwise
    env.step(actions[0])
    assert (env.worlds._action[0, 1] != first[0][1][0, 1]).any()


# ---- opting out ------------------------------------------------------------------------------------------------------
def test_an_fsp_that_opts_out_stays_with_its_bids_masked() -> None:
    pytest.importorskip("pettingzoo")
    batteries = [portfolios("battery")[0].model_copy(update={"name": name}) for name in "ab"]
    env = stacking.envs.parallel_env(ID, portfolio=batteries, library=library(rows=2), info="full")
    seen, told = env.reset(options={"scenario": 1, "choice": {"b": "leave"}})
    random, offered, opted_out, over = np.random.default_rng(7), np.zeros(2), 0.0, {}
    bids = [v.LFM_SHARE_UP, v.LFM_SHARE_DN, v.LFM_PRICE_UP, v.MFRR_SHARE_UP, v.MFRR_SHARE_DN, v.CONSENT_UP, v.CONSENT_DN]
    while env.agents:
        assert env.agents == ["a", "b"]
        assert not told["b"]["action_mask"][bids].any()
        actions = {name: lively(random) for name in env.agents}
        actions["a"][v.CONSENTS] = -1.0  # no consent is an opting out too, by decision
        actions["b"][bids] = np.nan  # what stands in a masked column is not looked at
        seen, _, _, over, told = env.step(actions)
        offered += env.engine.flows[0, :, [f.OFFERED_LFM, f.OFFERED_MFRR]].sum(axis=0)
        opted_out += float(env.engine.flows[0, 0, f.OPTED_OUT])
        assert (seen["a"][v.RULES : v.RULES + 2] == 0.0).all()
    assert over == {"a": True, "b": True}
    assert offered[0] > 0.0
    assert offered[1] == 0.0
    assert opted_out > 0.0
    env.choose({"b": None})
    _, told = env.reset()
    assert told["b"]["action_mask"][bids].all()
