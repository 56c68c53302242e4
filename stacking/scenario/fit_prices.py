"""Fit of the day-ahead law to an hourly series."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import StackingError
from .moments import autocorrelation, mix_of_memories, normal_scores, quantile_table
from .parameters import DayAhead

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

WEEK_H = 168
FEWEST_PER_HOUR, LEAST_SPREAD = 7, 1e-6
LAGS_H = np.array([*range(1, 49), *range(51, 97, 3), *range(102, 193, 6)])
"""Lags at which the memory is fitted: up to eight days."""

SLOW_H, FAST_H = (45.0, 70.0, 100.0, 150.0, 220.0, 320.0, 480.0), (2.0, 3.0, 4.0, 6.0, 9.0, 13.0, 18.0, 25.0)
DAILY_H, HALF_DAILY_H = (12.0, 24.0, 48.0, 96.0, 168.0, 300.0), (6.0, 12.0, 24.0, 48.0, 96.0)


def fit_day_ahead(
    price: Floats, hour: Ints, weekend: NDArray[np.bool_], month: Ints, base: DayAhead
) -> tuple[dict[str, Any], list[str]]:
    """Return the entries of ``DayAhead`` fitted to hourly prices, and what was kept from ``base``.

    Normal scores by rank = hour + weekend (hour) + month + spread (hour) x u by least squares, months drawn towards
    their mean by what slow deviations alone would make of them; memory of u from its autocorrelation over 1 to 192
    hours; price = quantiles of the sample.

    Args:
        price: EUR/MWh (H,), NaN where there is none.
        hour, weekend, month: local time of each hour (H,).
        base: month scores for months that the series does not hold.

    Raises:
        StackingError: an hour of the day with fewer than 7 values, or a series that repeats itself every day.
    """
    _check_hours(price, hour)
    score, kept = normal_scores(price), []
    there = ~np.isnan(score)
    months = np.unique(month[there])
    column = {int(m): 48 + k for k, m in enumerate(months)}
    design = np.zeros((len(price), 48 + len(months)))
    rows = np.arange(len(price))
    design[rows, hour] = 1.0
    design[rows, 24 + hour] = weekend
    in_months = np.isin(month, months)
    design[rows[in_months], [column[int(m)] for m in month[in_months]]] = 1.0
    solved = np.linalg.lstsq(design[there], score[there], rcond=None)[0]
    by_hour, by_weekend = solved[:24], solved[24:48]
    by_month = {m: solved[at] for m, at in column.items()}
    centre = float(np.mean(list(by_month.values())))
    residual = score - design @ solved
    trust = _trust(residual, month, by_month)
    solved_scores = np.concatenate([solved[:48], centre + trust * (solved[48:] - centre)])
    residual = residual + (1.0 - trust) * (design[:, 48:] @ (solved[48:] - centre))
    by_month = {m: centre + trust * (value - centre) for m, value in by_month.items()}
    spread = np.array([float(np.nanstd(residual[hour == h])) for h in range(24)])
    if spread.min() < LEAST_SPREAD:
        raise _useless(
            f"hour {int(spread.argmin())} never deviates from its pattern", "prices that vary in every hour of the day"
        )
    deviation = residual / spread[hour]
    if absent := sorted(set(range(1, 13)) - set(by_month)):
        kept.append(f"day_ahead.month_score of months {', '.join(map(str, absent))}")
    shift = float(np.mean([base.month_score[m - 1] for m in by_month]))
    month_score = [by_month.get(m, centre + base.month_score[m - 1] - shift) - centre for m in range(1, 13)]
    acf = np.array([autocorrelation(deviation, int(lag)) for lag in LAGS_H])
    known = ~np.isnan(acf)
    memory = mix_of_memories(acf[known], LAGS_H[known], (SLOW_H, FAST_H, DAILY_H, HALF_DAILY_H), (np.inf, np.inf, 24.0, 12.0))
    return {
        "price_eur_per_mwh": _relevelled(quantile_table(price), (design @ solved_scores)[there], spread[hour[there]]),
        "hour_score": _rounded(by_hour + centre),
        "weekend_score": _rounded(by_weekend),
        "month_score": _rounded(month_score),
        "hour_spread": _rounded(spread),
        **dict(zip(("slow", "fast", "daily", "half_daily"), whole(memory), strict=True)),
    }, kept


def _check_hours(price: Floats, hour: Ints) -> None:
    counts = np.bincount(hour[~np.isnan(price)], minlength=24)
    if counts.min() < FEWEST_PER_HOUR:
        value = f"{int(counts.min())} values in hour {int(counts.argmin())}"
        raise _useless(value, f"at least {FEWEST_PER_HOUR} values in every local hour of the day")


def _useless(value: str, allowed: str) -> StackingError:
    return StackingError(
        "The day-ahead series does not show how prices vary.",
        place="calibrate",
        key="da_price",
        value=value,
        allowed=allowed,
        remedy="Give a longer series, or one without such a pattern.",
    )


def _relevelled(table: tuple[tuple[float, float], ...], mean: Floats, spread: Floats) -> tuple[tuple[float, float], ...]:
    """Return a table whose levels are those of a normal score where the drawn scores reach the sample's levels.

    Drawn scores have the distribution F(z) = mean over hours of Phi((z - mean) / spread), which is not quite normal.
    """
    cells, counts = np.unique(np.round(np.stack([mean, spread], 1), 2), axis=0, return_counts=True)
    grid, normal = np.arange(-7.0, 7.0, 0.02), NormalDist()
    phi = np.array([normal.cdf(z) for z in np.arange(-20.0, 20.0, 0.01)])
    reached = np.interp((grid[:, None] - cells[:, 0]) / cells[:, 1], np.arange(-20.0, 20.0, 0.01), phi) @ counts / counts.sum()
    at = np.interp([level for level, _ in table], reached, grid)
    return tuple((round(normal.cdf(z), 7), value) for z, (_, value) in zip(at.tolist(), table, strict=True))


def _trust(residual: Floats, month: Ints, by_month: dict[int, float]) -> float:
    """Return which share of the fitted differences between months to believe: 1 - noise / variance, at least 0.

    Noise: variance of a month's mean as the scatter of its weeks foretells it.
    """
    noise = []
    week = np.arange(len(residual)) // WEEK_H
    for m in by_month:
        inside = (month == m) & ~np.isnan(residual)
        means = [residual[inside & (week == w)].mean() for w in np.unique(week[inside])]
        if len(means) > 1:
            noise.append(float(np.var(means, ddof=1)) / len(means))
    variance = float(np.var(list(by_month.values()), ddof=1)) if len(by_month) > 1 else 0.0
    return max(0.0, 1.0 - float(np.mean(noise)) / variance) if noise and variance > 0 else 0.0


def whole(memory: tuple[tuple[float, float], ...]) -> list[tuple[float, float]]:
    """Return the components with shares rounded so that they still sum to 1."""
    shares = [round(share, 4) for share, _ in memory]
    shares[int(np.argmax(shares))] += 1.0 - sum(shares)
    return [(round(share, 4), length) for share, (_, length) in zip(shares, memory, strict=True)]


def _rounded(values: Any) -> tuple[float, ...]:
    return tuple(round(float(value), 3) for value in values)
