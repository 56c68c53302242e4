"""One policy for bids up and another for bids down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..seeds import UintArray
from ..strategies.base import BoolArray, FloatArray
from .base import ConsentPolicy, WithinEpisode


@dataclass(frozen=True)
class ByDirection(WithinEpisode):
    """Answers for bids up as one policy does and for bids down as another; each keeps its own state and sees all."""

    up: ConsentPolicy
    dn: ConsentPolicy

    @property
    def name(self) -> str:
        """Return "UP/DOWN"."""
        return f"{self.up.name}/{self.dn.name}"

    def start(self, seeds: UintArray) -> Any:
        """Return the states of both; their draws are those that each would make alone."""
        return self.up.start(seeds), self.dn.start(seeds)

    def decide(self, observation: FloatArray, asked: BoolArray, state: Any) -> tuple[FloatArray, Any]:
        """Return the answer of the first for up and of the second for down."""
        up, first = self.up.decide(observation, asked, state[0])
        dn, second = self.dn.decide(observation, asked, state[1])
        return np.stack([up[:, 0], dn[:, 1]], axis=1), (first, second)
