"""The competent player without coordination, the baseline of every claim."""

from __future__ import annotations

from dataclasses import dataclass

from .all_markets import AllMarkets, markup
from .two_markets import Terms


@dataclass(frozen=True)
class Rebid(AllMarkets):
    """Local first where a need is forecast, honest re-offer of the rest at the balancing gate, a day plan, no consent.

    Offers only what can be delivered whatever the other market buys (see `offers.honest_balancing_shares`).
    """

    name = "rebid"
    by_row = True
    mfrr_markup_eur_per_mwh: float = markup()

    def terms(self) -> Terms:
        """Return the terms of this player."""
        return self._terms(self.mfrr_markup_eur_per_mwh)
