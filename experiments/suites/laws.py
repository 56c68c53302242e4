"""The laws of a claim: the mean over training seeds and scenarios, and how far chance moves it.

Both are resampled: training seeds one by one, scenarios in blocks of days, since days follow each other. All seeds and the rival
play the same scenarios, so a resample holds the same scenarios for all of them (crossed, paired).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stacking.errors import StackingError

from ..stats import LEVEL_FRAC, RESAMPLES, FloatArray, Interval, block_sums, generator, percentile_interval


@dataclass(frozen=True)
class Difference:
    """A trained player less a rival, EUR per episode.

    Attributes:
        eur: mean with interval; percent: the same in per cent of the rival's mean (NaN where that is not positive).
        p_value: two-sided.
        seeds, scenarios, blocks: what it rests on; blocks of scenarios that do not overlap.
    """

    eur: Interval
    percent: Interval
    p_value: float
    seeds: int
    scenarios: int
    blocks: int


def difference(
    own: FloatArray, rival: FloatArray, block: int, *, seed: int = 0, resamples: int = RESAMPLES, level_frac: float = LEVEL_FRAC
) -> Difference:
    """Return mean(own - rival) over seeds k and scenarios s with its percentile interval and p-value.

    Resample r draws K seeds with replacement, and circular blocks of scenarios as `stats.block_interval` does; its mean is
    sum_k sum_s c_rk w_rs (own_ks - rival_s) / (K S), its per cent 100 times this over sum_s w_rs rival_s / S. The p-value is the
    share of centred means at least as far from zero as the mean found, never below 1 / (resamples + 1).

    Args:
        own: (K, S) EUR per episode, by training seed and scenario.
        rival: (S,) the same scenarios.
        block: scenarios of a block, 1 to S.
        seed, resamples, level_frac: of the bootstrap.

    Raises:
        StackingError: for shapes that do not fit, values that are not finite, or fewer than two scenarios.
    """
    _check(own, rival, block)
    seeds, scenarios = own.shape
    rng = generator(seed, resamples)
    sums = block_sums(np.vstack([own - rival, rival]), block, rng, resamples) / scenarios  # (R, K + 1)
    drawn = rng.multinomial(seeds, np.full(seeds, 1.0 / seeds), size=resamples) / seeds
    means, rivals = (drawn * sums[:, :seeds]).sum(axis=1), sums[:, seeds]
    mean, level = float((own - rival).mean()), float(rival.mean())
    slack = 1e-12 * float(np.abs(own - rival).max())  # as in `paired.p_value`: rounding must not decide
    far = np.count_nonzero(np.abs(means - mean) >= abs(mean) - slack)
    shares = 100.0 * means[rivals > 0.0] / rivals[rivals > 0.0]
    percent = Interval(np.nan, np.nan, np.nan, level_frac, scenarios)
    if level > 0.0:
        percent = percentile_interval(100.0 * mean / level, shares, level_frac, scenarios)
    eur = percentile_interval(mean, means, level_frac, scenarios)
    return Difference(eur, percent, (1 + far) / (resamples + 1), seeds, scenarios, -(-scenarios // block))


def block_length(days: int, block_days: int, scenarios: int) -> int:
    """Return how many scenarios of some days make a block: at least 1, at most half of them (one block alone has no chance).

    >>> block_length(1, 7, 19), block_length(7, 7, 96), block_length(2, 7, 30), block_length(1, 7, 4)
    (7, 1, 3, 2)
    """
    return max(1, min(scenarios // 2, block_days // days))


def verdict(percent: Interval, goal_percent: float | None) -> str:
    """Return whether an interval lies above a goal, below it, or on both sides: reached, missed, open ("" without a goal).

    >>> verdict(Interval(3.0, 1.0, 5.0, 0.95, 96), 0.0), verdict(Interval(3.0, -1.0, 5.0, 0.95, 96), 0.0)
    ('reached', 'open')
    """
    if goal_percent is None or np.isnan(percent.estimate):
        return ""
    return "reached" if percent.low > goal_percent else "missed" if percent.high < goal_percent else "open"


def _check(own: FloatArray, rival: FloatArray, block: int) -> None:
    if own.ndim != 2 or rival.shape != own.shape[1:] or own.size == 0:
        raise StackingError("Trained player and rival did not play the same scenarios.", place="difference",
                            value=f"{own.shape} and {rival.shape}", allowed="(seeds, scenarios) and (scenarios,)")  # fmt: skip
    if not (np.isfinite(own).all() and np.isfinite(rival).all()):
        raise StackingError("A figure is not a finite number.", place="difference", key="flex_eur")
    if len(rival) < 2 or not 1 <= block <= len(rival):
        raise StackingError("Blocks do not fit the scenarios.", place="difference", key="block", value=block,
                            allowed=f"1..{len(rival)}, and two scenarios or more")  # fmt: skip
