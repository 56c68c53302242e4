"""Building blocks of drawn series: autocorrelated normal scores, tables of quantiles, runs of states.

Each function works on one scenario alone, on contiguous arrays, so that no number depends on the batch.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from functools import lru_cache
from itertools import accumulate
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from .parameters import PriceQuantiles, Runs

Floats = NDArray[np.float64]

BURN_IN_STEPS = 192
"""Steps before the first one that is used, so that a series starts anywhere in a run."""


def autocorrelated(random: np.random.Generator, count: int, memory: float) -> Floats:
    """Return standard normal scores with autocorrelation exp(-lag / memory).

    x[t] = phi x[t-1] + sqrt(1 - phi^2) e[t], phi = exp(-1 / memory), x[0] = e[0].
    """
    phi = math.exp(-1.0 / memory)
    noise = random.standard_normal(count)
    noise[1:] *= math.sqrt(1.0 - phi * phi)
    return np.array(list(accumulate(noise.tolist(), lambda x, e: phi * x + e)))


def rotating(random: np.random.Generator, count: int, memory: float, period: float) -> Floats:
    """Return standard normal scores with autocorrelation exp(-lag / memory) cos(2 pi lag / period)."""
    angle = 2.0 * np.pi / period * np.arange(count)
    return np.cos(angle) * autocorrelated(random, count, memory) + np.sin(angle) * autocorrelated(random, count, memory)


def from_scores(table: PriceQuantiles, scores: Floats) -> Floats:
    """Return the values of a table of quantiles at standard normal scores; the table's ends are its bounds."""
    normal, curved = _nodes(table.points)
    return np.sinh(np.interp(scores, normal, curved))


@lru_cache(maxsize=256)
def _nodes(points: tuple[tuple[float, float], ...]) -> tuple[Floats, Floats]:
    normal = NormalDist()
    return np.array([normal.inv_cdf(p) for p, _ in points]), np.arcsinh(np.array([v for _, v in points]))


def runs(
    random: np.random.Generator, count: int, lengths: tuple[Runs, ...], jump: tuple[tuple[float, ...], ...]
) -> NDArray[np.int64]:
    """Return states 0, 1, ...: a run of drawn length in each, then a jump to another by its row of weights.

    P(length > n) = a (1 - 1/long)^n + (1 - a) (1 - 1/short)^n, a = share of long runs. Started from the shares of
    ``state_shares``.
    """
    total = count + BURN_IN_STEPS
    edges = [np.cumsum(row).tolist() for row in np.array(jump)]
    shares = np.cumsum(state_shares(lengths, jump)).tolist()
    uniform = random.random((total + 1, 3)).tolist()
    state = bisect_right(shares[:-1], uniform[0][0])
    out: list[int] = []
    for where, which, how_long in uniform[1:]:
        long_share, short, long = lengths[state]
        mean = long if which < long_share else short
        length = 1 if mean <= 1.0 else 1 + int(math.log1p(-how_long) / math.log1p(-1.0 / mean))
        out += [state] * min(length, total - len(out))
        if len(out) == total:
            break
        state = bisect_right(edges[state][:-1], where * edges[state][-1])
    return np.array(out[BURN_IN_STEPS:], dtype=np.int64)


def state_shares(lengths: tuple[Runs, ...], jump: tuple[tuple[float, ...], ...]) -> Floats:
    """Return the long-run share of each state: stationary share of its runs x their mean length, normalised."""
    matrix = np.array(jump)
    matrix = matrix / matrix.sum(axis=1, keepdims=True)
    system = np.vstack([matrix.T - np.eye(len(matrix)), np.ones(len(matrix))])
    visits = np.linalg.lstsq(system, np.append(np.zeros(len(matrix)), 1.0), rcond=None)[0]
    time = np.maximum(visits, 0.0) * np.array([run_mean(each) for each in lengths])
    return time / time.sum()


def run_mean(lengths: Runs) -> float:
    """Return the mean length of a run: a long + (1 - a) short."""
    long_share, short, long = lengths
    return long_share * long + (1.0 - long_share) * short
