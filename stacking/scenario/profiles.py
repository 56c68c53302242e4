"""Consumption of industrial loads if nobody interrupts them: drawn from a pattern or read from a file.

Law of a pattern: mw(t) = peak_mw (b + (1 - b) / (1 + exp(-(m + s z(t))))), with b the share that never stops, z a standard
normal score, the sum of a slow and a fast autocorrelated part, and m, s by local hour and kind of day such that mean and
standard deviation are those of the statistics. So every value lies inside (0, peak_mw) without being cut.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import StackingError
from ..portfolio import Load
from ..units import MTU_PER_HOUR
from .calendar import Clock
from .draws import autocorrelated
from .keys import ScenarioKey, stream
from .site_files import (
    QUARTER_S,
    QUARTERS_A_DAY,
    draw_week,
    hour_of_week,
    known_days,
    local_quarters,
    possible_weeks,
    read_cells,
)
from .site_parameters import LoadStatistics, SiteParameters
from .site_tables import week_hours

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NODES, BISECTIONS = 64, 40
STEEPEST = 12.0
"""Largest slope s of a logistic score that is looked for."""


@dataclass(frozen=True, eq=False)
class PatternTables:
    """Statistics of one pattern by hour of the week, as shares of the peak, and the scores that give them."""

    base: float  # b
    mean: Floats  # (168,)
    middle: Floats  # (168,) m
    slope: Floats  # (168,) s
    slow_share: float
    slow_memory: float
    fast_memory: float


@lru_cache(maxsize=32)
def pattern_tables(pattern: str, settings: SiteParameters) -> PatternTables:
    """Return the tables of a pattern."""
    p: LoadStatistics = getattr(settings, pattern)
    days = ["weekday"] * 5 + ["saturday", "sunday"]
    mean = np.concatenate([getattr(p, f"mean_{day}_frac") for day in days])
    deviation = np.concatenate([getattr(p, f"deviation_{day}_frac") for day in days])
    scaled = np.stack([mean - p.base_frac, deviation]) / (1.0 - p.base_frac)
    cells, cell = np.unique(scaled, axis=1, return_inverse=True)
    middle, slope = logistic_scores(cells[0], cells[1])
    return PatternTables(p.base_frac, mean, middle[cell], slope[cell], p.slow_share_frac, p.slow_memory_mtu, p.fast_memory_mtu)


def logistic_scores(mean: Floats, deviation: Floats) -> tuple[Floats, Floats]:
    """Return m and s such that 1 / (1 + exp(-(m + s z))), z standard normal, has a mean and a standard deviation.

    Found by bisection (the mean rises with m, at a given mean the deviation rises with s); moments by Gauss-Hermite
    quadrature.

    Args:
        mean: (K,) inside (0, 1).
        deviation: (K,) inside (0, sqrt(mean (1 - mean))).
    """
    z, weight = np.polynomial.hermite_e.hermegauss(NODES)
    weight = weight / weight.sum()

    def centre(slope: Floats) -> Floats:
        low, high = np.full_like(mean, -60.0), np.full_like(mean, 60.0)
        for _ in range(BISECTIONS):
            middle = 0.5 * (low + high)
            below = _logistic(middle[:, None] + slope[:, None] * z) @ weight < mean
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return 0.5 * (low + high)

    low, high = np.zeros_like(mean), np.full_like(mean, STEEPEST)
    for _ in range(BISECTIONS):
        slope = 0.5 * (low + high)
        share = _logistic(centre(slope)[:, None] + slope[:, None] * z)
        below = (share - mean[:, None]) ** 2 @ weight < deviation**2
        low, high = np.where(below, slope, low), np.where(below, high, slope)
    slope = 0.5 * (low + high)
    return centre(slope), slope


def _logistic(score: Floats) -> Floats:
    return 1.0 / (1.0 + np.exp(-score))


def draw_load(key: ScenarioKey, clock: Clock, name: str, load: Load, settings: SiteParameters) -> Floats:
    """Return the consumption of a load of a pattern in one scenario, (L,) MW in [0, peak_mw]."""
    tables = pattern_tables(load.profile, settings)
    random = stream(key, f"load of {name}")
    slow = autocorrelated(random, clock.ticks, tables.slow_memory)
    fast = autocorrelated(random, clock.ticks, tables.fast_memory)
    score = math.sqrt(tables.slow_share) * slow + math.sqrt(1.0 - tables.slow_share) * fast
    at = np.repeat(week_hours(clock), MTU_PER_HOUR)[: clock.ticks]
    return load.peak_mw * (tables.base + (1.0 - tables.base) * _logistic(tables.middle[at] + tables.slope[at] * score))


def load_forecast(clock: Clock, load: Load, settings: SiteParameters) -> Floats:
    """Return the mean consumption of a pattern in every hour, (H,) MW."""
    return load.peak_mw * pattern_tables(load.profile, settings).mean[week_hours(clock)]


@dataclass(frozen=True, eq=False)
class ProfileFile:
    """Consumption by wall-clock quarter hour from the first day of a file on; NaN where it has no row."""

    path: Path
    first_day: int  # days since 1970
    mw: Floats  # (days * 96,)

    @property
    def last_day(self) -> int:
        """Return the last day of which the file has a row."""
        return self.first_day + len(self.mw) // QUARTERS_A_DAY - 1


def read_profile(name: str, load: Load) -> ProfileFile:
    """Return the profile of a load's file.

    Raises:
        StackingError: file, row, key, value, what is allowed and the remedy, for unknown or missing columns, cells that
            are empty, not numbers or negative, more than peak_mw, stamps not in order or off the quarter hour.
    """
    assert load.profile_file is not None
    path = Path(load.profile_file)
    try:
        stamp = path.stat()
        age = (stamp.st_mtime_ns, stamp.st_size)
    except OSError:
        age = (0, 0)  # reading it says what is wrong
    return _read(path, age, name, load.peak_mw)


@lru_cache(maxsize=64)
def _read(path: Path, _age: tuple[int, int], name: str, peak_mw: float) -> ProfileFile:
    cells = read_cells(path, "load profile", ("time", "mw"))
    rows = range(len(cells.lines))
    seconds = np.array([cells.local_seconds("time", row) for row in rows], dtype=np.int64)
    values = np.array([cells.number("mw", row) for row in rows])
    for row in rows:
        text, mw = cells.columns["time"][row], cells.columns["mw"][row]
        if values[row] > peak_mw:
            raise cells.error("Consumption above the peak.", row, "mw", mw, f"<= {peak_mw:g} MW, load.peak_mw of {name}",
                              "Raise peak_mw or mend the row; the unit is MW.")  # fmt: skip
        if seconds[row] % QUARTER_S:
            raise cells.error("A time stamp is off the quarter hour.", row, "time", text, "minute 0, 15, 30 or 45",
                              "Resample to quarter hours or hours; stamps are interval starts.")  # fmt: skip
        if row and seconds[row] <= seconds[row - 1]:
            before = cells.columns["time"][row - 1]
            raise cells.error("Time stamps are not in order.", row, "time", text, f"later than {before}",
                              "Sort the file; of an hour that occurs twice keep one.")  # fmt: skip
    return _dense(path, cells.columns["time"], seconds, values)


def _dense(path: Path, stamps: tuple[str, ...], seconds: Ints, values: Floats) -> ProfileFile:
    """Return the values by quarter hour; an hourly row stands for its four quarter hours."""
    step = int(np.diff(seconds).min()) if len(seconds) > 1 else 0
    if step not in (QUARTER_S, 3600) or (step == 3600 and (seconds % 3600).any()):
        raise StackingError("The rows are neither quarter-hourly nor hourly.", place=str(path), key="time",
                            value=f"{step // 60} minutes after {stamps[0]}" if step else stamps[0], allowed="15 or 60 minutes",
                            remedy="Resample the profile; give at least two rows.")  # fmt: skip
    quarters = seconds // QUARTER_S
    first_day, last_day = int(quarters[0]) // QUARTERS_A_DAY, int(quarters[-1]) // QUARTERS_A_DAY
    dense = np.full((last_day - first_day + 1) * QUARTERS_A_DAY, np.nan)
    for k in range(step // QUARTER_S):
        dense[quarters - first_day * QUARTERS_A_DAY + k] = values
    return ProfileFile(path, first_day, dense)


def file_load(file: ProfileFile, key: ScenarioKey, clock: Clock, name: str) -> Floats:
    """Return the consumption of a load with a file in one scenario, (L,) MW.

    Replay takes the scenario's own dates, otherwise days without gaps are drawn, whole weeks away, by scenario and
    portfolio.

    Raises:
        StackingError: if the file does not cover the days, has a gap there, or is too short to draw from.
    """
    at = local_quarters(clock) - file.first_day * QUARTERS_A_DAY
    weeks = possible_weeks(file.path, key, clock, file.first_day, file.last_day)
    whole = [k for k in weeks if np.isfinite(file.mw[at - k * 7 * QUARTERS_A_DAY]).all()]
    if not whole:
        at = at - weeks[-1] * 7 * QUARTERS_A_DAY
        missing = int(at[np.isnan(file.mw[at])][0])
        moment = np.datetime64((file.first_day * QUARTERS_A_DAY + missing) * 15, "m")
        raise StackingError("The profile has a gap in the days of the scenario.", place=str(file.path), key="time",
                            value=str(moment), allowed="a row for every quarter hour or hour of the days in use",
                            remedy="Fill the gap or choose other days.")  # fmt: skip
    return file.mw[at - draw_week(key, f"profile week of {name}", whole) * 7 * QUARTERS_A_DAY]


def file_load_forecast(file: ProfileFile, key: ScenarioKey, clock: Clock) -> Floats | None:
    """Return the mean consumption by hour of the week over the days known, (168,) MW; None if too few are."""
    days = known_days(key, clock, file.first_day, file.last_day)
    return None if days is None else _mean_week(file, *days)


@lru_cache(maxsize=512)
def _mean_week(file: ProfileFile, first_day: int, end_day: int) -> Floats | None:
    """Return the mean of every hour of the week; None if one has no value in these days."""
    begin, end = ((day - file.first_day) * QUARTERS_A_DAY for day in (first_day, end_day))
    mw = file.mw[begin:end]
    at = hour_of_week(first_day * QUARTERS_A_DAY + np.arange(len(mw), dtype=np.int64))
    known = np.isfinite(mw)
    count = np.bincount(at[known], minlength=168)
    if (count == 0).any():
        return None
    return np.bincount(at[known], weights=mw[known], minlength=168) / count
