"""Speed of the engine: world-steps per second with observation and reward, beside a bare state-of-charge update.

What is timed is `Engine.step` alone, as an environment or a strategy loop calls it: gates, clearing, delivery,
settlement, reward, observation and mask. The actions are scripted before, from the scenario itself (that is foresight,
which is fine for a stopwatch), so that every market trades.
"""

from __future__ import annotations

import dataclasses
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stacking import columns as c
from stacking import flows as f
from stacking import layout as v
from stacking import state as s
from stacking.assets.battery import deliverable_mw, drain_mwh
from stacking.build import build, prange
from stacking.catalogue import default_portfolios, load_design
from stacking.engine import Engine
from stacking.scenario import Library, generate, scenario_keys
from stacking.units import MTU_H

from .registry import SPECS, BenchSpec

FloatArray = NDArray[np.float64]
LFM_LEAD, MFRR_LEAD = 8, 3  # MTU between the gates and delivery
UNDERCUT_EUR_PER_MWH = 1.0


@dataclass(frozen=True)
class Speed:
    """Result of one benchmark; times are medians over repetitions, per step of all worlds."""

    name: str
    title: str
    worlds: int
    step_us: float
    step_us_lowest: float
    step_us_highest: float
    world_steps_per_s: float
    bare_step_us: float  # state-of-charge update on the same arrays
    bare_world_steps_per_s: float
    ratio: float  # engine / bare
    accepted_mw: float  # MW accepted per world and step, both markets
    accepted_lfm_mw: float
    accepted_mfrr_mw: float
    trading_frac: float  # share of world-steps in which something was accepted
    occupied_frac: float  # share of world-steps in which the battery moved
    pinned: bool


def update_content(action: Any, params: Any, state: Any, price: Any, reward: Any) -> None:
    """Advance every battery by one MTU and nothing else: the yardstick.

    Args:
        action: (world, portfolio, ACTIONS_W); the intraday column is the wanted power as a share of the rated one.
        params: (portfolio, PARAMS_W).
        state: (world, portfolio, STATE_W); changed.
        price: (world,) EUR/MWh.
        reward: (world, portfolio) EUR; written.
    """
    for b in prange(state.shape[0]):
        for r in range(params.shape[0]):
            rated, into, out = params[r, s.RATED_MW], params[r, s.INTO], params[r, s.OUT]
            low, high, content = params[r, s.MIN_MWH], params[r, s.MAX_MWH], state[b, r, s.CONTENT]
            power = deliverable_mw(action[b, r, v.ID_POWER_FRAC] * rated, content, rated, low, high, into, out)
            state[b, r, s.CONTENT] = min(max(content - drain_mwh(power, into, out), low), high)
            reward[b, r] = power * price[b] * MTU_H


def measure(specs: Sequence[BenchSpec] = SPECS, repetitions: int | None = None) -> list[Speed]:
    """Run benchmarks on one pinned core.

    Args:
        specs: which ones.
        repetitions: other number of episodes than the specification says, for a quick look.
    """
    with pinned() as is_pinned:
        return [_measure(spec, repetitions or spec.repetitions, is_pinned) for spec in specs]


@contextmanager
def pinned() -> Iterator[bool]:
    """Keep this process on one core, where the system allows it; gives whether it does."""
    if not hasattr(os, "sched_setaffinity"):
        yield False
        return
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {max(before)})
        yield True
    finally:
        os.sched_setaffinity(0, before)


def _measure(spec: BenchSpec, repetitions: int, is_pinned: bool) -> Speed:
    library = generate(scenario_keys("train", spec.scenarios), days=spec.days)
    ticks = int(library.length.min())
    engine = Engine(load_design(spec.design), default_portfolios(), library, worlds=spec.worlds)
    index = np.arange(spec.worlds) % spec.scenarios
    script = scripted(library, engine, ticks)
    prices = np.ascontiguousarray(library.series[:, :ticks, c.DA_PRICE].T)
    trades = _trades(engine, script, index, ticks)  # also warms up
    bare = build(update_content)
    contents, reward = engine.state.copy(), np.zeros((spec.worlds, 1))
    # the two take turns, so that a busy machine disturbs both alike
    times: list[float] = []
    bare_times: list[float] = []
    for _ in range(repetitions):
        engine.reset(index)
        times.append(_timed(engine.step, script, index, ticks))
        contents[:] = engine.state

        def step_bare(action: FloatArray, price: FloatArray) -> None:
            bare(action, engine.params, contents, price, reward)

        bare_times.append(_timed(step_bare, script, index, ticks, prices))
    step, bare_step = statistics.median(times), statistics.median(bare_times)
    return Speed(
        spec.name, spec.title, spec.worlds, 1e6 * step, 1e6 * min(times), 1e6 * max(times), spec.worlds / step,
        1e6 * bare_step, spec.worlds / bare_step, step / bare_step, **trades, pinned=is_pinned,
    )  # fmt: skip


def _timed(
    step: Callable[..., None], script: FloatArray, index: NDArray[np.int64], ticks: int, prices: FloatArray | None = None
) -> float:
    """Return the mean seconds of one step over an episode; taking the scripted action out of its table is not timed."""
    if len(index) == 1:  # a stopwatch around each step would weigh too much
        calls = [(script[t, index], *(() if prices is None else (prices[t, index],))) for t in range(ticks)]
        began = time.perf_counter()
        for arguments in calls:
            step(*arguments)
        return (time.perf_counter() - began) / ticks
    total = 0.0
    for t in range(ticks):
        arguments = (script[t, index], *(() if prices is None else (prices[t, index],)))
        began = time.perf_counter()
        step(*arguments)
        total += time.perf_counter() - began
    return total / ticks


