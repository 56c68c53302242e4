"""Charging sessions from a file: each checked, laid on quarter hours, cut to the days of a scenario."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .. import columns as c
from ..errors import StackingError
from ..portfolio import Fleet
from ..units import MTU_H, MTU_PER_HOUR
from .calendar import Clock
from .keys import ScenarioKey
from .sessions import by_hour_of_week, charging_mw
from .site_files import (
    QUARTER_S,
    QUARTERS_A_DAY,
    Cells,
    draw_week,
    hour_of_week,
    known_days,
    possible_weeks,
    read_cells,
    ticks_of,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

COLUMNS = ("charger", "plugin", "plugout", "energy_kwh")
OPTIONAL = ("power_kw", "v2g_kwh")


@dataclass(frozen=True, eq=False)
class SessionFile:
    """Sessions by charging point and arrival; DEPARTURE and ARRIVAL are wall-clock quarter hours since 1970."""

    path: Path
    point: Ints  # (N,)
    sessions: Floats  # (N, SESSION_W)
    first_day: int  # days since 1970
    last_day: int


def read_sessions(name: str, fleet: Fleet) -> SessionFile:
    """Return the sessions of a fleet's file.

    A car counts for every quarter hour that it touches; where two sessions of a charging point touch the same one, it
    belongs to the earlier. Power = min(power_kw, charging point).

    Args:
        name: portfolio, for messages.
        fleet: with ``sessions_file``.

    Raises:
        StackingError: file, row, key, value, what is allowed and the remedy, for unknown or missing columns, cells that
            are empty, not numbers or negative, departure before arrival, overlapping sessions, impossible energy, more
            charging points than the fleet has, or two-way drivers without the column ``v2g_kwh``.
    """
    assert fleet.sessions_file is not None
    path = Path(fleet.sessions_file)
    try:
        stamp = path.stat()
        age = (stamp.st_mtime_ns, stamp.st_size)
    except OSError:
        age = (0, 0)  # reading it says what is wrong
    return _read(path, age, name, fleet.chargers, fleet.charger_mw, fleet.v2g_share_frac > 0.0)


@lru_cache(maxsize=64)
def _read(path: Path, _age: tuple[int, int], name: str, chargers: int, charger_mw: float, two_way: bool) -> SessionFile:
    cells = read_cells(path, "session", COLUMNS, OPTIONAL)
    if two_way and "v2g_kwh" not in cells.columns:
        raise StackingError(
            "A session file for a fleet with two-way cars must say how much each lets be taken out.", place=str(path),
            key="v2g_kwh", allowed="a column v2g_kwh, or v2g_share_frac = 0",
            remedy=f"Add the column, or set fleet.v2g_share_frac of portfolio {name} to 0.",
        )  # fmt: skip
    rows = range(len(cells.lines))
    point = _points(cells, name, chargers)
    begin = np.array([cells.local_seconds("plugin", row) for row in rows], dtype=np.int64)
    end = np.array([cells.local_seconds("plugout", row) for row in rows], dtype=np.int64)
    values = np.zeros((len(rows), c.SESSION_W))
    values[:, c.ENERGY_MWH] = [cells.number("energy_kwh", row, 1e4) / 1000.0 for row in rows]
    values[:, c.POWER_MW] = [_power_mw(cells, row, charger_mw) for row in rows]
    if "v2g_kwh" in cells.columns:
        values[:, c.V2G_MWH] = [cells.number("v2g_kwh", row, 1e4) / 1000.0 for row in rows]
    order = np.lexsort((begin, point))
    values[:, c.ARRIVAL], values[:, c.DEPARTURE] = _lay_on_quarters(cells, point, begin, end, values, order)
    first, last = int(begin.min()) // 86400, int(end.max() - 1) // 86400
    return SessionFile(path, point[order], values[order], first, last)


def _points(cells: Cells, name: str, chargers: int) -> Ints:
    """Return the number of each row's charging point, in order of their first row."""
    numbers: dict[str, int] = {}
    for row, cell in enumerate(cells.columns["charger"]):
        if not (text := cell.strip()):
            raise cells.error("A cell is empty.", row, "charger", "", "a name or number", "Name the charging point.")
        if numbers.setdefault(text, len(numbers)) >= chargers:
            raise cells.error(
                "The file has more charging points than the fleet.", row, "charger", text,
                f"{chargers} names, fleet.chargers of portfolio {name}", "Raise fleet.chargers or remove charging points.",
            )  # fmt: skip
    return np.array([numbers[cell.strip()] for cell in cells.columns["charger"]], dtype=np.int64)


