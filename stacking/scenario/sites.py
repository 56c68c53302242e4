"""Sites of a scenario: charging sessions of fleets, consumption of loads, and what an FSP can know of both in advance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .. import columns as c
from ..errors import StackingError
from ..portfolio import Fleet, Load, Portfolio
from .calendar import Clock
from .keys import ScenarioKey
from .profiles import draw_load, file_load, file_load_forecast, load_forecast, read_profile
from .session_files import file_forecast, file_sessions, read_sessions
from .sessions import draw_sessions, site_forecast
from .site_parameters import SiteParameters, load_site_parameters
from .site_tables import week_hours, week_ticks

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Sites:
    """Sessions and loads of S scenarios; charging points are counted over all fleets in row order."""

    sessions: Floats  # (N, SESSION_W) by scenario, charging point, arrival
    first: NDArray[np.int64]  # (S, C + 1) sessions of point k in scenario s are rows first[s, k] .. first[s, k + 1] - 1
    fleet_hourly: Floats  # (S, E, H, FLEET_W) forecast, MW >= 0, E = portfolios with a fleet
    load_mw: Floats  # (S, L, T) consumption of each load if it is not interrupted, MW >= 0, L = portfolios with a load
    load_hourly: Floats  # (S, L, H) its forecast, MW >= 0


def no_sites(scenarios: int, ticks: int, hours: int) -> Sites:
    """Return the sites of scenarios without fleets and loads."""
    return Sites(
        sessions=np.zeros((0, c.SESSION_W)),
        first=np.zeros((scenarios, 1), dtype=np.int64),
        fleet_hourly=np.zeros((scenarios, 0, hours, c.FLEET_W)),
        load_mw=np.zeros((scenarios, 0, ticks)),
        load_hourly=np.zeros((scenarios, 0, hours)),
    )


def drawn_sites(portfolios: Iterable[Portfolio]) -> tuple[str, ...]:
    """Return the names of the parts of sites that are drawn and not read from files."""
    rows = tuple(portfolios)
    cars = any(row.fleet is not None and row.fleet.sessions_file is None for row in rows)
    loads = any(row.load is not None and row.load.profile_file is None for row in rows)
    return (*(("charging sessions",) if cars else ()), *(("industrial loads",) if loads else ()))


def draw_sites(
    keys: Iterable[ScenarioKey],
    clocks: Iterable[Clock],
    portfolios: Iterable[Portfolio],
    ticks: int,
    hours: int,
    settings: SiteParameters | str | Path | None = None,
) -> Sites:
    """Return sessions, loads and their forecasts of some scenarios.

    The draws of a portfolio depend on the scenario's key and on its name, not on other portfolios or scenarios. Files
    are replayed by date for keys of the split "all", otherwise whole weeks of them are drawn.

    Args:
        keys: S keys of the random streams.
        clocks: S clocks.
        portfolios: rows.
        ticks: T, at least that of every clock; beyond its own end a scenario is padded with 0.
        hours: H, at least that of every clock.
        settings: parameter file, loaded parameters, or None for those that are shipped.

    Raises:
        StackingError: bad parameters, bad files, two portfolios of one name, or ticks or hours below those of a clock.
    """
    keys, clocks, portfolios = tuple(keys), tuple(clocks), tuple(portfolios)
    _check(keys, clocks, portfolios, ticks, hours)
    p = load_site_parameters(settings)
    fleets = [(row.name, row.fleet) for row in portfolios if row.fleet is not None]
    loads = [(row.name, row.load) for row in portfolios if row.load is not None]
    drawn = [_scenario(key, clock, fleets, p) for key, clock in zip(keys, clocks, strict=True)]
    chargers = sum(fleet.chargers for _, fleet in fleets)
    sites = no_sites(len(keys), ticks, hours)
    first = np.zeros((len(keys), chargers + 1), dtype=np.int64)
    offset = 0
    for s, (point, sessions) in enumerate(drawn):
        first[s] = offset + np.searchsorted(point, np.arange(chargers + 1))
        offset += len(sessions)
    return Sites(
        sessions=np.concatenate([sites.sessions, *(sessions for _, sessions in drawn)]),
        first=first,
        fleet_hourly=_fleet_forecasts(keys, clocks, fleets, hours, p),
        load_mw=_loads(keys, clocks, loads, ticks, p),
        load_hourly=_load_forecasts(keys, clocks, loads, hours, p),
    )


def _check(keys: Sequence[ScenarioKey], clocks: Sequence[Clock], portfolios: Sequence[Portfolio], ticks: int, hours: int) -> None:
    if len(keys) != len(clocks):
        raise StackingError("Keys and clocks do not match.", place="draw_sites", key="clocks", value=len(clocks),
                            allowed=str(len(keys)), remedy="Give one clock per key.")  # fmt: skip
    names = [portfolio.name for portfolio in portfolios]
    if doubled := sorted({name for name in names if names.count(name) > 1} if len(set(names)) < len(names) else ()):
        raise StackingError("Two portfolios have the same name.", place="draw_sites", key="name", value=doubled[0],
                            allowed="names that differ", remedy="Draws hang on the name: give each its own.")  # fmt: skip
    for portfolio in portfolios:
        if portfolio.count != 1:
            raise StackingError("A portfolio stands for several.", place=f"portfolio {portfolio.name}", key="count",
                                value=portfolio.count, allowed="1", remedy="Use load_portfolios, which repeats it.")  # fmt: skip
    for name, given, needed in (
        ("ticks", ticks, max((clock.ticks for clock in clocks), default=0)),
        ("hours", hours, max((clock.hours for clock in clocks), default=0)),
    ):
        if given < needed:
            raise StackingError("Too few for these clocks.", place="draw_sites", key=name, value=given,
                                allowed=f">= {needed}", remedy="Use those of the longest scenario.")  # fmt: skip


def _scenario(
    key: ScenarioKey, clock: Clock, fleets: Sequence[tuple[str, Fleet]], p: SiteParameters
) -> tuple[NDArray[np.int64], Floats]:
    """Return charging points and sessions of all fleets in one scenario, by point and arrival."""
    first = np.concatenate([[0], np.cumsum([fleet.chargers for _, fleet in fleets])]).astype(np.int64)
    points, sessions = [np.zeros(0, dtype=np.int64)], [np.zeros((0, c.SESSION_W))]
    by_site: dict[str, list[int]] = {}
    for k, (name, fleet) in enumerate(fleets):
        if fleet.sessions_file is None:
            by_site.setdefault(fleet.site, []).append(k)
            continue
        point, rows = file_sessions(read_sessions(name, fleet), key, clock, name)
        points.append(point + first[k])
        sessions.append(rows)
    for site, members in by_site.items():
        point, rows = draw_sessions(key, week_ticks(clock), site, [fleets[k] for k in members], p)
        place = np.concatenate([np.arange(first[k], first[k + 1]) for k in members])  # point of the site -> of the scenario
        points.append(place[point])
        sessions.append(rows)
    if len(points) == 2:
        return points[1], sessions[1]
    point, rows = np.concatenate(points), np.concatenate(sessions)
    order = np.argsort(point, kind="stable")
    return point[order], rows[order]


def _fleet_forecasts(
    keys: Sequence[ScenarioKey], clocks: Sequence[Clock], fleets: Sequence[tuple[str, Fleet]], hours: int, p: SiteParameters
) -> Floats:
    out = np.zeros((len(keys), len(fleets), hours, c.FLEET_W))
    for s, (key, clock) in enumerate(zip(keys, clocks, strict=True)):
        at = week_hours(clock)
        for e, (name, fleet) in enumerate(fleets):
            week = file_forecast(read_sessions(name, fleet), key, clock) if fleet.sessions_file is not None else None
            if week is None:
                week = site_forecast(fleet.site, fleet.charger_mw, p) * fleet.chargers
            out[s, e, : clock.hours] = week[at]
    return out


def _loads(
    keys: Sequence[ScenarioKey], clocks: Sequence[Clock], loads: Sequence[tuple[str, Load]], ticks: int, p: SiteParameters
) -> Floats:
    out = np.zeros((len(keys), len(loads), ticks))
    for s, (key, clock) in enumerate(zip(keys, clocks, strict=True)):
        for k, (name, load) in enumerate(loads):
            if load.profile_file is None:
                out[s, k, : clock.ticks] = draw_load(key, clock, name, load, p)
            else:
                out[s, k, : clock.ticks] = file_load(read_profile(name, load), key, clock, name)
    return out


def _load_forecasts(
    keys: Sequence[ScenarioKey], clocks: Sequence[Clock], loads: Sequence[tuple[str, Load]], hours: int, p: SiteParameters
) -> Floats:
    out = np.zeros((len(keys), len(loads), hours))
    for s, (key, clock) in enumerate(zip(keys, clocks, strict=True)):
        at = week_hours(clock)
        for k, (name, load) in enumerate(loads):
            week = file_load_forecast(read_profile(name, load), key, clock) if load.profile_file is not None else None
            out[s, k, : clock.hours] = load_forecast(clock, load, p) if week is None else week[at]
    return out
