"""Advice: what a known strategy would decide is shown to learners, and their decisions are changes of it.

So a network does not have to find again what a heuristic knows (Johannink et al., Residual reinforcement learning for robot
control, ICRA 2019, arXiv:1812.03201): with all changes 0 it plays the heuristic, and it learns where something else is better.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from stacking.layout import ID_POWER_FRAC, Layout

from ..agents.strategies import ACTION_LAYOUT, Strategy
from .co_players import CohortMemory, CoPlayers

FLOAT = NDArray[np.float64]
INT = NDArray[np.int64]

REACHES = {
    "id_power": 0.1, "mfrr_up_price": 0.1, "mfrr_dn_price": 0.1, "lfm_up_price": 0.03, "lfm_dn_price": 0.03, "consent": 2.0,
    "share": 0.0, "da_": 0.0,
}  # fmt: skip
"""Part of a decision's name -> how far a change of 1 leads (assumed); 0 leaves it to the adviser.

Narrow, because exploring is dear: a local bid is paid as bid, so a price that is a little too high loses a rare, dear sale (a
constant change of 0.05 cost a battery 870 of some 2,600 EUR in two days), and intraday costs the half spread in every quarter
of an hour. What is decided once a day is paid up to 36 hours later, behind more noise than a training of some million steps can
average, and a smaller share sells less of what pays: there a first training only lost. A price changes by 0.1 from its reference:
13 EUR/MWh, and by more far away from it. A consent can always be turned.
"""


STEERED = (ID_POWER_FRAC,)
"""Decisions for which a strategy may name alternatives: what it would decide at lower and at higher prices.

A change then leads from the advice towards one of them. Where a strategy trades nothing at any of the three prices, no change
trades either; a change of the power itself would pay the half spread in every quarter of an hour for its noise.
"""


def reach_of(given: Mapping[str, float]) -> FLOAT:
    """Return how far a change of 1 leads in each decision, (ACTIONS_W,).

    Args:
        given: decision -> reach, in place of the one in `REACHES`.
    """
    usual = [next(reach for part, reach in REACHES.items() if part in name) for name in ACTION_LAYOUT.names]
    return np.array([given.get(name, reach) for name, reach in zip(ACTION_LAYOUT.names, usual, strict=True)])


def numbers_of_alternatives(found: FLOAT, numbers_of: Callable[[FLOAT], FLOAT]) -> FLOAT:
    """Return the numbers of -1..1 of alternatives, (..., 2, ACTIONS_W); NaN stays NaN.

    Args:
        found: (..., 2, ACTIONS_W) in physical units.
        numbers_of: returns the numbers of decisions (..., ACTIONS_W).
    """
    named = ~np.isnan(found)
    numbers = [numbers_of(each) for each in np.moveaxis(np.where(named, found, 0.0), -2, 0)]
    return np.where(named, np.stack(numbers, axis=-2), np.nan)


def shown_alternatives(numbers: FLOAT) -> FLOAT:
    """Return the alternatives that are observed, (..., 2 x steered decisions): all low ones, then all high ones.

    Args:
        numbers: (..., 2, ACTIONS_W) of -1..1.
    """
    steered = numbers[..., list(STEERED)]
    return steered.reshape(*steered.shape[:-2], -1)


class Advice:
    """What one strategy would decide for the learners of B worlds, in physical units.

    Args:
        strategy: the adviser.
        rows: (L,) portfolios that learn.
        names: (F,) of all portfolios.
        layout: action bounds of the design.
        worlds: B.
    """

    def __init__(self, strategy: Strategy, rows: INT, names: Sequence[str], layout: Layout, worlds: int) -> None:
        self.rows = rows
        self._players = CoPlayers({int(row): strategy for row in rows}, names, layout)
        self._action = np.zeros((worlds, len(names), len(layout.fields)))
        self._between = np.full((worlds, len(names), 2, len(layout.fields)), np.nan)
        self.has_alternatives = hasattr(strategy, "alternatives")

    def start(self, worlds: INT, keys: Sequence[str]) -> None:
        """Begin an episode in some worlds."""
        self._players.start(worlds, keys)

    def look(self, observation: NDArray[np.float32], mask: NDArray[np.bool_], worlds: INT | None = None) -> FLOAT:
        """Return what the adviser decides now, (B, L, ACTIONS_W); to be called once per tick.

        Args:
            observation, mask: (B, F, ...) of the engine.
            worlds: those that have just begun, if only they are new; the others keep what was decided.
        """
        self._players.act(observation, mask, self._action, worlds)
        return self._action[:, self.rows]

    def alternatives(
        self, observation: NDArray[np.float32], mask: NDArray[np.bool_], shift_eur_per_mwh: float, worlds: INT | None = None
    ) -> FLOAT:
        """Return what the adviser would decide at lower and at higher prices, (B, L, 2, ACTIONS_W), NaN where it names nothing.

        Args:
            observation, mask, worlds: of the last `look`.
            shift_eur_per_mwh: by how much prices are lower, and higher.
        """
        self._players.alternatives(observation, mask, shift_eur_per_mwh, self._between, worlds)
        return self._between[:, self.rows]

    def snapshot(self) -> tuple[CohortMemory, ...]:
        """Return a copy of what the adviser remembers."""
        return self._players.snapshot()

    def restore(self, memory: tuple[CohortMemory, ...]) -> None:
        """Go back to a snapshot."""
        self._players.restore(memory)
