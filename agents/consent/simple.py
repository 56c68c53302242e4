"""Policies that look at nothing: always, never, a share of blocks, a share of FSPs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stacking.errors import StackingError
from stacking.layout import HOURS_TO_END
from stacking.units import MTU_PER_HOUR

from ..seeds import UintArray, uniform
from ..strategies.base import BoolArray, FloatArray
from .base import WithinEpisode, both


@dataclass(frozen=True)
class Always(WithinEpisode):
    """Consents at every gate."""

    name = "always"

    def start(self, seeds: UintArray) -> Any:
        """Return no state."""
        return None

    def decide(self, observation: FloatArray, asked: BoolArray, state: Any) -> tuple[FloatArray, Any]:
        """Return ones."""
        return np.ones((len(observation), 2)), state


@dataclass(frozen=True)
class Never(WithinEpisode):
    """Consents at no gate."""

    name = "never"

    def start(self, seeds: UintArray) -> Any:
        """Return no state."""
        return None

    def decide(self, observation: FloatArray, asked: BoolArray, state: Any) -> tuple[FloatArray, Any]:
        """Return zeros."""
        return np.zeros((len(observation), 2)), state


@dataclass(frozen=True)
class RandomShare(WithinEpisode):
    """Consents with a probability, drawn anew for each row, local gate (block) and direction.

    The draw is a function of the row's seed and the time left, so that it is the same alone and in any batch, and the
    rows that consent at a share also consent at every larger one.
    """

    share_frac: float

    def __post_init__(self) -> None:
        """Check the share."""
        check_share(self.share_frac, "random:0.5")

    @property
    def name(self) -> str:
        """Return "random:SHARE"."""
        return f"random:{self.share_frac:g}"

    def start(self, seeds: UintArray) -> UintArray:
        """Return the seeds."""
        return seeds

    def decide(self, observation: FloatArray, asked: BoolArray, state: UintArray) -> tuple[FloatArray, UintArray]:
        """Return 1 where the number drawn for this gate is below the share."""
        counter = ticks_left(observation) * np.uint64(2)
        drawn = np.stack([uniform(state, counter + np.uint64(d)) for d in range(2)], axis=1)
        return (drawn < self.share_frac).astype(np.float64), state


@dataclass(frozen=True)
class RandomFsps(WithinEpisode):
    """Consents always or never, drawn once an episode for each row: a share of FSPs.

    FSPs that consent in every scenario alike are drawn with the population instead (`consent_weight`).
    """

    share_frac: float

    def __post_init__(self) -> None:
        """Check the share."""
        check_share(self.share_frac, "random_fsps:0.5")

    @property
    def name(self) -> str:
        """Return "random_fsps:SHARE"."""
        return f"random_fsps:{self.share_frac:g}"

    def start(self, seeds: UintArray) -> FloatArray:
        """Return the draw of each row, (n,), 0 or 1."""
        return (uniform(seeds, np.zeros(len(seeds), np.uint64)) < self.share_frac).astype(np.float64)

    def decide(self, observation: FloatArray, asked: BoolArray, state: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the draw."""
        return both(state), state


def ticks_left(observation: FloatArray) -> UintArray:
    """Return the number of MTU to the end of the episode, (n,): a counter for draws."""
    return np.rint(observation[:, HOURS_TO_END].astype(np.float64) * MTU_PER_HOUR).astype(np.int64).astype(np.uint64)


def check_share(share_frac: float, example: str, key: str = "consent") -> None:
    """Check that a number is a probability.

    Raises:
        StackingError: if it is not.
    """
    if not 0.0 <= share_frac <= 1.0:
        raise StackingError(
            "The share of consent is no probability.", key=key, value=share_frac, allowed="0..1",
            remedy=f"Use for example {example}.",
        )  # fmt: skip
