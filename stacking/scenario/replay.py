"""Replay of real price files as scenarios; what the files lack is drawn and named."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .. import columns as c
from ..network import Network
from ..portfolio import Portfolio
from ..units import MTU_PER_HOUR
from .areas import Market, draw_areas, local_markets
from .balancing import BalancingSeries, draw_balancing, draw_volumes, forecast_need, imbalance_price
from .calendar import TAIL_HOURS, time_zone
from .calendar import clock as make_clock
from .cells import DIRECTION
from .forecast import draw_forecasts
from .generator import episode_days
from .keys import ALL, ScenarioKey, whole_number
from .library import Library, World, pack
from .parameters import Balancing, Parameters, load_parameters
from .table import PriceTable, read_table
from .windows import Plan, choose_windows, cut, first_tick, short_tails

Floats = NDArray[np.float64]


def replay(
    paths: str | Path | Sequence[str | Path],
    *,
    split: str = ALL,
    seed: int = 0,
    rows: int | None = None,
    portfolios: Sequence[Portfolio] = (),
    network: Network | None = None,
    days: int = 7,
    timezone: str = "Europe/Copenhagen",
    count: int | None = None,
    parameters: Parameters | str | Path | None = None,
) -> Library:
    """Return scenarios that replay price files; the schema stands in ``docs/price-files.md``.

    Windows of ``days`` delivery days follow each other from the first complete day on. A window is skipped, with a
    note, if a needed value is missing: every column in use during the episode, and day-ahead prices of the local day
    after its end (at least 24 h, for the terminal price). A window has the same content in every split that holds it.

    Args:
        paths: one or several CSV or Parquet files, merged on ``utc``.
        split: all, or train, validation, test by date with 7 days between them.
        seed: seed of the parts that are drawn.
        rows: portfolios for which start contents and tie-breaks are drawn; by default those given, else 1.
        portfolios: in row order; their charging sessions and loads are drawn, or replayed by date from their files.
        network: its local markets are drawn, each with needs of its own; one market by default.
        days: delivery days of an episode, 1 to 62.
        timezone: IANA name of the zone whose days are delivered.
        count: at most so many windows, spread evenly over the split; None for all.
        parameters: parameters of the parts that are drawn.

    Raises:
        StackingError: for bad files or arguments, or if no window is left.
    """
    if count is not None:
        count = whole_number(count, "count", least=1, place="replay")
    rows = whole_number((len(portfolios) or 1) if rows is None else rows, "rows", least=1)
    seed, days = whole_number(seed, "seed", least=0), episode_days(days)
    time_zone(timezone)
    settings = load_parameters(parameters)
    table = read_table(paths)
    plan = Plan.of(table, settings.balancing)
    kept, said = choose_windows(table, plan, split, days, timezone, count)
    markets = local_markets(network, settings)
    worlds = [
        _world(table, plan, ScenarioKey(split, table.source, seed, int(f"{day:%Y%m%d}")), day, days, timezone, settings, markets)
        for day in kept
    ]
    notes = (*table.notes, *plan.notes, *said, *short_tails(table, [world.clock for world in worlds]))
    return pack(
        worlds,
        rows=rows,
        portfolios=portfolios,
        depth_mw=settings.balancing.depth_mw,
        synthetic=plan.synthetic,
        source=table.source,
        timezone=timezone,
        notes=notes,
    )


def _world(
    table: PriceTable, plan: Plan, key: ScenarioKey, day: dt.date, days: int, timezone: str, p: Parameters,
    markets: tuple[Market, ...],
) -> World:  # fmt: skip
    clock = make_clock(day, days, timezone)
    at, ticks, end = first_tick(table, clock), clock.ticks, clock.ticks // MTU_PER_HOUR
    draws = ScenarioKey(ALL, key.source, key.seed, key.episode)  # a window is the same in every split
    da = cut(table.columns["da_price"], at, ticks + TAIL_HOURS * MTU_PER_HOUR)
    da_hour = da.reshape(-1, MTU_PER_HOUR).mean(axis=1)
    series = _balancing(table, plan, draws, at, da[:ticks], p.balancing)
    need = series.need_mw[c.UP] - series.need_mw[c.DN]
    local = draw_areas(draws, clock, None, p, markets)
    # what is known at noon of the day before: prices up to the end of that day
    known = at + int(np.searchsorted(clock.day, 1)) * MTU_PER_HOUR
    trailing = table.columns["da_price"][max(known - p.forecast.terminal_trailing_days * 96, 0) : known]
    return World(
        key=key,
        clock=clock,
        da_price=da[:ticks],
        mfrr_price=series.price,
        mfrr_need_mw=_with_minimum(series, da[:ticks], p.balancing),
        imbalance_price=series.imbalance_price,
        dominant=series.dominant,
        need_forecast_mw=forecast_need(draws, need, p.forecast),
        local=local,
        hourly=draw_forecasts(draws, da_hour, end, p.forecast),
        terminal_price=max(0.0, float(da_hour[end : end + 24].mean())),
        terminal_forecast=max(0.0, float(np.nanmean(trailing))),
        draws=draws,
    )


def _balancing(table: PriceTable, plan: Plan, draws: ScenarioKey, at: int, da: Floats, p: Balancing) -> BalancingSeries:
    """Return the balancing market of a window: replayed where the files have it, else derived or drawn."""
    ticks = len(da)
    if not plan.has_prices:
        spread = float(da.std()) or 1.0
        return draw_balancing(draws, da, (da - da.mean()) / spread, p)
    column = {name: values[at : at + ticks] for name, values in plan.needed.items()}
    imbalance = column.get("imb_price")
    if "mfrr_up_price" in column:
        price = np.stack([column["mfrr_up_price"], column["mfrr_dn_price"]])
    else:
        price = np.stack([np.maximum(da, column["imb_price"]), np.minimum(da, column["imb_price"])])
    need = None if plan.need is None else plan.need[:, at : at + ticks]
    if DIRECTION in column:
        dominant = column[DIRECTION]
    elif imbalance is not None:
        dominant = np.sign(imbalance - da)
    elif need is not None:
        dominant = np.sign(need[c.UP] - need[c.DN])
    else:
        dominant = np.sign((price[c.UP] - da) - (da - price[c.DN]))
    if need is None:
        need = draw_volumes(draws, dominant, p)
    if imbalance is None:
        imbalance = imbalance_price(da, price, dominant)
    return BalancingSeries(dominant=dominant, need_mw=need, price=price, imbalance_price=imbalance)


def _with_minimum(series: BalancingSeries, da: Floats, p: Balancing) -> Floats:
    """Return the needs with a small one where a published price shows an activation that the needs do not."""
    shown = np.stack([series.price[c.UP] > da, series.price[c.DN] < da])
    return np.where(shown & (series.need_mw <= 0), p.minimal_need_mw, series.need_mw)
