"""Runs: strategies against market designs over the scenarios of a library, as batches of worlds.

Rows of all designs with the same action bounds are decided by one call of a strategy per tick: a strategy cannot tell
in which design a row stands other than by what it sees, and a call costs much more than a row.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stacking import flows as f
from stacking.build import BACKENDS, is_cached
from stacking.compile import compile_design
from stacking.config import Design, Portfolio
from stacking.engine import Engine
from stacking.errors import StackingError
from stacking.kernel import advance
from stacking.scenario import Library
from stacking.units import MTU_H, MTU_MIN

from ..agents.guard import TIME_LIMIT_S
from ..agents.population import Population
from ..agents.strategies import Strategy, make_strategy

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

REFERENCE = "do_nothing"
"""The strategy whose result is subtracted; always run in addition."""

MAX_WORLDS = 256
MAX_ROWS = 4096  # rows (world x portfolio) of one batch, so that its state stays near the cache
TOP_FRAC = 0.01
REPORT_TICKS = 48  # ticks between two reports of progress

CASH_COLUMNS: tuple[str, ...] = tuple(f"cash_{label.name}_eur" for label in f.CASH_LABELS)
ENERGY_COLUMNS: tuple[str, ...] = tuple(name for _, name in f.ENERGY_LABELS)
REFUSED_COLUMNS: tuple[str, ...] = tuple(name for _, name in f.REFUSED_LABELS)
_FLOW_COLUMNS = [
    *(label.column for label in f.CASH_LABELS),
    *(column for column, _ in f.ENERGY_LABELS),
    *(column for column, _ in f.REFUSED_LABELS),
]
_FLOW_NAMES = (*CASH_COLUMNS, *ENERGY_COLUMNS, *REFUSED_COLUMNS)

Progress = Callable[[int], None]
Calendar = tuple[NDArray[np.str_], IntArray]


@dataclass(frozen=True)
class Contest:
    """What is run: every strategy in every design on every scenario.

    Args:
        designs: with different names.
        strategies: label in the tables -> strategy; `do_nothing` is added.
        portfolios: of every world, all decided by the same strategy.
        library: scenarios; must hold start contents for all portfolios.
        backend: of the engine.
        time_limit_s: longest time of one call of a strategy.
    """

    designs: tuple[Design, ...]
    strategies: Mapping[str, Strategy]
    portfolios: tuple[Portfolio, ...]
    library: Library
    backend: str = "serial"
    time_limit_s: float = TIME_LIMIT_S

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
    """

    episodes: pd.DataFrame
    days: pd.DataFrame


@dataclass
class _Batch:
    """Sums of one strategy in the designs of a group."""

    flows: FloatArray  # (D, S, F, labels)
    cash: FloatArray  # (D, S, F, T) EUR per MTU without terminal value
    done: int = field(default=0)


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
    episodes, days = [], []
    for designs in _groups(contest.designs):
        group = _Group(contest, designs)
        reference: _Batch | None = None
        for label, strategy in strategies.items():
            batch = group.play(label, strategy, progress or (lambda steps: None))
            reference = reference or batch
            for d, design in enumerate(designs):
                episodes.append(_episode_rows(contest, design.name, label, batch, reference, d, calendar))
                days.append(_day_rows(contest, design.name, label, batch, reference, d, calendar))
    order = [d.name for d in contest.designs]
    return Run(_sorted(episodes, order), _sorted(days, order))


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


def _touch(backend: str) -> None:
    """Reset one tiny world, which compiles the kernel or loads it from the disk."""
    from stacking.catalogue import default_portfolios, load_design
    from stacking.scenario import generate, scenario_keys

    library = generate(scenario_keys("train", 1), days=1)
    Engine(load_design("parallel"), default_portfolios()[:1], library, backend=backend)


