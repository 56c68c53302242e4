"""Tables of a study: every figure of every cell, the paired difference along the first axis, and figures by group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from ..compare import DIFFERENCE, HOLM, comparison_table
from ..groups import group_table
from ..metric import EUR, SHARE
from ..paired import paired_differences
from .cells import Cell, value_text
from .record import ContestStudy, Scalar


@dataclass(frozen=True)
class Played:
    """What a cell's strategy came to: rows by scenario and FSP, and rows by scenario of what the engine sums per world."""

    episodes: pd.DataFrame
    worlds: pd.DataFrame


Results = Mapping[Cell, Played]
UNPAIRED = ("seed",)
"""Axes whose values do not meet the same scenarios."""


def study_table(study: ContestStudy, results: Results) -> pd.DataFrame:
    """Return every figure of every cell, one row each.

    Columns: ``cell``, the keys of the axes, ``metric, unit, estimate, low, high, count``. Figures and intervals are those
    of `stacking compare`; `difference_eur` is flex revenue less that of the first value of the first axis, with
    otherwise the same values, on the same scenarios, and `difference_p_holm` its p-value, corrected over the other
    values of that axis.
    """
    found = []
    for cell, played in results.items():
        table = comparison_table(played.episodes, played.worlds, seed=study.seed)
        found.append(_placed(cell, pd.DataFrame(table[["metric", "unit", "estimate", "low", "high", "count"]])))
    found += _differences(study, results)
    whole = pd.concat(found, ignore_index=True)
    return whole.sort_values("cell", kind="stable").reset_index(drop=True)


def groups_table(study: ContestStudy, results: Results) -> pd.DataFrame:
    """Return figures by group of every cell: ``cell``, the keys of the axes, then those of `groups.group_table`."""
    parts = []
    for cell, played in results.items():
        table = group_table(played.episodes, seed=study.seed).drop(columns=["design", "strategy"])
        parts.append(_placed(cell, pd.DataFrame(table.loc[table["grouping"].isin(study.groups)])))
    return pd.concat(parts, ignore_index=True)


def rest_of(cell: Cell) -> tuple[tuple[str, Scalar], ...]:
    """Return a cell's values on all axes but the first: the line on which it lies."""
    return cell.point[1:]


def _placed(cell: Cell, table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with the cell's number and its values on the axes in front."""
    place = pd.DataFrame({"cell": cell.number, **{k: value_text(v) for k, v in cell.point}}, index=table.index)
    return pd.concat([place, table], axis=1)


def _differences(study: ContestStudy, results: Results) -> list[pd.DataFrame]:
    """Return the paired differences along the first axis, line by line."""
    if study.axis[0].key in UNPAIRED or len(study.axis[0].values) < 2:
        return []
    lines: dict[object, list[Cell]] = {}
    for cell in results:
        lines.setdefault(rest_of(cell), []).append(cell)
    found = []
    for cells in lines.values():
        worlds = pd.concat([_worlds(cell, results[cell].episodes) for cell in cells], ignore_index=True)
        table = paired_differences(worlds, str(cells[0].number), value="flex_eur", group="cell", seed=study.seed)
        for cell, row in zip(cells[1:], table.to_dict("records"), strict=True):
            holm = row["p_holm"]
            rows = [
                [DIFFERENCE, EUR, row["mean"], row["low"], row["high"], row["count"]],
                [HOLM, SHARE, holm, holm, holm, row["count"]],
            ]
            columns = ["metric", "unit", "estimate", "low", "high", "count"]
            found.append(_placed(cell, pd.DataFrame(rows, columns=columns)))
    return found


def _worlds(cell: Cell, episodes: pd.DataFrame) -> pd.DataFrame:
    """Return flex revenue by scenario, all portfolios of a world added up."""
    revenue = pd.DataFrame(episodes.groupby("scenario", sort=True)[["flex_eur"]].sum()).reset_index()
    return revenue.assign(cell=str(cell.number))
