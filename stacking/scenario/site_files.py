"""What session files and load profile files have in common: cells, local time stamps, days and weeks that they cover."""

from __future__ import annotations

import csv
import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import StackingError
from ..units import MTU_PER_HOUR
from .calendar import Clock
from .cells import FIRST_YEAR, LAST_YEAR
from .keys import ALL, ScenarioKey, stream

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

QUARTERS_A_DAY = 24 * MTU_PER_HOUR
QUARTER_S = 900
DOCS = "See docs/portfolios.md for the format."
HISTORY_WEEKS = 4
"""Whole weeks before the start that a forecast from a file needs."""


@dataclass(frozen=True)
class Cells:
    """A CSV file as text: columns by name, the line number of each row."""

    path: Path
    columns: dict[str, tuple[str, ...]]
    lines: tuple[int, ...]

    def error(self, problem: str, row: int, key: str, value: object, allowed: str, remedy: str) -> StackingError:
        """Return the error of one cell."""
        return StackingError(
            problem, place=f"{self.path}, line {self.lines[row]}", key=key, value=value, allowed=allowed, remedy=remedy
        )

    def number(self, key: str, row: int, most: float = 1e6) -> float:
        """Return a number of 0 to ``most``.

        Raises:
            StackingError: empty cell, no number, negative or too large.
        """
        text = self.columns[key][row].strip()
        if not text:
            raise self.error("A cell is empty.", row, key, "", "a number >= 0", "Fill it in or remove the row.")
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise self.error("A cell is not a number.", row, key, text, "a number >= 0", "Use a point for decimals.")
        if value < 0.0:
            raise self.error("A number is negative.", row, key, text, ">= 0", "Consumption counts as positive here.")
        if value > most:
            raise self.error("A number is too large.", row, key, text, f"<= {most:g}", "Check the unit in the name.")
        return value

    def local_seconds(self, key: str, row: int) -> int:
        """Return a local time stamp as seconds of wall-clock time since 1970.

        Raises:
            StackingError: empty cell, no time stamp, or one with an offset.
        """
        text = self.columns[key][row].strip()
        allowed = f"local time without offset, {FIRST_YEAR} to {LAST_YEAR}, as 2025-03-04T17:30"
        if not text:
            raise self.error("A cell is empty.", row, key, "", allowed, "Fill it in or remove the row.")
        try:
            moment = dt.datetime.fromisoformat(text)
            if not FIRST_YEAR <= moment.year <= LAST_YEAR:
                raise ValueError("year")
        except ValueError:
            raise self.error("A time stamp cannot be read.", row, key, text, allowed, "Write it in ISO form.") from None
        if moment.tzinfo is not None:
            raise self.error(
                "A time stamp has an offset.", row, key, text, allowed, "Convert to the local time of the scenario's time zone."
            )
        return int((moment.replace(microsecond=0) - dt.datetime(1970, 1, 1)).total_seconds())


def read_cells(path: str | Path, kind: str, required: Sequence[str], optional: Sequence[str] = ()) -> Cells:
    """Return the cells of a CSV file that has the required columns and no others than the optional ones.

    Raises:
        StackingError: missing or unreadable file, missing, doubled or unknown column, row of another length, no rows.
    """
    path = Path(path)
    known = ", ".join([*required, *(f"{name} (optional)" for name in optional)])
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            names = [name.strip() for name in next(reader, [])]
            rows = [(reader.line_num, cells) for cells in reader if cells]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise StackingError(
            f"The {kind} file cannot be read.", place=str(path), value=str(error), allowed="CSV, UTF-8, commas",
            remedy=f"Check the path and the format. {DOCS}",
        ) from error  # fmt: skip
    for name in names:
        if name not in required and name not in optional:
            raise StackingError(f"Unknown column of a {kind} file.", place=str(path), key=name, allowed=known,
                                remedy=f"Remove or rename it. {DOCS}")  # fmt: skip
        if names.count(name) > 1:
            raise StackingError("A column occurs twice.", place=str(path), key=name, allowed="each name once",
                                remedy="Remove one of them.")  # fmt: skip
    for name in required:
        if name not in names:
            raise StackingError(f"A {kind} file lacks a column.", place=str(path), key=name, value=", ".join(names),
                                allowed=known, remedy=f"Add the column. {DOCS}")  # fmt: skip
    for line, cells in rows:
        if len(cells) != len(names):
            raise StackingError(
                "A row has another number of cells than the header.", place=f"{path}, line {line}", key="cells",
                value=len(cells), allowed=str(len(names)), remedy="Use commas between cells and a point for decimals.",
            )  # fmt: skip
    if not rows:
        raise StackingError(f"The {kind} file has no rows.", place=str(path), key=required[0], value=0, allowed="one or more",
                            remedy=f"Add rows. {DOCS}")  # fmt: skip
    columns = {name: tuple(cells[i] for _, cells in rows) for i, name in enumerate(names)}
    return Cells(path, columns, tuple(line for line, _ in rows))


