"""Measures of a price series by which real and generated ones are compared; gaps are NaN and are left out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stacking.scenario.balancing import BOTH, DOWN, UP
from stacking.scenario.fit_balancing import states_of
from stacking.scenario.moments import autocorrelation, correlation, run_lengths

from ..stats import top_share_frac

Floats = NDArray[np.float64]

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999)
TAIL = (0.5, 0.95, 0.99, 0.999)
FEWEST_VALUES = 50
"""Values below which a measure is not taken."""


@dataclass(frozen=True)
class Market:
    """Prices of one zone: day-ahead by the hour, balancing by the step (15 min or 1 h)."""

    hour: NDArray[np.int64]  # (H,) local hour of the day
    day: NDArray[np.int64]  # (H,) number of the local day
    da_hour: Floats  # (H,)
    da: Floats  # (N,)
    up: Floats | None = None  # (N,)
    down: Floats | None = None
    imbalance: Floats | None = None
    need_mw: Floats | None = None  # (2, N)

    @property
    def steps_per_hour(self) -> int:
        """Return 4 or 1."""
        return len(self.da) // len(self.da_hour)


def measure(market: Market) -> dict[str, float]:
    """Return all measures by name; those for which there are too few values are left out."""
    found = {**_distribution("day-ahead", market.da_hour, 1), **_shape(market)}
    if market.up is not None and market.down is not None:
        found |= _balancing(market, market.up, market.down)
    return {name: value for name, value in found.items() if not np.isnan(value)}


def parts(market: Market) -> dict[str, tuple[Floats, int]]:
    """Return the values whose distributions are compared, with the steps of a day."""
    day = 24 * market.steps_per_hour
    out = {"day-ahead": (market.da_hour, 24)}
    if market.up is not None and market.down is not None:
        out |= {"mFRR up": (market.up, day), "mFRR down": (market.down, day)}
        out |= {"premium": (_margin(market.up - market.da), day), "discount": (_margin(market.da - market.down), day)}
        if market.imbalance is not None:
            out["imbalance"] = (market.imbalance, day)
    return out


def _margin(values: Floats) -> Floats:
    return np.where(values > 0, values, np.nan)


def _distribution(name: str, values: Floats, per_hour: int) -> dict[str, float]:
    there = values[~np.isnan(values)]
    if len(there) < FEWEST_VALUES:
        return {}
    out = {f"{name}: mean": float(there.mean()), f"{name}: deviation": float(there.std())}
    out |= {f"{name}: {_percent(q)}": float(v) for q, v in zip(QUANTILES, np.quantile(there, QUANTILES), strict=True)}
    out |= {f"{name}: % below 0": 100 * float((there < 0).mean()), f"{name}: % above 200": 100 * float((there > 200).mean())}
    if per_hour > 1:
        out[f"{name}: autocorrelation 1 step"] = autocorrelation(values, 1)
    out[f"{name}: autocorrelation 1 h"] = autocorrelation(values, per_hour)
    out[f"{name}: autocorrelation 24 h"] = autocorrelation(values, 24 * per_hour)
    return out


def _percent(level: float) -> str:
    return f"{100 * level:g} %"


def _shape(market: Market) -> dict[str, float]:
    """Return means of three-hour blocks less the mean, and the mean daily range."""
    out = {}
    mean = np.nanmean(market.da_hour)
    for block in range(0, 24, 3):
        inside = market.da_hour[market.hour // 3 == block // 3]
        if (~np.isnan(inside)).sum() >= FEWEST_VALUES // 3:
            out[f"day-ahead: hours {block:02}-{block + 2:02} less mean"] = float(np.nanmean(inside) - mean)
    whole = np.bincount(market.day[~np.isnan(market.da_hour)])
    spans = [np.ptp(market.da_hour[market.day == d]) for d in np.flatnonzero(whole >= 23)]
    if spans:
        out["day-ahead: daily max - min"] = float(np.nanmean(spans))
    return out


def _balancing(market: Market, up: Floats, down: Floats) -> dict[str, float]:
    da, per_hour = market.da, market.steps_per_hour
    out = {**_distribution("mFRR up", up, per_hour), **_distribution("mFRR down", down, per_hour)}
    if market.imbalance is not None:
        out |= _distribution("imbalance", market.imbalance, per_hour)
    state = states_of(da, up, down)
    there = state >= 0
    if there.sum() < FEWEST_VALUES:
        return out
    active = {"up": (state == UP) | (state == BOTH), "down": (state == DOWN) | (state == BOTH)}
    out |= {f"activation: % {name}": 100 * float(on[there].mean()) for name, on in active.items()}
    out["activation: % both"] = 100 * float((state[there] == BOTH).mean())
    for name, on in active.items():
        lengths = run_lengths(on, there) / per_hour
        if len(lengths) >= FEWEST_VALUES // 2:
            out[f"activation: run {name}, mean h"] = float(lengths.mean())
            out[f"activation: run {name}, 95 % h"] = float(np.quantile(lengths, 0.95))
    for name, on, margin in (("premium", active["up"], up - da), ("discount", active["down"], da - down)):
        values = margin[on]
        if len(values) >= FEWEST_VALUES:
            out[f"{name}: mean"] = float(values.mean())
            out |= {f"{name}: {_percent(q)}": float(v) for q, v in zip(TAIL, np.quantile(values, TAIL), strict=True)}
            out[f"{name}: % of value in top 1 %"] = 100 * top_share_frac(values, 0.01)
    both = there if market.imbalance is None else there & ~np.isnan(market.imbalance)
    for name, values in (("up", up), ("down", down), ("imbalance", market.imbalance)):
        if values is not None:
            out[f"correlation day-ahead, {name}"] = correlation(da[both], values[both])
    return {**out, **_volumes(market, active)}


def _volumes(market: Market, active: dict[str, NDArray[np.bool_]]) -> dict[str, float]:
    out: dict[str, float] = {}
    if market.need_mw is None:
        return out
    for need, (name, on) in zip(market.need_mw, active.items(), strict=True):
        values = need[on & (np.nan_to_num(need) > 0)]
        if len(values) >= FEWEST_VALUES:
            out[f"volume {name}: mean MW"] = float(values.mean())
            out |= {
                f"volume {name}: {_percent(q)}": float(v)
                for q, v in zip((0.5, 0.95), np.quantile(values, (0.5, 0.95)), strict=True)
            }
    return out
