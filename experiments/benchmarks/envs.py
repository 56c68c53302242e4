"""Speed of the environments: steps as an algorithm makes them, beside the engine's part of the same steps.

Actions are drawn before the stopwatch runs: random shares, prices near the market, so that every market trades.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from stacking import flows as f
from stacking import layout as v
from stacking.units import MTU_H

from ... import envs
from ..tables import number, percent, render, wrapped
from .engine import pinned
from .registry import ENV_SPECS, EnvBenchSpec, Target, env_bench_spec

ID = "stacking/NorFlexEam-v0"
DRAWN = 16  # different actions
PRICE_SPREAD = 0.15  # standard deviation of the numbers of prices: 0.1 is 13 EUR/MWh off the day-ahead price
INTRADAY_FRAC = 0.3  # share of steps in which something is traded intraday

Actions = list[NDArray[np.float32]]


@dataclass(frozen=True)
class EnvSpeed:
    """Result of one benchmark; times are medians over repetitions."""

    name: str
    title: str
    rows: int
    step_us: float
    env_steps_per_s: float
    engine_us: float  # of it in the engine: step and reset
    engine_frac: float
    engine_steps_per_s: float  # what the engine alone would make
    accepted_mw: float  # per row and step, both auctions
    ended: int  # episodes
    running_frac: float  # CPU time / wall-clock time: below 1 others took the core
    pinned: bool


def measure(
    specs: Sequence[EnvBenchSpec] = ENV_SPECS, repetitions: int = 5, advance: Callable[[int], None] = lambda _: None
) -> list[EnvSpeed]:
    """Run benchmarks on one pinned core.

    Args:
        specs: which ones.
        repetitions: of each; the median counts.
        advance: called with 1 after each.
    """
    speeds = []
    with pinned() as is_pinned:
        for spec in specs:
            speeds.append(_measure(spec, repetitions, is_pinned))
            advance(1)
    return speeds


def lively_numbers(count: int, rows: int) -> Actions:
    """Return random numbers of -1..1 that trade in every market, each (rows, ACTIONS_W)."""
    random, out = np.random.default_rng(0), []
    for _ in range(count):
        numbers = random.uniform(-1.0, 1.0, (rows, v.ACTIONS_W))
        for price in (v.LFM_PRICE_UP, v.LFM_PRICE_DN, v.MFRR_PRICE_UP, v.MFRR_PRICE_DN):
            numbers[:, price] = random.normal(0.0, PRICE_SPREAD, rows)
        numbers[:, v.ID_POWER_FRAC] *= random.random(rows) < INTRADAY_FRAC
        out.append(np.clip(numbers, -1.0, 1.0).astype(np.float32))
    return out


def _measure(spec: EnvBenchSpec, repetitions: int, is_pinned: bool) -> EnvSpeed:
    face, engine_of = _face(spec)
    actions = lively_numbers(DRAWN, spec.rows)
    actions = [action[0] for action in actions] if spec.face == "make" else actions
    _play(spec, face, engine_of, actions, min(spec.steps, 50))  # warms up
    parts, accepted, ended = [], 0.0, 0
    began, cpu = time.perf_counter(), time.process_time()
    times = [_play(spec, face, engine_of, actions, spec.steps)[0] for _ in range(repetitions)]
    running = (time.process_time() - cpu) / (time.perf_counter() - began)
    for _ in range(repetitions):  # the engine's part, with a stopwatch inside that the time above does not hold
        with _Stopwatch(engine_of()) as watch:
            taken, accepted, ended = _play(spec, face, engine_of, actions, spec.steps, watch)
        parts.append(watch.seconds / spec.steps / taken)
    step, share = statistics.median(times), statistics.median(parts)
    return EnvSpeed(
        spec.name, spec.title, spec.rows, 1e6 * step, spec.rows / step, 1e6 * share * step, share, spec.rows / (share * step),
        accepted / MTU_H / spec.rows / spec.steps, ended, min(1.0, running), is_pinned,
    )  # fmt: skip


def _face(spec: EnvBenchSpec) -> tuple[Any, Callable[[], Any]]:
    """Return the environment, and a function that returns its engine."""
    if spec.face == "make":
        env = gymnasium.make(ID, portfolio=spec.portfolio)
        return env, lambda: env.unwrapped.engine  # type: ignore[attr-defined]
    rows = envs.StackingVectorEnv(spec.rows, design="norflex_eam", portfolio=spec.portfolio)
    return envs.Sb3VecEnv(rows) if spec.face == "sb3" else rows, lambda: rows.engine


def _play(
    spec: EnvBenchSpec, face: Any, engine_of: Callable[[], Any], actions: Actions, steps: int, watch: _Stopwatch | None = None
) -> tuple[float, float, int]:
    """Step so many times; return mean seconds of a step, accepted MWh (only with a watch) and episodes that ended."""
    if spec.face == "sb3":
        face.seed(1)
        face.reset()
    else:
        face.reset(seed=1)
    engine, step, single = engine_of(), face.step, spec.face == "make"
    if spec.spread:
        _spread(face, engine)
    if watch is not None:
        watch.seconds = 0.0
    accepted, ended, total = 0.0, 0, 0.0
    began = time.perf_counter()
    for k in range(steps):
        found = step(actions[k % len(actions)])
        if single and found[3]:
            face.reset()
            ended += 1
        elif watch is not None:
            accepted += float(engine.market[:, [f.ACCEPTED_LFM_MWH, f.ACCEPTED_MFRR_MWH]].sum())
            ended += 0 if single else int(found[2 if spec.face == "sb3" else 3].sum())
    total = time.perf_counter() - began
    return total / steps, accepted, ended


def _spread(rows: Any, engine: Any) -> None:
    """Move the rows of a vector environment to ticks that are spread evenly over the episode."""
    ticks = int(engine.library.length.min())
    goal = np.arange(engine.worlds) * ticks // engine.worlds
    for t in range(ticks):
        engine.step(engine._no_action, live=t >= ticks - goal)
    rows.worlds.look()


class _Stopwatch:
    """Counts the seconds in an engine's `step` and `reset`."""

    def __init__(self, engine: Any) -> None:
        self.engine, self.seconds = engine, 0.0

    def __enter__(self) -> _Stopwatch:
        for name in ("step", "reset"):
            setattr(self.engine, name, self._timed(getattr(self.engine, name)))
        return self

    def __exit__(self, *_: object) -> None:
        for name in ("step", "reset"):
            delattr(self.engine, name)

    def _timed(self, method: Callable[..., None]) -> Callable[..., None]:
        def timed(*arguments: Any, **options: Any) -> None:
            began = time.perf_counter()
            method(*arguments, **options)
            self.seconds += time.perf_counter() - began

        return timed


