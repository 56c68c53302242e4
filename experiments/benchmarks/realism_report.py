"""The realism comparison as text and as plain data."""

from __future__ import annotations

import math
from dataclasses import asdict
from itertools import groupby
from typing import Any

from .realism import FAR_FRAC, HELD_OUT, SEEN, Realism, Row


def to_data(result: Realism) -> dict[str, Any]:
    """Return rows, distances, what is off and notes, as plain data."""
    return {
        "rows": [{**_finite(asdict(row)), "off": row.off, "far": row.far} for row in result.rows],
        "distances": [_finite(asdict(distance)) for distance in result.distances],
        "off": [f"{row.case}, {row.measure}" for row in result.off],
        "notes": list(result.notes),
    }


def _finite(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record with None for what is not known."""
    return {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in record.items()}


def to_text(result: Realism) -> str:
    """Return a table per case, the distances, the notes and, last, what is off."""
    lines: list[str] = []
    for case, rows in groupby(result.rows, key=lambda row: row.case):
        lines += ["", case, f"  {'':44}{'real':>10}{'generated':>11}   95 % of the generated"]
        lines += [f"  {_line(row)}{'   off' if row.off else ''}" for row in rows]
    lines += _distance_table(result)
    lines += [
        "",
        "Notes",
        *(f"  {note}" for note in result.notes),
        "",
        "What is off: real value outside the interval of the generated one",
    ]
    for case, rows in groupby(result.off, key=lambda row: row.case):
        lines += [f"  {case}", *(f"    {_line(row)}" for row in rows)]
    if far := [row for row in result.rows if row.far]:
        lines += ["", f"  Without an interval: off by over {100 * FAR_FRAC:g} % of the real value"]
        lines += [f"    {row.case}: {_line(row)}" for row in far]
    lines += ["", *(f"  {counted}" for counted in _counts(result))]
    return "\n".join(lines).lstrip("\n")


def _distance_table(result: Realism) -> list[str]:
    if not result.distances:
        return []
    heads = f"{'distance':>10}   {'95 % over blocks of 7 days':28}{'by chance up to':>16}{'from the past':>15}"
    lines = ["", "Distance of the distributions: mean absolute difference of quantiles, EUR/MWh", f"  {'':44}{heads}"]
    for each in result.distances:
        interval, name = f"[{each.low:.2f}, {each.high:.2f}]", f"{each.case}: {each.values}"
        lines.append(f"  {name:44}{each.estimate:10.2f}   {interval:28}{each.by_chance:16.2f}{each.of_the_past:15.2f}")
    return lines


def _counts(result: Realism) -> list[str]:
    """Say how many measures are off, per part."""
    parts = {SEEN: f": {SEEN}", HELD_OUT: f": {HELD_OUT}", "published figures": ""}
    out, counted = [], [row for row in result.rows if row.has_interval]
    for title, ending in parts.items():
        rows = [row for row in counted if (row.case.endswith(ending) if ending else ": the part" not in row.case)]
        if rows:
            out.append(f"{title}: {sum(row.off for row in rows)} of {len(rows)} measures off (5 % by chance)")
    return out


def _line(row: Row) -> str:
    interval = f"   [{_number(row.low)}, {_number(row.high)}]" if row.has_interval else ""
    return f"{row.measure:44}{_number(row.real):>10}{_number(row.generated):>11}{interval}"


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.2f}" if abs(value) < 100 else f"{value:.0f}"
