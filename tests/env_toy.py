"""Environments for tests: short scenarios that trade a lot, and numbers of -1..1 that make them do so."""

from __future__ import annotations

from functools import cache
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

import stacking.envs  # noqa: F401  (registers the ids)
from stacking import layout as v
from stacking.envs.scene import chosen_portfolios
from stacking.portfolio import Portfolio
from stacking.scenario import Library, generate, scenario_keys

from .toy import busy, joined

ID = "stacking/NorFlexEam-v0"
PORTFOLIOS = ("battery", "default", "load")


def single(name: str = ID, **settings: Any) -> Any:
    """Return a single environment without Gymnasium's wrappers."""
    return gymnasium.make(name, **settings).unwrapped


def vector(count: int, name: str = ID, **settings: Any) -> Any:
    """Return a native vector environment."""
    return gymnasium.make_vec(name, num_envs=count, **settings)


def portfolios(name: str) -> tuple[Portfolio, ...]:
    """Return the portfolios of a preset."""
    return tuple(chosen_portfolios(name))


@cache
def library(name: str = "battery", rows: int = 1, count: int = 12, days: int = 1, seed: int = 5) -> Library:
    """Return scenarios of one day in which the local market needs something in half of the hours."""
    taking_part = portfolios(name) * (rows == 1)
    return busy(generate(scenario_keys("train", count, seed=seed), portfolios=taking_part, rows=rows, days=days), seed)


@cache
def uneven(rows: int = 1) -> Library:
    """Return scenarios of 144 and 240 MTU, for batteries."""
    keys = scenario_keys("train", 12, seed=7)
    return busy(joined(generate(keys[:7], rows=rows, days=1), generate(keys[7:], rows=rows, days=2)), 7)


def lively(random: np.random.Generator, *shape: int) -> NDArray[np.float32]:
    """Return numbers of -1..1 whose prices lie near the market (x = 0.1 is 13 EUR/MWh off)."""
    out = random.uniform(-1.0, 1.0, (*shape, v.ACTIONS_W))
    for k in (v.LFM_PRICE_UP, v.LFM_PRICE_DN, v.MFRR_PRICE_UP, v.MFRR_PRICE_DN):
        out[..., k] = random.normal(0.0, 0.15, shape)
    out[..., v.ID_POWER_FRAC] *= random.random(shape) < 0.3
    return np.clip(out, -1.0, 1.0).astype(np.float32)


def same(a: Any, b: Any, path: str = "") -> None:
    """Assert that two nests of dictionaries, arrays and numbers hold the same bytes."""
    if isinstance(a, dict):
        assert a.keys() == b.keys(), (path, a.keys() ^ b.keys())
        for key in a:
            same(a[key], b[key], f"{path}.{key}")
    elif isinstance(a, np.ndarray) and a.dtype == object:
        assert len(a) == len(b), path
        for k, (x, y) in enumerate(zip(a, b, strict=True)):
            assert (x is None) == (y is None), (path, k)
            if x is not None:
                same(x, y, f"{path}[{k}]")
    elif isinstance(a, np.ndarray):
        assert (a.dtype, a.shape) == (b.dtype, b.shape), path
        assert a.tobytes() == b.tobytes(), (path, np.argwhere(a != b)[:5].tolist())
    else:
        assert (type(a), a) == (type(b), b), path