def local_quarters(clock: Clock) -> Ints:
    """Return the wall-clock quarter hour since 1970 of each tick, (L,)."""
    tick = np.arange(clock.ticks)
    return _local_hours(clock)[tick // MTU_PER_HOUR] * MTU_PER_HOUR + tick % MTU_PER_HOUR


def ticks_of(clock: Clock, quarters: Ints) -> Ints:
    """Return the ticks at which wall-clock quarter hours begin; before and behind the episode too.

    An hour that occurs twice is its first occurrence, one that does not exist begins when the clock has been put forward.
    """
    hours = _local_hours(clock)
    wanted = quarters // MTU_PER_HOUR
    at = np.searchsorted(np.maximum.accumulate(hours), wanted)
    inside = np.minimum(at, len(hours) - 1)
    exists = hours[inside] == wanted
    beyond = np.where(wanted < hours[0], wanted - hours[0], len(hours) - 1 + wanted - hours[-1])
    outside = (wanted < hours[0]) | (wanted > hours[-1])
    return np.where(
        outside,
        beyond * MTU_PER_HOUR + quarters % MTU_PER_HOUR,
        np.where(exists, inside * MTU_PER_HOUR + quarters % MTU_PER_HOUR, inside * MTU_PER_HOUR),
    )


def _local_hours(clock: Clock) -> Ints:
    return clock.date.astype("datetime64[D]").astype(np.int64) * 24 + clock.hour


def possible_weeks(path: Path, key: ScenarioKey, clock: Clock, first_day: int, last_day: int) -> tuple[int, ...]:
    """Return by how many weeks a scenario may be moved back to lie on the days of a file; days are counted from 1970.

    A replayed scenario (split "all") lies on its own dates, others on any days of the file that are whole weeks away.

    Raises:
        StackingError: if there is no such place.
    """
    days = clock.date.astype("datetime64[D]").astype(np.int64)
    start, end = int(days[0]), int(days[(clock.ticks - 1) // MTU_PER_HOUR])
    span = f"{_date(first_day)} to {_date(last_day)}"
    if key.split == ALL:
        if start < first_day or end > last_day:
            raise StackingError(
                "The file does not cover the days of the scenario.", place=str(path), key="days",
                value=f"{_date(start)} to {_date(end)}", allowed=span,
                remedy="Replay days that the file covers, or give a longer file.",
            )  # fmt: skip
        return (0,)
    most, least = (start - first_day) // 7, -((last_day - end) // 7)
    if most < least:
        raise StackingError(
            "The file is too short to draw weeks from it.", place=str(path), key="days", value=span,
            allowed=f"at least {end - start + 7} days", remedy="Give a longer file or shorter episodes.",
        )  # fmt: skip
    return tuple(range(least, most + 1))


def draw_week(key: ScenarioKey, purpose: str, weeks: Sequence[int]) -> int:
    """Return one of the possible weeks, drawn evenly."""
    return weeks[int(stream(key, purpose).integers(len(weeks)))]


def known_days(key: ScenarioKey, clock: Clock, first_day: int, last_day: int) -> tuple[int, int] | None:
    """Return first day and end (exclusive) of the whole weeks of a file from which a forecast may be made.

    Replay: those before the day of the first tick, None if there are fewer than 4. Otherwise, where weeks are drawn:
    all, whichever of them is drawn.
    """
    if key.split != ALL:
        return first_day, first_day + max((last_day + 1 - first_day) // 7, 1) * 7
    start = int(clock.date[0].astype("datetime64[D]").astype(np.int64))
    weeks = (start - first_day) // 7
    return (start - weeks * 7, start) if weeks >= HISTORY_WEEKS else None


def hour_of_week(quarters: Ints) -> Ints:
    """Return the hour since Monday 00:00 of wall-clock quarter hours since 1970."""
    hours = quarters // MTU_PER_HOUR
    return (hours // 24 + 3) % 7 * 24 + hours % 24


def _date(day: int) -> str:
    return str(np.datetime64(day, "D"))
