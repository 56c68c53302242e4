"""The balancing market: runs of directions, volumes, premium and discount, and the forecast of the need."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .. import columns as c
from .draws import autocorrelated, from_scores, runs
from .keys import ScenarioKey, stream
from .parameters import Balancing, Forecast

Floats = NDArray[np.float64]

DOWN, NONE, UP, BOTH = 0, 1, 2, 3
STATES = ("down", "none", "up", "both")
"""States of the balancing market: which directions are activated."""


@dataclass(frozen=True)
class BalancingSeries:
    """Balancing market of one scenario, per MTU; directions UP, DN."""

    dominant: Floats  # (L,)
    need_mw: Floats  # (2, L)
    price: Floats  # (2, L)
    imbalance_price: Floats  # (L,)


def draw_balancing(key: ScenarioKey, da_price: Floats, da_score: Floats, p: Balancing) -> BalancingSeries:
    """Return a drawn balancing market on day-ahead prices (L,) and their normal scores (L,).

    States follow each other in runs, each step being one MTU or, in the hourly market of old, four. Up price =
    day-ahead + premium where up or both, else day-ahead; down price = day-ahead - discount where down or both, else
    day-ahead; imbalance price = price of the dominating direction, in "both" that of the larger need. Scores of premium
    and discount: l d + sqrt(1 - l^2) (r v + sqrt(1 - r^2) e), d = day-ahead score, v = volume, e = own, l, r loadings.
    """
    ticks, repeat = len(da_price), p.step_mtu
    steps = -(-ticks // repeat)

    def held(values: Floats) -> Floats:
        return np.repeat(values, repeat)[:ticks]

    lengths = (p.run_down, p.run_none, p.run_up, p.run_both)
    state = held(runs(stream(key, "balancing regime"), steps, lengths, p.jump).astype(np.float64))
    volume = held(autocorrelated(stream(key, "balancing volume"), steps, p.volume_memory_steps))
    own = held(autocorrelated(stream(key, "balancing price"), steps, p.price_memory_steps))
    rho = p.price_volume_correlation
    score = rho * volume + np.sqrt(1.0 - rho * rho) * own
    premium = from_scores(p.premium, _loaded(da_score, score, p.premium_da_loading))
    discount = from_scores(p.discount, _loaded(da_score, score, p.discount_da_loading))
    active = np.stack([(state == UP) | (state == BOTH), (state == DOWN) | (state == BOTH)])
    need = np.where(active, _volumes(volume, p), 0.0)
    price = np.stack(
        [np.where(active[c.UP], da_price + premium, da_price), np.where(active[c.DN], da_price - discount, da_price)]
    )
    dominant = np.sign(need[c.UP] - need[c.DN])
    return BalancingSeries(dominant, need, price, imbalance_price(da_price, price, dominant))


def draw_volumes(key: ScenarioKey, dominant: Floats, p: Balancing) -> Floats:
    """Return drawn needs in MW of the dominating direction, (2, L)."""
    steps = -(-len(dominant) // p.step_mtu)
    score = autocorrelated(stream(key, "balancing volume"), steps, p.volume_memory_steps)
    volumes = _volumes(np.repeat(score, p.step_mtu)[: len(dominant)], p)
    return np.where(np.stack([dominant > 0, dominant < 0]), volumes, 0.0)


def _volumes(score: Floats, p: Balancing) -> Floats:
    return np.stack([from_scores(p.volume_up, score), from_scores(p.volume_down, score)])


def _loaded(da_score: Floats, score: Floats, loading: float) -> Floats:
    return loading * da_score + np.sqrt(1.0 - loading * loading) * score


def imbalance_price(da_price: Floats, price: Floats, dominant: Floats) -> Floats:
    """Return the single imbalance price: balancing price of the dominating direction, day-ahead where there is none."""
    return np.where(dominant > 0, price[c.UP], np.where(dominant < 0, price[c.DN], da_price))


def forecast_need(key: ScenarioKey, net_need_mw: Floats, p: Forecast) -> Floats:
    """Return the need (+ = up) as forecast three MTU before: need + drawn error, sized by the mean absolute need."""
    error = autocorrelated(stream(key, "balancing forecast"), len(net_need_mw), p.need_memory_mtu)
    return net_need_mw + p.need_error_frac * float(np.abs(net_need_mw).mean()) * error
