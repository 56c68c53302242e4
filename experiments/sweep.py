"""Sweeps: many parameter values of one strategy at once, candidates x scenarios as worlds of one batch.

A strategy decides for rows, and a shipped one takes its parameters row by row (`one_by_row`), so one call a tick serves all
candidates: a call costs far more than a row. Of another strategy, one candidate plays after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stacking.config import Design
from stacking.engine import Engine
from stacking.network import Network
from stacking.portfolio import Portfolio
from stacking.scenario import Library

from ..agents.population import Population
from ..agents.strategies import Strategy, decides_by_row, one_by_row
from .runner import MAX_ROWS, Progress, design_groups, ticks_of

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

MAX_WORLDS = 1536  # of one call


@dataclass(frozen=True)
class Trial:
    """On what strategies are swept: the designs, the portfolios of every world, the scenarios."""

    designs: tuple[Design, ...]
    portfolios: tuple[Portfolio, ...]
    library: Library
    backend: str = "serial"
    network: Network | None = None


def net_eur(trial: Trial, strategies: Sequence[Strategy], progress: Progress = lambda steps: None) -> FloatArray:
    """Return the cash of each strategy per design and scenario, summed over the portfolios, (K, D, S), EUR.

    Args:
        trial: on what they play.
        strategies: (K,) of one class and name.
        progress: called with the portfolio-steps done since the last call.

    Raises:
        StackingError: if a strategy breaks its contract.
    """
    count, scenarios = len(strategies), len(trial.library)
    net = np.zeros((count, len(trial.designs), scenarios))
    batches = [list(range(count))] if decides_by_row(strategies[0]) else [[k] for k in range(count)]
    for group in design_groups(trial.designs):
        places = [trial.designs.index(design) for design in group]
        for chosen in batches:
            who, where = np.repeat(chosen, scenarios), np.tile(np.arange(scenarios), len(chosen))
            most = max(1, min(MAX_WORLDS, MAX_ROWS // len(trial.portfolios)) // len(group))
            for part in np.array_split(np.arange(len(who)), -(-len(who) // most)):
                for place, cash in zip(places, _play(trial, group, strategies, who[part], where[part]), strict=True):
                    net[who[part], place, where[part]] = cash
                progress(int(trial.library.length[where[part]].sum()) * len(trial.portfolios) * len(group))
    return net


def _play(trial: Trial, designs: Sequence[Design], strategies: Sequence[Strategy], who: IntArray, where: IntArray) -> FloatArray:
    """Return the cash (D, W) of worlds in which strategy `who` plays scenario `where`, (W,) each."""
    worlds, rows = len(who), len(trial.portfolios)
    engines = [Engine(d, trial.portfolios, trial.library, worlds, trial.backend, trial.network) for d in designs]
    for engine in engines:
        engine.reset(where)
    by_row = np.tile(np.repeat(who, rows), len(designs))
    strategy = one_by_row(strategies, by_row) if len(set(who.tolist())) > 1 else strategies[int(who[0])]
    names = [p.name for p in trial.portfolios]
    population = Population({"": strategy}, [""] * rows, portfolio_names=names, layout=engines[0].compiled.layout)
    population.start([str(trial.library.keys[k]) for k in where] * len(designs))
    cash = np.zeros((len(designs), worlds))
    for _ in ticks_of(engines, population, int(trial.library.length[where].max())):
        cash += [engine.reward.sum(axis=1) for engine in engines]
    return cash
