"""The player who takes the risk of a double sale."""

from __future__ import annotations

from dataclasses import dataclass

from .all_markets import AllMarkets, markup
from .two_markets import Terms


@dataclass(frozen=True)
class Overbook(AllMarkets):
    """As `rebid`, but offers the full permitted power in both markets: a blind design lets it sell a MW twice."""

    name = "overbook"
    by_row = True
    mfrr_markup_eur_per_mwh: float = markup()

    def terms(self) -> Terms:
        """Return the terms of this player."""
        return self._terms(self.mfrr_markup_eur_per_mwh, honest=False)
