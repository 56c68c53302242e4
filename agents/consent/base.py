"""What a consent policy is: a yes or no per row, local gate and direction, with its state as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from stacking.errors import StackingError

from ..seeds import UintArray
from ..strategies.base import BoolArray, FloatArray


@dataclass(frozen=True)
class WeekRevenue:
    """What n FSPs earned in a week (an episode), over doing nothing.

    Attributes:
        earned_eur: (n,) with the choice that each had made.
        rated_mw: (n,) size, > 0.
        other_choice_eur: (n,) what each would have earned with the other choice, all others unchanged, on the same
            scenarios; None where nobody asks for it.

    Raises:
        StackingError: for vectors that do not match, sizes that are not positive, or what is no number.
    """

    earned_eur: FloatArray
    rated_mw: FloatArray
    other_choice_eur: FloatArray | None = None

    def __post_init__(self) -> None:
        """Check the shapes."""
        shapes = {x.shape for x in (self.earned_eur, self.rated_mw, self.other_choice_eur) if x is not None}
        if len(shapes) != 1 or self.earned_eur.ndim != 1 or not (self.rated_mw > 0.0).all():
            raise StackingError(
                "Revenue and size of a week do not match.", place="WeekRevenue", key="shape", value=sorted(shapes),
                allowed="vectors of one length, sizes above 0",
            )  # fmt: skip
        if not all(np.isfinite(x).all() for x in (self.earned_eur, self.rated_mw, self.other_choice_eur) if x is not None):
            raise StackingError(
                "A week has a revenue or size that is no number.", place="WeekRevenue", key="earned_eur", allowed="finite EUR, MW"
            )


class ConsentPolicy(Protocol):
    """Says yes (1) or no (0) for n rows at once; a single FSP is n = 1; reads nothing but its arguments."""

    @property
    def name(self) -> str:
        """Return the name as `parse_consent` reads it."""
        ...

    @property
    def weekly(self) -> bool:
        """Return whether the policy learns between episodes, so that one episode alone shows only its first choice."""
        ...

    def start(self, seeds: UintArray) -> Any:
        """Return the state of n rows from their seeds (n,)."""
        ...

    def decide(self, observation: FloatArray, asked: BoolArray, state: Any) -> tuple[FloatArray, Any]:
        """Decide at one tick.

        Args:
            observation: (n, OBSERVATIONS_W) in physical units.
            asked: (n,) rows whose local gate closes now; only their state may change, so that a row decides the same
                alone and in any batch.
            state: what `start`, the last `decide` or the last `after_week` returned.

        Returns:
            consent (n, 2: up, down), 0 or 1, and the next state.
        """
        ...

    def after_week(self, state: Any, revenue: WeekRevenue) -> Any:
        """Return the state with which the next week begins."""
        ...


def both(choice: FloatArray) -> FloatArray:
    """Return the same answer for both directions, (n, 2), from one per row, (n,)."""
    return np.stack([choice, choice], axis=1)


class WithinEpisode:
    """What policies have in common that learn nothing between weeks."""

    weekly = False

    def after_week(self, state: Any, revenue: WeekRevenue) -> Any:
        """Return the state unchanged."""
        return state
