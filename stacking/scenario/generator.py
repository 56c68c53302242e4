"""The scenario generator: whole worlds drawn from the parameter file, one key at a time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from .. import columns as c
from ..errors import StackingError
from ..network import Network
from ..portfolio import Portfolio
from ..units import MTU_PER_HOUR
from .areas import Market, draw_areas, local_markets
from .balancing import draw_balancing, forecast_need
from .calendar import clock as make_clock
from .calendar import time_zone
from .forecast import draw_forecasts
from .keys import ALL, ScenarioKey, stream, whole_number
from .library import Library, World, pack
from .parameters import Parameters, load_parameters
from .prices import day_ahead

MAX_DAYS = 62
"""Longest episode, in delivery days."""

SYNTHETIC = (
    "day-ahead prices",
    "balancing prices and needs",
    "imbalance prices",
    "local needs and others' local offers",
    "forecasts",
)


def generate(
    keys: Iterable[ScenarioKey],
    *,
    rows: int | None = None,
    portfolios: Sequence[Portfolio] = (),
    network: Network | None = None,
    days: int = 7,
    parameters: Parameters | str | Path | None = None,
    timezone: str = "Europe/Oslo",
) -> Library:
    """Return drawn scenarios.

    A key gives the same bytes alone and in any batch, for the same days, zone and parameters.

    Args:
        keys: at least one; see ``scenario_keys``.
        rows: portfolios for which start contents and tie-breaks are drawn; by default those given, else 1.
        portfolios: in row order; their charging sessions and loads are drawn.
        network: its local markets are drawn, each with needs of its own; one market by default.
        days: delivery days of an episode, 1 to 62.
        parameters: a set that is shipped such as "dk1_2024" or "no2_2025:eon", a parameter file, loaded parameters, or
            None for "no2_2025"; see ``load_parameters``.
        timezone: IANA name; local time shapes prices and needs.

    Raises:
        StackingError: no keys, a key of split "all", bad rows, days, zone or parameters.
    """
    keys = tuple(keys)
    if not keys:
        raise StackingError(
            "No scenarios to draw.",
            place="generate",
            key="keys",
            value=keys,
            allowed="at least one key",
            remedy="Use scenario_keys(split, count).",
        )
    for key in keys:
        if key.split == ALL:
            raise StackingError(
                "Generated scenarios have no split 'all'.",
                place="generate",
                key="split",
                value=str(key),
                allowed="train, validation, test",
                remedy="Use scenario_keys(split, count).",
            )
    rows = whole_number((len(portfolios) or 1) if rows is None else rows, "rows", least=1, place="generate")
    days = episode_days(days)
    time_zone(timezone)
    settings = load_parameters(parameters)
    markets = local_markets(network, settings)
    worlds = [_world(key, days, timezone, settings, markets) for key in keys]
    sources = sorted({key.source for key in keys})
    return pack(
        worlds,
        rows=rows,
        portfolios=portfolios,
        depth_mw=settings.balancing.depth_mw,
        synthetic=SYNTHETIC,
        source="+".join(sources),
        timezone=timezone,
    )


def episode_days(days: int) -> int:
    """Return ``days`` if it is a possible length of an episode.

    Raises:
        StackingError: if it is not a whole number of 1 to 62.
    """
    days = whole_number(days, "days", least=1)
    if days > MAX_DAYS:
        raise StackingError(
            "The episode is too long.",
            place="scenario",
            key="days",
            value=days,
            allowed=f"1..{MAX_DAYS}",
            remedy="Chain shorter episodes.",
        )
    return days


def _world(key: ScenarioKey, days: int, timezone: str, p: Parameters, markets: tuple[Market, ...]) -> World:
    first = dt.date(p.start.year, 1, 1)
    year_days = (dt.date(p.start.year + 1, 1, 1) - first).days
    clock = make_clock(first + dt.timedelta(days=int(stream(key, "start day").integers(year_days))), days, timezone)
    ticks, end = clock.ticks, clock.ticks // MTU_PER_HOUR
    da_hour, score, slow = day_ahead(key, clock, p.day_ahead)
    da_price = np.repeat(da_hour, MTU_PER_HOUR)[:ticks]
    balancing = draw_balancing(key, da_price, np.repeat(score, MTU_PER_HOUR)[:ticks], p.balancing)
    local = draw_areas(key, clock, slow, p, markets)
    terminal = max(0.0, float(da_hour[end : end + 24].mean()))
    noise = stream(key, "terminal forecast").standard_normal()
    return World(
        key=key,
        clock=clock,
        da_price=da_price,
        mfrr_price=balancing.price,
        mfrr_need_mw=balancing.need_mw,
        imbalance_price=balancing.imbalance_price,
        dominant=balancing.dominant,
        need_forecast_mw=forecast_need(key, balancing.need_mw[c.UP] - balancing.need_mw[c.DN], p.forecast),
        local=local,
        hourly=draw_forecasts(key, da_hour, end, p.forecast),
        terminal_price=terminal,
        terminal_forecast=max(0.0, terminal * (1.0 + p.forecast.terminal_error_frac * noise)),
        draws=key,
    )
