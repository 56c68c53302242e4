"""The no-harm test: prices, volumes and shortfalls of the markets under a design, against another on the same scenarios."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from stacking.errors import StackingError

from ..paired import holm, paired_differences
from ..stats import RESAMPLES
from ..tables import NOTHING

MARGIN_FRAC = 0.01
"""Share of the baseline's mean up to which a change counts as no harm (assumed)."""

SIGNIFICANCE = 0.05


@dataclass(frozen=True)
class Measure:
    """One measure of a market: column of the rows, unit, and which way harms (+1 more, -1 less)."""

    column: str
    title: str
    unit: str
    harmful: int


MEASURES = (
    Measure("mfrr_up_price", "mFRR price up", "EUR/MWh", 1),
    Measure("mfrr_dn_price", "mFRR price down", "EUR/MWh", -1),
    Measure("imbalance_price", "imbalance price", "EUR/MWh", 1),
    Measure("mfrr_bought_mwh", "mFRR volume", "MWh/episode", -1),
    Measure("mfrr_unserved_mwh", "mFRR need not met", "MWh/episode", 1),
    Measure("undelivered_mfrr_mwh", "mFRR not delivered", "MWh/episode", 1),
    Measure("lfm_price", "local price paid", "EUR/MWh", 1),
    Measure("lfm_bought_mwh", "local volume", "MWh/episode", -1),
    Measure("lfm_unserved_mwh", "local need not met", "MWh/episode", 1),
    Measure("violation_caused_mwh", "local limits violated by balancing", "MWh/episode", 1),
    Measure("exceeded_mwh", "local limits exceeded at delivery", "MWh/episode", 1),
    Measure("undelivered_lfm_mwh", "local not delivered", "MWh/episode", 1),
    Measure("undelivered_mwh", "not delivered to both operators", "MWh/episode", 1),
)

COLUMNS = ["design", "measure", "unit", "baseline", "mean", "low", "high", "p_holm", "count", "verdict"]


def no_harm(
    frame: pd.DataFrame, baseline: str, *, margin_frac: float = MARGIN_FRAC, seed: int = 0, resamples: int = RESAMPLES
) -> pd.DataFrame:
    """Return one row per other design and measure: difference to the baseline on the same scenarios, and a verdict.

    `equal`: nothing differs but rounding. `harm`: the interval is on the harmful side and p < 0.05 after Holm's correction over
    the measures of a design. `no harm`: the harmful end of the interval lies within the margin. `undecided`: neither. A price
    is compared in scenarios in which both designs bought something (`count`).

    Args:
        frame: rows as `play.play` returns them.
        baseline: design that the others are compared with.
        margin_frac: share of the baseline's mean that counts as no harm.
        seed, resamples: of the bootstrap.

    Raises:
        StackingError: if the baseline is not there, or the scenarios are not the same.
    """
    designs = list(dict.fromkeys(frame["design"]))
    if baseline not in designs:
        raise StackingError("The baseline is not among the results.", place="no_harm", key="baseline", value=baseline,
                            allowed=", ".join(designs))  # fmt: skip
    found = []
    for design in designs:
        if design != baseline:
            pair = frame.loc[frame["design"].isin([baseline, design])]
            rows = [_compared(pair, baseline, design, measure, seed, resamples) for measure in MEASURES]
            tested = [row for row in rows if not np.isnan(row["p"])]
            for row, corrected in zip(tested, holm([float(row["p"]) for row in tested]), strict=True):
                row["p_holm"] = float(corrected)
            for row, measure in zip(rows, MEASURES, strict=True):
                row["verdict"] = verdict(row, measure.harmful, margin_frac)
            found += rows
    return pd.DataFrame(found, columns=COLUMNS)


def _compared(pair: pd.DataFrame, baseline: str, design: str, measure: Measure, seed: int, resamples: int) -> dict[str, Any]:
    """Return the difference of one measure, NaN where fewer than two scenarios can be compared."""
    empty = pair.loc[pair[measure.column].isna(), "scenario"]
    both = pair.loc[~pair["scenario"].isin(empty)]
    count = len(set(both["scenario"]))
    row = {"design": design, "measure": measure.column, "unit": measure.unit, "p_holm": float("nan"), "verdict": ""}
    if count < 2:
        return {**row, **dict.fromkeys(("baseline", "mean", "low", "high", "p"), float("nan")),
                "count": count}  # fmt: skip
    table = paired_differences(both, baseline, value=measure.column, group="design", seed=seed, resamples=resamples)
    found = table.iloc[0]
    level = both.loc[both["design"] == baseline, measure.column].mean()
    values = {name: float(found[name]) for name in ("mean", "low", "high")}
    return {**row, "baseline": float(level), **values, "p": float(found["p_value"]), "count": int(found["count"])}


def verdict(row: dict[str, Any], harmful: int, margin_frac: float) -> str:
    """Return equal, harm, no harm, undecided, or "-" where nothing can be compared.

    >>> row = {"baseline": 50.0, "mean": 2.0, "low": 1.0, "high": 3.0, "p_holm": 0.01}
    >>> verdict(row, 1, 0.01), verdict(row, -1, 0.01), verdict({**row, "p_holm": 0.2}, 1, 0.01)
    ('harm', 'no harm', 'undecided')
    """
    low, high, level, p = (float(row[name]) for name in ("low", "high", "baseline", "p_holm"))
    if np.isnan(low):
        return "-"
    if max(abs(low), abs(high)) < NOTHING:
        return "equal"
    worst, best = (high, low) if harmful > 0 else (-low, -high)
    if worst <= margin_frac * abs(level):
        return "no harm"
    return "harm" if best > 0.0 and p < SIGNIFICANCE else "undecided"
