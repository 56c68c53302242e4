"""The reference: trades nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .base import BoolArray, FloatArray, Seed, closed_action


@dataclass(frozen=True)
class DoNothing:
    """Buys its forecast consumption day-ahead and offers nothing; its battery makes up what cars and load deviate."""

    name = "do_nothing"

    def start(self, n: int, seed: Seed) -> Any:
        """Return no state."""
        return None

    def act(self, observation: FloatArray, mask: BoolArray, state: Any) -> tuple[FloatArray, Any]:
        """Return all columns zero: no volume, no share, no consent."""
        return closed_action(len(observation)), state
