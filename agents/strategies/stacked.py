"""Opportunity-cost pricing over all enabled markets, with consent."""

from __future__ import annotations

from dataclasses import dataclass

from .all_markets import AllMarkets, markup
from .base import tunable
from .two_markets import Terms


@dataclass(frozen=True)
class Stacked(AllMarkets):
    """Prices energy at its best alternative use, balancing premium included; lets unsold local bids be passed on.

    Where the design shares local bids, their price carries the mark-up of a balancing bid, so that they can compete
    there; a need threshold of 0 offers locally in every hour, so that all power reaches the balancing market that way.
    """

    name = "stacked"
    by_row = True
    premium_weight_frac: float = tunable(0.1, 0.0, 1.0, "-", "weight of the recent balancing premium in the cost")
    mfrr_markup_eur_per_mwh: float = markup()

    def terms(self) -> Terms:
        """Return the terms of this player."""
        return self._terms(self.mfrr_markup_eur_per_mwh, premium_weight_frac=self.premium_weight_frac, consent=True)
