"""A library of pre-drawn scenarios: the only place from which an engine takes anything exogenous.

The engine holds an index into the library per world, so a reset writes one integer.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .. import columns as c
from ..errors import StackingError
from ..portfolio import Portfolio
from ..units import MTU_MIN, MTU_PER_HOUR
from .calendar import TAIL_HOURS, Clock
from .keys import ScenarioKey, stream
from .local import LocalSeries
from .sites import Sites, draw_sites, drawn_sites

START_FRAC = (0.2, 0.8)
"""Range of the drawn start content, as a share of the content window."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Library:
    """S scenarios of at most T ticks for F portfolios; beyond its own length a scenario is padded (0; DA_FIRST: -1)."""

    series: Floats  # (S, T, SERIES_W) balancing background, prices, calendar features
    hourly: Floats  # (S, H, HOURLY_W) day-ahead prices and forecasts, H = ceil(T / 4) + 48
    local: Floats  # (S, A, T, LOCAL_W) local markets; a need is a signed margin: background load - limit
    local_hourly: Floats  # (S, A, LOCAL_HOURLY_W, H) their forecasts
    calendar: NDArray[np.int64]  # (S, T, CALENDAR_W)
    scalars: Floats  # (S, SCALARS_W)
    length: NDArray[np.int64]  # (S,) ticks
    start_frac: Floats  # (S, F) start content as a share of the content window, 0.2..0.8
    priority: Floats  # (S, F) tie-break 0..1, lower goes first
    start_utc: NDArray[np.datetime64]  # (S,) first tick
    keys: tuple[ScenarioKey, ...]
    synthetic: tuple[str, ...]  # names of the parts that are drawn, not data
    source: str
    timezone: str
    notes: tuple[str, ...] = ()  # gaps, skipped windows and other things a reader of results must know
    sites: Sites | None = None  # charging sessions and loads; None: drawn without portfolios that have any

    def __len__(self) -> int:
        """Return the number of scenarios."""
        return len(self.keys)

    @property
    def rows(self) -> int:
        """Return the number of portfolios F for which start contents were drawn."""
        return self.start_frac.shape[1]


@dataclass(frozen=True)
class World:
    """The exogenous facts of one scenario before they are packed; directions are UP, DN."""

    key: ScenarioKey
    clock: Clock
    da_price: Floats  # (L,)
    mfrr_price: Floats  # (2, L)
    mfrr_need_mw: Floats  # (2, L)
    imbalance_price: Floats  # (L,)
    dominant: Floats  # (L,)
    need_forecast_mw: Floats  # (L,)
    local: tuple[LocalSeries, ...]  # local markets, from the leaves to the root
    hourly: Floats  # (H, HOURLY_W)
    terminal_price: float
    terminal_forecast: float
    draws: ScenarioKey  # key of the random streams


