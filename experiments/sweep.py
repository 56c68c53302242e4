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
class Field:
    """On what strategies are swept: the designs, the portfolios of every world, the scenarios."""

    designs: tuple[Design, ...]
    portfolios: tuple[Portfolio, ...]
    library: Library
    backend: str = "serial"
    network: Network | None = None


def net_eur(field: Field, strategies: Sequence[Strategy], progress: Progress = lambda steps: None) -> FloatArray:
    """Return the cash of each strategy per design and scenario, summed over the portfolios, (K, D, S), EUR.

    Args:
        field: on what they play.
        strategies: (K,) of one class and name.
        progress: called with the portfolio-steps done since the last call.

    Raises:
        StackingError: if a strategy breaks its contract.
    """
    count, scenarios = len(strategies), len(field.library)
    net = np.zeros((count, len(field.designs), scenarios))
    together = list(range(count)) if decides_by_row(strategies[0]) else None
    for group in design_groups(field.designs):
        places = [field.designs.index(design) for design in group]
        for chosen in [together] if together else [[k] for k in range(count)]:
            who, where = np.repeat(chosen, scenarios), np.tile(np.arange(scenarios), len(chosen))
            most = max(1, min(MAX_WORLDS, MAX_ROWS // len(field.portfolios)) // len(group))
            for part in np.array_split(np.arange(len(who)), -(-len(who) // most)):
                for place, cash in zip(places, _play(field, group, strategies, who[part], where[part]), strict=True):
                    net[who[part], place, where[part]] = cash
                progress(int(field.library.length[where[part]].sum()) * len(field.portfolios) * len(group))
    return net


def _play(field: Field, designs: Sequence[Design], strategies: Sequence[Strategy], who: IntArray, where: IntArray) -> FloatArray:
    """Return the cash (D, W) of worlds in which strategy `who` plays scenario `where`, (W,) each."""
    worlds, rows = len(who), len(field.portfolios)
    engines = [Engine(d, field.portfolios, field.library, worlds, field.backend, field.network) for d in designs]
    for engine in engines:
        engine.reset(where)
    by_row = np.tile(np.repeat(who, rows), len(designs))
    strategy = one_by_row(strategies, by_row) if len(set(who.tolist())) > 1 else strategies[int(who[0])]
    names = [p.name for p in field.portfolios]
    population = Population({"": strategy}, [""] * rows, portfolio_names=names, layout=engines[0].compiled.layout)
    population.start([str(field.library.keys[k]) for k in where] * len(designs))
    cash = np.zeros((len(designs), worlds))
    for _ in ticks_of(engines, population, int(field.library.length[where].max())):
        cash += [engine.reward.sum(axis=1) for engine in engines]
    return cash
