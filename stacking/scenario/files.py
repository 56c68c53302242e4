"""Reading price files: CSV or Parquet to columns by UTC time stamp, every doubtful cell an error with its row."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import StackingError
from .cells import COLUMNS, DOCS, ENERGIES, MTU_S, TIME, iso, read_number, read_stamp

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PriceFile:
    """One file: stamps in order and the columns that are read, NaN where a cell is empty."""

    path: Path
    stamp_s: NDArray[np.int64]  # (N,) seconds since 1970, interval starts
    step_s: int  # 900 or 3600
    columns: dict[str, Floats]  # each (N,)
    ignored: tuple[str, ...]


def read_price_file(path: str | Path) -> PriceFile:
    """Return one price file.

    Raises:
        StackingError: missing file, unknown format, missing or doubled column, bad or naive time stamp, stamps
            unsorted, doubled, off the quarter hour or changing from hourly to quarter-hourly, cell not numeric or out
            of range.
    """
    path = Path(path)
    if not path.is_file():
        raise StackingError(
            "There is no such price file.", place=str(path), allowed="a CSV or Parquet file", remedy="Check the path."
        )
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".parquet"):
        raise StackingError(
            "Unknown format of a price file.",
            place=str(path),
            key="suffix",
            value=suffix,
            allowed=".csv, .parquet",
            remedy=f"Save the table as CSV or Parquet. {DOCS}",
        )
    names, cells, rows = _read_csv(path) if suffix == ".csv" else _read_parquet(path)
    _check_names(path, names)
    stamps = _stamps(path, cells[TIME], rows)
    columns = {name: _numbers(path, name, cells[name], rows) for name in COLUMNS if name in cells}
    return PriceFile(
        path,
        stamps,
        _step(path, stamps, rows),
        columns,
        tuple(name for name in names if name != TIME and name not in COLUMNS),
    )


def _read_csv(path: Path) -> tuple[list[str], dict[str, Sequence[Any]], Sequence[int]]:
    """Return header, cells by column and the line number of each row."""
    lines: list[int] = []
    table: list[list[str]] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            names = [name.strip() for name in next(reader, [])]
            for cells in reader:
                if not cells:
                    continue
                if len(cells) != len(names):
                    raise StackingError(
                        "A row has another number of cells than the header.",
                        place=str(path),
                        key=f"line {reader.line_num}",
                        value=len(cells),
                        allowed=str(len(names)),
                        remedy="Correct the row; use commas between cells and a point for decimals.",
                    )
                table.append(cells)
                lines.append(reader.line_num)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise StackingError(
            "The price file cannot be read.",
            place=str(path),
            value=str(error),
            allowed="CSV, UTF-8, commas",
            remedy=f"Save the table again. {DOCS}",
        ) from error
    return names, dict(zip(names, zip(*table, strict=True), strict=False)) if table else dict.fromkeys(names, ()), lines


def _read_parquet(path: Path) -> tuple[list[str], dict[str, Sequence[Any]], Sequence[int]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            names = file.schema_arrow.names
            wanted = [name for name in names if (name == TIME or name in COLUMNS) and names.count(name) == 1]
            table = file.read(columns=wanted)
        cells = {name: table.column(name).to_pylist() for name in wanted}
    except (pa.ArrowException, OSError, ValueError, OverflowError, KeyError) as error:
        raise StackingError(
            "The price file cannot be read.",
            place=str(path),
            value=str(error),
            allowed="Parquet",
            remedy=f"Save the table again. {DOCS}",
        ) from error
    return names, cells, range(1, table.num_rows + 1)


def _check_names(path: Path, names: list[str]) -> None:
    doubled = sorted({name for name in names if names.count(name) > 1 and (name == TIME or name in COLUMNS)})
    if doubled:
        raise StackingError(
            "A column occurs twice.",
            place=str(path),
            key=doubled[0],
            allowed="each name once",
            remedy="Remove or rename one of them.",
        )
    if TIME not in names:
        raise StackingError(
            "A column is missing.",
            place=str(path),
            key=TIME,
            value=", ".join(names) or "an empty file",
            allowed=f"{TIME} and columns out of {', '.join(COLUMNS)}",
            remedy=f"Add the interval starts as column {TIME}; cells are separated by commas. {DOCS}",
        )
    if not any(name in COLUMNS for name in names):
        raise StackingError(
            "The file has none of the columns that are read.",
            place=str(path),
            key="da_price",
            value=", ".join(names),
            allowed=", ".join(COLUMNS),
            remedy=f"Rename the columns. {DOCS}",
        )
    for a, b in (("mfrr_up_price", "mfrr_dn_price"), ENERGIES):
        if (a in names) != (b in names):
            there, missing = (a, b) if a in names else (b, a)
            raise StackingError(
                f"A column is missing: {there} is of use only together with it.",
                place=str(path),
                key=missing,
                allowed="both or neither",
                remedy=f"Add {missing} or remove {there}. {DOCS}",
            )


def _stamps(path: Path, cells: Iterable[Any], rows: Sequence[int]) -> NDArray[np.int64]:
    seconds = np.array([read_stamp(path, cell, row) for cell, row in zip(cells, rows, strict=True)], dtype=np.int64)
    if len(seconds) < 2:
        raise StackingError(
            "The price file has fewer than two rows.",
            place=str(path),
            key=TIME,
            value=len(seconds),
            allowed="two rows or more",
            remedy="Give a longer series.",
        )
    return seconds


def _step(path: Path, stamps: NDArray[np.int64], rows: Sequence[int]) -> int:
    """Return the resolution; steps that are larger are gaps, unless the file is partly hourly."""
    steps = np.diff(stamps)
    wrong = np.flatnonzero(steps <= 0)
    if len(wrong):
        at = int(wrong[0]) + 1
        doubled = steps[at - 1] == 0
        raise StackingError(
            "A time stamp occurs twice." if doubled else "Time stamps are not in order.",
            place=str(path),
            key=f"{TIME}, row {rows[at]}",
            value=iso(stamps[at]),
            allowed=f"later than {iso(stamps[at - 1])}",
            remedy="Remove one of the rows." if doubled else "Sort the file by time.",
        )
    step = int(steps.min())
    hourly = steps == 3600
    if step == MTU_S and (change := np.flatnonzero(hourly[1:] & hourly[:-1])).size:
        at = int(change[0]) + 1 if change[0] > 0 else int(np.flatnonzero(steps == MTU_S)[0]) + 1
        raise StackingError(
            "The file changes between hourly and quarter-hourly rows.",
            place=str(path),
            key=f"{TIME}, row {rows[at]}",
            value=iso(stamps[at]),
            allowed="one resolution per file",
            remedy="Split the file at the change, or repeat each hourly row for its four quarter hours.",
        )
    if step not in (MTU_S, 3600) or (steps % step).any():
        odd = int(np.flatnonzero((steps % step != 0) | (steps == step))[0]) + 1
        raise StackingError(
            "The rows are neither hourly nor quarter-hourly.",
            place=str(path),
            key=f"{TIME}, row {rows[odd]}",
            value=f"{int(steps[odd - 1]) // 60} minutes after the row before",
            allowed="15 or 60 minutes",
            remedy="Resample the series to one of the two.",
        )
    return step


def _numbers(path: Path, name: str, cells: Iterable[Any], rows: Sequence[int]) -> Floats:
    return np.array([read_number(path, name, cell, row) for cell, row in zip(cells, rows, strict=True)], dtype=np.float64)
