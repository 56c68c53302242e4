"""Laws of charging sessions, compiled from the statistics of a site to tables that are looked up while drawing.

A free charging point receives a car in week tick w with probability p(w) = a(w) / (1 - o(w)), where a(w) is the wanted
number of arrivals per point and tick and o(w) the probability that an earlier car is still there,

    o(w) = sum over s >= 1 of a(w - s) P(connection > s | arrival at w - s).

In the steady state exactly a(w) cars arrive, at points that are free: the arrivals by hour are those of the source, and
sessions of a point cannot overlap.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..errors import StackingError
from ..units import MTU_H, MTU_PER_HOUR
from .calendar import Clock
from .site_parameters import LONGEST_H, SiteParameters, SiteStatistics

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

WEEK = 7 * 24 * MTU_PER_HOUR
LONGEST = int(LONGEST_H * MTU_PER_HOUR)
DAY_KINDS = 3  # Monday to Thursday, Friday, Saturday and Sunday
KIND_OF_DAY = np.array([0, 0, 0, 0, 1, 2, 2])
MIDDLE_H = 0.5 - MTU_H / 2
"""Mean time since the full hour of the four ticks at which a car may arrive."""


@dataclass(frozen=True, eq=False)
class SiteTables:
    """Tables of one type of site; week ticks count from Monday 00:00 local time."""

    row: Ints  # (WEEK,) row of the connection table: kind of day * 24 + hour
    wanted: Floats  # (WEEK,) arrivals per charging point and tick, a
    occupied: Floats  # (WEEK,) probability that an earlier car is still there, o
    hazard: Floats  # (WEEK,) -log(1 - p)
    stay: Floats  # (72, LONGEST + 1) P(connection <= n ticks | row)
    stay_flat: Floats  # the same in one rising array, row r shifted by 2 r
    class_from: Ints  # (K - 1,) first tick of each class of connection time but the first
    energy_value: Floats  # (K * M,) kWh, class k shifted by k * energy_shift
    energy_level: Floats  # (K * M,) levels, class k shifted by 2 k
    energy_shift: float

    def connection_ticks(self, row: Ints, level: Floats) -> Ints:
        """Return the connection time at a level in (0, 1) of the distribution of a row, ticks >= 1."""
        found = np.searchsorted(self.stay_flat, 2.0 * row + level) - row * (LONGEST + 1)
        return np.minimum(np.maximum(found, 1), LONGEST)

    def energy_kwh(self, ticks: Ints, most_kwh: Floats, level: Floats) -> Floats:
        """Return the energy at a level of its distribution given connection time and E <= most_kwh.

        E = Q(level F(most)) with F the distribution of the class of connection time and Q its inverse: the law of E
        conditional on what is possible, not its clipped value.
        """
        k = np.searchsorted(self.class_from, ticks, side="right").astype(np.float64)
        bound = np.minimum(most_kwh, self.energy_shift)
        share = np.interp(k * self.energy_shift * 2.0 + bound, self.energy_value, self.energy_level) - 2.0 * k
        share = np.minimum(share, 1.0)  # above the largest energy of the class all of it is possible
        value = np.interp(2.0 * k + level * share, self.energy_level, self.energy_value) - k * self.energy_shift * 2.0
        return np.minimum(np.maximum(value, 0.0), most_kwh)  # rounding only


@lru_cache(maxsize=4 * WEEK)
def begun_before(tables: SiteTables, week_tick: int) -> Floats:
    """Return the cumulated probability that the car there at a week tick came s = 1, 2, ... ticks before, (LONGEST - 1,)."""
    age = np.arange(1, LONGEST)
    at = (week_tick - age) % WEEK
    return np.cumsum(tables.wanted[at] * (1.0 - tables.stay[tables.row[at], age]))


def week_ticks(clock: Clock) -> Ints:
    """Return the week tick of each tick of an episode, by local time, (L,)."""
    hour = np.arange(clock.ticks) // MTU_PER_HOUR
    return (week_hours(clock)[hour] * MTU_PER_HOUR + np.arange(clock.ticks) % MTU_PER_HOUR).astype(np.int64)


def week_hours(clock: Clock) -> Ints:
    """Return the hour since Monday 00:00 local time of each hour of an episode, (H,)."""
    weekday = (clock.date.astype("datetime64[D]").astype(np.int64) + 3) % 7
    return weekday * 24 + clock.hour


@lru_cache(maxsize=32)
def site_tables(site: str, settings: SiteParameters) -> SiteTables:
    """Return the tables of a type of site.

    Raises:
        StackingError: if more cars are to arrive than charging points can be free.
    """
    p: SiteStatistics = getattr(settings, site)
    hour_of_week = np.arange(WEEK) // MTU_PER_HOUR
    row = KIND_OF_DAY[hour_of_week // 24] * 24 + hour_of_week % 24
    wanted = _arrivals(p)[hour_of_week]
    stay = _stay(p, np.array(settings.levels.connection))
    occupied = _occupied(wanted, row, stay)
    chance = wanted / np.maximum(1.0 - occupied, 1e-12)
    if (chance >= 1.0).any() or (occupied >= 1.0).any():
        raise StackingError(
            "More cars are to arrive at a charging point than can find it free.",
            place="site parameters",
            key=f"{site}.sessions_per_week",
            value=p.sessions_per_week,
            allowed=f"fewer than free points; worst in hour {int(np.argmax(chance)) // MTU_PER_HOUR} of the week",
            remedy="Lower sessions_per_week or the connection times.",
        )
    values, levels = np.array(p.energy_kwh), np.array(settings.levels.energy)
    shift = float(values.max()) + 1.0
    k = np.arange(len(values), dtype=np.float64)[:, None]
    return SiteTables(
        row=row,
        wanted=wanted,
        occupied=occupied,
        hazard=-np.log1p(-chance),
        stay=stay,
        stay_flat=(stay + 2.0 * np.arange(len(stay))[:, None]).ravel(),
        class_from=np.ceil(np.array(p.energy_class_h) * MTU_PER_HOUR).astype(np.int64),
        energy_value=(values + k * shift * 2.0).ravel(),
        energy_level=(np.broadcast_to(levels, values.shape) + 2.0 * k).ravel(),
        energy_shift=shift,
    )


def _arrivals(p: SiteStatistics) -> Floats:
    """Return the wanted arrivals per charging point and tick by hour of the week, (168,)."""
    weekday, weekend = np.array(p.arrival_weekday), np.array(p.arrival_weekend)
    weekday = weekday / weekday.sum() * (1.0 - p.weekend_frac) / 5.0
    weekend = weekend / weekend.sum() * p.weekend_frac / 2.0
    return p.sessions_per_week * np.concatenate([np.tile(weekday, 5), np.tile(weekend, 2)]) / MTU_PER_HOUR


def _stay(p: SiteStatistics, levels: Floats) -> Floats:
    """Return P(connection <= n ticks) by row and n = 0..LONGEST: times are rounded to ticks, to at least one."""
    if p.departure_h is not None:
        table = _until_departure(np.array(p.departure_h))
    else:
        assert p.connection_weekday_h is not None
        friday = p.connection_friday_h or p.connection_weekday_h
        weekend = p.connection_weekend_h or p.connection_weekday_h
        table = np.array([*p.connection_weekday_h, *friday, *weekend])
    edges = (np.arange(LONGEST + 1) + 0.5) * MTU_H
    stay = np.array([np.interp(edges, _rising(row), levels, right=1.0) for row in table])
    stay[:, 0], stay[:, -1] = 0.0, 1.0
    return stay


def _rising(values: Floats) -> Floats:
    """Return quantiles with equal ones moved apart by next to nothing, so that the distribution is a function."""
    return values + np.arange(len(values)) * 1e-9


def _until_departure(departure_h: Floats) -> Floats:
    """Return quantiles of the hours from arrival to the departure on the next working day, (72, M)."""
    hour = np.arange(24)[:, None] + MIDDLE_H
    to_midnight = [24.0, 72.0, 48.0]  # Monday to Thursday, Friday, and the weekend as if it were Saturday
    return np.concatenate([midnight - hour + departure_h for midnight in to_midnight])


def _occupied(wanted: Floats, row: Ints, stay: Floats) -> Floats:
    left = 1.0 - stay[:, 1:LONGEST]  # (72, LONGEST - 1) P(connection > s), s = 1, 2, ...
    out = np.zeros(WEEK)
    turns = np.zeros(WEEK + LONGEST)
    for start, end in pairwise([*np.flatnonzero(np.diff(row, prepend=-1)).tolist(), WEEK]):
        for tick in range(start, end):
            if wanted[tick] > 0.0:
                turns[tick + 1 : tick + LONGEST] += wanted[tick] * left[row[tick]]
    out += turns[:WEEK]
    out[:LONGEST] += turns[WEEK:]
    return out
