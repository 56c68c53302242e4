"""Paired comparison: every group against a baseline on the same scenarios, with corrected p-values."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from stacking.errors import StackingError

from .stats import LEVEL_FRAC, RESAMPLES, FloatArray, checked_sample, cvar, mean_interval, resample_counts


def paired_differences(
    frame: pd.DataFrame,
    baseline: str,
    *,
    value: str,
    group: str = "strategy",
    scenario: str = "scenario",
    seed: int = 0,
    resamples: int = RESAMPLES,
    level_frac: float = LEVEL_FRAC,
) -> pd.DataFrame:
    """Return one row per group other than the baseline: its difference to the baseline on the same scenarios.

    Columns: ``group``, ``mean``, ``low``, ``high`` (bootstrap interval of the mean difference), ``cvar`` (mean of the
    worst 5 % of the differences), ``wins_frac`` (share of scenarios above the baseline), ``p_value`` (two-sided,
    bootstrap of the centred differences), ``p_holm`` (corrected over the rows of this table), ``count``.

    Args:
        frame: one row per group and scenario.
        baseline: group that all others are compared with.
        value: column to compare.
        group: column that names the groups.
        scenario: column that names the scenarios.
        seed: of the resampling, shared by all rows.
        resamples: number of bootstrap samples.
        level_frac: level of the intervals.

    Raises:
        StackingError: a column or the baseline is missing, a scenario is missing or repeated in a group, or there are
            fewer than two scenarios.
    """
    table = _paired_table(frame, baseline, value=value, group=group, scenario=scenario)
    others = [name for name in table.columns if name != baseline]
    rows = []
    for name in others:
        difference = checked_sample(table[name]) - checked_sample(table[baseline])
        interval = mean_interval(difference, seed=seed, resamples=resamples, level_frac=level_frac)
        rows.append(
            {
                group: name,
                "mean": interval.estimate,
                "low": interval.low,
                "high": interval.high,
                "cvar": cvar(difference),
                "wins_frac": float((difference > 0.0).mean()),
                "p_value": p_value(difference, seed=seed, resamples=resamples),
                "count": interval.count,
            }
        )
    result = pd.DataFrame(rows, columns=[group, "mean", "low", "high", "cvar", "wins_frac", "p_value", "count"])
    result.insert(7, "p_holm", holm(result["p_value"].to_numpy()))
    return result


def p_value(differences: ArrayLike, *, seed: int = 0, resamples: int = RESAMPLES) -> float:
    """Return the two-sided bootstrap p-value of "the mean difference is zero".

    Share of resampled means of the centred differences at least as far from zero as the mean found; never below
    1 / (resamples + 1), and 1 where all differences are zero.
    """
    sample = checked_sample(differences)
    centred = sample - sample.mean()
    means = np.concatenate([c @ centred for c in resample_counts(sample.size, seed, resamples)]) / sample.size
    # Rounding must not decide whether "as far" is reached: equal differences give means of some 1e-17.
    slack = 1e-12 * float(np.abs(sample).max())
    return float((1 + np.count_nonzero(np.abs(means) >= abs(sample.mean()) - slack)) / (resamples + 1))


def holm(p_values: ArrayLike) -> FloatArray:
    """Return Holm's corrected p-values, in the order given: the k-th smallest of m is multiplied by m - k + 1.

    Raises:
        StackingError: a p-value outside 0..1.

    Example:
        >>> holm([0.01, 0.04, 0.03]).tolist()
        [0.03, 0.06, 0.06]
    """
    given = np.asarray(p_values, dtype=np.float64).ravel()
    if not ((given >= 0.0) & (given <= 1.0)).all():
        raise StackingError("A p-value lies outside its range.", place="holm", value=given.tolist(), allowed="0..1")
    order = np.argsort(given, kind="stable")
    raised = np.maximum.accumulate(given[order] * np.arange(given.size, 0, -1))
    corrected = np.empty_like(given)
    corrected[order] = np.minimum(raised, 1.0)
    return corrected


def _paired_table(frame: pd.DataFrame, baseline: str, *, value: str, group: str, scenario: str) -> pd.DataFrame:
    """Return scenarios x groups, groups in order of appearance, after checking that every cell is there once."""
    place = "paired_differences"
    for column in (value, group, scenario):
        if column not in frame.columns:
            raise StackingError("A column is missing.", place=place, key=column, allowed=", ".join(map(str, frame.columns)))
    groups = list(dict.fromkeys(frame[group]))
    if baseline not in groups:
        raise StackingError(
            "The baseline is not among the results.",
            place=place,
            key="baseline",
            value=baseline,
            allowed=", ".join(map(str, groups)),
        )
    repeated = frame.duplicated([group, scenario])
    if repeated.any():
        row = frame.loc[repeated, [group, scenario]].iloc[0]
        raise StackingError("A scenario occurs twice in a group.", place=place, key=str(row[group]), value=str(row[scenario]))
    table = frame.pivot(index=scenario, columns=group, values=value).loc[:, groups]
    for name in groups:
        present = set(frame.loc[frame[group] == name, scenario])
        missing = [key for key in table.index if key not in present]
        if missing:
            raise StackingError(
                "Groups do not share the same scenarios, so they cannot be paired.",
                place=place,
                key=str(name),
                value=f"{len(missing)} missing, first {missing[0]}",
                remedy="Run every group on the same scenario keys.",
            )
    return table
