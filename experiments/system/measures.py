"""Formulas of the system side, each once."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stacking import columns as c
from stacking.settlement import between
from stacking.units import POWER_EPSILON_MW

from .auction import Auction

FLOAT = NDArray[np.float64]

LEAST_PAIRS = 3  # below this a correlation means nothing


def hhi(volumes: ArrayLike) -> float:
    """Return the Herfindahl-Hirschman index, sum of (share)^2, 1/n..1; NaN where nothing was accepted.

    Args:
        volumes: (n,) accepted volume of each supplier, >= 0.

    >>> hhi([3.0, 1.0]), hhi([2.0, 2.0])
    (0.625, 0.5)
    """
    volume = np.asarray(volumes, dtype=np.float64)
    total = volume.sum()
    return float(((volume / total) ** 2).sum()) if total > 0.0 else float("nan")


def pivotal(need_mw: float, offered_mw: FLOAT, others_offer_mw: float) -> NDArray[np.bool_]:
    """Return which portfolios are pivotal, (F,): those without which the need could be met less.

    Pivotal = min(need, all supply within the limit) > supply of all others within the limit. A portfolio stands for its FSP.

    >>> pivotal(4.0, np.array([3.0, 1.0]), 1.0).tolist()  # without the first 2 MW remain, without the second 4
    [True, False]
    """
    supply = others_offer_mw + float(offered_mw.sum())
    met = min(need_mw, supply)
    return (offered_mw > POWER_EPSILON_MW) & (supply - offered_mw < met - POWER_EPSILON_MW)


def unserved_eur(auction: Auction) -> float:
    """Return what the unserved need was worth to its buyer: sign x limit price x (need - bought), EUR.

    NaN for a buyer without a limit who was left with a need: that has no price in the data.
    """
    missing = auction.unserved_mw * auction.hours
    if missing > 0.0 and not np.isfinite(auction.limit):
        return float("nan")
    return auction.sign * auction.limit * missing if missing > 0.0 else 0.0


def scarcity(auction: Auction) -> float:
    """Return need / supply offered within the buyer's limit, infinite where nobody offers."""
    supply = auction.others_offer_mw + float(auction.offered_mw.sum())
    return auction.need_mw / supply if supply > POWER_EPSILON_MW else float("inf")


def premium(auction: Auction) -> float:
    """Return what the buyer pays above the day-ahead price: sign x (marginal - day-ahead), EUR/MWh."""
    return auction.sign * (auction.price - auction.da_price)


def own_need_mwh(auction: Auction) -> tuple[float, float]:
    """Return (need made by schedules, part of the sales that its seller's own schedule had made a need), MWh.

    A schedule makes a need where it moves against the direction of the need: moved = max(0, -sign x schedule beyond the
    reference). Made = min(need, max(0, -sign x sum of schedules)); sold to oneself = sum of min(moved, accepted) by FSP. What was
    bought before for the same delivery has cured its part of both.
    """
    against = -auction.sign * auction.scheduled_mw
    before = float(auction.sold_before_mw.sum()) + auction.others_before_mw
    made = between(max(0.0, float(against.sum())) - before, auction.counted_mw)
    own = np.minimum(np.maximum(against - auction.sold_before_mw, 0.0), auction.accepted_mw).sum()
    return made * auction.hours, float(own) * auction.hours


def correlation(pairs: list[tuple[float, float]]) -> float:
    """Return Pearson's correlation of finite pairs; NaN for fewer than three, or where one side never moves.

    >>> round(correlation([(1.0, 2.0), (2.0, 4.0), (3.0, 6.0)]), 6)
    1.0
    """
    table = np.array([p for p in pairs if np.isfinite(p).all()], dtype=np.float64).reshape(-1, 2)
    if len(table) < LEAST_PAIRS or (np.ptp(table, axis=0) <= 0.0).any():
        return float("nan")
    return float(np.asarray(np.corrcoef(table.T))[0, 1])


def mean_gap(pairs: list[tuple[float, float]]) -> float:
    """Return the mean absolute difference of pairs; NaN where there are none."""
    return float(np.mean([abs(a - b) for a, b in pairs])) if pairs else float("nan")


def market_name(market: int) -> str:
    """Return the short name of a market.

    >>> market_name(0), market_name(1)
    ('lfm', 'mfrr')
    """
    return "lfm" if market == c.LFM else "mfrr"
