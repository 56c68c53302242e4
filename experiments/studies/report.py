"""What a study shows: its tables as CSV and text, and a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ..chart import Chart, positions_of, svg
from ..compare import METRICS
from ..groups import groups_text
from ..metric import SHARE
from ..stats import Interval
from ..store import parquet_bytes, sha256_of
from ..tables import WIDTH, bracketed, number, render, share, wrapped
from .cells import Cell, value_text
from .cells import episodes as episode_count
from .effect import equal_values
from .record import ContestStudy
from .tables import UNPAIRED, Played, Results, groups_table, rest_of, study_table

FEW = 30
"""Below this number of scenarios an interval is too narrow."""

Figures = Mapping[tuple[int, str], Interval]


@dataclass(frozen=True)
class Report:
    """Tables and figures of a finished study.

    Attributes:
        study: what was run.
        name: of the study.
        cells: all of them.
        table: every figure of every cell.
        groups: figures by group, None if the study asks for none.
        same: for each axis, values whose episodes are those of an earlier value in every cell.
    """

    study: ContestStudy
    name: str
    cells: tuple[Cell, ...]
    table: pd.DataFrame
    groups: pd.DataFrame | None
    same: tuple[tuple[str, str, str], ...] = ()

    def files(self) -> dict[str, bytes]:
        """Return the files by name."""
        found = {"table.csv": self.table.to_csv(index=False, lineterminator="\n"), "table.txt": self.text(WIDTH) + "\n"}
        found["figure.svg"] = svg(cell_chart(self))
        if self.groups is not None:
            found["groups.csv"] = self.groups.to_csv(index=False, lineterminator="\n")
            for grouping in self.study.groups:
                found[f"figure_{grouping}.svg"] = svg(group_chart(self, grouping))
        return {name: text.encode() for name, text in found.items()}

    def rows(self) -> list[dict[str, Any]]:
        """Return what --json prints: the study's own figures; what is no number becomes null."""
        rows = self.table.loc[self.table["metric"].isin(self.study.metrics)].to_dict("records")
        return [{str(k): None if isinstance(v, float) and v != v else v for k, v in row.items()} for row in rows]

    def text(self, width: int | None = None) -> str:
        """Return the study as it is printed."""
        study, shown = self.study, figures_of(self.table)
        head = [f"{self.name}: {study.title}", "", wrapped(study.question.strip(), width=width), ""]
        header = [", ".join(a.key.split(".")[-1] for a in study.axis), *(title_of(m) for m in study.metrics)]
        rows = [
            [", ".join(value_text(v) for _, v in cell.point), *(_shown(shown, cell, m) for m in study.metrics)]
            for cell in self.cells
        ]
        body = [render(header, rows, width=width)]
        if self.groups is not None:
            body += ["", groups_text(self._labelled(self.groups), width)]
        return "\n".join([*head, *body, "", *notes(study, len(self.cells), self.same, width)])

    def _labelled(self, groups: pd.DataFrame) -> pd.DataFrame:
        """Return figures by group with each cell in the place where a comparison has its design."""
        label = {cell.number: cell.label for cell in self.cells}
        strategy = {cell.number: cell.setting.strategy for cell in self.cells}
        numbers = [int(cell) for cell in groups["cell"]]
        return groups.assign(design=[label[n] for n in numbers], strategy=[strategy[n] for n in numbers])


def report_of(study: ContestStudy, name: str, results: Results) -> Report:
    """Return the report of all cells."""
    groups = groups_table(study, results) if study.groups else None
    return Report(study, name, tuple(results), study_table(study, results), groups, _same(study, results))


def _same(study: ContestStudy, results: Results) -> tuple[tuple[str, str, str], ...]:
    """Return (axis, value, earlier value) wherever the episodes of two values are the same in every cell."""
    marks = [_print_of(played) for played in results.values()]
    found = equal_values(len(study.axis), [cell.point for cell in results], marks)
    return tuple((study.axis[number].key, value_text(value), value_text(twin)) for number, value, twin in found)


def _print_of(played: Played) -> str:
    """Return the hash of the figures of a cell's episodes, with the sums of their worlds."""
    frames = (played.episodes, played.worlds)
    return sha256_of(b"".join(parquet_bytes("episodes", frame.drop(columns=["design", "strategy"])) for frame in frames))


