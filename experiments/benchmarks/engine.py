"""Speed of the engine: world-steps and asset-steps per second with observation and reward, beside the yardstick.

What is timed is `Engine.step` alone, as an environment or a strategy loop calls it: gates, clearing, delivery, settlement,
reward, observation and mask. The actions are scripted before, so that every market trades.
"""

from __future__ import annotations

import dataclasses
import math
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stacking import state as s
from stacking.engine import STATE_ARRAYS, Engine
from stacking.portfolio import Battery, Fleet, Load, Portfolio
from stacking.presets import load_preset
from stacking.scenario import Library, generate, scenario_keys

from ...agents.drawn import draw_population, draw_strategies
from ...agents.population import Population
from ...agents.strategies import make_strategy
from ..design_input import chosen_design
from .bidder import Bidder
from .counts import Counts
from .plays import BarePlay, EnginePlay, MesaPlay, Play
from .registry import SPECS, BenchSpec
from .scripts import scripted

DESIGN = "norflex_eam"
QUICK_REPETITIONS = 2
MANY_ROWS = 10_000  # from here on counting between the steps disturbs no cache, and an episode of its own would take long
LAST_CACHE_BYTES = 32 * 2**20  # where the system does not tell
MEGABYTE = 1e6
BATTERY = Battery(power_mw=5.0, capacity_mwh=10.0)


@dataclass(frozen=True)
class Speed:
    """Result of one benchmark; times are medians over repetitions, per step of all worlds."""

    name: str
    title: str
    design: str
    worlds: int
    fsps: int
    assets: int  # batteries, charging points and loads of one world
    step_us: float
    step_us_lowest: float
    step_us_highest: float
    world_steps_per_s: float
    asset_steps_per_s: float
    fsp_step_ns: float  # cost per FSP and tick
    bare_step_us: float  # yardstick on the same rows
    ratio: float  # engine / yardstick
    accepted_mw: float  # MW accepted per world and step, both auctions
    accepted_lfm_mw: float
    accepted_mfrr_mw: float
    forwarded_mw: float  # MW of unsold local offers forwarded
    trading_frac: float  # share of world-steps in which something was accepted
    da_frac: float  # share of FSP-steps with day-ahead energy
    id_frac: float  # share of FSP-steps with intraday energy
    bidding_lfm_frac: float  # share of FSPs with an offer in the book when a local gate closes
    bidding_mfrr_frac: float  # the same at every balancing gate
    moving_frac: float  # share of FSP-steps in which a battery moved
    occupied_frac: float | None  # share of charging points with a car
    cars_left: float
    load_starts: float
    state_bytes: float  # per portfolio
    charger_bytes: float  # the part of charging points
    engine_mb: float  # all arrays of the engine
    library_mb: float  # all arrays of the scenarios
    running_frac: float  # CPU time / wall-clock time: below 1 others took the core
    pinned: bool
    nlogn_ratio: float | None = None  # cost / (n log n), relative to the smallest size that leaves the caches


def measure(
    specs: Sequence[BenchSpec] = SPECS,
    repetitions: int | None = None,
    designs: Sequence[str] = (DESIGN,),
    quick: bool = False,
    advance: Callable[[int], None] = lambda _: None,
) -> list[Speed]:
    """Run benchmarks on one pinned core.

    Args:
        specs: which ones.
        repetitions: other number of episodes than the specifications say.
        designs: names or files of market designs.
        quick: at most two episodes each.
        advance: called with 1 after each.

    Raises:
        StackingError: for an unknown design.
    """
    speeds = []
    with pinned() as is_pinned:
        for design in designs:
            found = []
            for spec in specs:
                count = repetitions or (min(QUICK_REPETITIONS, spec.repetitions) if quick else spec.repetitions)
                found.append(_measure(spec, design, count, is_pinned))
                advance(1)
            speeds += with_ratios(found, last_cache_bytes())
    return speeds


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


def portfolios_of(spec: BenchSpec) -> tuple[Portfolio, ...]:
    """Return the portfolios of every world of a benchmark.

    Drawn fleets are all depots here: as drawn (mostly homes) 23 % of their points would have a car, and 30 % are asked for.

    The site has 12 assets: a battery of 2 MW / 4 MWh, ten charging points of a depot (50 kW; vans stand there all night and
    on the weekend, three in ten give energy back) and a cold store of 2 MW that stops at five minutes' notice, or it could not
    bid for balancing (orders come 7.5 minutes before delivery). The battery is so small that orders reach the dearer assets.
    """
    if spec.owner == "mixed":
        return tuple(_at_depot(p) for p in draw_population("mixed", spec.fsps))
    if spec.owner == "battery":
        return (Portfolio(name="battery", connection_mw=BATTERY.power_mw, battery=BATTERY),)
    battery = Battery(power_mw=2.0, capacity_mwh=4.0)
    fleet = Fleet(chargers=10, site="depot", charger_mw=0.05, v2g_share_frac=0.3)
    load = Load(**{**load_preset("cold_store"), "peak_mw": 2.0, "step_mw": 0.2, "notice_min": 5.0})
    return (Portfolio(name="site", connection_mw=5.0, battery=battery, fleet=fleet, load=load),)


