"""Policies that compare the expected gain with nothing: break-even, and logit with inertia."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from stacking.errors import StackingError

from ..seeds import UintArray, uniform
from ..strategies.base import BoolArray, FloatArray
from .base import WithinEpisode
from .gain import GainTerms, forwarding_gain_eur
from .simple import check_share, ticks_left

MOST_EXPONENT = 700.0  # beyond it exp overflows; the probability is 0 or 1 to the last bit long before


@dataclass(frozen=True)
class BreakEven(WithinEpisode):
    """Consents to a direction when the expected gain of forwarding it is above zero."""

    terms: GainTerms = field(default_factory=GainTerms)

    name = "break_even"

    def start(self, seeds: UintArray) -> Any:
        """Return no state."""
        return None

    def decide(self, observation: FloatArray, asked: BoolArray, state: Any) -> tuple[FloatArray, Any]:
        """Return 1 where `forwarding_gain_eur` > 0."""
        return (forwarding_gain_eur(observation, self.terms) > 0.0).astype(np.float64), state


@dataclass(frozen=True)
class LogitState:
    """Seeds (n,) and last choice (n, 2: up, down): 0, 1, or NaN before the first."""

    seeds: UintArray
    last: FloatArray


@dataclass(frozen=True)
class Logit(WithinEpisode):
    """Consents to a direction with probability 1 / (1 + exp(-gain / scale)), or keeps its last choice.

    It keeps it with probability `inertia_frac`. The draws, two for each direction,
    are functions of the row's seed and the time left.
    """

    scale_eur: float = 1.0  # EUR per block, assumed
    inertia_frac: float = 0.5  # assumed
    terms: GainTerms = field(default_factory=GainTerms)

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_share(self.inertia_frac, "0.5", key="inertia_frac")
        if not 0.0 < self.scale_eur < float("inf"):
            raise StackingError(
                "The scale of a logit is no positive number.", place="logit", key="consent", value=self.scale_eur,
                allowed="above 0 EUR per block", remedy="Use for example logit:1.",
            )  # fmt: skip

    @property
    def name(self) -> str:
        """Return "logit:SCALE"."""
        return f"logit:{self.scale_eur:g}"

    def start(self, seeds: UintArray) -> LogitState:
        """Return seeds and no choice."""
        return LogitState(seeds, np.full((len(seeds), 2), np.nan))

    def decide(self, observation: FloatArray, asked: BoolArray, state: LogitState) -> tuple[FloatArray, LogitState]:
        """Return the choice of each row; it becomes the last one where the row is asked."""
        counter = ticks_left(observation) * np.uint64(4)
        draw = [uniform(state.seeds, counter + np.uint64(k)) for k in range(4)]
        exponent = np.clip(forwarding_gain_eur(observation, self.terms) / self.scale_eur, -MOST_EXPONENT, MOST_EXPONENT)
        fresh = (np.stack(draw[:2], axis=1) < 1.0 / (1.0 + np.exp(-exponent))).astype(np.float64)
        kept = (np.stack(draw[2:], axis=1) < self.inertia_frac) & ~np.isnan(state.last)
        choice = np.where(kept, state.last, fresh)
        return choice, LogitState(state.seeds, np.where(asked[:, None], choice, state.last))
