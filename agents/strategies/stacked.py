"""Opportunity-cost pricing over all enabled markets, with consent."""

from __future__ import annotations

from dataclasses import dataclass

from . import two_markets
from .base import BoolArray, FloatArray, Seed, check_parameters, tunable

LFM_NEED_MW = 0.1  # forecast need from which power is offered locally where nothing is passed on


@dataclass(frozen=True)
class Stacked:
    """Prices energy at its best alternative use, balancing premium included; lets unsold local bids be passed on.

    Where the design shares local bids it offers locally in every hour, priced to compete in the balancing market too;
    elsewhere it offers locally where a need is forecast, as `rebid` does.
    """

    name = "stacked"
    da_volume_frac: float = tunable(0.6, 0.0, 1.0, "-", "share of the rated power planned day-ahead")
    lfm_take_frac: float = tunable(0.7, 0.0, 1.0, "-", "share of (willingness to pay - cost) asked locally")
    premium_weight_frac: float = tunable(0.3, 0.0, 1.0, "-", "weight of the recent balancing premium in the cost")
    mfrr_markup_eur_per_mwh: float = tunable(10.0, 0.0, 200.0, "EUR/MWh", "balancing price beyond the opportunity cost")
    id_margin_eur_per_mwh: float = tunable(5.0, 0.5, 50.0, "EUR/MWh", "gain that an intraday trade must have", log=True)

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
            id_margin=self.id_margin_eur_per_mwh,
            premium_weight_frac=self.premium_weight_frac,
            lfm_need_mw=LFM_NEED_MW,
            consent=True,
        )
        return two_markets.decide(observation, mask, state, terms)
