"""Those who do not learn: strategies that decide for the other FSPs of each world.

A population begins an episode in all its worlds at once, and what a strategy remembers is its own business. So worlds that
began together are a cohort with a population of its own; a world that begins anew leaves its cohort for a new one. Where all
worlds begin and end together there is one cohort and one call per strategy and tick.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stacking.layout import Layout

from ..agents.population import Memory, Population
from ..agents.strategies import Strategy

Ints = NDArray[np.int64]


@dataclass
class Cohort:
    """Worlds that began together; those that have left are still asked for, which changes nothing for the others."""

    population: Population
    worlds: Ints
    live: NDArray[np.bool_]


@dataclass(frozen=True)
class CohortMemory:
    """A copy of a cohort."""

    worlds: Ints
    live: NDArray[np.bool_]
    memory: Memory


class CoPlayers:
    """The strategies of the rows that do not learn.

    Args:
        others: row -> strategy.
        names: (F,) of all portfolios.
        layout: action bounds of the design.
    """

    def __init__(self, others: Mapping[int, Strategy], names: Sequence[str], layout: Layout) -> None:
        self.rows = np.array(sorted(others), dtype=np.int64)
        labels = {id(strategy): f"{strategy.name} {k}" for k, strategy in enumerate(others.values())}
        self._strategies = {labels[id(strategy)]: strategy for strategy in others.values()}
        self._assignment = [labels[id(others[int(row)])] for row in self.rows]
        self._names, self._layout = [names[int(row)] for row in self.rows], layout
        self._cohorts: list[Cohort] = []

    def start(self, worlds: Ints, keys: Sequence[str]) -> None:
        """Begin an episode in some worlds.

        Args:
            worlds: which.
            keys: of their scenarios, from which rows take their seeds.
        """
        for cohort in self._cohorts:
            cohort.live &= ~np.isin(cohort.worlds, worlds)
        self._cohorts = [cohort for cohort in self._cohorts if cohort.live.any()]
        population = self._population()
        population.start(keys)
        self._cohorts.append(Cohort(population, worlds.copy(), np.ones(len(worlds), np.bool_)))

    def act(
        self,
        observation: NDArray[np.float32],
        mask: NDArray[np.bool_],
        action: NDArray[np.float64],
        worlds: Ints | None = None,
    ) -> None:
        """Write the decisions of the others into an action, (B, F, ACTIONS_W).

        Args:
            observation, mask: (B, F, ...) of the engine.
            action: (B, F, ACTIONS_W), written at their rows.
            worlds: those that have just begun, if only they are asked.
        """
        for cohort, at, live in self._asked(worlds):
            action[live] = cohort.population.act(observation[at], mask[at])[cohort.live]

    def alternatives(
        self, observation: NDArray[np.float32], mask: NDArray[np.bool_], shift_eur_per_mwh: float, out: NDArray[np.float64],
        worlds: Ints | None = None,
    ) -> None:  # fmt: skip
        """Write what they would have decided in the last `act` at other prices (`Population.alternatives`).

        Args:
            observation, mask, worlds: of that call.
            shift_eur_per_mwh: by how much prices are lower, and higher.
            out: (B, F, 2, ACTIONS_W), written at their rows.
        """
        for cohort, at, live in self._asked(worlds):
            out[live] = cohort.population.alternatives(observation[at], mask[at], shift_eur_per_mwh)[cohort.live]

    def _asked(self, worlds: Ints | None) -> Iterator[tuple[Cohort, Any, Any]]:
        """Return the cohorts that are asked, where their worlds stand, and where those stand that have not left."""
        for cohort in self._cohorts:
            if worlds is None or np.isin(cohort.worlds, worlds).all():
                yield cohort, np.ix_(cohort.worlds, self.rows), np.ix_(cohort.worlds[cohort.live], self.rows)

    def snapshot(self) -> tuple[CohortMemory, ...]:
        """Return a copy of what all of them remember."""
        return tuple(CohortMemory(c.worlds.copy(), c.live.copy(), c.population.memory()) for c in self._cohorts)

    def restore(self, cohorts: tuple[CohortMemory, ...]) -> None:
        """Go back to a snapshot."""
        self._cohorts = []
        for kept in cohorts:
            population = self._population()
            population.remember(kept.memory)
            self._cohorts.append(Cohort(population, kept.worlds.copy(), kept.live.copy()))

    def _population(self) -> Population:
        return Population(self._strategies, self._assignment, portfolio_names=self._names, layout=self._layout)
