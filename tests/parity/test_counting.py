"""Laws count places from the start: compiled, array[-1] is another array's memory (see `stacking.compiler`)."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import stacking.envs.rewards
import stacking.envs.worlds
from stacking import build as builder
from stacking import envs
from stacking.build import apart, law
from stacking.catalogue import design_names
from stacking.config import Design
from stacking.engine import Engine
from stacking.invariants import counts
from stacking.kernel import advance
from stacking.network import Network, compile_network, load_network
from stacking.portfolio import Portfolio
from stacking.scenario import generate, scenario_keys

from ..toy import busy, design, lively
from .test_backends import FOUR, SETTINGS

TICKS = 100


class FromStart(np.ndarray):
    """An array, with all that is taken from it, whose places count from the start and lie inside it."""

    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(counted(key))

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(counted(key), value)


def counted(key: Any) -> Any:
    for part in key if isinstance(key, tuple) else (key,):
        if isinstance(part, int | np.integer) and part < 0:
            raise IndexError(f"counts from the end: {part}")
    return key


def watched(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """Return a kernel in plain Python whose arrays are watched."""
    return lambda *given: kernel(*(x.view(FromStart) if isinstance(x, np.ndarray) else x for x in given))


CITY = load_network("stockholm")
IN_THE_CITY = tuple(p.model_copy(update={"node": ("Norra", "Sodra")[k % 2]}) for k, p in enumerate(FOUR))
ORDERED = tuple(IN_THE_CITY[k] for k in compile_network(CITY, IN_THE_CITY).order)
CASES = [
    *((design(name), FOUR, None) for name in design_names()),
    *((setting, FOUR, None) for setting in SETTINGS),
    *((design(name, grid_check="limit"), ORDERED, CITY) for name in ("norflex_eam", "finflex", "parallel")),
    *((design(name), ORDERED, CITY) for name in ("onenet", "norflex_eam")),
    (design("norflex_eam", pooling=True), ORDERED, CITY),
]


@pytest.mark.parametrize(("setting", "portfolios", "network"), CASES, ids=lambda x: getattr(x, "name", ""))
def test_no_law_of_the_engine_counts_from_the_end(
    setting: Design, portfolios: tuple[Portfolio, ...], network: Network | None
) -> None:
    lib = busy(generate(scenario_keys("train", 1, seed=3), portfolios=portfolios, network=network, days=1), seed=3)
    engine = Engine(setting, portfolios, lib, 1, "python", network=network)
    engine._advance = watched(advance)
    engine.reset(np.zeros(1, np.int64))
    random, happened = np.random.default_rng(2), 0.0
    while not engine.ended.all():
        action = lively(engine.compiled.bounds, engine.mask.shape[:2], random)
        engine.step(action)
        happened += sum(counts(engine)[what] for what in ("local", "balancing"))
    assert engine.clock[0] >= TICKS
    assert happened > 1.0


def test_no_law_of_the_environments_counts_from_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def watching(kernel: Callable[..., Any], backend: str = "serial") -> Callable[..., Any]:
        assert backend == "python"
        made.append(kernel.__name__)
        return watched(kernel)

    monkeypatch.setattr(stacking.envs.worlds, "build", watching)
    monkeypatch.setattr(stacking.envs.rewards, "build", watching)
    env = envs.StackingVectorEnv(2, design="norflex_eam", portfolio="default", backend="python", reward="award", days=1,
                                 advice="rebid", steer_eur_per_mwh=20.0)  # fmt: skip
    env.reset(seed=0)
    env.action_space.seed(0)
    for _ in range(TICKS):
        env.step(env.action_space.sample())
    env.numbers_of(np.zeros(env.action_space.shape))
    assert {"to_physical", "to_numbers", "to_seen", "to_changed"} < set(made)


def last(numbers: Any, out: Any) -> None:
    out[0] = numbers[out.shape[0] - 2]


def test_a_law_that_counts_from_the_end_is_found() -> None:
    numbers, out = np.arange(3.0), np.zeros(1)
    last(numbers, out)
    assert out[0] == 2.0  # plain Python lets it pass
    with pytest.raises(IndexError, match="counts from the end: -1"):
        watched(last)(numbers, out)


@law
def later(numbers: Any, k: int) -> float:
    return numbers[k + 1]


@apart
def shifted(numbers: Any, out: Any) -> None:
    for k in range(out.shape[0]):
        out[k] = 2.0 * later(numbers, k)


def test_a_kernel_whose_arrays_lie_apart_says_so_and_does_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    outs = {}
    for way in ("1", "0"):
        monkeypatch.setenv("STACKING_UNSEALED", way)
        monkeypatch.setattr(shifted, "__module__", "stacking.shifted")  # other packages are compiled as ever
        compiled: Any = builder._compile(shifted, "serial", f"shifted_{secrets.token_hex(4)}")  # never from the cache
        outs[way] = np.zeros(4)
        compiled(np.arange(5.0), outs[way])
        text = compiled.inspect_llvm(compiled.signatures[0])
        own = [line for line in text.splitlines() if line.startswith("define") and "shifted" in line]
        assert any("noalias" in line.split("excinfo")[-1] for line in own) == (way == "0")
    assert outs["0"].tolist() == outs["1"].tolist() == [2.0, 4.0, 6.0, 8.0]