def pack(
    worlds: Sequence[World],
    *,
    rows: int,
    portfolios: Sequence[Portfolio] = (),
    depth_mw: float,
    synthetic: tuple[str, ...],
    source: str,
    timezone: str,
    notes: tuple[str, ...] = (),
) -> Library:
    """Return the library of some worlds.

    Args:
        worlds: at least one.
        rows: portfolios; the draws of row r do not depend on how many rows there are.
        portfolios: those whose charging sessions and loads are drawn, in row order.
        depth_mw: other people's balancing supply where there is no need.
        synthetic: names of drawn parts.
        source: name of the source.
        timezone: IANA name.
        notes: what a reader must know.
    """
    count, ticks = len(worlds), max(world.clock.ticks for world in worlds)
    hours = -(-ticks // MTU_PER_HOUR) + TAIL_HOURS
    library = Library(
        series=np.zeros((count, ticks, c.SERIES_W)),
        hourly=np.zeros((count, hours, c.HOURLY_W)),
        local=np.zeros((count, len(worlds[0].local), ticks, c.LOCAL_W)),
        local_hourly=np.zeros((count, len(worlds[0].local), c.LOCAL_HOURLY_W, hours)),
        calendar=np.zeros((count, ticks, c.CALENDAR_W), dtype=np.int64),
        scalars=np.zeros((count, c.SCALARS_W)),
        length=np.array([world.clock.ticks for world in worlds], dtype=np.int64),
        start_frac=np.zeros((count, rows)),
        priority=np.zeros((count, rows)),
        start_utc=np.array([_stamp(world.clock.start) for world in worlds], dtype="datetime64[s]"),
        keys=tuple(world.key for world in worlds),
        synthetic=(*synthetic, *drawn_sites(portfolios)),
        source=source,
        timezone=timezone,
        notes=notes,
        sites=draw_sites([world.draws for world in worlds], [world.clock for world in worlds], portfolios, ticks, hours)
        if portfolios
        else None,
    )
    library.calendar[:, :, c.DA_FIRST] = -1
    for s, world in enumerate(worlds):
        _fill_series(library.series[s, : world.clock.ticks], world, depth_mw)
        looks = stream(world.draws, "looks at a shared book").random(world.clock.ticks)
        library.series[s, : world.clock.ticks, c.LOOK_S] = 60.0 * MTU_MIN * looks
        library.hourly[s, : world.clock.hours] = world.hourly
        for a, area in enumerate(world.local):
            _fill_local(library.local[s, a, : world.clock.ticks], area)
            library.local_hourly[s, a, c.LFM_NEED_FAR : c.LFM_LIMIT_FAR, : world.clock.hours] = area.need_forecast_mw
            library.local_hourly[s, a, c.LFM_LIMIT_FAR :, : world.clock.hours] = area.limit_forecast
        library.calendar[s, : world.clock.ticks] = world.clock.table
        library.scalars[s, c.TERMINAL_PRICE] = world.terminal_price
        library.scalars[s, c.TERMINAL_FORECAST] = world.terminal_forecast
        library.scalars[s, c.BACKGROUND_PRIORITY] = stream(world.draws, "background priority").random()
        # row-major: the first rows are the same whatever the number of rows
        draws = stream(world.draws, "portfolios").random((rows, 2))
        library.start_frac[s] = START_FRAC[0] + (START_FRAC[1] - START_FRAC[0]) * draws[:, 0]
        library.priority[s] = draws[:, 1]
    check(library)
    return library


def mfrr_background(direction: int, da_price: Floats, price: Floats, need_mw: Floats, depth_mw: float) -> Floats:
    """Return the balancing background of one direction, (BACKGROUND_W, L).

    The curve ends at (need, published price), so with nobody else bidding it clears at the published price exactly:
    REF = min(day-ahead, price) up and max(day-ahead, price) down where there is a need, else the price itself.
    """
    cheap = np.minimum(da_price, price) if direction == c.UP else np.maximum(da_price, price)
    out = np.empty((c.BACKGROUND_W, len(da_price)))
    out[c.NEED] = need_mw
    out[c.VOLUME] = np.where(need_mw > 0, need_mw, depth_mw)
    out[c.REF] = np.where(need_mw > 0, cheap, price)
    out[c.ANCHOR] = price
    out[c.LIMIT] = np.inf if direction == c.UP else -np.inf
    return out


def _fill_local(local: Floats, area: LocalSeries) -> None:
    """Write a local market per MTU; its need becomes a margin, negative where there is room."""
    for direction in (c.UP, c.DN):
        at = c.background_column(direction)
        local[:, at : at + c.BACKGROUND_W] = np.repeat(area.background[direction], MTU_PER_HOUR, axis=1)[:, : len(local)].T
        local[:, at + c.NEED] = np.repeat(area.margin_mw[direction], MTU_PER_HOUR)[: len(local)]


def _fill_series(series: Floats, world: World, depth_mw: float) -> None:
    for direction in (c.UP, c.DN):
        at = c.background_column(direction)
        series[:, at : at + c.BACKGROUND_W] = mfrr_background(
            direction, world.da_price, world.mfrr_price[direction], world.mfrr_need_mw[direction], depth_mw
        ).T
    series[:, c.DA_PRICE] = world.da_price
    series[:, c.IMBALANCE_PRICE] = world.imbalance_price
    series[:, c.DOMINANT] = world.dominant
    series[:, c.NEED_FORECAST] = world.need_forecast_mw
    series[:, c.HOUR_SIN : c.WEEKEND + 1] = world.clock.cycles()


def check(library: Library) -> None:
    """Check shapes and that every number is finite where it must be.

    Raises:
        StackingError: naming the array.
    """
    count, ticks = library.series.shape[:2]
    hours = -(-ticks // MTU_PER_HOUR) + TAIL_HOURS
    shapes = {
        "series": (count, ticks, c.SERIES_W),
        "hourly": (count, hours, c.HOURLY_W),
        "local": (count, library.local.shape[1], ticks, c.LOCAL_W),
        "local_hourly": (count, library.local.shape[1], c.LOCAL_HOURLY_W, hours),
        "calendar": (count, ticks, c.CALENDAR_W),
        "scalars": (count, c.SCALARS_W),
        "length": (count,),
        "start_frac": (count, library.rows),
        "priority": (count, library.rows),
        "start_utc": (count,),
    }
    for name, shape in shapes.items():
        if getattr(library, name).shape != shape:
            raise StackingError(
                "Wrong shape in a scenario library.",
                place=f"library {library.source}",
                key=name,
                value=getattr(library, name).shape,
                allowed=str(shape),
                remedy="Build libraries with stacking.scenario.generate or replay.",
            )
    finite = {name: getattr(library, name) for name in ("hourly", "local_hourly", "scalars", "start_frac", "priority")}
    limits = {}
    columns = [c.background_column(d) + c.LIMIT for d in (c.UP, c.DN)]
    for name in ("series", "local"):
        finite[name] = np.delete(getattr(library, name), columns, axis=-1)
        limits[name] = getattr(library, name)[..., columns]
    for name, values in finite.items():
        if not np.isfinite(values).all():
            raise StackingError(
                "A scenario library holds numbers that are not finite.",
                place=f"library {library.source}",
                key=name,
                value=int(np.size(values) - np.isfinite(values).sum()),
                allowed="finite numbers",
                remedy="Build libraries with stacking.scenario.generate or replay.",
            )
    for name, values in limits.items():
        if np.isnan(values).any():
            raise StackingError(
                "A buyer's price limit is not a number.",
                place=f"library {library.source}, {name}",
                key="LIMIT",
                remedy="Use inf or -inf for a buyer without a limit.",
            )


def _stamp(moment: dt.datetime) -> np.datetime64:
    return np.datetime64(moment.replace(tzinfo=None), "s")