def _at_depot(portfolio: Portfolio) -> Portfolio:
    if portfolio.fleet is None:
        return portfolio
    return portfolio.model_copy(update={"fleet": portfolio.fleet.model_copy(update={"site": "depot"})})


def assets_of(portfolios: Sequence[Portfolio]) -> int:
    """Return the number of batteries, charging points and loads."""
    return sum((p.battery is not None) + (p.fleet.chargers if p.fleet else 0) + (p.load is not None) for p in portfolios)


def _measure(spec: BenchSpec, design: str, repetitions: int, is_pinned: bool) -> Speed:
    portfolios = portfolios_of(spec)
    library = generate(scenario_keys("train", spec.scenarios), portfolios=portfolios, days=spec.days)
    engine = Engine(chosen_design(design, spec.settings), portfolios, library, worlds=spec.worlds)
    play, bare = _plays(spec, engine, library)
    counts = Counts(engine)
    look = counts.add
    if engine.worlds * engine.rows < MANY_ROWS:
        play.episode(look)  # also warms up
        bare.episode()
        look = None
    # the two take turns, so that a busy machine disturbs both alike
    times, bare_times = [], []
    began, cpu = time.perf_counter(), time.process_time()
    for k in range(repetitions):
        times.append(play.episode(look if k == 0 else None))
        bare_times.append(bare.episode())
    running_frac = (time.process_time() - cpu) / (time.perf_counter() - began)
    step, bare_step, assets = statistics.median(times), statistics.median(bare_times), assets_of(portfolios)
    return Speed(
        spec.name, spec.title, design, spec.worlds, engine.rows, assets,
        step_us=1e6 * step, step_us_lowest=1e6 * min(times), step_us_highest=1e6 * max(times),
        world_steps_per_s=spec.worlds / step, asset_steps_per_s=spec.worlds * assets / step,
        fsp_step_ns=1e9 * step / (spec.worlds * engine.rows), bare_step_us=1e6 * bare_step, ratio=step / bare_step,
        **counts.figures(), **memory(engine), running_frac=min(1.0, running_frac), pinned=is_pinned,
    )  # fmt: skip


def _plays(spec: BenchSpec, engine: Engine, library: Library) -> tuple[Play, BarePlay]:
    ticks = min(spec.ticks or library.series.shape[1], int(library.length.min()))
    index = np.arange(spec.worlds) % spec.scenarios
    script = scripted(library, engine)
    bare = BarePlay(engine, library, script, index, ticks)
    if spec.face == "engine":
        return EnginePlay(engine, script, index, ticks, spec.spread), bare
    return MesaPlay(engine, _population(spec, engine), ticks), bare


def _population(spec: BenchSpec, engine: Engine) -> Population:
    drawn = spec.face == "mesa_drawn"
    names = draw_strategies(engine.portfolios, "mixed") if drawn else ("bidder",) * engine.rows
    strategies = {name: make_strategy(name) if drawn else Bidder() for name in dict.fromkeys(names)}
    rows = [p.name for p in engine.portfolios]
    return Population(strategies, names, portfolio_names=rows, layout=engine.compiled.layout)


# ---- memory and size -------------------------------------------------------------------------------------------------
def memory(engine: Engine) -> dict[str, Any]:
    """Return bytes of state per portfolio (and the part of charging points), and MB of engine and scenarios."""
    portfolios = engine.worlds * engine.rows
    chargers = engine.chargers.nbytes if engine.params[:, s.CHARGERS].any() else 0
    arrays = [value for value in vars(engine).values() if isinstance(value, np.ndarray)]
    return {
        "state_bytes": sum(getattr(engine, name).nbytes for name in STATE_ARRAYS) / portfolios,
        "charger_bytes": chargers / portfolios,
        "engine_mb": sum(array.nbytes for array in arrays) / MEGABYTE,
        "library_mb": sum(array.nbytes for array in engine._exogenous) / MEGABYTE,
    }


def last_cache_bytes() -> int:
    """Return the size of the largest cache of the machine, 32 MiB where the system does not tell."""
    sizes = []
    for file in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size"):
        text = file.read_text(encoding="utf-8").strip()
        if text.endswith("K") and text[:-1].isdigit():
            sizes.append(1024 * int(text[:-1]))
    return max(sizes, default=LAST_CACHE_BYTES)


def with_ratios(speeds: Sequence[Speed], cache_bytes: int) -> list[Speed]:
    """Return results with cost(n) / (n log n) relative to the smallest size whose engine is larger than the caches.

    ratio(n) = cost(n) base log(base) / (cost(base) n log(n)); sizes below the base keep None.
    """
    beyond = [x for x in speeds if x.name.startswith("fsps-") and x.engine_mb * MEGABYTE > cache_bytes]
    if not beyond:
        return list(speeds)
    base = min(beyond, key=lambda x: x.fsps)

    def ratio(x: Speed) -> float:
        return x.step_us * base.fsps * math.log(base.fsps) / (base.step_us * x.fsps * math.log(x.fsps))

    return [dataclasses.replace(x, nlogn_ratio=ratio(x)) if x in beyond else x for x in speeds]
