"""One auction as its buyer saw it: need, offers, other people's supply, price."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stacking import columns as c
from stacking.units import POWER_EPSILON_MW

FLOAT = NDArray[np.float64]
BOOL = NDArray[np.bool_]


@dataclass(frozen=True)
class Auction:
    """One look of a buyer at its offers, for one area, direction and delivery in which it needed something.

    Attributes:
        world, market, area (-1: balancing), direction: where; tau: first MTU of delivery; hours: of the block.
        need_mw: asked for; limit: most that the buyer pays (up) or least that it takes (down), EUR/MWh.
        price: marginal price, joint: of the area, EUR/MWh; da_price: of the day-ahead market, EUR/MWh.
        offered_mw, accepted_mw: (F,) of each portfolio at prices within the limit, MW.
        others_mw, others_offer_mw: bought from other people, and offered by them within the limit, MW.
        unserved_mw: of the need, MW; 0 where the buyer will ask again.
        scheduled_mw: (F,) schedule of the portfolios below beyond their reference, mean of the block, MW, + = injection.
        sold_before_mw, others_before_mw: (F,) and of other people: bought for this delivery before this look, MW.
        pivotal: (F,) whether less of the need could be met without the portfolio.
        last: whether the need is final; an earlier look asks on a forecast and leaves the rest to the next.
        pays_price: whether the price is paid or leads the payment; the TSO's look at a shared book has a yardstick only.
    """

    world: int
    market: int
    area: int
    direction: int
    tau: int
    hours: float
    need_mw: float
    limit: float
    price: float
    da_price: float
    offered_mw: FLOAT
    accepted_mw: FLOAT
    others_mw: float
    others_offer_mw: float
    unserved_mw: float
    scheduled_mw: FLOAT
    sold_before_mw: FLOAT
    others_before_mw: float
    pivotal: BOOL
    last: bool = True
    pays_price: bool = True

    @property
    def sign(self) -> float:
        """Return +1 for up, -1 for down."""
        return 1.0 if self.direction == c.UP else -1.0

    @property
    def counted_mw(self) -> float:
        """Return the need that counts, MW: at an early look what is bought, since the rest is asked for again."""
        return self.need_mw if self.last else float(self.accepted_mw.sum()) + self.others_mw

    @property
    def bought_mw(self) -> float:
        """Return need that was met = need - unserved, MW; one MW of a joint procurement may meet several."""
        return self.counted_mw - self.unserved_mw


def missing_mw(need_mw: float, bought_mw: float) -> float:
    """Return need - bought, MW; below what the market tells apart it is rounding and none."""
    missing = need_mw - bought_mw
    return missing if missing > POWER_EPSILON_MW else 0.0
