"""Only the balancing market, with content kept ready by intraday trades."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stacking import layout as at

from .base import BoolArray, FloatArray, Seed, check_parameters, closed_action, finish, tunable
from .observed import look
from .offers import intraday_share, offer_what_pays, replacement_prices, share_of, towards_target_mw


@dataclass(frozen=True)
class BalancingOnly:
    """Offers all feasible power as mFRR in both directions, at the cost of replacing the energy plus a mark-up."""

    name = "mfrr_only"
    by_row = True
    mfrr_markup_up_eur_per_mwh: float = tunable(10.0, -30.0, 120.0, "EUR/MWh", "up price above the replacement cost")
    mfrr_markup_dn_eur_per_mwh: float = tunable(10.0, -30.0, 120.0, "EUR/MWh", "down price below the worth of the energy")
    target_content_frac: float = tunable(0.5, 0.05, 0.95, "-", "content to which intraday trades steer")

    def __post_init__(self) -> None:
        """Check the parameters."""
        check_parameters(self)

    def start(self, n: int, seed: Seed) -> Any:
        """Return no state."""
        return None

    def act(self, observation: FloatArray, mask: BoolArray, state: Any) -> tuple[FloatArray, Any]:
        """Fill the balancing and the intraday columns; without other sales, permitted is feasible: the share is 1."""
        seen = look(observation)
        cost, worth = replacement_prices(seen)
        action = closed_action(len(observation))
        action[:, at.ID_POWER_FRAC] = intraday_share(towards_target_mw(seen, self.target_content_frac), seen)
        action[:, at.MFRR_SHARE_UP] = share_of(seen.feasible_mw[:, 0], seen.feasible_mw[:, 0])
        action[:, at.MFRR_SHARE_DN] = share_of(seen.feasible_mw[:, 1], seen.feasible_mw[:, 1])
        action[:, at.MFRR_PRICE_UP] = cost + self.mfrr_markup_up_eur_per_mwh
        action[:, at.MFRR_PRICE_DN] = worth - self.mfrr_markup_dn_eur_per_mwh
        offer_what_pays(action, seen)
        return finish(action, mask), state
