"""Candidates of a search: parameter values as points of the unit cube, and what each earns on a library."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stacking.config import Design
from stacking.scenario import Library

from ..agents.strategies import Parameter, make_strategy
from .players import Players
from .request import Request
from .runner import REFERENCE, Progress
from .strategy_input import one_strategy
from .sweep import Trial, net_eur

FloatArray = NDArray[np.float64]

DIGITS = 4


@dataclass(frozen=True)
class Evaluation:
    """One candidate and its result: mean flex revenue per episode over designs and scenarios."""

    values: tuple[float, ...]
    mean_eur: float
    per_scenario: FloatArray  # (S,) mean over designs


@dataclass
class Candidates:
    """Candidates of a search, evaluated once each: the strategy's ranges, designs, scenarios and the budget left."""

    spec: str
    parameters: tuple[Parameter, ...]
    designs: tuple[Design, ...]
    players: Players
    request: Request
    rng: np.random.Generator
    budget: int
    starts: tuple[tuple[float, ...], ...] = ()  # values that are tried first beside the default
    progress: Progress = lambda steps: None
    used: int = 0
    known: dict[tuple[str, int, tuple[float, ...]], Evaluation] = field(default_factory=dict)
    idle: dict[tuple[str, int], FloatArray] = field(default_factory=dict)  # cash of `do_nothing`, (D, S)
    tried: set[tuple[float, ...]] = field(default_factory=set)

    def cost(self, library: Library, candidates: int) -> int:
        """Return the steps of evaluating candidates on a library, and once of the reference."""
        runs = candidates + ((library.keys[0].split, len(library)) not in self.idle)
        return int(library.length.sum()) * len(self.players.portfolios) * len(self.designs) * runs

    def affords(self, library: Library, candidates: int, reserve: int = 0) -> bool:
        """Return whether the budget holds that many candidates on a library, and a reserve."""
        return self.used + self.cost(library, candidates) + reserve <= self.budget

    def evaluate(self, candidates: Sequence[tuple[float, ...]], library: Library) -> list[Evaluation]:
        """Return the candidates' results on a library, paired."""
        where = library.keys[0].split, len(library)
        fresh = [values for values in dict.fromkeys(candidates) if (*where, values) not in self.known]
        if fresh:
            trial = Trial(self.designs, self.players.portfolios, library, self.request.backend, self.players.network)
            self.used += self.cost(library, len(fresh))
            if where not in self.idle:
                self.idle[where] = net_eur(trial, [make_strategy(REFERENCE)], self.progress)[0]
            flex = net_eur(trial, [self.make(values) for values in fresh], self.progress) - self.idle[where]
            for values, per_scenario in zip(fresh, flex.mean(axis=1), strict=True):
                self.known[(*where, values)] = Evaluation(values, float(per_scenario.mean()), per_scenario)
                self.tried.add(values)
        return [self.known[(*where, values)] for values in candidates]

    def make(self, values: tuple[float, ...]) -> Any:
        """Return the strategy with these parameter values."""
        named = {p.name: value for p, value in zip(self.parameters, values, strict=True)}
        return one_strategy(self.spec, values=named)[0]

    def values_at(self, point: FloatArray) -> tuple[float, ...]:
        """Return the parameter values at a point of the unit cube, rounded as they are stored."""
        return tuple(from_unit(p, float(x)) for p, x in zip(self.parameters, point, strict=True))

    def point_of(self, values: Sequence[float]) -> FloatArray:
        """Return the point of the unit cube of some values."""
        return np.array([to_unit(p, x) for p, x in zip(self.parameters, values, strict=True)])

    @property
    def default(self) -> tuple[float, ...]:
        """Return the default values."""
        return tuple(p.default for p in self.parameters)


def from_unit(p: Parameter, x: float) -> float:
    """Return the value at a share of a parameter's range, rounded as it is stored."""
    low, high = (math.log(p.low), math.log(p.high)) if p.log else (p.low, p.high)
    value = low + x * (high - low)
    return min(max(float(f"{math.exp(value) if p.log else value:.{DIGITS}g}"), p.low), p.high)


def to_unit(p: Parameter, value: float) -> float:
    """Return the share of a parameter's range at which a value lies."""
    if p.log:
        return (math.log(value) - math.log(p.low)) / (math.log(p.high) - math.log(p.low))
    return (value - p.low) / (p.high - p.low)
