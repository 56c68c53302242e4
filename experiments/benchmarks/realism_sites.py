"""Charging sessions and industrial consumption: real and generated statistics side by side."""

from __future__ import annotations

import csv
import datetime as dt
import math
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stacking import columns as c
from stacking.portfolio import Fleet, Load
from stacking.scenario.calendar import clock
from stacking.scenario.keys import scenario_keys
from stacking.scenario.profiles import draw_load
from stacking.scenario.sessions import draw_sessions
from stacking.scenario.site_parameters import load_site_parameters
from stacking.scenario.site_tables import WEEK, week_hours
from stacking.units import MTU_H, MTU_PER_HOUR

Floats = NDArray[np.float64]
Row = tuple[str, str, float, float]
"""Series, measure, real, generated."""

NORWAY = "ev_sessions_norway_2018_2021.csv"
ELAAD = {
    "arrival": "elaadnl_distribution_of_arrival.csv",
    "connection": "elaadnl_distribution_of_connection_time.csv",
    "energy": "elaadnl_distribution_of_energy_demand.csv",
    "length": "elaadnl_mean_session_length_per.csv",
    "demand": "elaadnl_mean_demand_per_arrival.csv",
}
STEEL = "industrial_steel_korea_2018_15min.csv"
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
POINTS, WEEKS = 4000, 5
STEEL_PEAK_KW, STEEL_SCENARIOS = 630.0, 60


def site_rows(folder: str | Path) -> list[Row]:
    """Return (series, measure, real, generated) for every series whose file lies in a folder."""
    folder = Path(folder)
    rows: list[Row] = []
    if (folder / NORWAY).is_file():
        rows += _home_rows(folder / NORWAY)
    if all((folder / name).is_file() for name in ELAAD.values()):
        rows += _elaad_rows(folder, "work", "workplace", "work") + _elaad_rows(folder, "public", "public", "public")
    if (folder / STEEL).is_file():
        rows += _steel_rows(folder / STEEL)
    return rows


def compare_sites(data_folder: str | Path) -> None:
    """Print real and generated statistics side by side; series without data are skipped."""
    rows = site_rows(data_folder)
    if not rows:
        print(f"No series of charging sessions or industrial loads in {data_folder}: skipped.")
    series = ""
    for name, measure, real, made in rows:
        if name != series:
            print(f"\n{name:44}{'real':>10}{'generated':>11}")
            series = name
        print(f"  {measure:42}{'' if math.isnan(real) else f'{real:.3f}':>10}{made:11.3f}")


def made_sessions(site: str, v2g_share_frac: float = 0.0) -> dict[str, Floats]:
    """Return generated sessions of 4,000 points in weeks 2 to 6: hour and weekend of arrival, connection_h, energy_kwh."""
    ticks = np.arange((WEEKS + 1) * WEEK, dtype=np.int64) % WEEK
    fleet = Fleet(chargers=POINTS, charger_mw=0.011, v2g_share_frac=v2g_share_frac)
    key = scenario_keys("validation", 1, source="realism")[0]
    _, rows = draw_sessions(key, ticks, site, [(f"realism {site}", fleet)], load_site_parameters())
    rows = rows[rows[:, c.ARRIVAL] >= WEEK]
    hour = rows[:, c.ARRIVAL].astype(np.int64) % WEEK // MTU_PER_HOUR
    return {
        "hour": (hour % 24).astype(np.float64),
        "weekend": (hour >= 120).astype(np.float64),
        "connection_h": (rows[:, c.DEPARTURE] - rows[:, c.ARRIVAL]) * MTU_H,
        "energy_kwh": rows[:, c.ENERGY_MWH] * 1000.0,
    }


