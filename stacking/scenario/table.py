"""Price files merged on one quarter-hourly axis, with gaps as NaN, and what is to be said about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import StackingError
from .cells import DEMAND, ENERGIES, MTU_S, iso
from .files import PriceFile, read_price_file

Floats = NDArray[np.float64]

MAX_SPAN_YEARS = 40
TOLERANCE = 1e-6
"""Two files may differ by this much in one cell (EUR/MWh, MW) and still agree."""


@dataclass(frozen=True)
class PriceTable:
    """Quarter-hourly columns from one first stamp on; NaN where there is no value. Energies have become MW."""

    first_s: int
    columns: dict[str, Floats]  # each (Q,)
    source: str  # names of the files
    notes: tuple[str, ...]

    def __len__(self) -> int:
        """Return the number of quarter hours Q."""
        return len(next(iter(self.columns.values())))


def read_table(paths: str | Path | Sequence[str | Path]) -> PriceTable:
    """Return one or several price files as one table.

    An hourly row stands for its four quarter hours; MWh of an interval become the mean MW of it.

    Raises:
        StackingError: no file, files that disagree, a table without day-ahead prices, or a span of over 40 years.
    """
    listed = [paths] if isinstance(paths, str | Path) else list(paths)
    if not listed:
        raise StackingError(
            "No price file was given.",
            place="replay",
            key="paths",
            value=listed,
            allowed="one or more CSV or Parquet files",
            remedy="Name a file.",
        )
    files = [read_price_file(path) for path in listed]
    first = int(min(file.stamp_s[0] for file in files))
    count = int(max(file.stamp_s[-1] + file.step_s for file in files) - first) // MTU_S
    if count > MAX_SPAN_YEARS * 366 * 96:
        raise StackingError(
            "The price files span too long a time.",
            place=", ".join(str(file.path) for file in files),
            key="utc",
            value=f"{iso(first)} to {iso(first + count * MTU_S)}",
            allowed=f"at most {MAX_SPAN_YEARS} years",
            remedy="Remove stray rows or split the files.",
        )
    columns: dict[str, Floats] = {}
    origin: dict[str, Path] = {}
    for file in files:
        for name, values in _dense(file, first, count).items():
            _merge(columns, origin, name, values, file, first)
    if "da_price" not in columns:
        raise StackingError(
            "A column is missing.",
            place=", ".join(str(file.path) for file in files),
            key="da_price",
            allowed="day-ahead prices in one of the files",
            remedy="Add the column, or a file that has it.",
        )
    source = "+".join(dict.fromkeys(file.path.stem for file in files))
    return PriceTable(first, columns, source, tuple(note for file in files for note in _notes(file)))


def _dense(file: PriceFile, first: int, count: int) -> dict[str, Floats]:
    """Return the file's columns on the common axis; MWh as mean MW under their own names."""
    repeat = file.step_s // MTU_S
    at = ((file.stamp_s - first) // MTU_S)[:, None] + np.arange(repeat)
    out = {}
    for name, values in file.columns.items():
        dense = np.full(count, np.nan)
        dense[at] = (values * 3600 / file.step_s if name in ENERGIES else values)[:, None]
        out[name] = dense
    return out


def _merge(columns: dict[str, Floats], origin: dict[str, Path], name: str, values: Floats, file: PriceFile, first: int) -> None:
    if name not in columns:
        columns[name], origin[name] = values, file.path
        return
    differ = np.flatnonzero(np.abs(columns[name] - values) > TOLERANCE)  # NaN differs from nothing
    if len(differ):
        at = int(differ[0])
        raise StackingError(
            "Two price files disagree.",
            place=f"{origin[name]} and {file.path}",
            key=f"{name}, {iso(first + at * MTU_S)}",
            value=f"{columns[name][at]:g} and {values[at]:g}",
            allowed="equal values where both have one",
            remedy=f"Remove {name} from one of the files.",
        )
    columns[name] = np.where(np.isnan(columns[name]), values, columns[name])


def _notes(file: PriceFile) -> list[str]:
    """Return what a reader must know about one file: span, ignored columns, missing rows, empty cells."""
    name, end = file.path.name, int(file.stamp_s[-1]) + file.step_s
    notes = [f"{name}: {len(file.stamp_s)} rows of {file.step_s // 60} minutes, {iso(int(file.stamp_s[0]))} to {iso(end)}"]
    if file.ignored:
        notes.append(f"{name}: columns not used: {', '.join(file.ignored)}")
    steps = np.diff(file.stamp_s)
    gaps = np.flatnonzero(steps > file.step_s)
    if len(gaps):
        missing = int((steps[gaps] // file.step_s - 1).sum())
        where = "; ".join(f"after {iso(int(file.stamp_s[at]))}" for at in gaps[:5]) + (" and more" if len(gaps) > 5 else "")
        notes.append(f"{name}: {missing} missing rows in {len(gaps)} gaps: {where}")
    for column, values in file.columns.items():
        if empty := int(np.isnan(values).sum()):
            at = file.stamp_s[np.isnan(values)].tolist()
            notes.append(f"{name}: {column} has {empty} empty cells between {iso(at[0])} and {iso(at[-1])}")
    if file.step_s != MTU_S:
        notes.append(
            f"{name}: hourly values stand for each of their four quarter hours"
            + (", energies as mean MW" if any(column in file.columns for column in ENERGIES) else "")
        )
    return notes


def net_need(columns: dict[str, Floats]) -> tuple[str, Floats] | None:
    """Return the names and MW (2, Q) of the balancing need up and down, or None if the files say nothing about it."""
    if DEMAND in columns:
        demand = columns[DEMAND]
        return DEMAND, np.stack([np.maximum(demand, 0.0), np.maximum(-demand, 0.0)])
    if ENERGIES[0] in columns and ENERGIES[1] in columns:
        return " and ".join(ENERGIES), np.stack([columns[name] for name in ENERGIES])
    return None