def _power_mw(cells: Cells, row: int, charger_mw: float) -> float:
    if "power_kw" not in cells.columns:
        return charger_mw
    power_kw = cells.number("power_kw", row, 1e4)
    if power_kw == 0.0:
        raise cells.error("A car without power.", row, "power_kw", 0, "> 0 kW", "Give its power or remove the row.")
    return min(power_kw / 1000.0, charger_mw)


def _lay_on_quarters(cells: Cells, point: Ints, begin: Ints, end: Ints, values: Floats, order: Ints) -> tuple[Ints, Ints]:
    """Return arrival and departure in quarter hours; check times, overlaps and energy."""
    arrival, departure = begin // QUARTER_S, -(-end // QUARTER_S)
    before = -1
    for row in order.tolist():
        plugin, plugout = cells.columns["plugin"][row], cells.columns["plugout"][row]
        if end[row] <= begin[row]:
            raise cells.error("A car leaves before it arrives.", row, "plugout", plugout, f"> {plugin}", "Mend the times.")
        if before >= 0 and point[before] == point[row]:
            if begin[row] < end[before]:
                raise cells.error(
                    "Two sessions of a charging point overlap.", row, "plugin", plugin,
                    f"from {cells.columns['plugout'][before]} on (line {cells.lines[before]})",
                    "Mend the times, or give the second car a charging point of its own.",
                )  # fmt: skip
            arrival[row] = max(arrival[row], departure[before])
        hours = float(departure[row] - arrival[row]) * MTU_H
        most_mwh = values[row, c.POWER_MW] * hours
        if hours <= 0.0 or values[row, c.ENERGY_MWH] > most_mwh * (1 + 1e-9):
            raise cells.error(
                "More energy than power x time.", row, "energy_kwh", cells.columns["energy_kwh"][row],
                f"<= {max(most_mwh, 0.0) * 1000:.6g} kWh = {values[row, c.POWER_MW] * 1000:g} kW x {max(hours, 0.0):g} h, "
                "in quarter hours that no earlier session of the point touches",
                "Mend energy, power or times; merge or remove very short sessions.",
            )  # fmt: skip
        before = row
    return arrival, departure


def file_sessions(file: SessionFile, key: ScenarioKey, clock: Clock, name: str) -> tuple[Ints, Floats]:
    """Return charging point (N,) and sessions (N, SESSION_W) of one scenario; ticks instead of quarter hours.

    Replay takes the scenario's own dates, otherwise the days are drawn, whole weeks away, by scenario and portfolio. A
    car that is there at the first tick still wants what charging at once would have left to do; on the day on which the
    clock is put forward a session loses the missing hour, and the energy that no longer fits.

    Raises:
        StackingError: if the file does not cover the days, or is too short to draw from.
    """
    weeks = possible_weeks(file.path, key, clock, file.first_day, file.last_day)
    moved = draw_week(key, f"session week of {name}", weeks) * 7 * QUARTERS_A_DAY
    arrival = ticks_of(clock, file.sessions[:, c.ARRIVAL].astype(np.int64) + moved)
    departure = ticks_of(clock, file.sessions[:, c.DEPARTURE].astype(np.int64) + moved)
    kept = (departure > np.maximum(arrival, 0)) & (arrival < clock.ticks)
    out, arrival, departure = file.sessions[kept].copy(), arrival[kept], departure[kept]
    fits = out[:, c.POWER_MW] * (departure - arrival) * MTU_H
    done = out[:, c.POWER_MW] * np.maximum(-arrival, 0) * MTU_H
    out[:, c.ENERGY_MWH] = np.maximum(np.minimum(out[:, c.ENERGY_MWH], fits) - done, 0.0)
    out[:, c.ARRIVAL], out[:, c.DEPARTURE] = np.maximum(arrival, 0), departure
    return file.point[kept], out


def file_forecast(file: SessionFile, key: ScenarioKey, clock: Clock) -> Floats | None:
    """Return the mean power of the file's fleet by hour of the week over the days known, (168, FLEET_W) MW, or None."""
    days = known_days(key, clock, file.first_day, file.last_day)
    return None if days is None else _mean_week(file, *days)


@lru_cache(maxsize=512)
def _mean_week(file: SessionFile, first_day: int, end_day: int) -> Floats:
    first, count = first_day * QUARTERS_A_DAY, (end_day - first_day) * QUARTERS_A_DAY
    past = file.sessions[file.sessions[:, c.DEPARTURE] <= first + count].copy()
    past[:, [c.ARRIVAL, c.DEPARTURE]] -= first
    power = charging_mw(past, count)
    at = hour_of_week(first + np.arange(count, dtype=np.int64))
    mean = np.stack([np.bincount(at, weights=power[:, k], minlength=168) for k in range(c.FLEET_W)], axis=1)
    return by_hour_of_week(mean / (count / QUARTERS_A_DAY / 7 * MTU_PER_HOUR))
