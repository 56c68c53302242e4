"""Runs: strategies against market designs over the scenarios of a library, as batches of worlds.

Rows of all designs with the same action bounds are decided by one call of a strategy per tick: a strategy cannot tell
in which design a row stands other than by what it sees, and a call costs much more than a row.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stacking import flows as f
from stacking.build import BACKENDS, is_cached
from stacking.compile import compile_design
from stacking.config import Design
from stacking.engine import Engine
from stacking.errors import StackingError
from stacking.kernel import advance
from stacking.network import Network
from stacking.portfolio import Portfolio
from stacking.scenario import Library

from ..agents.guard import TIME_LIMIT_S
from ..agents.population import Population
from ..agents.strategies import Strategy, make_strategy
from .players import Mixed
from .rows import FLOW_COLUMNS, Batch, day_rows, episode_rows, local_days, world_rows

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

REFERENCE = "do_nothing"
"""The strategy whose result is subtracted; always run in addition."""

MAX_WORLDS = 256
MOST_CELLS = 400_000_000  # cash per design, scenario, portfolio and MTU that is kept at once, 8 bytes each
MAX_ROWS = 4096  # rows (world x portfolio) of one batch, so that its state stays near the cache
REPORT_TICKS = 48  # ticks between two reports of progress

Progress = Callable[[int], None]


@dataclass(frozen=True)
class Contest:
    """What is run: every strategy in every design on every scenario.

    Args:
        designs: with different names.
        strategies: label in the tables -> strategy; `do_nothing` is added.
        portfolios: of every world, in the row order of the network; all decided by the same strategy, other than in a
            `Mixed` one.
        library: scenarios; must hold start contents for all portfolios.
        backend: of the engine.
        time_limit_s: longest time of one call of a strategy.
        network: where the portfolios stand; one area by default.
    """

    designs: tuple[Design, ...]
    strategies: Mapping[str, Strategy | Mixed]
    portfolios: tuple[Portfolio, ...]
    library: Library
    backend: str = "serial"
    time_limit_s: float = TIME_LIMIT_S
    network: Network | None = None

    @property
    def steps(self) -> int:
        """Return the portfolio-steps of the whole run, for progress and budgets."""
        runs = len(self.designs) * len(_with_reference(self.strategies))
        return int(self.library.length.sum()) * len(self.portfolios) * runs


@dataclass(frozen=True)
class Run:
    """Results as rows.

    Attributes:
        episodes: one row per design, strategy, scenario and portfolio: all cash labels (EUR, + = received), energies
            (MWh), refused energy by code, `net_eur` (sum of the cash), `flex_eur` (net - net of `do_nothing` on the
            same scenario), `flex_mtu_eur` (flex_eur without terminal value), `top_mtu_eur` (the part of it made in the
            best 1 % of the MTU of this design and strategy, counted over all scenarios).
        days: net cash and flex revenue per design, strategy, scenario, portfolio and local day.
        worlds: what the engine sums per world (`stacking.flows.MARKET_LABELS`), one row per design, strategy and scenario: needs,
            purchases, violations (MWh) and payments of the operators to the FSPs (EUR).
    """

    episodes: pd.DataFrame
    days: pd.DataFrame
    worlds: pd.DataFrame


def run(contest: Contest, progress: Progress | None = None) -> Run:
    """Run a contest.

    Args:
        contest: what is run.
        progress: called with the number of portfolio-steps done since the last call.

    Raises:
        StackingError: for bad input, or a strategy that breaks its contract.
    """
    _check(contest)
    strategies, calendar = _with_reference(contest.strategies), local_days(contest.library)
    episodes, days, worlds = [], [], []
    for designs in design_groups(contest.designs):
        group = Group(contest, designs)
        reference: Batch | None = None
        for label, strategy in strategies.items():
            batch = group.play(label, strategy, progress or (lambda steps: None))
            reference = reference or batch
            for d, design in enumerate(designs):
                episodes.append(episode_rows(contest, design.name, label, batch, reference, d, calendar))
                days.append(day_rows(contest, design.name, label, batch, reference, d, calendar))
                worlds.append(world_rows(contest, design.name, label, batch, d))
    order = [d.name for d in contest.designs]
    return Run(_sorted(episodes, order), _sorted(days, order), _sorted(worlds, order))


def ensure_compiled(backend: str, say: Callable[[str], None]) -> float:
    """Compile or load the engine, announce a first compilation, and return the seconds that it took."""
    check_backend(backend)
    cold = backend != "python" and not is_cached(advance, backend)
    if cold:
        say("Compiling the engine for this machine: once, some 20 to 60 seconds ...")
    began = time.perf_counter()
    _touch(backend)
    seconds = time.perf_counter() - began
    if cold:
        say(f"... compiled in {seconds:.1f} s and kept on disk.")
    return seconds


def check_backend(backend: str) -> None:
    """Check the name of a back end.

    Raises:
        StackingError: if it is unknown.
    """
    if backend not in BACKENDS:
        raise StackingError("Unknown back end.", key="backend", value=backend, allowed=", ".join(BACKENDS))


def check_memory(designs: int, scenarios: int, portfolios: int, ticks: int) -> None:
    """Check that the cash of a run fits into memory: designs x scenarios x portfolios x MTU cells.

    Raises:
        StackingError: if it does not.
    """
    cells = designs * scenarios * portfolios * ticks
    if cells > MOST_CELLS:
        raise StackingError(
            "The run does not fit into memory.",
            place="run",
            key="designs x scenarios x portfolios x MTU",
            value=f"{cells:,}",
            allowed=f"up to {MOST_CELLS:,}",
            remedy="Use fewer scenarios, portfolios or days, or one design at a time.",
        )


def _touch(backend: str) -> None:
    """Reset one tiny world, which compiles the kernel or loads it from the disk."""
    from stacking.catalogue import default_portfolios, load_design
    from stacking.scenario import generate, scenario_keys

    portfolios = default_portfolios()
    library = generate(scenario_keys("train", 1), portfolios=portfolios, days=1)
    Engine(load_design("parallel"), portfolios, library, backend=backend)


# ---- playing ---------------------------------------------------------------------------------------------------------
class Group:
    """Engines of designs with the same action bounds, stepped together."""

    def __init__(self, contest: Contest, designs: Sequence[Design]) -> None:
        scenarios, portfolios = len(contest.library), len(contest.portfolios)
        most = max(1, min(MAX_WORLDS, MAX_ROWS // portfolios) // len(designs))
        chunks = -(-scenarios // most)
        self.contest, self.worlds = contest, -(-scenarios // chunks)
        self.engines = [
            Engine(design, contest.portfolios, contest.library, self.worlds, contest.backend, contest.network)
            for design in designs
        ]

    def play(self, label: str, strategy: Strategy | Mixed, progress: Progress) -> Batch:
        """Let a strategy decide for all portfolios in all designs and scenarios."""
        contest, count, engines = self.contest, len(self.contest.library), len(self.engines)
        portfolios = len(contest.portfolios)
        batch = Batch(
            np.zeros((engines, count, portfolios, len(FLOW_COLUMNS))),
            np.zeros((engines, count, portfolios, contest.library.series.shape[1])),
            np.zeros((engines, count, len(f.MARKET_LABELS))),
        )
        mixed = strategy if isinstance(strategy, Mixed) else Mixed({label: strategy}, (label,) * portfolios)
        population = Population(
            mixed.strategies,
            mixed.assignment,
            portfolio_names=[p.name for p in contest.portfolios],
            layout=self.engines[0].compiled.layout,
            time_limit_s=contest.time_limit_s,
        )
        for first in range(0, count, self.worlds):
            chosen = np.arange(first, min(first + self.worlds, count))
            self._play_chunk(population, chosen, batch, progress)
        return batch

    def _play_chunk(self, population: Population, chosen: IntArray, batch: Batch, progress: Progress) -> None:
        library, rows = self.contest.library, len(self.contest.portfolios)
        # the last chunk may be short: its spare worlds repeat a scenario and are not read
        scenarios = np.append(chosen, np.full(self.worlds - len(chosen), chosen[-1]))
        for engine in self.engines:
            engine.reset(scenarios)
        population.start([str(library.keys[k]) for k in scenarios] * len(self.engines))
        used, sums = len(chosen), np.zeros((len(self.engines), self.worlds, *self.engines[0].flows.shape[1:]))
        market = np.zeros((len(self.engines), self.worlds, f.MARKET_W))
        ticks = int(library.length[scenarios].max())
        steps, reported = int(library.length[chosen].sum()) * rows * len(self.engines), 0
        for tick in ticks_of(self.engines, population, ticks):
            for d, engine in enumerate(self.engines):
                sums[d] += engine.flows
                market[d] += engine.market
                now = engine.reward[:used] - engine.flows[:used, :, f.CASH_TERMINAL]
                batch.cash[d, chosen, :, tick] = now
            if tick % REPORT_TICKS == REPORT_TICKS - 1:
                progress(steps * (tick + 1) // ticks - reported)
                reported = steps * (tick + 1) // ticks
        batch.flows[:, chosen] = sums[:, :used][..., FLOW_COLUMNS]
        batch.market[:, chosen] = market[:, :used][..., [column for column, _ in f.MARKET_LABELS]]
        progress(steps - reported)


def ticks_of(engines: Sequence[Engine], population: Population, count: int) -> Iterator[int]:
    """Let a population that was started play in engines of equally many worlds; yield each tick once it is stepped."""
    worlds = len(engines[0].reward)
    for tick in range(count):
        observation = np.concatenate([engine.observation for engine in engines])
        mask = np.concatenate([engine.mask for engine in engines])
        action = np.asarray(population.act(observation, mask), dtype=np.float64)
        for d, engine in enumerate(engines):
            engine.step(action[d * worlds : (d + 1) * worlds])
        yield tick


def design_groups(designs: Sequence[Design]) -> list[list[Design]]:
    """Return the designs in groups with equal action bounds."""
    groups: dict[object, list[Design]] = {}
    for design in designs:
        groups.setdefault(compile_design(design).layout, []).append(design)
    return list(groups.values())


def _with_reference(strategies: Mapping[str, Strategy | Mixed]) -> dict[str, Strategy | Mixed]:
    """Return the strategies with `do_nothing`, which comes first."""
    rest = {label: strategy for label, strategy in strategies.items() if label != REFERENCE}
    return {REFERENCE: make_strategy(REFERENCE), **rest}


def _check(contest: Contest) -> None:
    names = [design.name for design in contest.designs]
    for problem, items in (("A run needs at least one design.", names), ("A run needs a scenario.", contest.library.keys)):
        if not items:
            raise StackingError(problem, place="run", value=0, allowed="1 or more")
    check_memory(len(names), len(contest.library), len(contest.portfolios), contest.library.series.shape[1])
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise StackingError(
            "Two designs have the same name, so their rows could not be told apart.",
            place="run",
            key="design",
            value=twice,
            remedy="Name each design once; give a changed copy its own name.",
        )


def _sorted(frames: Sequence[pd.DataFrame], order: Sequence[str]) -> pd.DataFrame:
    """Return the rows in the order of the designs asked for; within a design in the order of the strategies."""
    rank = {name: k for k, name in enumerate(order)}
    return pd.concat(sorted(frames, key=lambda frame: rank[frame["design"].iloc[0]]), ignore_index=True)
