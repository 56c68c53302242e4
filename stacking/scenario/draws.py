"""Building blocks of drawn series: autocorrelated normal scores, tables of quantiles, regime chains.

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

from .parameters import Quantiles

Floats = NDArray[np.float64]


def autocorrelated(random: np.random.Generator, count: int, memory: float) -> Floats:
    """Return standard normal scores with autocorrelation exp(-lag / memory).

    x[t] = phi x[t-1] + sqrt(1 - phi^2) e[t], phi = exp(-1 / memory), x[0] = e[0].
    """
    phi = math.exp(-1.0 / memory)
    noise = random.standard_normal(count)
    noise[1:] *= math.sqrt(1.0 - phi * phi)
    return np.array(list(accumulate(noise.tolist(), lambda x, e: phi * x + e)))


def from_scores(table: Quantiles, scores: Floats) -> Floats:
    """Return the values of a table of quantiles at standard normal scores; the table's ends are its bounds."""
    normal, logs = _nodes(table.points)
    return np.expm1(np.interp(scores, normal, logs))


@lru_cache(maxsize=64)
def _nodes(points: tuple[tuple[float, float], ...]) -> tuple[Floats, Floats]:
    normal = NormalDist()
    return np.array([normal.inv_cdf(p) for p, _ in points]), np.log1p(np.array([v for _, v in points]))


def chain(random: np.random.Generator, count: int, transition: tuple[tuple[float, ...], ...]) -> NDArray[np.int64]:
    """Return a Markov chain of states 0, 1, ..., started from its stationary distribution."""
    matrix = np.array(transition)
    matrix /= matrix.sum(axis=1, keepdims=True)
    system = np.vstack([matrix.T - np.eye(len(matrix)), np.ones(len(matrix))])
    stationary = np.linalg.lstsq(system, np.append(np.zeros(len(matrix)), 1.0), rcond=None)[0]
    last = len(matrix) - 1
    edges = [row.cumsum()[:last].tolist() for row in matrix]
    uniform = random.random(count).tolist()
    state = bisect_right(stationary.cumsum()[:last].tolist(), uniform[0])
    states = accumulate(uniform[1:], lambda at, u: bisect_right(edges[at], u), initial=state)
    return np.array(list(states), dtype=np.int64)
