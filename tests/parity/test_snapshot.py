"""Snapshot, restore, transition: the same bytes again, nothing else touched, no array ever rebound."""

from __future__ import annotations

import numpy as np
import pytest

from stacking.engine import Engine, transition
from stacking.errors import StackingError
from stacking.invariants import counts
from stacking.scenario import generate, scenario_keys

from ..toy import FLEET, RESULTS, STATE, busy, design, lively, same_bytes

WORLDS, ROWS = 6, 3


@pytest.fixture(scope="module")
def lib():
    return busy(generate(scenario_keys("train", 20, seed=23), rows=ROWS, days=1), seed=23)


def made(lib, name: str = "norflex_eam") -> Engine:
    engine = Engine(design(name, pooling=True), FLEET[:ROWS], lib, WORLDS)
    engine.reset(np.arange(WORLDS))
    return engine


def bytes_of(engine: Engine) -> list[bytes]:
    return [getattr(engine, name).tobytes() for name in STATE + RESULTS]


@pytest.mark.parametrize("name", ["norflex_eam", "parallel_late"])
def test_restore_continues_with_the_same_bytes(lib, name: str):
    engine, random, traded = made(lib, name), np.random.default_rng(1), 0.0
    for at in (0, 3, 40, 95, 143):
        while engine.clock[0] < at:
            engine.step(lively(engine.compiled.bounds, (WORLDS, ROWS), random))
        start = engine.snapshot()
        actions = [lively(engine.compiled.bounds, (WORLDS, ROWS), random) for _ in range(25)]
        seen = []
        for action in actions:
            engine.step(action)
            seen.append(bytes_of(engine))
            traded += counts(engine)["trades"]
        after = engine.snapshot()
        engine.restore(start)
        assert bytes_of(engine) == [start.arrays[n].tobytes() for n in STATE + RESULTS]
        for action, expected in zip(actions, seen, strict=True):
            engine.step(action)
            assert bytes_of(engine) == expected
        other = made(lib, name)  # another engine of the same shape, after something else
        other.step(actions[0])
        other.restore(start)
        for action in actions:
            other.step(action)
        same_bytes(engine, other)
        engine.restore(after)
    assert traded > 10.0


def test_a_snapshot_is_a_copy(lib):
    engine, random = made(lib), np.random.default_rng(2)
    start = engine.snapshot()
    kept = {name: array.tobytes() for name, array in start.arrays.items()}
    for _ in range(30):
        engine.step(lively(engine.compiled.bounds, (WORLDS, ROWS), random))
    assert {name: array.tobytes() for name, array in start.arrays.items()} == kept
    assert bytes_of(engine) != [start.arrays[n].tobytes() for n in STATE + RESULTS]
    engine.restore(start)
    engine.step(lively(engine.compiled.bounds, (WORLDS, ROWS), random))
    assert {name: array.tobytes() for name, array in start.arrays.items()} == kept


def test_transition_is_pure(lib):
    engine, random = made(lib), np.random.default_rng(3)
    for _ in range(20):
        engine.step(lively(engine.compiled.bounds, (WORLDS, ROWS), random))
    start = engine.snapshot()
    for _ in range(10):
        engine.step(lively(engine.compiled.bounds, (WORLDS, ROWS), random))
    now, action = bytes_of(engine), lively(engine.compiled.bounds, (WORLDS, ROWS), random)
    given, kept = action.tobytes(), {n: a.tobytes() for n, a in start.arrays.items()}
    one, two = transition(engine, start, action), transition(engine, start, action)
    assert bytes_of(engine) == now
    assert action.tobytes() == given
    assert {n: a.tobytes() for n, a in start.arrays.items()} == kept
    for name in STATE + RESULTS:
        assert one.arrays[name].tobytes() == two.arrays[name].tobytes()
    engine.restore(start)
    engine.step(action)
    assert bytes_of(engine) == [one.arrays[n].tobytes() for n in STATE + RESULTS]
    # also when the action is refused
    wrong = action.copy()
    wrong[0, 0, np.argmax(start.arrays["mask"][0, 0])] = np.nan
    engine.restore(one)
    now = bytes_of(engine)
    with pytest.raises(StackingError):
        transition(engine, start, wrong)
    assert bytes_of(engine) == now


def test_arrays_are_never_rebound_and_the_library_is_never_written(lib):
    engine, random = made(lib), np.random.default_rng(4)
    names = (*STATE, *RESULTS, "params")
    pointers = {name: getattr(engine, name).ctypes.data for name in names}
    arrays = ("series", "hourly", "local", "local_hourly", "calendar", "scalars", "length", "start_frac", "priority")
    kept = {name: getattr(lib, name).tobytes() for name in arrays}
    params = engine.params.tobytes()
    for step in range(100):
        engine.step(lively(engine.compiled.bounds, (WORLDS, ROWS), random))
        if step % 20 == 19:
            engine.reset(random.integers(0, 20, 2), [1, 4])
            engine.restore(engine.snapshot())
    assert {name: getattr(engine, name).ctypes.data for name in names} == pointers
    assert {name: getattr(lib, name).tobytes() for name in arrays} == kept
    assert engine.params.tobytes() == params


def test_a_reset_leaves_nothing_of_the_past(lib):
    used, fresh, random = made(lib), made(lib), np.random.default_rng(6)
    for _ in range(101):
        used.step(lively(used.compiled.bounds, (WORLDS, ROWS), random))
    used.reset(np.arange(WORLDS) + 7)
    fresh.reset(np.arange(WORLDS) + 7)
    same_bytes(used, fresh)
    for _ in range(60):
        action = lively(used.compiled.bounds, (WORLDS, ROWS), random)
        used.step(action)
        fresh.step(action)
        same_bytes(used, fresh)


def test_a_snapshot_of_another_shape_is_refused(lib):
    small = Engine(design("norflex_eam"), FLEET[:ROWS], lib, 2)
    with pytest.raises(StackingError, match="snapshot"):
        small.restore(made(lib).snapshot())