def shape_distance(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Return the share of arrivals that would have to move to another hour: half the sum of differences of shares.

    >>> shape_distance(np.array([1.0, 1.0]), np.array([2.0, 0.0]))
    0.5
    """
    return float(0.5 * np.abs(a / a.sum() - b / b.sum()).sum())


def _home_rows(path: Path) -> list[Row]:
    real, made = _norway(path), made_sessions("home")
    rows: list[Row] = []
    for name in ("energy_kwh", "connection_h"):
        rows += _moments(f"home, {name} (Norway)", real[name], made[name])
    series = "home, sessions (Norway)"
    rows.append((series, "correlation energy-connection", _correlation(real), _correlation(made)))
    rows.append((series, "per user and week", 2.68, len(made["hour"]) / POINTS / WEEKS))
    rows.append((series, "share at weekends", float(real["weekend"].mean()), float(made["weekend"].mean())))
    for label, flag in (("weekday", 0.0), ("weekend", 1.0)):
        counts = [np.bincount(each["hour"][each["weekend"] == flag].astype(int), minlength=24) for each in (real, made)]
        rows.append((series, f"arrival hours {label}: share misplaced", 0.0, shape_distance(*counts)))
    leaves = [
        np.bincount(((each["hour"] + 0.375 + each["connection_h"]) % 24).astype(int), minlength=24) for each in (real, made)
    ]
    rows.append((series, "departure hours: share misplaced", 0.0, shape_distance(*leaves)))
    real_share, made_share = (float(each[6:9].sum() / each.sum()) for each in leaves)
    rows.append((series, "leave from 6 to 9 h", real_share, made_share))
    return rows


def _norway(path: Path) -> dict[str, Floats]:
    out: dict[str, list[float]] = defaultdict(list)
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if not row["plugout_local"]:
                continue
            moment = dt.datetime.fromisoformat(row["plugin_local"])
            out["hour"].append(moment.hour)
            out["weekend"].append(moment.weekday() >= 5)
            out["connection_h"].append(float(row["connection_h"]))
            out["energy_kwh"].append(float(row["energy_kwh"]))
    return {name: np.array(values, dtype=np.float64) for name, values in out.items()}


def _elaad_rows(folder: Path, site: str, curve: str, mean: str) -> list[Row]:
    made = made_sessions(site)
    rows: list[Row] = []
    for name, file, key in (("energy_kwh", "energy", curve), ("connection_h", "connection", curve)):
        exceeded = np.array([float(row[key]) for row in _table(folder / ELAAD[file])])
        series = f"{site}, {name} (ElaadNL)"
        rows.append((series, "mean", float(0.5 * (exceeded[1:] + exceeded[:-1]).mean()), float(made[name].mean())))
        real = [float(exceeded[round(100 * (1 - level))]) for level in LEVELS]
        generated = [float(np.quantile(made[name], level)) for level in LEVELS]
        rows += [(series, f"quantile {q:g}", x, y) for q, x, y in zip(LEVELS, real, generated, strict=True)]
    shares = np.array([float(row[curve]) for row in _table(folder / ELAAD["arrival"])]).reshape(24, 4).sum(axis=1)
    counts = np.bincount(made["hour"][made["weekend"] == 0.0].astype(int), minlength=24).astype(np.float64)
    series = f"{site}, sessions (ElaadNL)"
    rows.append((series, "arrival hours weekday: share misplaced", 0.0, shape_distance(shares, counts)))
    rows.append((series, "correlation energy-connection (no source)", math.nan, _correlation(made)))
    for file, name in (("length", "connection_h"), ("demand", "energy_kwh")):
        table: dict[str, list[float]] = defaultdict(list)
        for row in _table(folder / ELAAD[file]):
            if row[mean]:
                table[row[next(iter(row))][:2]].append(float(row[mean]))
        for hour in (8, 12, 17):
            mine = made[name][(made["hour"] == hour) & (made["weekend"] == 0.0)]
            rows.append((series, f"mean {name}, arrival {hour} h", float(np.mean(table[f"{hour:02d}"])), float(mine.mean())))
    return rows


def _table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _steel_rows(path: Path) -> list[Row]:
    real, hour, day = _steel(path)
    made_kw, made_at = [], []
    for s, key in enumerate(scenario_keys("validation", STEEL_SCENARIOS, source="realism")):
        when = clock(dt.date(2025, 1, 6) + dt.timedelta(days=7 * (s % 50)), 7, "Asia/Seoul")
        load = Load(peak_mw=STEEL_PEAK_KW / 1000.0, step_mw=0.1, profile="steel")
        made_kw.append(draw_load(key, when, "steel", load, load_site_parameters())[48:] * 1000.0)
        made_at.append(np.repeat(week_hours(when), MTU_PER_HOUR)[48 : when.ticks])
    made, at = np.stack(made_kw), np.stack(made_at)
    series = "steel plant, kW (Korea)"
    rows = _moments(series, real, made.ravel())
    rows.append((series, "load factor (peak 629 kW)", float(real.mean() / 628.72), float(made.mean() / 628.72)))
    for lag in (1, 96):
        mine = [np.corrcoef(made[:, :-lag].ravel(), made[:, lag:].ravel())[0, 1]]
        rows.append((series, f"autocorrelation {lag} MTU", float(np.corrcoef(real[:-lag], real[lag:])[0, 1]), float(mine[0])))
    for label, days in (("weekday", range(5)), ("Saturday", (5,)), ("Sunday", (6,))):
        for h in (3, 10, 12, 19):
            mine = made[np.isin(at // 24, list(days)) & (at % 24 == h)]
            theirs = real[np.isin(day, list(days)) & (hour == h)]
            rows.append((series, f"mean {label} {h} h", float(theirs.mean()), float(mine.mean())))
    return rows


def _steel(path: Path) -> tuple[Floats, NDArray[np.int64], NDArray[np.int64]]:
    kw, hour, day = [], [], []
    for row in _table(path):
        moment = dt.datetime.fromisoformat(row["interval_end_local"]) - dt.timedelta(minutes=15)
        kw.append(float(row["kwh_15min"]) / MTU_H)
        hour.append(moment.hour)
        day.append(moment.weekday())
    return np.array(kw), np.array(hour, dtype=np.int64), np.array(day, dtype=np.int64)


def _moments(series: str, real: Floats, made: Floats) -> list[Row]:
    rows: list[Row] = [
        (series, "mean", float(real.mean()), float(made.mean())),
        (series, "standard deviation", float(real.std()), float(made.std())),
    ]
    return rows + [(series, f"quantile {q:g}", float(np.quantile(real, q)), float(np.quantile(made, q))) for q in LEVELS]


def _correlation(sessions: dict[str, Floats]) -> float:
    return float(np.corrcoef(sessions["energy_kwh"], sessions["connection_h"])[0, 1])
