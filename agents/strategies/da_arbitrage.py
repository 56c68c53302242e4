"""Day-ahead arbitrage: one plan a day, nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stacking import layout as at

from .base import BoolArray, FloatArray, Seed, check_parameters, closed_action, finish, tunable
from .observed import look
from .offers import day_ahead_min_spread


@dataclass(frozen=True)
class DayAheadArbitrage:
    """Buys in cheap and sells in dear forecast hours by the engine's day-ahead law; a cycle has to pay for its wear."""

    name = "da_arbitrage"
    by_row = True
    da_volume_frac: float = tunable(1.0, 0.0, 1.0, "-", "share of the rated power planned day-ahead")
    da_margin_eur_per_mwh: float = tunable(2.0, 0.0, 50.0, "EUR/MWh", "spread a cycle must earn beyond wear and tariff")
    da_end_content_frac: float = tunable(0.5, 0.05, 0.95, "-", "content at the end of each planned day")

    def __post_init__(self) -> None:
        """Check the parameters."""
        check_parameters(self)

    def start(self, n: int, seed: Seed) -> Any:
        """Return no state."""
        return None

    def act(self, observation: FloatArray, mask: BoolArray, state: Any) -> tuple[FloatArray, Any]:
        """Fill the three day-ahead columns."""
        action = closed_action(len(observation))
        action[:, at.DA_VOLUME_FRAC] = self.da_volume_frac
        action[:, at.DA_MIN_SPREAD] = day_ahead_min_spread(look(observation), self.da_margin_eur_per_mwh)
        action[:, at.DA_END_CONTENT_FRAC] = self.da_end_content_frac
        return finish(action, mask), state
