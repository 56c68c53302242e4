"""Only the local market, with content kept ready by intraday trades."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stacking import layout as at

from .base import BoolArray, FloatArray, Seed, check_parameters, closed_action, finish, tunable
from .observed import look
from .offers import intraday_share, local_prices, offer_what_pays, replacement_prices, share_of, towards_target_mw


@dataclass(frozen=True)
class LocalOnly:
    """Offers all feasible power locally, priced between its replacement cost and the forecast willingness to pay."""

    name = "lfm_only"
    by_row = True
    lfm_take_frac: float = tunable(0.7, 0.0, 1.0, "-", "share of (willingness to pay - cost) that is asked")
    lfm_margin_eur_per_mwh: float = tunable(10.0, 0.0, 300.0, "EUR/MWh", "asked on top of the cost in any case")
    target_content_frac: float = tunable(0.6, 0.05, 0.95, "-", "content to which intraday trades steer")

    def __post_init__(self) -> None:
        """Check the parameters."""
        check_parameters(self)

    def start(self, n: int, seed: Seed) -> Any:
        """Return no state."""
        return None

    def act(self, observation: FloatArray, mask: BoolArray, state: Any) -> tuple[FloatArray, Any]:
        """Fill the local and the intraday columns; without other sales, permitted is feasible: the share is 1."""
        seen = look(observation)
        cost, worth = replacement_prices(seen)
        margin = self.lfm_margin_eur_per_mwh
        price_up, price_dn = local_prices(seen, cost + margin, worth - margin, self.lfm_take_frac)
        action = closed_action(len(observation))
        action[:, at.ID_POWER_FRAC] = intraday_share(towards_target_mw(seen, self.target_content_frac), seen)
        action[:, at.LFM_SHARE_UP] = share_of(seen.feasible_mw[:, 2], seen.feasible_mw[:, 2])
        action[:, at.LFM_SHARE_DN] = share_of(seen.feasible_mw[:, 3], seen.feasible_mw[:, 3])
        action[:, at.LFM_PRICE_UP], action[:, at.LFM_PRICE_DN] = price_up, price_dn
        offer_what_pays(action, seen)
        return finish(action, mask), state