# ---- playing ---------------------------------------------------------------------------------------------------------
class _Group:
    """Engines of designs with the same action bounds, stepped together."""

    def __init__(self, contest: Contest, designs: Sequence[Design]) -> None:
        scenarios, portfolios = len(contest.library), len(contest.portfolios)
        most = max(1, min(MAX_WORLDS, MAX_ROWS // portfolios) // len(designs))
        chunks = -(-scenarios // most)
        self.contest, self.worlds = contest, -(-scenarios // chunks)
        self.engines = [
            Engine(design, contest.portfolios, contest.library, worlds=self.worlds, backend=contest.backend) for design in designs
        ]

    def play(self, label: str, strategy: Strategy, progress: Progress) -> _Batch:
        """Let a strategy decide for all portfolios in all designs and scenarios."""
        contest, count, engines = self.contest, len(self.contest.library), len(self.engines)
        portfolios = len(contest.portfolios)
        batch = _Batch(
            np.zeros((engines, count, portfolios, len(_FLOW_COLUMNS))),
            np.zeros((engines, count, portfolios, contest.library.series.shape[1])),
        )
        population = Population(
            {label: strategy},
            [label] * portfolios,
            portfolio_names=[p.name for p in contest.portfolios],
            layout=self.engines[0].compiled.layout,
            time_limit_s=contest.time_limit_s,
        )
        for first in range(0, count, self.worlds):
            chosen = np.arange(first, min(first + self.worlds, count))
            self._play_chunk(population, chosen, batch, progress)
        return batch

    def _play_chunk(self, population: Population, chosen: IntArray, batch: _Batch, progress: Progress) -> None:
        library, rows = self.contest.library, len(self.contest.portfolios)
        # the last chunk may be short: its spare worlds repeat a scenario and are not read
        scenarios = np.append(chosen, np.full(self.worlds - len(chosen), chosen[-1]))
        for engine in self.engines:
            engine.reset(scenarios)
        population.start([str(library.keys[k]) for k in scenarios] * len(self.engines))
        used, sums = len(chosen), np.zeros((len(self.engines), self.worlds, *self.engines[0].flows.shape[1:]))
        ticks = int(library.length[scenarios].max())
        steps, reported = int(library.length[chosen].sum()) * rows * len(self.engines), 0
        for tick in range(ticks):
            observation = np.concatenate([engine.observation for engine in self.engines])
            mask = np.concatenate([engine.mask for engine in self.engines])
            action = population.act(observation, mask)
            for d, engine in enumerate(self.engines):
                engine.step(action[d * self.worlds : (d + 1) * self.worlds])
                sums[d] += engine.flows
                now = engine.reward[:used] - engine.flows[:used, :, f.CASH_TERMINAL]
                batch.cash[d, chosen, :, tick] = now
            if tick % REPORT_TICKS == REPORT_TICKS - 1:
                progress(steps * (tick + 1) // ticks - reported)
                reported = steps * (tick + 1) // ticks
        batch.flows[:, chosen] = sums[:, :used][..., _FLOW_COLUMNS]
        progress(steps - reported)


def _groups(designs: Sequence[Design]) -> list[list[Design]]:
    """Return the designs in groups with equal action bounds."""
    groups: dict[object, list[Design]] = {}
    for design in designs:
        groups.setdefault(compile_design(design).layout, []).append(design)
    return list(groups.values())


def _with_reference(strategies: Mapping[str, Strategy]) -> dict[str, Strategy]:
    """Return the strategies with `do_nothing`, which comes first."""
    rest = {label: strategy for label, strategy in strategies.items() if label != REFERENCE}
    return {REFERENCE: make_strategy(REFERENCE), **rest}


def _check(contest: Contest) -> None:
    names = [design.name for design in contest.designs]
    for problem, items in (("A run needs at least one design.", names), ("A run needs a scenario.", contest.library.keys)):
        if not items:
            raise StackingError(problem, place="run", value=0, allowed="1 or more")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise StackingError(
            "Two designs have the same name, so their rows could not be told apart.",
            place="run",
            key="design",
            value=twice,
            remedy="Name each design once; give a changed copy its own name.",
        )


# ---- rows ------------------------------------------------------------------------------------------------------------
def _episode_rows(
    contest: Contest, design: str, label: str, batch: _Batch, reference: _Batch, d: int, calendar: Calendar
) -> pd.DataFrame:
    """Return the rows of one design and strategy, scenario by scenario."""
    library, portfolios = contest.library, contest.portfolios
    n, rows = len(library), len(portfolios)
    flows = batch.flows[d].reshape(n * rows, -1)
    frame = pd.DataFrame(_identity(contest, design, label))
    length = np.repeat(library.length, rows)
    frame["start_utc"] = pd.DatetimeIndex(np.repeat(library.start_utc, rows)).tz_localize("UTC")
    frame["days"] = np.repeat((calendar[0] != "").sum(axis=1) - 1, rows)  # the first is a half day
    frame["mtu"] = length
    frame["rated_mw"] = np.tile([p.rated_mw for p in portfolios], n)
    frame["rated_mw_hours"] = frame["rated_mw"] * length * MTU_H
    frame["net_eur"] = flows[:, : f.CASH_W].sum(axis=1)
    frame["flex_eur"] = frame["net_eur"] - reference.flows[d].reshape(n * rows, -1)[:, : f.CASH_W].sum(axis=1)
    beyond = batch.cash[d] - reference.cash[d]
    frame["flex_mtu_eur"] = beyond.sum(axis=2).reshape(-1)
    frame["top_mtu_eur"] = _top_cash(beyond, library.length).reshape(-1)
    return pd.concat([frame, pd.DataFrame(flows, columns=list(_FLOW_NAMES))], axis=1)


def _top_cash(cash: FloatArray, length: IntArray) -> FloatArray:
    """Return how much of the cash (S, F, T) falls into the best 1 % of all MTU of all scenarios, (S, F)."""
    total = cash.sum(axis=1)
    inside = np.arange(total.shape[1]) < length[:, None]
    count = max(1, round(TOP_FRAC * int(inside.sum())))
    ranked = np.where(inside, total, -np.inf).ravel()
    best = np.zeros(ranked.size, dtype=bool)
    best[np.argsort(-ranked, kind="stable")[:count]] = True
    return (cash * best.reshape(total.shape)[:, None]).sum(axis=2)


def _day_rows(
    contest: Contest, design: str, label: str, batch: _Batch, reference: _Batch, d: int, calendar: Calendar
) -> pd.DataFrame:
    """Return cash by local day; the terminal value belongs to the last."""
    library, rows = contest.library, len(contest.portfolios)
    names, day = calendar
    terminal = _FLOW_COLUMNS.index(f.CASH_TERMINAL)
    found = []
    for values in (batch, reference):
        cash = np.zeros((*values.cash.shape[1:3], names.shape[1]))
        for s in range(len(library)):
            count, last = int(library.length[s]), day[s, library.length[s] - 1]
            for k in range(rows):
                cash[s, k] = np.bincount(day[s, :count], values.cash[d, s, k, :count], minlength=names.shape[1])
            cash[s, :, last] += values.flows[d, s, :, terminal]
        found.append(cash)
    frame = pd.DataFrame(_identity(contest, design, label, repeat=names.shape[1]))
    frame["day"] = np.repeat(names, rows, axis=0).reshape(-1)
    frame["net_eur"] = found[0].reshape(-1)
    frame["flex_eur"] = (found[0] - found[1]).reshape(-1)
    return frame.loc[frame["day"] != ""].reset_index(drop=True)


def local_days(library: Library) -> Calendar:
    """Return the local days of each scenario, (S, days) as YYYY-MM-DD, and the day number of each tick, (S, T)."""
    zone, count = ZoneInfo(library.timezone), library.series.shape[1]
    step = np.timedelta64(MTU_MIN, "m")
    found = []
    for start, length in zip(library.start_utc, library.length, strict=True):
        local = pd.DatetimeIndex(start + step * np.arange(length)).tz_localize("UTC").tz_convert(zone).tz_localize(None)
        found.append(np.unique(local.to_numpy().astype("datetime64[D]"), return_inverse=True))
    number = np.zeros((len(library), count), dtype=np.int64)
    names = np.full((len(library), max(len(days) for days, _ in found)), "", dtype="U10")
    for s, (days, inverse) in enumerate(found):
        names[s, : len(days)], number[s, : len(inverse)] = days.astype("U10"), inverse
    return names, number


def _identity(contest: Contest, design: str, label: str, repeat: int = 1) -> dict[str, object]:
    """Return the columns that name a row."""
    library, rows = contest.library, len(contest.portfolios)
    scenarios = np.repeat([str(key) for key in library.keys], rows * repeat)
    return {
        "design": np.full(len(scenarios), design),
        "strategy": np.full(len(scenarios), label),
        "scenario": scenarios,
        "portfolio": np.tile(np.repeat([p.name for p in contest.portfolios], repeat), len(library)),
    }


def _sorted(frames: Sequence[pd.DataFrame], order: Sequence[str]) -> pd.DataFrame:
    """Return the rows in the order of the designs asked for; within a design in the order of the strategies."""
    rank = {name: k for k, name in enumerate(order)}
    return pd.concat(sorted(frames, key=lambda frame: rank[frame["design"].iloc[0]]), ignore_index=True)