# ---- report ----------------------------------------------------------------------------------------------------------
def missed(speed: EnvSpeed) -> list[tuple[Target, str]]:
    """Return the targets that a result misses, with a line for each."""
    return [
        (target, f"{speed.name}: {getattr(speed, target.measure):,.0f} env-steps/s, asked at least {target.least:,.0f}")
        for target in env_bench_spec(speed.name).targets
        if not target.met(getattr(speed, target.measure))
    ]


def to_data(speeds: Sequence[EnvSpeed]) -> list[dict[str, Any]]:
    """Return the results as plain data, each with the targets that it misses."""
    return [{**dataclasses.asdict(speed), "not_met": [text for _, text in missed(speed)]} for speed in speeds]


def to_text(speeds: Sequence[EnvSpeed], width: int | None = None) -> str:
    """Return the results as a table, with what was asked and not reached."""
    header = [
        "benchmark",
        "rows",
        "us/step",
        "env-steps/s",
        "engine us",
        "engine alone/s",
        "engine's part",
        "accepted MW",
        "ended",
    ]
    rows = [
        [x.name, f"{x.rows:,}", f"{x.step_us:,.1f}", f"{x.env_steps_per_s:,.0f}", f"{x.engine_us:,.1f}",
         f"{x.engine_steps_per_s:,.0f}", percent(x.engine_frac), number(x.accepted_mw), f"{x.ended:,}"]
        for x in speeds
    ]  # fmt: skip
    lost = [line for speed in speeds for _, line in missed(speed)]
    asked = sum(len(env_bench_spec(speed.name).targets) for speed in speeds)
    lines = [f"Targets met: {asked - len(lost)} of {asked}", *(f"not met: {line}" for line in lost)]
    busy = ", ".join(f"{x.name} {percent(x.running_frac)}" for x in speeds if x.running_frac < 0.95)
    core = "one pinned core" if all(x.pinned for x in speeds) else "not pinned: this system cannot"
    note = f"Medians, {core}. 'engine' is its step and reset within a step; 'accepted' is sold per row and step in both auctions."
    parts = [render(header, rows, width=width), "\n".join(lines), wrapped(note, width=width)]
    if busy:
        parts.append(wrapped(f"Others took the core; the benchmarks ran for this share of the time: {busy}.", width=width))
    return "\n\n".join(parts)
