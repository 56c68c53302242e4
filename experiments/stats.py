"""Statistics over scenarios: bootstrap intervals, tail means, shares.

All figures are money per scenario unless stated; nothing is trimmed, because the spikes are the business. Every
function draws from a generator of its own, seeded by its argument: the same input gives the same interval.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stacking.errors import StackingError
from stacking.units import HOURS_PER_YEAR

FloatArray = NDArray[np.float64]

RESAMPLES = 10_000
LEVEL_FRAC = 0.95
TAIL_FRAC = 0.05
_CELLS = 4_000_000  # drawn at once, so that many scenarios do not fill the memory


@dataclass(frozen=True)
class Interval:
    """An estimate with its percentile interval."""

    estimate: float
    low: float
    high: float
    level_frac: float
    count: int  # scenarios (or days) that it rests on

    def excludes_zero(self) -> bool:
        """Return whether zero lies outside the interval."""
        return self.low > 0.0 or self.high < 0.0


def mean_interval(values: ArrayLike, *, seed: int = 0, resamples: int = RESAMPLES, level_frac: float = LEVEL_FRAC) -> Interval:
    """Return the mean with its bootstrap interval over scenarios.

    Args:
        values: one figure per scenario (n,); for a paired comparison the differences on the same scenario.
        seed: of the resampling; the same seed resamples the same scenarios for every figure of n scenarios.
        resamples: number of bootstrap samples.
        level_frac: level of the interval.

    Raises:
        StackingError: fewer than two values, or a value that is not finite.

    Example:
        >>> interval = mean_interval([1.0, 2.0, 3.0, 4.0])
        >>> interval.estimate, interval.low, interval.high
        (2.5, 1.5, 3.5)
    """
    sample = checked_sample(values)
    means = np.concatenate([c @ sample for c in resample_counts(sample.size, seed, resamples)]) / sample.size
    return percentile_interval(float(sample.mean()), means, level_frac, sample.size)


def cvar_interval(
    values: ArrayLike,
    tail_frac: float = TAIL_FRAC,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
    level_frac: float = LEVEL_FRAC,
) -> Interval:
    """Return the mean of the worst ``tail_frac`` of the scenarios with its bootstrap interval.

    Below some 50 scenarios the interval is too narrow: no resample holds a tail that the sample lacks.
    """
    sample = np.sort(checked_sample(values))
    tails = [_tail_mean(sample, c, tail_frac) for c in resample_counts(sample.size, seed, resamples)]
    return percentile_interval(cvar(sample, tail_frac), np.concatenate(tails), level_frac, sample.size)


def ratio_interval(
    numerator: ArrayLike,
    denominator: ArrayLike,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
    level_frac: float = LEVEL_FRAC,
    signed: bool = False,
) -> Interval:
    """Return sum(numerator) / sum(denominator) with its bootstrap interval over scenarios, both resampled together.

    For shares such as opted out of asked. Where the whole denominator is not positive all three numbers are NaN
    (nothing was asked, so there is no share); resamples without a positive denominator are left out.

    Args:
        numerator, denominator: one figure per scenario (n,).
        seed, resamples, level_frac: of the bootstrap.
        signed: whether single denominators may be negative (money, of which only the sum is a whole).

    Raises:
        StackingError: different lengths, a negative denominator, fewer than two scenarios, or values not finite.
    """
    top, bottom = checked_sample(numerator), checked_sample(denominator)
    if top.size != bottom.size:
        raise StackingError(
            "Numerator and denominator differ in length.", place="ratio_interval", value=f"{top.size} and {bottom.size}"
        )
    if not signed and (bottom < 0.0).any():
        raise StackingError("A denominator is negative.", place="ratio_interval", value=float(bottom.min()), allowed=">= 0")
    if bottom.sum() <= 0.0:
        return Interval(np.nan, np.nan, np.nan, level_frac, top.size)
    sums = np.concatenate([np.stack([c @ top, c @ bottom]) for c in resample_counts(top.size, seed, resamples)], axis=1)
    sums = sums[:, sums[1] > 0.0]
    return percentile_interval(float(top.sum() / bottom.sum()), sums[0] / sums[1], level_frac, top.size)


def block_interval(
    daily: ArrayLike,
    block_days: int = 7,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
    level_frac: float = LEVEL_FRAC,
) -> Interval:
    """Return the mean of consecutive days with an interval that keeps the dependence inside blocks of days.

    Circular block bootstrap: blocks of ``block_days`` start on any day, run over the end to the beginning, and
    ceil(n / block_days) of them are cut to n days.

    Raises:
        StackingError: fewer than two days, values not finite, or a block that is not within 1..n days.
    """
    days = checked_sample(daily)
    n = days.size
    if not 1 <= block_days <= n:
        raise StackingError(
            "Blocks do not fit the series.",
            place="block_interval",
            key="block_days",
            value=block_days,
            allowed=f"1..{n}",
        )
    means = block_sums(days[None], block_days, generator(seed, resamples), resamples)[:, 0] / n
    return percentile_interval(float(days.mean()), means, level_frac, n)


def block_sums(series: FloatArray, block: int, rng: np.random.Generator, resamples: int) -> FloatArray:
    """Return the sums of each series over circular blocks, the same places in all of them, (R, k).

    Blocks start anywhere, run over the end to the beginning, and ceil(n / block) of them are cut to n places.

    Args:
        series: (k, n).
        block: places of a block, 1 to n.
        rng: draws where blocks start.
        resamples: R.
    """
    k, n = series.shape
    blocks = -(-n // block)
    starts = rng.integers(0, n, size=(resamples, blocks))
    ring = np.concatenate([np.zeros((k, 1)), np.cumsum(np.concatenate([series, series], axis=1), axis=1)], axis=1)
    lengths = np.full(blocks, block)
    lengths[-1] = n - block * (blocks - 1)
    return np.stack([(own[starts + lengths] - own[starts]).sum(axis=1) for own in ring], axis=1)


def cvar(values: ArrayLike, tail_frac: float = TAIL_FRAC) -> float:
    """Return the mean of the worst (smallest) ``tail_frac`` of the values.

    The tail is tail_frac * n values wide; the value on its edge counts with the fraction that lies inside, so that the
    figure is exact for any n (for n < 1 / tail_frac it is the minimum).

    Raises:
        StackingError: fewer than two values, a value that is not finite, or a tail outside (0, 1].

    Example:
        >>> cvar([5.0, 1.0, 2.0, 9.0, 7.0], 0.3)
        1.3333333333333333
    """
    sample = np.sort(checked_sample(values))
    return float(_tail_mean(sample, np.ones((1, sample.size)), tail_frac)[0])


def top_share_frac(values: ArrayLike, top_frac: float = 0.01) -> float:
    """Return which share of the sum is made in the best ``top_frac`` of the values (e.g. of the MTU).

    NaN where the sum is not positive: there is nothing to share. Above 1 where the rest of the values lose money.
    """
    sample = checked_sample(values)
    total = float(sample.sum())
    return -cvar(-sample, top_frac) * top_frac * sample.size / total if total > 0.0 else float("nan")


def revenue_eur_per_kw_year(revenue_eur: float, rated_mw: float, hours: float) -> float:
    """Return revenue / (1000 * rated_mw) * 8760 / hours.

    Raises:
        StackingError: rated power or duration not positive.

    Example:
        >>> revenue_eur_per_kw_year(1000.0, 5.0, 168.0)
        10.428571428571429
    """
    for key, number in (("rated_mw", rated_mw), ("hours", hours)):
        if not (np.isfinite(number) and number > 0.0):
            raise StackingError(
                "Revenue per kW-year needs a positive number.",
                place="revenue_eur_per_kw_year",
                key=key,
                value=number,
                allowed="> 0",
            )
    return revenue_eur / (1000.0 * rated_mw) * HOURS_PER_YEAR / hours


def checked_sample(values: ArrayLike) -> FloatArray:
    """Return the values as a checked vector."""
    try:
        sample = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise StackingError("A figure is no number.", place="statistics", value=str(error)) from error
    if sample.ndim != 1:
        raise StackingError("Statistics need one figure per scenario.", place="statistics", value=f"shape {sample.shape}")
    if sample.size < 2:
        raise StackingError(
            "An interval needs at least two scenarios.",
            place="statistics",
            key="scenarios",
            value=sample.size,
            allowed=">= 2",
            remedy="Run more scenarios (--seeds 30).",
        )
    if not np.isfinite(sample).all():
        first = int(np.flatnonzero(~np.isfinite(sample))[0])
        raise StackingError(
            "A figure is not a finite number.", place="statistics", key=f"scenario {first}", value=float(sample[first])
        )
    return sample


def generator(seed: int, resamples: int) -> np.random.Generator:
    """Return the generator of one bootstrap, after checking its settings."""
    for key, number, least in (("resamples", resamples, 1), ("seed", seed, 0)):
        if number < least:
            raise StackingError(
                "A setting of the bootstrap is too small.",
                place="statistics",
                key=key,
                value=number,
                allowed=f">= {least}",
            )
    return np.random.default_rng(np.random.SeedSequence(seed))


def resample_counts(n: int, seed: int, resamples: int) -> Iterator[FloatArray]:
    """Yield how often each of n scenarios is drawn in each resample, in pieces (r, n) of bounded size."""
    if n * resamples <= _CELLS:
        yield _kept_counts(n, seed, resamples)
        return
    rng, even = generator(seed, resamples), np.full(n, 1.0 / n)
    step = max(1, _CELLS // n)
    for first in range(0, resamples, step):
        yield rng.multinomial(n, even, size=min(step, resamples - first)).astype(np.float64)


@lru_cache(maxsize=2)
def _kept_counts(n: int, seed: int, resamples: int) -> FloatArray:
    """Return all counts at once; kept, since a table asks for the same ones hundreds of times."""
    counts = generator(seed, resamples).multinomial(n, np.full(n, 1.0 / n), size=resamples).astype(np.float64)
    counts.flags.writeable = False
    return counts


def percentile_interval(estimate: float, resampled: FloatArray, level_frac: float, count: int) -> Interval:
    """Return the percentile interval of a resampled figure."""
    if not 0.0 < level_frac < 1.0:
        raise StackingError("No such level.", place="statistics", key="level_frac", value=level_frac, allowed="between 0 and 1")
    low, high = np.quantile(resampled, [0.5 - level_frac / 2.0, 0.5 + level_frac / 2.0])
    return Interval(estimate, float(low), float(high), level_frac, count)


def _tail_mean(ascending: FloatArray, counts: FloatArray, tail_frac: float) -> FloatArray:
    """Return the mean of the worst ``tail_frac`` for each row of counts (r, n) of the ascending values (n,)."""
    if not 0.0 < tail_frac <= 1.0:
        raise StackingError("No such tail.", place="cvar", key="tail_frac", value=tail_frac, allowed="above 0, up to 1")
    tail = tail_frac * ascending.size
    before = np.cumsum(counts, axis=1) - counts
    inside = np.clip(tail - before, 0.0, counts)
    return (inside / tail) @ ascending
