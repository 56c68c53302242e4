"""What a scenario library holds, as the kernel reads it: arrays in memory order, one row for each portfolio of an engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from . import columns as c
from .errors import StackingError
from .network import Areas
from .portfolio import Portfolio

if TYPE_CHECKING:
    from .scenario import Library

FLOAT = NDArray[np.float64]


def exogenous(library: Library, portfolios: tuple[Portfolio, ...], areas: Areas) -> tuple[NDArray[Any], ...]:
    """Return series, local series and forecasts, prices, calendar, scalars, length, draws and sites, in the kernel's order.

    Raises:
        StackingError: if the library was drawn for fewer portfolios, other fleets or loads, or fewer areas.
    """
    if library.start_frac.shape[1] < len(portfolios):
        raise StackingError(
            "The scenario library holds too few portfolios.", key="rows", value=library.start_frac.shape[1],
            allowed=f"{len(portfolios)} or more",
            remedy="Draw the library with these portfolios.")  # fmt: skip
    draws = np.stack([_start_fractions(library, portfolios), library.priority[:, : len(portfolios)]], axis=-1)
    return (
        library.series, *_local(library, max(1, len(areas.node))), np.ascontiguousarray(library.hourly.transpose(0, 2, 1)),
        library.calendar, library.scalars, library.length, draws, *_sites(library, portfolios),
    )  # fmt: skip


def _start_fractions(library: Library, portfolios: tuple[Portfolio, ...]) -> FLOAT:
    """Return start contents as shares of the content window: drawn in the scenario unless the portfolio states one."""
    start = library.start_frac[:, : len(portfolios)].copy()
    for row, p in enumerate(portfolios):
        b = p.battery
        if b is not None and b.start_content_frac is not None:
            start[:, row] = (b.start_content_frac - b.min_content_frac) / (b.max_content_frac - b.min_content_frac)
    return start


def _local(library: Library, areas: int) -> tuple[FLOAT, FLOAT]:
    """Return local series (S, A, T, LOCAL_W) and forecasts (S, A, LOCAL_HOURLY_W, H)."""
    local, hourly = library.local, library.local_hourly
    if local.shape[1] < areas:
        raise StackingError(
            "The scenario library holds too few local markets.", key="areas", value=local.shape[1],
            allowed=f"{areas} or more", remedy="Draw the library with the network of the engine.")  # fmt: skip
    return np.ascontiguousarray(local[:, :areas]), np.ascontiguousarray(hourly[:, :areas])


def _sites(library: Library, portfolios: tuple[Portfolio, ...]) -> tuple[NDArray[Any], ...]:
    """Return sessions, their first rows, forecasts of fleets and loads, and consumption; one empty row where there is none."""
    scenarios, ticks, hours = len(library), library.series.shape[1], library.hourly.shape[1]
    chargers = sum(p.fleet.chargers for p in portfolios if p.fleet)
    fleets, loads = sum(p.fleet is not None for p in portfolios), sum(p.load is not None for p in portfolios)
    sites = library.sites
    if sites is None or (chargers, fleets, loads) == (0, 0, 0):
        if (chargers, fleets, loads) != (0, 0, 0):
            raise StackingError("The scenario library knows no charging sessions and loads.", key="sites", value=None,
                                allowed=f"{fleets} fleets and {loads} loads",
                                remedy="Draw the library with these portfolios.")  # fmt: skip
        return (
            np.zeros((1, c.SESSION_W)), np.zeros((scenarios, 2), np.int64), np.zeros((scenarios, 1, hours, c.FLEET_W)),
            np.zeros((scenarios, 1, hours)), np.zeros((scenarios, 1, ticks)),
        )  # fmt: skip
    found = sites.first.shape[1] - 1, sites.fleet_hourly.shape[1], sites.load_mw.shape[1]
    if found != (chargers, fleets, loads):
        raise StackingError(
            "The scenario library was drawn for other fleets or loads.", key="charging points, fleets, loads",
            value=found, allowed=str((chargers, fleets, loads)), remedy="Draw the library with these portfolios.")  # fmt: skip

    def some(array: FLOAT) -> FLOAT:
        return array if array.shape[1] else np.zeros((scenarios, 1, *array.shape[2:]))

    sessions = sites.sessions if len(sites.sessions) else np.zeros((1, c.SESSION_W))
    return sessions, sites.first, some(sites.fleet_hourly), some(sites.load_hourly), some(sites.load_mw)
