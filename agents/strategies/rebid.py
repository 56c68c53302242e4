"""The competent player without coordination, the baseline of every claim."""

from __future__ import annotations

from dataclasses import dataclass

from . import two_markets
from .base import BoolArray, FloatArray, Seed, check_parameters, tunable


@dataclass(frozen=True)
class Rebid:
    """Local first where a need is forecast, honest re-offer of the rest at the balancing gate, a day plan, no consent.

    Offers only what can be delivered whatever the other market buys (see `offers.honest_balancing_shares`).
    """

    name = "rebid"
    da_volume_frac: float = tunable(0.2, 0.0, 1.0, "-", "share of the rated power planned day-ahead")
    lfm_take_frac: float = tunable(0.7, 0.0, 1.0, "-", "share of (willingness to pay - cost) asked locally")
    lfm_need_mw: float = tunable(0.1, 0.0, 2.0, "MW", "forecast need from which power is offered locally")
    mfrr_markup_eur_per_mwh: float = tunable(5.0, 0.0, 200.0, "EUR/MWh", "balancing price beyond the opportunity cost")

    def __post_init__(self) -> None:
        """Check the parameters."""
        check_parameters(self)

    def start(self, n: int, seed: Seed) -> two_markets.StackState:
        """Return the state of n rows; nothing is drawn."""
        return two_markets.start(n)

    def act(
        self, observation: FloatArray, mask: BoolArray, state: two_markets.StackState
    ) -> tuple[FloatArray, two_markets.StackState]:
        """Follow the law of all markets with these terms."""
        terms = two_markets.Terms(
            da_volume_frac=self.da_volume_frac,
            lfm_take_frac=self.lfm_take_frac,
            mfrr_markup=self.mfrr_markup_eur_per_mwh,
            lfm_need_mw=self.lfm_need_mw,
        )
        return two_markets.decide(observation, mask, state, terms)
