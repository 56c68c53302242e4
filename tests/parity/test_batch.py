"""A batch of 257 worlds = 257 single runs, bit for bit, with scenarios of unlike lengths that end and restart at other times."""

from __future__ import annotations

import hashlib
from collections import Counter

import numpy as np
import pytest

from stacking import state as s
from stacking.engine import Engine
from stacking.invariants import counts
from stacking.scenario import generate, scenario_keys

from ..toy import FLEET, RESULTS, STATE, busy, design, joined, lively

WORLDS, ROWS, STEPS = 257, 2, 300


@pytest.fixture(scope="module")
def lib():
    keys = scenario_keys("train", 200, seed=11)
    short, long = generate(keys[:140], rows=ROWS, days=1), generate(keys[140:], rows=ROWS, days=2)
    return busy(joined(short, long), seed=11)


def digest(engine: Engine, world: int, into) -> None:
    for name in STATE + RESULTS:
        into.update(getattr(engine, name)[world].tobytes())


def restart(scenario: int, number: int) -> int:
    """Return the scenario with which a world goes on after one has ended."""
    return (scenario * 7 + 13 * number + 1) % 200


@pytest.mark.parametrize("name", ["norflex_eam", "parallel_late"])
def test_a_batch_is_its_single_runs(lib, name: str):
    setting, portfolios = design(name), (FLEET[0], FLEET[4])
    random = np.random.default_rng(17)
    bounds = Engine(setting, portfolios, lib).compiled.bounds
    actions = np.stack([lively(bounds, (WORLDS, ROWS), random) for _ in range(STEPS)])
    first = random.integers(0, 200, WORLDS)

    batch, happened, partial = Engine(setting, portfolios, lib, WORLDS), Counter(), 0
    batch.reset(first)
    hashes, ends = [hashlib.blake2b() for _ in range(WORLDS)], np.zeros(WORLDS, int)
    for step in range(STEPS):
        batch.step(actions[step])
        happened.update(counts(batch))
        for world in range(WORLDS):
            digest(batch, world, hashes[world])
        over = np.flatnonzero(batch.ended)
        partial += 0 < len(over) < WORLDS
        if len(over):
            ends[over] += 1
            batch.reset([restart(int(batch.scenario[w]), int(ends[w])) for w in over], over)
    assert partial >= 3  # steps on which only some worlds ended
    assert ends.min() >= 1
    assert len({int(x) for x in lib.length}) >= 3  # 1 and 2 days and a clock change at least
    for what in ("local", "balancing", "refusals", "forwards" if setting.shares else "double_activated"):
        assert happened[what] > 100.0, what

    single = Engine(setting, portfolios, lib)
    for world in range(WORLDS):
        single.reset(first[world])
        own, number = hashlib.blake2b(), 0
        for step in range(STEPS):
            single.step(actions[step, world : world + 1])
            digest(single, 0, own)
            if single.ended[0]:
                number += 1
                single.reset(restart(int(single.scenario[0]), number))
        assert own.digest() == hashes[world].digest(), f"world {world}, scenario {first[world]}"


def test_worlds_that_are_not_live_stay_and_the_others_do_not_care(lib):
    setting, portfolios = design("norflex_eam"), (FLEET[0], FLEET[4])
    some, one = Engine(setting, portfolios, lib, 3), Engine(setting, portfolios, lib, 1)
    some.reset([3, 4, 5])
    one.reset(4)
    random = np.random.default_rng(2)
    for step in range(120):
        action = lively(one.compiled.bounds, (3, ROWS), random)
        live = np.array([step % 2 == 0, True, step % 3 == 0])
        held = [getattr(some, name)[0].tobytes() for name in STATE[1:]] + some.control[0, : s.TODO].tolist()
        some.step(action, live=live)
        if not live[0]:
            assert [getattr(some, name)[0].tobytes() for name in STATE[1:]] + some.control[0, : s.TODO].tolist() == held
            assert not some.flows[0].any()
        one.step(action[1:2])
        for name in STATE + RESULTS:
            assert getattr(some, name)[1].tobytes() == getattr(one, name)[0].tobytes(), name
    assert some.clock.tolist() == [60, 120, 40]


def test_a_portfolio_does_not_depend_on_idle_neighbours(lib):
    """A neighbour that never bids changes nothing: no market is touched by who is merely there."""
    setting = design("norflex_eam")
    alone, together = Engine(setting, FLEET[:1], lib, 20), Engine(setting, (FLEET[0], FLEET[4]), lib, 20)
    alone.reset(np.arange(20))
    together.reset(np.arange(20))
    random = np.random.default_rng(5)
    traded = 0.0
    for _ in range(144):
        action = np.zeros((20, 2, alone.compiled.bounds.shape[1]))
        action[:, :1] = lively(alone.compiled.bounds, (20, 1), random)
        alone.step(action[:, :1])
        together.step(action)
        assert alone.flows[:, 0].tobytes() == together.flows[:, 0].tobytes()
        assert alone.observation[:, 0].tobytes() == together.observation[:, 0].tobytes()
        traded += counts(alone)["trades"]
    assert traded > 100.0
