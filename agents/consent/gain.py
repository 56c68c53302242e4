"""What forwarding is expected to gain over keeping the unsold power, from the observation and stated numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stacking import layout as at

from ..strategies.base import FloatArray, check_parameters, tunable
from ..strategies.observed import LOCAL_HOUR, row_sum

LAGS = 4  # published MTU of balancing prices that are seen
FOLLOWING = (LOCAL_HOUR + 1, LOCAL_HOUR + 2)  # local blocks whose gates close while a forwarded bid is pending


@dataclass(frozen=True)
class GainTerms:
    """The stated numbers of the gain; all defaults are assumed (nobody publishes them)."""

    chance_frac: float = tunable(0.05, 0.0, 1.0, "-", "assumed: long-run chance that a forwarded MWh is called")
    margin_eur_per_mwh: float = tunable(30.0, 0.0, 1000.0, "EUR/MWh", "assumed: long-run price above own cost when called")
    recent_weight_frac: float = tunable(0.5, 0.0, 1.0, "-", "assumed: weight of the last four published MTU against that")
    own_bid_frac: float = tunable(1.0, 0.0, 1.0, "-", "chance to bid the same power oneself if it stays free")
    reprice_eur_per_mwh: float = tunable(1.0, 0.0, 100.0, "EUR/MWh", "assumed: worth of setting the price at T-45, not T-120")
    own_effort_eur_per_mwh: float = tunable(0.5, 0.0, 100.0, "EUR/MWh", "assumed: effort of an own balancing bid")
    effort_eur_per_block: float = tunable(0.0, 0.0, 100.0, "EUR/block", "effort of a forwarded bid, each direction")
    lock_frac: float = tunable(0.5, 0.0, 1.0, "-", "assumed: share of a forecast local need that the locked power would serve")

    @property
    def name(self) -> str:
        """Return the name used in messages."""
        return "consent gain"

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_parameters(self)


def forwarding_gain_eur(observation: FloatArray, terms: GainTerms) -> FloatArray:
    """Return the expected gain of consent for the block of this local gate by direction, EUR, (n, 2: up, down).

    With f = MW that may be forwarded and o = MW that the FSP could bid itself in the direction, for one hour:

        gain = f (E - P fee) - own_bid_frac min(f, o) max(0, E + reprice - own_effort) - lock_frac min(f, need) V - effort

    P and E are chance and chance x margin of a call: terms and the last four published MTU, mixed by
    `recent_weight_frac`; a margin is price - day-ahead - cost up, day-ahead - price - cost down. V is the larger of the
    margins that the DSO's forecast willingness to pay leaves in the next two blocks, whose gates close while the
    forwarded bid is pending (rule 14 locks its power). Where the design lets the balancing gate change a forwarded price, reprice
    is 0. Power below the minimum is not forwarded without pooling, and
    never bid alone.

    Args:
        observation: (n, OBSERVATIONS_W).
        terms: stated numbers.
    """
    o = observation.astype(np.float64)
    gain = np.full((len(o), 2), -terms.effort_eur_per_block)
    for d, (sign, feasible) in enumerate(((1.0, at.FEASIBLE_UP_LFM), (-1.0, at.FEASIBLE_DN_LFM))):
        alone = _whole_mw(o, o[:, feasible])
        forwarded = np.where(o[:, at.RULE_POOLING] > 0.5, o[:, feasible], alone)
        chance, expected = _call(o, sign, terms)
        reprice = np.where(o[:, at.RULE_CHANGES] > 0.0, 0.0, terms.reprice_eur_per_mwh)
        own = np.maximum(0.0, expected + reprice - terms.own_effort_eur_per_mwh)
        gain[:, d] += forwarded * (expected - chance * o[:, at.RULE_FEE])
        gain[:, d] -= terms.own_bid_frac * np.minimum(forwarded, alone) * own
        gain[:, d] -= terms.lock_frac * _lost_locally(o, sign, forwarded)
    return gain


def _whole_mw(o: FloatArray, power_mw: FloatArray) -> FloatArray:
    """Return the part of a power that is a whole multiple of the granularity, 0 below the minimum."""
    step = np.maximum(o[:, at.RULE_GRANULARITY_MW], 1e-6)
    whole = np.floor(power_mw / step + 1e-6) * step
    return np.where(whole >= o[:, at.RULE_MIN_MW] - 1e-6, whole, 0.0)


def _call(o: FloatArray, sign: float, terms: GainTerms) -> tuple[FloatArray, FloatArray]:
    """Return chance of a call (n,) and chance x margin, EUR/MWh (n,), of a direction."""
    prices = o[:, at.BALANCING : at.BALANCING + 3 * LAGS].reshape(-1, LAGS, 3)[:, :, 1 if sign > 0 else 2]
    margin = sign * (prices - o[:, at.DA, None]) - o[:, at.COST_UP if sign > 0 else at.COST_DN, None]
    weight = terms.recent_weight_frac
    seen_chance = row_sum((margin > 0.0).astype(np.float64)) / LAGS
    seen_margin = row_sum(np.maximum(margin, 0.0)) / LAGS
    chance = (1.0 - weight) * terms.chance_frac + weight * seen_chance
    return chance, (1.0 - weight) * terms.chance_frac * terms.margin_eur_per_mwh + weight * seen_margin


def _lost_locally(o: FloatArray, sign: float, forwarded_mw: FloatArray) -> FloatArray:
    """Return what the next two local blocks would have paid for the locked power above its cost, EUR, (n,): the larger."""
    worst = np.zeros(len(o))
    for hour in FOLLOWING:
        need = np.maximum(0.0, sign * o[:, at.LOCAL + hour])
        limit, price = o[:, at.LOCAL + at.LFM_FORECAST_HOURS + hour], o[:, at.DA + hour]
        margin = sign * (limit - price) - o[:, at.COST_UP if sign > 0 else at.COST_DN]
        worst = np.maximum(worst, np.minimum(forwarded_mw, need) * np.maximum(0.0, margin))
    return worst