def _trades(engine: Engine, script: FloatArray, index: NDArray[np.int64], ticks: int) -> dict[str, float]:
    """Play one episode and return how much was traded, so that nobody times an idle engine."""
    local, balancing, trading, moving = 0.0, 0.0, 0, 0
    engine.reset(index)
    for t in range(ticks):
        engine.step(script[t, index])
        accepted = engine.market[:, f.ACCEPTED_LFM_MWH] + engine.market[:, f.ACCEPTED_MFRR_MWH]
        local += engine.market[:, f.ACCEPTED_LFM_MWH].sum()
        balancing += engine.market[:, f.ACCEPTED_MFRR_MWH].sum()
        trading += np.count_nonzero(accepted)
        moving += np.count_nonzero(engine.flows[:, 0, f.POWER_MW])
    steps = ticks * len(index)
    return {
        "accepted_mw": float((local + balancing) / steps / MTU_H),
        "accepted_lfm_mw": float(local / steps / MTU_H),
        "accepted_mfrr_mw": float(balancing / steps / MTU_H),
        "trading_frac": trading / steps,
        "occupied_frac": moving / steps,
    }


def scripted(library: Library, engine: Engine, ticks: int) -> FloatArray:
    """Return actions that offer in every market near the market's price, (tick, scenario, 1, ACTIONS_W)."""
    series, count = library.series, len(library)
    action = np.zeros((ticks, count, 1, v.ACTIONS_W))
    action[..., v.DA_VOLUME_FRAC], action[..., v.DA_MIN_SPREAD], action[..., v.DA_END_CONTENT_FRAC] = 0.5, 20.0, 0.5
    action[::2, ..., v.ID_POWER_FRAC], action[1::2, ..., v.ID_POWER_FRAC] = 0.1, -0.1
    action[..., v.LFM_SHARE_UP : v.LFM_SHARE_DN + 1] = 0.5
    action[..., v.MFRR_SHARE_UP : v.MFRR_SHARE_DN + 1] = 1.0
    action[..., v.CONSENT] = 1.0
    for d, sign in ((c.UP, 1.0), (c.DN, -1.0)):
        local = _ahead(series[:, :, c.market_column(c.LFM, d) + c.LIMIT], LFM_LEAD, ticks)
        day_ahead = _ahead(series[:, :, c.DA_PRICE], LFM_LEAD, ticks)
        need = _ahead(series[:, :, c.market_column(c.LFM, d) + c.NEED], LFM_LEAD, ticks)
        action[..., 0, v.LFM_PRICE_UP + d] = np.where(need > 0.0, local, day_ahead + 20.0 * sign) - sign * UNDERCUT_EUR_PER_MWH
        anchor = _ahead(series[:, :, c.market_column(c.MFRR, d) + c.ANCHOR], MFRR_LEAD, ticks)
        action[..., 0, v.MFRR_PRICE_UP + d] = anchor - sign * UNDERCUT_EUR_PER_MWH
    low, high = engine.compiled.bounds
    return np.clip(action, low, high)


def _ahead(values: FloatArray, lead: int, ticks: int) -> FloatArray:
    """Return the values some MTU ahead, (tick, scenario); the last one repeats beyond the end."""
    at = np.minimum(np.arange(ticks) + lead, values.shape[1] - 1)
    return values[:, at].T


# ---- report ----------------------------------------------------------------------------------------------------------
def to_data(speeds: Sequence[Speed]) -> list[dict[str, Any]]:
    """Return the results as plain data."""
    return [dataclasses.asdict(speed) for speed in speeds]


def to_text(speeds: Sequence[Speed], width: int | None = None) -> str:
    """Return the results as a table."""
    from ..tables import render, wrapped

    rows = [
        [
            speed.name, f"{speed.worlds:,}", f"{speed.step_us:,.1f}",
            f"{speed.step_us_lowest:,.1f}..{speed.step_us_highest:,.1f}",
            f"{speed.world_steps_per_s:,.0f}", f"{speed.bare_world_steps_per_s:,.0f}", f"{speed.ratio:.1f}",
            f"{speed.accepted_mw:.2f}", f"{100 * speed.trading_frac:.0f} %", f"{100 * speed.occupied_frac:.0f} %",
        ]
        for speed in speeds
    ]  # fmt: skip
    header = [
        "benchmark", "rows", "us/step", "lowest..highest", "world-steps/s", "bare update/s", "ratio", "accepted MW",
        "trading", "moving",
    ]  # fmt: skip
    core = "one pinned core" if all(speed.pinned for speed in speeds) else "not pinned: this system cannot"
    notes = (
        f"Medians over repeated episodes, {core}. A step makes gates, clearing, delivery, settlement, reward, observation "
        "and mask. 'bare update' only moves the state of charge on the same arrays; ratio = engine / bare. 'accepted MW' "
        "is sold per row and step in both markets, 'trading' the share of steps in which a bid was accepted, 'moving' the "
        "share in which the battery moved."
    )
    return render(header, rows, width=width) + "\n\n" + wrapped(notes, width=width)
