"""What a study of equilibria shows: tables of its ends as CSV and text, and a figure for each axis."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ...agents.consent import scaled, yearly_eur
from ..chart import Chart, positions_of, svg
from ..fsp_types import UNIT
from ..stats import Interval
from ..store import parquet_bytes, sha256_of
from ..tables import WIDTH, bracketed, number, percent, render, wrapped
from .cells import Cell, value_text
from .effect import equal_values
from .ends import Outcome, Outcomes, cell_table, consent_frac, end_table, outcome_of, type_row, type_table, who_consents
from .record import Axis, EquilibriumStudy, Scalar


@dataclass(frozen=True)
class EndsReport:
    """Tables and figures of a finished study.

    Attributes:
        study: what was run; name: of it.
        outcomes: the ends of all cells.
        profiles: number of profiles that were played.
        same: for each axis, values whose profiles earned the same as those of an earlier value in every cell.
    """

    study: EquilibriumStudy
    name: str
    outcomes: Outcomes
    profiles: int
    same: tuple[tuple[str, str, str], ...] = ()

    def files(self) -> dict[str, bytes]:
        """Return the files by name."""
        tables = {"table.csv": cell_table, "ends.csv": end_table, "types.csv": type_table}
        found = {name: make(self.study, self.outcomes).to_csv(index=False, lineterminator="\n") for name, make in tables.items()}
        found["table.txt"] = self.text(WIDTH) + "\n"
        for axis in drawn_axes(self.study):
            name = axis.key.replace(".", "_")
            found |= {f"figure_{name}.svg": svg(axis_chart(self, axis)), f"worth_{name}.svg": svg(worth_chart(self, axis))}
        return {name: text.encode() for name, text in found.items()}

    def rows(self) -> list[dict[str, Any]]:
        """Return what --json prints: one row per cell and factor on the costs."""
        return [{str(k): v for k, v in row.items()} for row in cell_table(self.study, self.outcomes).to_dict("records")]

    def text(self, width: int | None = None) -> str:
        """Return the study as it is printed."""
        study = self.study
        parts = [f"{self.name}: {study.title}", wrapped(study.question.strip(), width=width), _cells_text(self, width)]
        parts.append(_worth_text(self, width))
        parts += [_types_text(self, cell, width) for cell in self.outcomes if is_base(study, cell)]
        lines = [wrapped(line, indent="  ", width=width) for line in notes(self)]
        return "\n\n".join([*parts, "\n".join(lines)])


def report_of(study: EquilibriumStudy, name: str, frames: Mapping[Cell, pd.DataFrame]) -> EndsReport:
    """Return the report of all cells."""
    outcomes = {cell: outcome_of(study, cell, frame) for cell, frame in frames.items()}
    profiles = sum(len(set(frame["profile"])) for frame in frames.values())
    marks = [sha256_of(parquet_bytes("cell", frame)) for frame in frames.values()]
    twins = equal_values(len(study.axis), [cell.point for cell in frames], marks)
    same = tuple((study.axis[k].key, value_text(value), value_text(twin)) for k, value, twin in twins)
    return EndsReport(study, name, outcomes, profiles, same)


def is_base(study: EquilibriumStudy, cell: Cell) -> bool:
    """Return whether all axes that are swept alone stand at their first value."""
    return not _away(study, cell)


def _away(study: EquilibriumStudy, cell: Cell) -> list[tuple[str, str]]:
    """Return key and value of the axis that is swept alone and stands away from its first value."""
    places = zip(study.axis, cell.point, strict=True)
    return [(key, value_text(value)) for axis, (key, value) in places if axis.alone and value != axis.values[0]]


def label_of(study: EquilibriumStudy, cell: Cell) -> str:
    """Return what distinguishes a cell: the value swept alone if it is not the first, and those of all other axes."""
    changed = [f"{key.split('.')[-1]}={text}" for key, text in _away(study, cell)]
    if not changed and any(axis.alone for axis in study.axis):
        changed = ["base"]
    return ", ".join([*changed, *(text for text in [line_of(study, cell)] if text)])


def line_of(study: EquilibriumStudy, cell: Cell) -> str:
    """Return the values on the axes that are not swept alone."""
    places = zip(study.axis, cell.point, strict=True)
    return ", ".join(f"{key.split('.')[-1]}={value_text(value)}" for axis, (key, value) in places if not axis.alone)


# ---- text ------------------------------------------------------------------------------------------------------------
def _cells_text(report: EndsReport, width: int | None) -> str:
    """Return one row per cell: at the first factor on the costs, with the band of all factors."""
    study, first = report.study, report.study.cost_factors[0]
    band = f"MW, costs x {min(study.cost_factors):g} to {max(study.cost_factors):g}"
    header = ["", "ends", "by consent", "settled", "all who consent, FSPs", "all who consent, MW", band]
    header += [f"{c.value}, MW" for c in study.choices] + [f"largest gain left, {UNIT}"]
    rows = []
    for cell, outcome in report.outcomes.items():
        ends = outcome.ends[first]
        starts, settled = (sum(len(end.starts) for end in of) for of in (ends, [end for end in ends if end.one.settled]))
        low, high = _band(study, outcome)
        row = [label_of(study, cell), str(len(ends)), str(len({who_consents(study, end) for end in ends}))]
        row += [f"{settled} of {starts}"]
        row += [_several(consent_frac(study, e.fsps_frac) for e in ends), _several(consent_frac(study, e.mw_frac) for e in ends)]
        row += [percent(low) if high - low < 1e-9 else f"{percent(low)} to {percent(high)}"]
        row += [percent(share) for share in ends[0].mw_frac]
        rows.append([*row, f"{max(e.one.most_gain for e in ends):.3f}"])
    return render(header, rows, width=width)


def _worth_text(report: EndsReport, width: int | None) -> str:
    """Return what consent is worth to each type at the end that most starts reach, with the band of the costs."""
    study, types = report.study, list(dict.fromkeys(n for o in report.outcomes.values() for n in o.who.types.names))
    rows = []
    for cell, outcome in report.outcomes.items():
        found = dict(zip(outcome.who.types.names, _worths(study, outcome), strict=True))
        rows.append([label_of(study, cell), *(bracketed(found.get(name)) for name in types)])
    title = (
        f"What consent is worth to each type, {UNIT}: its best choice with consent less its best without, all others as they are"
    )
    return f"{title} [band of the costs]\n{render(['', *types], rows, width=width)}"


def _worths(study: EquilibriumStudy, outcome: Outcome) -> list[Interval]:
    """Return for each type what consent is worth to it at the end that most starts reach, and its range over the factors."""
    found = []
    for k in range(len(outcome.who.types.names)):
        worth = [type_row(study, outcome, factor, ends[0], k)["consent_worth"] for factor, ends in outcome.ends.items()]
        found.append(Interval(worth[0], min(worth), max(worth), 1.0, len(worth)))
    return found


def _several(values: Any) -> str:
    """Return the different shares of the ends, that of the most starts first."""
    return " or ".join(dict.fromkeys(percent(value) for value in values))


def _band(study: EquilibriumStudy, outcome: Outcome, *, fsps: bool = False) -> tuple[float, float]:
    """Return the least and the largest share that consents over all ends and factors on the costs."""
    ends = [end for found in outcome.ends.values() for end in found]
    found = [consent_frac(study, end.fsps_frac if fsps else end.mw_frac) for end in ends]
    return min(found), max(found)


def _types_text(report: EndsReport, cell: Cell, width: int | None) -> str:
    """Return what each type does at each end of a cell at the first factor on the costs."""
    study, outcome = report.study, report.outcomes[cell]
    factor = study.cost_factors[0]
    parts = []
    for k, end in enumerate(outcome.ends[factor]):
        rows = [type_row(study, outcome, factor, end, t) for t in range(len(end.one.profile))]
        shown = [
            [str(r["type"]), str(r["choice"]), str(r["fsps"]), *(number(r[n]) for n in ("rated_mw", "eur_per_kw_year")),
             str(r["best_other"]), f"{r['gain']:.3f} ±{r['gain_error']:.3f}"] for r in rows
        ]  # fmt: skip
        header = ["type", "choice", "FSPs", "MW", UNIT, "best other choice", "its gain ± standard error"]
        title = f"{label_of(study, cell)}, end {k + 1} of {len(outcome.ends[factor])} (from {', '.join(end.starts)})"
        parts.append(f"{title}\n{render(header, shown, width=width, left=2)}")
    return "\n\n".join(parts)


def notes(report: EndsReport) -> list[str]:
    """Return what a reader must know beside the figures."""
    study = report.study
    costs, sourced = scaled(1.0), [cost for cost in scaled(1.0) if not cost.assumed]
    paid = [f"{c.value} {yearly_eur(c, costs):,.0f} ({yearly_eur(c, sourced):,.0f} of it sourced)" for c in study.choices]
    lines = [
        f"{len(report.outcomes)} cells, {report.profiles} profiles of {study.seeds} scenarios of {study.days} days, split "
        f"{study.split}; scenarios and draws are fixed, so nothing here is noise within a search.",
        f"A type switches if it gains more than {study.epsilon_eur_per_kw_year:g} {UNIT}; the largest gain left is that of "
        "any type by any one other choice. Its standard error over the scenarios tells what another sample might show.",
        f"Costs, EUR a year and FSP: {', '.join(paid)}; what is not sourced is assumed, and scaled in the band.",
        "Ends by consent: those that differ in who consents; the rest differ in types to which two choices are worth the same.",
        "Shares: of the end that most starts reach, those of other ends behind 'or' (ends.csv has all).",
    ]
    lines += [
        f"In these scenarios {key} = {value} earned the same as {twin} in every profile." for key, value, twin in report.same
    ]
    lines += [f"Axis {axis.key}: {axis.source}" for axis in study.axis]
    return lines + [f"Assumed: {text}" for text in study.assumed]


# ---- figures ---------------------------------------------------------------------------------------------------------
def drawn_axes(study: EquilibriumStudy) -> tuple[Axis, ...]:
    """Return the axes that have a figure: those swept alone, or the first if there are none."""
    return tuple(axis for axis in study.axis if axis.alone) or study.axis[:1]


def axis_chart(report: EndsReport, axis: Axis) -> Chart:
    """Return the share that consents along an axis, of MW and of FSPs, one line each for what is not swept alone.

    A point is the end that most starts reach, an open circle another one, an upright line the range of all; the area is
    their range over the factors on the assumed costs.
    """
    study = report.study
    lines: dict[str, list[Interval | None]] = {}
    bands: dict[str, list[tuple[float, float]]] = {}
    more: dict[str, list[list[float]]] = {}
    for cell, outcome in _along(report, axis):
        for fsps, what in ((False, "MW"), (True, "FSPs")):
            name = ", ".join(text for text in (what, _rest(study, cell, axis)) if text)
            ends = outcome.ends[study.cost_factors[0]]
            found = [100.0 * consent_frac(study, e.fsps_frac if fsps else e.mw_frac) for e in ends]
            low, high = _band(study, outcome, fsps=fsps)
            lines.setdefault(name, []).append(Interval(found[0], min(found), max(found), 1.0, len(found)))
            bands.setdefault(name, []).append((100.0 * low, 100.0 * high))
            more.setdefault(name, []).append(sorted(set(found[1:]) - {found[0]}))
    return _chart(report, axis, "share that consents, %", lines, bands, more)


def worth_chart(report: EndsReport, axis: Axis) -> Chart:
    """Return what consent is worth to each type along an axis; the area is the range over the factors on the costs."""
    lines: dict[str, list[Interval | None]] = {}
    bands: dict[str, list[tuple[float, float]]] = {}
    for cell, outcome in _along(report, axis):
        for own, worth in zip(outcome.who.types.names, _worths(report.study, outcome), strict=True):
            name = ", ".join(text for text in (own, _rest(report.study, cell, axis)) if text)
            lines.setdefault(name, []).append(Interval(worth.estimate, worth.estimate, worth.estimate, 1.0, worth.count))
            bands.setdefault(name, []).append((worth.low, worth.high))
    return _chart(report, axis, f"worth of consent, {UNIT}", lines, bands, {})


def _along(report: EndsReport, axis: Axis) -> Iterator[tuple[Cell, Outcome]]:
    """Return the cells along an axis, value by value; the other axes that are swept alone stand at their first value."""
    study, place = report.study, report.study.axis.index(axis)
    for value in _in_order(axis):
        for cell, outcome in report.outcomes.items():
            if cell.point[place][1] == value and all(key == axis.key for key, _ in _away(study, cell)):
                yield cell, outcome


def _in_order(axis: Axis) -> list[Scalar]:
    """Return the values from the least to the largest, or as they stand if they are not numbers."""
    return list(axis.values) if positions_of(axis.values) is None else sorted(axis.values)


def _chart(
    report: EndsReport, axis: Axis, y_title: str, lines: Mapping[str, list[Interval | None]],
    bands: Mapping[str, list[tuple[float, float]]], more: Mapping[str, list[list[float]]],
) -> Chart:  # fmt: skip
    """Return a chart of the lines that reach from end to end."""
    values = _in_order(axis)
    whole = {name: line for name, line in lines.items() if len(line) == len(values)}
    drawn = {name: band for name, band in bands.items() if name in whole}
    texts = [value_text(value) for value in values]
    return Chart(report.study.title, axis.key, y_title, texts, positions_of(values), whole, drawn, more)


def _rest(study: EquilibriumStudy, cell: Cell, axis: Axis) -> str:
    """Return the values of a cell on the axes that are not swept alone, other than this one."""
    places = zip(study.axis, cell.point, strict=True)
    return ", ".join(f"{k.split('.')[-1]}={value_text(v)}" for a, (k, v) in places if not a.alone and a.key != axis.key)
