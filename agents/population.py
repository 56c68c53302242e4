"""A population: which strategy decides for which portfolio; one call per strategy and tick, over all worlds."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stacking.errors import StackingError
from stacking.layout import ACTIONS_W, OBSERVATIONS_W, Layout

from .consent import consenting
from .guard import TIME_LIMIT_S, checked_act, checked_start
from .seeds import seed_of
from .strategies.base import ACTION_LAYOUT, BoolArray, FloatArray, Strategy
from .strategies.loading import check_methods


@dataclass(frozen=True)
class Memory:
    """A copy of what a population remembers between two calls."""

    worlds: int
    call: int
    states: dict[str, Any]


class Population:
    """Groups the portfolios of B equal worlds by strategy.

    Args:
        strategies: name -> strategy.
        assignment: for each portfolio (F,) the name of its strategy.
        portfolio_names: (F,) names for seeds and messages; numbers by default.
        layout: action bounds of the design.
        time_limit_s: longest time of one call of a strategy.
        consent: name of a consent policy for all portfolios, or (F,) one for each; "own" leaves it to the strategy.

    Raises:
        StackingError: for an unknown name, or names that do not match the assignment.
    """

    def __init__(
        self,
        strategies: Mapping[str, Strategy],
        assignment: Sequence[str],
        *,
        portfolio_names: Sequence[str] | None = None,
        layout: Layout = ACTION_LAYOUT,
        time_limit_s: float = TIME_LIMIT_S,
        consent: str | Sequence[str] = "own",
    ) -> None:
        _check_assignment(strategies, assignment, portfolio_names)
        strategies, assignment = consenting(strategies, assignment, consent)
        for label in set(assignment):
            check_methods(strategies[label], f"strategy {label}")
        self.strategies = {name: strategies[name] for name in strategies if name in assignment}
        self.assignment = tuple(assignment)
        self.portfolio_names = tuple(portfolio_names or (str(k) for k in range(len(assignment))))
        self.rows: dict[str, NDArray[np.intp]] = {
            name: np.flatnonzero(np.array(self.assignment) == name) for name in self.strategies
        }
        self._layout, self._time_limit_s = layout, time_limit_s
        self._states: dict[str, Any] = {}
        self._worlds = 0
        self._call = 0

    def start(self, seeds: Sequence[object]) -> None:
        """Begin an episode in B worlds.

        Args:
            seeds: (B,) one per world, the scenario's key or number. A row's seed comes from the strategy's name, this
                and the portfolio's name, so that it does not depend on the order or the number of rows.
        """
        self._worlds, self._call, self._states = len(seeds), 0, {}
        for label, strategy in self.strategies.items():
            rows = [self._seed(strategy, world, row) for world in seeds for row in self.rows[label]]
            self._states[label] = checked_start(
                strategy, len(rows), np.array(rows, dtype=np.int64), time_limit_s=self._time_limit_s
            )

    def memory(self) -> Memory:
        """Return a copy of what the strategies remember."""
        return Memory(self._worlds, self._call, copy.deepcopy(self._states))

    def remember(self, memory: Memory) -> None:
        """Go back to what the strategies remembered, in a population of the same strategies and portfolios."""
        self._worlds, self._call, self._states = memory.worlds, memory.call, copy.deepcopy(memory.states)

    def start_row(self, seed: object, row: int) -> Any:
        """Return the state of one portfolio at the start of an episode, for `act_row`; the group's states stay as they are.

        Args:
            seed: of its world, as given to `start`: the row then draws the same numbers as in its group.
            row: number of the portfolio.
        """
        strategy = self.strategies[self.assignment[row]]
        own = np.array([self._seed(strategy, seed, row)], dtype=np.int64)
        return checked_start(strategy, 1, own, time_limit_s=self._time_limit_s)

    def act_row(self, row: int, observation: FloatArray, mask: BoolArray, state: Any, call: int) -> tuple[FloatArray, Any]:
        """Decide one tick for one portfolio, alone.

        Args:
            row: number of the portfolio.
            observation: (1, OBSERVATIONS_W).
            mask: (1, ACTIONS_W).
            state: what `start_row` or the last call returned.
            call: number of the call since the start, 0 first.

        Returns:
            action (1, ACTIONS_W) float64, and the next state: the same numbers as the row's in `act`.

        Raises:
            StackingError: if the strategy breaks its contract.
        """
        return checked_act(
            self.strategies[self.assignment[row]],
            observation,
            mask,
            state,
            call=call,
            layout=self._layout,
            time_limit_s=self._time_limit_s,
            row_name=lambda _: f"{row} (portfolio {self.portfolio_names[row]})",
        )

    def act(self, observation: FloatArray, mask: BoolArray) -> FloatArray:
        """Decide one tick for all rows.

        Args:
            observation: (B, F, OBSERVATIONS_W).
            mask: (B, F, ACTIONS_W).

        Returns:
            (B, F, ACTIONS_W) float64, a new array.

        Raises:
            StackingError: before `start`, for other shapes, or if a strategy breaks its contract.
        """
        self._check_shapes(observation, mask)
        action = np.empty(mask.shape)
        for label, strategy in self.strategies.items():
            rows = self.rows[label]
            whole = len(rows) == len(self.assignment)
            seen = (observation if whole else observation.take(rows, axis=1)).reshape(-1, OBSERVATIONS_W)
            open_columns = (mask if whole else mask.take(rows, axis=1)).reshape(-1, ACTIONS_W)
            decided, self._states[label] = checked_act(
                strategy,
                seen,
                open_columns,
                self._states[label],
                call=self._call,
                layout=self._layout,
                time_limit_s=self._time_limit_s,
                row_name=lambda i, rows=rows: self._row_name(i, rows),
            )
            action[:, rows] = decided.reshape(self._worlds, len(rows), ACTIONS_W)
        self._call += 1
        return action

    def alternatives(self, observation: FloatArray, mask: BoolArray, shift_eur_per_mwh: float) -> FloatArray:
        """Return what the strategies would have decided in the last `act` at other prices, (B, F, 2, ACTIONS_W).

        Args:
            observation, mask: of that call.
            shift_eur_per_mwh: by how much prices are lower, and higher; all strategies need a method `alternatives`.
        """
        out = np.empty((*mask.shape[:2], 2, ACTIONS_W))
        for label, strategy in self.strategies.items():
            rows = self.rows[label]
            seen, open_columns = observation[:, rows].reshape(-1, OBSERVATIONS_W), mask[:, rows].reshape(-1, ACTIONS_W)
            found = strategy.alternatives(seen, open_columns, self._states[label], shift_eur_per_mwh)  # type: ignore[attr-defined]
            out[:, rows] = found.reshape(self._worlds, len(rows), 2, ACTIONS_W)
        return out

    def _seed(self, strategy: Strategy, world: object, row: int) -> int:
        """Return the seed of one row."""
        return seed_of(getattr(strategy, "seed_name", strategy.name), world, self.portfolio_names[row])

    def _row_name(self, i: int, rows: NDArray[np.intp]) -> str:
        """Return world and portfolio of a row of a group."""
        return f"{i} (world {i // len(rows)}, portfolio {self.portfolio_names[rows[i % len(rows)]]})"

    def _check_shapes(self, observation: FloatArray, mask: BoolArray) -> None:
        """Check that a start came before and that the arrays fit."""
        if not self._worlds:
            raise StackingError("The population has not been started.", place="Population.act", remedy="Call start(seeds) first.")
        wanted = (self._worlds, len(self.assignment))
        for name, array, width in (("observation", observation, OBSERVATIONS_W), ("mask", mask, ACTIONS_W)):
            if array.shape != (*wanted, width):
                raise StackingError(
                    f"The {name} does not fit the population.",
                    place="Population.act",
                    key=name,
                    value=array.shape,
                    allowed=str((*wanted, width)),
                    remedy="Start the population with one seed per world, and assign every portfolio.",
                )


def _check_assignment(
    strategies: Mapping[str, Strategy], assignment: Sequence[str], portfolio_names: Sequence[str] | None
) -> None:
    """Check names and lengths."""
    for k, name in enumerate(assignment):
        if name not in strategies:
            raise StackingError(
                "A portfolio is given to an unknown strategy.",
                place="Population",
                key=f"assignment of portfolio {k}",
                value=name,
                allowed=", ".join(strategies) or "none",
                remedy="Add the strategy or correct the name.",
            )
    if not assignment:
        raise StackingError(
            "The population has no portfolio.", place="Population", key="assignment", remedy="Name a strategy for each."
        )
    if portfolio_names is not None and (
        len(portfolio_names) != len(assignment) or len(set(portfolio_names)) != len(portfolio_names)
    ):
        raise StackingError(
            "Portfolio names and assignment do not match.",
            place="Population",
            key="portfolio_names",
            value=list(portfolio_names),
            allowed=f"{len(assignment)} different names",
            remedy="Give each portfolio its own name.",
        )
