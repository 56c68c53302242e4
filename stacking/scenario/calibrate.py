"""Calibration: parameters of the generator fitted to a user's price files by moments and quantiles."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import StackingError
from ..units import MTU_PER_HOUR
from .calendar import time_zone
from .cells import MTU_S
from .fit_balancing import PRICE_EPSILON, fit_balancing, step_of
from .fit_prices import fit_day_ahead
from .parameter_files import Facts, Leaves
from .parameters import Parameters, checked, load_parameters, origins
from .table import PriceTable, net_need

Floats = NDArray[np.float64]

FEWEST_DAYS = 28
"""Shortest series that can be fitted: every hour of the day at least four times on weekends."""


@dataclass(frozen=True)
class Fit:
    """Fitted parameters, where each value comes from, and what the files did not hold."""

    parameters: Parameters
    facts: Facts
    fitted: tuple[str, ...]  # dotted names
    kept: tuple[str, ...]  # what was kept, and from where
    notes: tuple[str, ...]


@dataclass(frozen=True)
class LocalTime:
    """Local time of hours: (H,) each."""

    hour: NDArray[np.int64]
    weekend: NDArray[np.bool_]
    month: NDArray[np.int64]
    date: NDArray[np.datetime64]

    @property
    def hours(self) -> int:
        """Return the number of hours H."""
        return len(self.hour)

    @classmethod
    def of(cls, first_s: int, hours: int, timezone: str) -> LocalTime:
        """Return the local time of consecutive hours from a moment on (s since 1970)."""
        zone = time_zone(timezone)
        local = [dt.datetime.fromtimestamp(first_s + 3600 * h, zone) for h in range(hours)]
        return cls(
            np.array([moment.hour for moment in local]),
            np.array([moment.weekday() >= 5 for moment in local]),
            np.array([moment.month for moment in local]),
            np.array([moment.date() for moment in local], dtype="datetime64[D]"),
        )


def calibrate(table: PriceTable, *, timezone: str, base: Parameters | str | Path | None = None) -> Fit:
    """Return parameters fitted to a table of prices.

    Day-ahead always; the balancing market where the table has mFRR prices, or imbalance prices (then up = max and down
    = min of day-ahead and imbalance price); everything else is that of ``base``.

    Args:
        table: see ``read_table``.
        timezone: IANA name of the zone whose local time shapes the prices.
        base: set, file or parameters for what the table does not hold.

    Raises:
        StackingError: fewer than 28 days of day-ahead prices, or of balancing prices beside them; a series that is
            constant; a bad zone.
    """
    time_zone(timezone)
    shipped = load_parameters(base)
    values = _as_read(shipped.model_dump())
    facts: Facts = dict(origins(base if not isinstance(base, Parameters) else None))
    said = f"fitted to {table.source}, {_day(table.first_s)} to {_day(table.first_s + len(table) * MTU_S - 1)}"
    year = _middle_year(table)
    first, da_hour = hourly(table)
    _check(table, "da_price", da_hour, per_day=24)
    time = LocalTime.of(first, len(da_hour), timezone)
    entries, kept = fit_day_ahead(da_hour, time.hour, time.weekend, time.month, shipped.day_ahead)
    fitted = {f"day_ahead.{name}": value for name, value in entries.items()}
    notes = list(table.notes)
    found = balancing_prices(table)
    if found is None:
        kept += ["balancing"]
    else:
        up, down, need, step, note = found
        _check(table, "mfrr_up_price", up - down, per_day=96)
        da = table.columns["da_price"]
        at = slice(-(table.first_s // MTU_S) % step, None, step)  # the first whole step; of an hourly series one value an hour
        entries, more = fit_balancing(
            da[at] if step == 1 else _means(da, at.start),
            up[at],
            down[at],
            None if need is None else need[:, at],
            step,
            shipped.balancing,
        )
        fitted |= {f"balancing.{name}": value for name, value in entries.items()}
        kept += more
        notes += note
    kept += ["start", "local", "forecast"]
    for name, value in fitted.items():
        group, key = name.split(".")
        values[group][key] = {"points": value} if facts[name].get("kind") == "quantiles" else value
        facts[name] = {**facts[name], "origin": said, **({"price_year": year} if "price_year" in facts[name] else {})}
    named = base if isinstance(base, str | Path) else "the shipped default" if base is None else "the given parameters"
    return Fit(
        checked(Leaves(f"fit to {table.source}", values, facts)),
        facts,
        tuple(fitted),
        tuple(f"{name}: not in the files, kept from {named}" for name in kept),
        tuple(notes),
    )


def hourly(table: PriceTable) -> tuple[int, Floats]:
    """Return the first whole hour (s since 1970) and hourly mean day-ahead prices; NaN where a quarter is missing."""
    skip = -(table.first_s // MTU_S) % MTU_PER_HOUR
    return table.first_s + skip * MTU_S, _means(table.columns["da_price"], skip)


def balancing_prices(table: PriceTable) -> tuple[Floats, Floats, Floats | None, int, list[str]] | None:
    """Return up and down prices (Q,), needs (2, Q) or None, MTU of a step, and notes; None without such prices."""
    columns, da, notes = table.columns, table.columns["da_price"], []
    if "mfrr_up_price" in columns:
        up, down = columns["mfrr_up_price"], columns["mfrr_dn_price"]
    elif "imb_price" in columns:
        up, down = np.maximum(da, columns["imb_price"]), np.minimum(da, columns["imb_price"])
        notes.append("no mFRR prices: up = max and down = min of day-ahead and imbalance price")
    else:
        return None
    need = net_need(columns)
    return up, down, None if need is None else need[1], step_of(table.first_s, up, down), notes


def split_at(table: PriceTable, share: float) -> tuple[PriceTable, PriceTable]:
    """Return the first share of a table and the rest, parted at a whole hour.

    Raises:
        StackingError: for a share that is not within (0, 1].
    """
    if not 0.0 < share <= 1.0:
        raise StackingError(
            "A share of the series must be positive and at most 1.",
            place=table.source,
            key="share",
            value=share,
            allowed="0 < share <= 1",
            remedy="Use 0.75 to leave out the last quarter, 1 for all.",
        )
    at = int(share * len(table))
    at -= (table.first_s // MTU_S + at) % MTU_PER_HOUR
    return part_of(table, 0, at), part_of(table, at, len(table))


def part_of(table: PriceTable, first: int, stop: int) -> PriceTable:
    """Return the quarter hours ``first`` to ``stop`` - 1 of a table."""
    cut = {name: values[first:stop] for name, values in table.columns.items()}
    return PriceTable(table.first_s + first * MTU_S, cut, table.source, ())


def _means(values: Floats, skip: int) -> Floats:
    count = (len(values) - skip) // MTU_PER_HOUR * MTU_PER_HOUR
    return values[skip : skip + count].reshape(-1, MTU_PER_HOUR).mean(axis=1)


def _check(table: PriceTable, name: str, values: Floats, per_day: int) -> None:
    days = int((~np.isnan(values)).sum()) / per_day
    if days < FEWEST_DAYS:
        raise StackingError(
            "The series is too short to be fitted.",
            place=table.source,
            key=name,
            value=f"{days:.1f} days",
            allowed=f"at least {FEWEST_DAYS} days of values",
            remedy="Give a longer series, or further files.",
        )
    if np.nanmax(values) - np.nanmin(values) <= PRICE_EPSILON:
        raise StackingError(
            "The series is constant, so there is nothing to fit.",
            place=table.source,
            key=name,
            value=f"{float(np.nanmin(values)):g}" if name == "da_price" else "up price equals down price throughout",
            allowed="a series that varies",
            remedy="Check the column, or leave it out.",
        )


def _as_read(values: dict[str, Any]) -> dict[str, Any]:
    return {group: dict(entries) for group, entries in values.items()}


def _day(seconds: int) -> str:
    return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%Y-%m-%d}"


def _middle_year(table: PriceTable) -> int:
    return dt.datetime.fromtimestamp(table.first_s + len(table) * MTU_S // 2, dt.UTC).year
