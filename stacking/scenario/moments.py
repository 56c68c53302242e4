"""Statistics from which parameters are fitted: normal scores, tables of quantiles, memories, lengths of runs.

Gaps are NaN and stay gaps: a pair of values counts where both are there.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, product
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

LEVELS = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)
"""Levels of a fitted table of quantiles, as far as the sample reaches; its smallest and largest value are the ends."""

EM_ROUNDS = 300


def normal_scores(values: Floats) -> Floats:
    """Return standard normal scores by rank, inv_cdf((rank - 1/2) / n), ties at their mean rank; NaN stays NaN."""
    there = ~np.isnan(values)
    _, inverse, counts = np.unique(values[there], return_inverse=True, return_counts=True)
    mean_rank = np.cumsum(counts) - 0.5 * (counts - 1)
    levels = (mean_rank - 0.5) / there.sum()
    normal = NormalDist()
    out = np.full(len(values), np.nan)
    out[there] = np.array([normal.inv_cdf(level) for level in levels.tolist()])[inverse]
    return out


def quantile_table(values: Floats, digits: int = 2) -> tuple[tuple[float, float], ...]:
    """Return (level, value) pairs of a sample: its ends at 1/2n and 1 - 1/2n, and ``LEVELS`` between them."""
    sample = values[~np.isnan(values)]
    ends = 0.5 / len(sample)
    inner = [level for level in LEVELS if 2 * ends < level < 1 - 2 * ends]
    levels = [round(ends, 7), *inner, round(1 - ends, 7)]
    found = [sample.min(), *np.quantile(sample, inner), sample.max()]
    return tuple((level, round(float(value), digits)) for level, value in zip(levels, found, strict=True))


def autocorrelation(values: Floats, lag: int) -> float:
    """Return the correlation of values ``lag`` steps apart, over the pairs that are there; NaN below 30 pairs."""
    a, b = values[lag:], values[: len(values) - lag]
    there = ~(np.isnan(a) | np.isnan(b))
    return correlation(a[there], b[there])


def correlation(a: Floats, b: Floats) -> float:
    """Return the correlation of two samples; NaN below 30 values or where one is constant."""
    if len(a) < 30 or a.std() == 0 or b.std() == 0:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])


def memory_steps(lag_one: float) -> float:
    """Return the memory of an autocorrelation over one step: -1 / log(r), r within 0.05 to 0.995."""
    return -1.0 / float(np.log(min(max(lag_one, 0.05), 0.995)))


def mix_of_memories(
    target: Floats, lags: NDArray[np.int64], memories: Sequence[Sequence[float]], periods: Sequence[float]
) -> tuple[tuple[float, float], ...]:
    """Return (share, memory) of components whose correlations sum best to a target.

    min over memories m and shares w >= 0, sum w = 1 of sum over lags of (target - sum_j w_j e^(-lag/m_j) cos(2 pi lag/T_j))^2.

    Args:
        target: correlation at each lag (K,).
        lags: steps (K,).
        memories: candidates for each component.
        periods: period of each component in steps; inf for one that does not turn.
    """
    each = [(memory, period, k) for k, (group, period) in enumerate(zip(memories, periods, strict=True)) for memory in group]
    basis = np.stack([np.exp(-lags / memory) * np.cos(2 * np.pi * lags / period) for memory, period, _ in each])
    gram, side = basis @ basis.T, basis @ target
    best, found = np.inf, ()
    for chosen in product(*([at for at, (_, _, k) in enumerate(each) if k == group] for group in range(len(memories)))):
        shares, error = _shares(gram, side, chosen)
        if error < best:
            best, found = error, tuple((share, each[at][0]) for share, at in zip(shares, chosen, strict=True))
    return tuple((float(share), float(memory)) for share, memory in found)


def _shares(gram: Floats, side: Floats, chosen: Sequence[int]) -> tuple[list[float], float]:
    """Return the best shares >= 0 that sum to 1 of some components, and the squared error less that of no component.

    Tries all components; where a share comes out negative, every set of fewer.
    """
    best, found = np.inf, [0.0] * len(chosen)
    for size in range(len(chosen), 0, -1):
        for places in combinations(range(len(chosen)), size):
            at = [chosen[place] for place in places]
            inner = gram[np.ix_(at, at)]
            system = np.ones((size + 1, size + 1))
            system[:size, :size], system[size, size] = inner, 0.0
            try:
                shares = np.linalg.solve(system, np.append(side[at], 1.0))[:size]
            except np.linalg.LinAlgError:
                continue
            error = float(shares @ inner @ shares) - 2 * float(shares @ side[at])
            if (shares >= 0).all() and error < best:
                best, found = error, [0.0] * len(chosen)
                for place, share in zip(places, shares.tolist(), strict=True):
                    found[place] = share
        if size == len(chosen) and best < np.inf:
            break
    return found, best


def run_lengths(active: Bools, there: Bools) -> NDArray[np.int64]:
    """Return the lengths of the runs of ``active`` that neither touch a gap nor an end of the series."""
    state = np.concatenate([[-1], np.where(there, active.astype(np.int64), -1), [-1]])
    edges = np.flatnonzero(np.diff(state))
    first, last = edges[:-1] + 1, edges[1:]  # every stretch of one value: state[first..last]
    whole = (state[first] == 1) & (state[first - 1] != -1) & (state[last + 1] != -1)
    return (last - first + 1)[whole]


def run_law(lengths: NDArray[np.int64]) -> tuple[float, float, float]:
    """Return (share of long runs, mean of short ones, mean of long ones) of the most likely mixture of two geometric laws.

    Expectation-maximisation; the mean of the mixture is that of the sample. One law where the lengths do not vary more.
    """
    n, mean = lengths.astype(np.float64), float(lengths.mean())
    if len(n) < 30 or n.var() <= mean * (mean - 1.0) * 1.05 or mean <= 1.01:
        return 0.0, mean, mean
    share, short, long = 0.3, max(1.0, 0.6 * mean), 2.0 * mean
    for _ in range(EM_ROUNDS):
        p_long = share / long * (1 - 1 / long) ** (n - 1)
        p_short = (1 - share) / short * (1 - 1 / short) ** (n - 1)
        weight = p_long / (p_long + p_short)
        share = float(weight.mean())
        long = float((weight * n).sum() / weight.sum())
        short = max(1.0, float(((1 - weight) * n).sum() / (1 - weight).sum()))
    return share, short, long
