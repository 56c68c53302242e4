"""Opportunity-cost pricing over all enabled markets, with consent."""

from __future__ import annotations

from dataclasses import dataclass

from . import two_markets
from .base import BoolArray, FloatArray, Seed, check_parameters, tunable


@dataclass(frozen=True)
class Stacked:
    """Prices energy at its best alternative use, balancing premium included; lets unsold local bids be passed on.

    Where the design shares local bids, their price carries the mark-up of a balancing bid, so that they can compete
    there; a need threshold of 0 offers locally in every hour, so that all power reaches the balancing market that way.
    """

    name = "stacked"
    da_volume_frac: float = tunable(0.2, 0.0, 1.0, "-", "share of the rated power planned day-ahead")
    lfm_take_frac: float = tunable(0.7, 0.0, 1.0, "-", "share of (willingness to pay - cost) asked locally")
    lfm_need_mw: float = tunable(0.1, 0.0, 2.0, "MW", "forecast need from which power is offered locally")
    premium_weight_frac: float = tunable(0.1, 0.0, 1.0, "-", "weight of the recent balancing premium in the cost")
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
            premium_weight_frac=self.premium_weight_frac,
            lfm_need_mw=self.lfm_need_mw,
            consent=True,
        )
        return two_markets.decide(observation, mask, state, terms)
