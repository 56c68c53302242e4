"""Charging sessions drawn from the statistics of site types (laws: ``site_tables``), and what can be forecast of them.

Per session: arrival tick from the hazard of a free point; connection time from its distribution given hour and kind of
day; the car by registrations, power = min(car, charging point); energy from its distribution given the connection time,
conditional on E <= power x time and, for two-way cars, on E + what the driver lets be taken out <= battery.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .. import columns as c
from ..portfolio import Fleet
from ..units import MTU_H, MTU_PER_HOUR
from .keys import ALL, ScenarioKey, stream
from .site_parameters import SiteParameters
from .site_tables import LONGEST, WEEK, SiteTables, begun_before, site_tables

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ROUNDS = 8
"""Sessions per charging point that are drawn from a stream at once; the bytes depend on it."""

STATISTICS_POINTS = 5000
"""Charging points of the synthetic weeks behind a forecast."""

DAYS_ALIKE = ((0,), (1, 2, 3), (4,), (5,), (6,))
"""Days of the week that share one forecast: Tuesday to Thursday do."""


@dataclass(frozen=True)
class Points:
    """Charging points of the fleets of one site type in one scenario: one entry per point."""

    charger_kw: Floats
    v2g_share: Floats
    v2g_depth: Floats

    @staticmethod
    def of(fleets: Sequence[Fleet]) -> Points:
        """Return the points of some fleets, in order."""
        counts = [fleet.chargers for fleet in fleets]
        columns = [(fleet.charger_mw * 1000.0, fleet.v2g_share_frac, fleet.v2g_depth_frac) for fleet in fleets]
        return Points(*np.repeat(np.array(columns, dtype=np.float64), counts, axis=0).T.copy())


@dataclass(frozen=True)
class Demand:
    """What one car wants in a round, one entry per charging point."""

    energy_kwh: Floats
    power_kw: Floats
    v2g_kwh: Floats


def draw_sessions(
    key: ScenarioKey,
    week_tick: Ints,
    site: str,
    fleets: Sequence[tuple[str, Fleet]],
    settings: SiteParameters,
) -> tuple[Ints, Floats]:
    """Return the sessions of all fleets of one site type in one scenario.

    The draws of a fleet come from a stream of its own and do not depend on the other fleets.

    Args:
        key: scenario.
        week_tick: (L,) week tick of every tick.
        site: type of site.
        fleets: portfolio name and fleet.
        settings: parameters.

    Returns:
        charging point (N,) counted over the fleets, and sessions (N, SESSION_W), sorted by point and arrival.
    """
    tables = site_tables(site, settings)
    points = Points.of([fleet for _, fleet in fleets])
    first = np.concatenate([[0], np.cumsum([fleet.chargers for _, fleet in fleets])])
    streams = [stream(key, f"sessions of {name}") for name, _ in fleets]
    start = np.concatenate([s.random((f.chargers, 6)) for s, (_, f) in zip(streams, fleets, strict=True)])
    found = [_plugged_in(tables, points, int(week_tick[0]), start, settings)]
    free_at = np.zeros(len(start), dtype=np.int64)
    free_at[found[0][0]] = found[0][1][:, c.DEPARTURE].astype(np.int64)
    light = np.concatenate([[0.0], np.cumsum(tables.hazard[week_tick])])
    active = np.ones(len(fleets), dtype=bool)
    while active.any():
        chosen: list[int] = np.flatnonzero(active).tolist()
        at = np.concatenate([np.arange(first[k], first[k + 1]) for k in chosen])
        waits = np.concatenate([streams[k].standard_exponential((ROUNDS, fleets[k][1].chargers)) for k in chosen], axis=1)
        levels = np.concatenate([streams[k].random((ROUNDS, fleets[k][1].chargers, 4)) for k in chosen], axis=1)
        for wait, level in zip(waits, levels, strict=True):
            found.append(_next(tables, points, week_tick, light, free_at, at, wait, level, settings))
        more = np.add.reduceat((free_at < len(week_tick)).astype(np.int64), first[:-1])
        active &= more > 0
    point, sessions = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.lexsort((sessions[:, c.ARRIVAL], point))
    return point[order], sessions[order]


def _plugged_in(
    tables: SiteTables, points: Points, week_tick: int, level: Floats, settings: SiteParameters
) -> tuple[Ints, Floats]:
    """Return the cars that are there at the first tick, with the energy that charging at once has left to do."""
    begun = begun_before(tables, week_tick)
    at = np.flatnonzero(level[:, 0] < begun[-1])
    level = level[at]
    age = np.searchsorted(begun, level[:, 0], side="right") + 1
    row = tables.row[(week_tick - age) % WEEK]
    before = tables.stay[row, age]
    ticks = np.maximum(tables.connection_ticks(row, before + level[:, 1] * (1.0 - before)), age + 1)
    demand = _demand(tables, points, at, ticks, level[:, 2:], settings)
    wanted = np.maximum(demand.energy_kwh - demand.power_kw * age * MTU_H, 0.0)
    return at, _table(np.zeros(len(at)), ticks - age, wanted, demand)


def _next(
    tables: SiteTables,
    points: Points,
    week_tick: Ints,
    light: Floats,
    free_at: Ints,
    at: Ints,
    wait: Floats,
    level: Floats,
    settings: SiteParameters,
) -> tuple[Ints, Floats]:
    """Return the next session of each charging point ``at`` that is free before the end; ``free_at`` moves on.

    Arrival = first tick t with light(t + 1) - light(free_at) >= wait, light being the cumulated hazard.
    """
    ticks = len(week_tick)
    begin = np.minimum(free_at[at], ticks)
    arrival = np.maximum(np.searchsorted(light, light[begin] + wait) - 1, begin)
    comes = arrival < ticks
    free_at[at] = np.where(comes, free_at[at], np.maximum(free_at[at], ticks))
    at, arrival, level = at[comes], arrival[comes], level[comes]
    stay = tables.connection_ticks(tables.row[week_tick[arrival]], level[:, 0])
    free_at[at] = arrival + stay
    demand = _demand(tables, points, at, stay, level[:, 1:], settings)
    return at, _table(arrival, arrival + stay, demand.energy_kwh, demand)


def _demand(tables: SiteTables, points: Points, at: Ints, ticks: Ints, level: Floats, settings: SiteParameters) -> Demand:
    """Return power, energy and energy that may be taken out; columns of ``level``: car, two-way, energy."""
    battery, ac, dc, share = _cars(settings)
    model = np.minimum(np.searchsorted(share, level[:, 0], side="right"), len(share) - 1)
    charger = points.charger_kw[at]
    car = np.where(charger > settings.cars.dc_from_kw, dc[model], ac[model])
    power = np.minimum(car, charger)
    two_way = level[:, 1] < points.v2g_share[at]
    taken = np.where(two_way, points.v2g_depth[at] * battery[model], 0.0)
    room = np.where(two_way, battery[model] - taken, np.inf)
    most = np.minimum(power * ticks * MTU_H, room)
    return Demand(tables.energy_kwh(ticks, most, level[:, 2]), power, taken)


@lru_cache(maxsize=8)
def _cars(settings: SiteParameters) -> tuple[Floats, Floats, Floats, Floats]:
    cars = settings.cars
    share = np.cumsum(np.array(cars.registered))
    return np.array(cars.battery_kwh), np.array(cars.ac_kw), np.array(cars.dc_kw), share / share[-1]


def _table(arrival: Floats | Ints, departure: Ints, energy_kwh: Floats, demand: Demand) -> Floats:
    out = np.empty((len(departure), c.SESSION_W))
    out[:, c.ARRIVAL] = arrival
    out[:, c.DEPARTURE] = departure
    out[:, c.ENERGY_MWH] = energy_kwh / 1000.0
    out[:, c.POWER_MW] = demand.power_kw / 1000.0
    out[:, c.V2G_MWH] = demand.v2g_kwh / 1000.0
    return out


def charging_mw(sessions: Floats, ticks: int) -> Floats:
    """Return the power of charging at once and as late as possible, (ticks, FLEET_W) MW.

    A car takes its full power for floor(E / (P MTU)) ticks from its arrival (up to its departure) and the rest in the
    tick next to them. What lies before 0 or behind ``ticks`` is left out.
    """
    energy, power = sessions[:, c.ENERGY_MWH], sessions[:, c.POWER_MW]
    full = np.floor(energy / (power * MTU_H)).astype(np.int64)
    rest = np.maximum(energy - full * power * MTU_H, 0.0) / MTU_H
    out = np.zeros((ticks, c.FLEET_W))
    arrival, departure = sessions[:, c.ARRIVAL].astype(np.int64), sessions[:, c.DEPARTURE].astype(np.int64)
    spans = {c.AT_ONCE: (arrival, arrival + full, arrival + full), c.LATEST: (departure - full, departure, departure - full - 1)}
    for column, (begin, end, odd) in spans.items():
        steps = np.zeros(ticks + 1)
        np.add.at(steps, np.clip(begin, 0, ticks), power)
        np.add.at(steps, np.clip(end, 0, ticks), -power)
        out[:, column] = np.cumsum(steps[:-1])
        inside = (odd >= 0) & (odd < ticks) & (rest > 0.0)
        np.add.at(out[:, column], odd[inside], rest[inside])
    return np.maximum(out, 0.0)  # rounding of the running sum


@lru_cache(maxsize=256)
def site_forecast(site: str, charger_mw: float, settings: SiteParameters) -> Floats:
    """Return the expected power per charging point by hour of the week, (168, FLEET_W) MW.

    Mean over 5,000 points in the second of two synthetic weeks, with one-way cars, averaged over days alike. The key of
    the draws belongs to the site type: no scenario, and nothing that happens in one, changes the forecast.
    """
    fleet = Fleet(chargers=STATISTICS_POINTS, charger_mw=charger_mw)
    weeks = np.arange(2 * WEEK, dtype=np.int64) % WEEK
    _, sessions = draw_sessions(ScenarioKey(ALL, "site statistics", 0, 0), weeks, site, [(f"site {site}", fleet)], settings)
    mean = charging_mw(sessions, 2 * WEEK + LONGEST)[WEEK : 2 * WEEK] / STATISTICS_POINTS
    return by_hour_of_week(mean.reshape(-1, MTU_PER_HOUR, c.FLEET_W).mean(axis=1))


def by_hour_of_week(hourly: Floats) -> Floats:
    """Return values by hour of the week averaged over days alike, (168, ...)."""
    days = hourly.reshape(7, 24, *hourly.shape[1:])
    out = np.empty_like(days)
    for alike in DAYS_ALIKE:
        out[list(alike)] = days[list(alike)].mean(axis=0)
    return out.reshape(hourly.shape)
