"""The balancing market: regimes, volumes, premium and discount, and the forecast of the need."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .. import columns as c
from .draws import autocorrelated, chain, from_scores
from .keys import ScenarioKey, stream
from .parameters import Balancing, Forecast

Floats = NDArray[np.float64]

REGIMES = (-1.0, 0.0, 1.0)
"""Dominating direction of the states of the chain: down, none, up."""


@dataclass(frozen=True)
class BalancingSeries:
    """Balancing market of one scenario, per MTU; directions UP, DN."""

    dominant: Floats  # (L,)
    need_mw: Floats  # (2, L)
    price: Floats  # (2, L)
    imbalance_price: Floats  # (L,)


def draw_balancing(key: ScenarioKey, da_price: Floats, da_score: Floats, p: Balancing) -> BalancingSeries:
    """Return a drawn balancing market on day-ahead prices (L,) and their normal scores (L,).

    The chain gives the direction; up price = day-ahead + premium where up, else day-ahead; down price = day-ahead -
    discount where down, else day-ahead; imbalance price = price of the dominating direction.
    """
    ticks = len(da_price)
    dominant = np.array(REGIMES)[chain(stream(key, "balancing regime"), ticks, p.transition)]
    volume = autocorrelated(stream(key, "balancing volume"), ticks, p.volume_memory_mtu)
    own = autocorrelated(stream(key, "balancing price"), ticks, p.price_memory_mtu)
    rho, loading = p.price_volume_correlation, p.discount_da_loading
    score = rho * volume + np.sqrt(1.0 - rho * rho) * own
    premium = from_scores(p.premium, score)
    discount = from_scores(p.discount, loading * da_score + np.sqrt(1.0 - loading * loading) * score)
    up, down = dominant > 0, dominant < 0
    price = np.stack([np.where(up, da_price + premium, da_price), np.where(down, da_price - discount, da_price)])
    return BalancingSeries(
        dominant=dominant,
        need_mw=draw_volumes(key, dominant, p, volume),
        price=price,
        imbalance_price=imbalance_price(da_price, price, dominant),
    )


def draw_volumes(key: ScenarioKey, dominant: Floats, p: Balancing, score: Floats | None = None) -> Floats:
    """Return drawn needs in MW of the dominating direction, (2, L)."""
    if score is None:
        score = autocorrelated(stream(key, "balancing volume"), len(dominant), p.volume_memory_mtu)
    up, down = from_scores(p.volume_up, score), from_scores(p.volume_down, score)
    return np.stack([np.where(dominant > 0, up, 0.0), np.where(dominant < 0, down, 0.0)])


def imbalance_price(da_price: Floats, price: Floats, dominant: Floats) -> Floats:
    """Return the single imbalance price: balancing price of the dominating direction, day-ahead where there is none."""
    return np.where(dominant > 0, price[c.UP], np.where(dominant < 0, price[c.DN], da_price))


def forecast_need(key: ScenarioKey, net_need_mw: Floats, p: Forecast) -> Floats:
    """Return the need (+ = up) as forecast three MTU before: need + drawn error, sized by the mean absolute need."""
    error = autocorrelated(stream(key, "balancing forecast"), len(net_need_mw), p.need_memory_mtu)
    return net_need_mw + p.need_error_frac * float(np.abs(net_need_mw).mean()) * error