def notes(study: ContestStudy, cells: int, same: Sequence[tuple[str, str, str]], width: int | None = None) -> list[str]:
    """Return what a reader must know beside the figures."""
    drawn = any(axis.key in UNPAIRED for axis in study.axis)
    lines = [
        f"{cells} cells of {study.seeds} scenarios of {study.days} days, {episode_count(study, cells)} episodes, split "
        f"{study.split}, {'every seed with its own' if drawn else 'all cells on the same'} scenarios; mean [95 % interval over "
        "scenarios].",
    ]
    if study.axis[0].key not in UNPAIRED and len(study.axis[0].values) > 1:
        lines.append(
            f"difference: flex revenue less that at {study.axis[0].key} = {value_text(study.axis[0].values[0])}, paired; "
            "p (Holm) over its other values."
        )
    lines += [f"In these scenarios {key} = {value} gave the same episodes as {twin} in every cell." for key, value, twin in same]
    if study.seeds < FEW:
        lines.append(f"Only {study.seeds} scenarios: the intervals are too narrow (--set seeds={FEW} or more).")
    lines += [f"Axis {axis.key}: {axis.source}" for axis in study.axis]
    lines += [f"Assumed: {text}" for text in study.assumed]
    return [wrapped(line, indent="  ", width=width) for line in lines]


def title_of(metric: str) -> str:
    """Return the title of a figure with its unit."""
    if metric in _SPECIAL:
        return _SPECIAL[metric]
    found = next(m for m in METRICS if m.name == metric)
    return found.title if found.unit in (SHARE, found.title) else f"{found.title}, {found.unit}"


_SPECIAL = {
    "cvar_eur": "worst 5 %, EUR/episode",
    "difference_eur": "difference, EUR/episode",
    "difference_p_holm": "p (Holm)",
}


def figures_of(table: pd.DataFrame) -> Figures:
    """Return (cell, metric) -> figure."""
    columns = ["cell", "metric", "estimate", "low", "high", "count"]
    return {
        (int(c), str(m)): Interval(estimate, low, high, 0.95, int(n))
        for c, m, estimate, low, high, n in table[columns].itertuples(index=False, name=None)
    }


def _shown(figures: Figures, cell: Cell, metric: str) -> str:
    found = figures.get((cell.number, metric))
    if found is None:
        return "-"
    if metric == "difference_p_holm":
        return number(found.estimate)
    unit = next(m.unit for m in METRICS if m.name == metric) if metric not in _SPECIAL else ""
    return share(found) if unit == SHARE else bracketed(found)


# ---- figures ---------------------------------------------------------------------------------------------------------
def cell_chart(report: Report) -> Chart:
    """Return the study's first figure along its first axis, one line for each combination of the other axes."""
    metric, shown = report.study.metrics[0], figures_of(report.table)
    lines: dict[str, list[Interval | None]] = {}
    for cell in report.cells:
        lines.setdefault(_line_name(cell), []).append(shown.get((cell.number, metric)))
    return _chart(report, title_of(metric), lines)


def group_chart(report: Report, grouping: str) -> Chart:
    """Return flex revenue per kW along the first axis, one line for each group and combination of the other axes."""
    table = report.groups if report.groups is not None else pd.DataFrame()
    part = table.loc[(table["grouping"] == grouping) & (table["metric"] == "flex_eur_per_kw_year")]
    lines: dict[str, list[Interval | None]] = {}
    for cell in report.cells:
        rows = part.loc[part["cell"] == cell.number, ["group", "estimate", "low", "high", "count"]]
        for group, estimate, low, high, count in rows.itertuples(index=False, name=None):
            name = ", ".join(text for text in (_line_name(cell), str(group)) if text)
            lines.setdefault(name, []).append(Interval(estimate, low, high, 0.95, int(count)))
    return _chart(report, "flex revenue, EUR/kW-year", lines)


def _line_name(cell: Cell) -> str:
    return ", ".join(f"{key.split('.')[-1]}={value_text(value)}" for key, value in rest_of(cell))


def _chart(report: Report, y_title: str, lines: Mapping[str, list[Interval | None]]) -> Chart:
    axis = report.study.axis[0]
    whole = {name: line for name, line in lines.items() if len(line) == len(axis.values)}
    names = [value_text(v) for v in axis.values]
    return Chart(report.study.title, axis.key, y_title, names, positions_of(axis.values), whole)
