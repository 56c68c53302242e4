"""Cells of price files: names, possible values, and how a text becomes a stamp or a number."""

from __future__ import annotations

import datetime as dt
import math
import re
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import StackingError

TIME = "utc"
PRICES = ("da_price", "mfrr_up_price", "mfrr_dn_price", "imb_price")
DEMAND = "balancing_demand_mw"
ENERGIES = ("mfrr_up_act_mwh", "mfrr_dn_act_mwh")
DIRECTION = "dominating_direction"
COLUMNS = (*PRICES, DEMAND, *ENERGIES, DIRECTION)
"""Columns that are read; others are ignored and reported."""

LIMITS = {
    **dict.fromkeys(PRICES, (-1e5, 1e5)),
    DEMAND: (-1e5, 1e5),
    **dict.fromkeys(ENERGIES, (0.0, 1e5)),
    DIRECTION: (-1.0, 1.0),
}
"""Possible values; anything outside is taken for an error in the file, never clipped."""

EMPTY = frozenset({"", "nan", "na", "null", "none"})
"""Cells, in any case, that mean: no value."""

FIRST_YEAR, LAST_YEAR = 1990, 2099
MTU_S = 900
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
DOCS = "See docs/price-files.md for the schema."


def read_stamp(path: Path, cell: Any, row: int) -> int:
    """Return a time stamp as seconds since 1970 UTC.

    Raises:
        StackingError: if it cannot be read, has no offset, or is not on a quarter hour.
    """
    text = "" if cell is None else cell.isoformat() if isinstance(cell, dt.datetime) else str(cell).strip()
    try:
        moment = dt.datetime.fromisoformat(text.removesuffix("UTC").rstrip() + "+00:00" if text.endswith("UTC") else text)
        if moment.tzinfo is not None and not FIRST_YEAR <= moment.year <= LAST_YEAR:
            raise ValueError("year")
    except ValueError as error:
        raise StackingError(
            "A time stamp cannot be read.",
            place=str(path),
            key=f"{TIME}, row {row}",
            value=text,
            allowed=f"ISO 8601 with offset, {FIRST_YEAR} to {LAST_YEAR}, as 2025-03-04T12:00:00+00:00",
            remedy="Write the interval starts in this form.",
        ) from error
    if moment.tzinfo is None:
        raise StackingError(
            "A time stamp has no offset to UTC.",
            place=str(path),
            key=f"{TIME}, row {row}",
            value=text,
            allowed="ISO 8601 with offset, as 2025-03-04T12:00:00+00:00 or ...Z",
            remedy="Convert local times to UTC, or append the offset.",
        )
    seconds = (moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) / dt.timedelta(seconds=1)
    if seconds % MTU_S:
        raise StackingError(
            "A time stamp is not on a quarter hour.",
            place=str(path),
            key=f"{TIME}, row {row}",
            value=text,
            allowed="minutes 00, 15, 30, 45",
            remedy="Give the start of the interval.",
        )
    return int(seconds)


def read_number(path: Path, name: str, cell: Any, row: int) -> float:
    """Return a number, or NaN for an empty cell.

    Raises:
        StackingError: if it is not a number, infinite or out of range.
    """
    text = "" if cell is None else str(cell).strip()
    if text.lower() in EMPTY:
        return math.nan
    low, high = LIMITS[name]
    problem = ""
    if _NUMBER.fullmatch(text):
        value = float(text)
        if low <= value <= high and (name != DIRECTION or value in (-1.0, 0.0, 1.0)):
            return value
        problem = "A number is out of range."
    elif text.lower().lstrip("+-") in ("inf", "infinity"):
        problem = "A number is infinite."
    raise StackingError(
        problem or "A cell is not a number.",
        place=str(path),
        key=f"{name}, row {row}",
        value=text,
        allowed="-1, 0 or 1" if name == DIRECTION else f"{low:g}..{high:g}, or empty",
        remedy="Correct the cell; decimals are written with a point; leave it empty if there is no value.",
    )


def iso(seconds: int | np.int64) -> str:
    """Return a stamp in UTC as text."""
    return f"{dt.datetime.fromtimestamp(int(seconds), dt.UTC):%Y-%m-%dT%H:%MZ}"
