"""From the layout to spaces and to the tables of the scaling: no name and no width is written twice.

Observation columns scale by their unit: prices asinh(p / 50), MW by the grid connection, MWh by the battery (without one: what
the connection moves in an hour), hours by a week, MTU by a day, bounded columns by their largest bound if that is above 1.
MW of a market are of any size, so they are squashed as prices are. All of it is fixed, nothing is learned from data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import inf
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from stacking import columns as c
from stacking import layout as v
from stacking import state as s
from stacking.compile import Compiled
from stacking.layout import Field
from stacking.portfolio import Portfolio

from .advice import STEERED
from .config import EnvConfig
from .scaling import NEXT_DAY, PRICE_UNIT, plain, squashed

FLOAT = NDArray[np.float64]
INT = NDArray[np.int64]

MARKET_POWER = ("need_forecast", "lfm_need_h", "forwarded_all_")  # beginnings of the names of columns that are MW of a market
MOVES = {"da_price_h": 1, "lfm_need_h": 1, "lfm_limit_h": 1, "lag": -1}  # series of columns: from where numbers move on
FIXED_UNITS = {"EUR/MWh": PRICE_UNIT, "h": 24.0 * 7.0, "MTU": 96.0}


@dataclass(frozen=True)
class Scale:
    """How an observation column is shown: x / unit or asinh(x / unit), in words."""

    squashed: bool  # asinh(x / unit)
    by: str  # "connection", "energy" or "" for a fixed unit
    unit: float  # of a fixed one

    def of(self, portfolio: Portfolio) -> float:
        """Return the unit for a portfolio."""
        capacity = portfolio.battery.capacity_mwh if portfolio.battery else 0.0
        return float(size_of(self.by, portfolio.connection_mw, capacity)) if self.by else self.unit

    def shown(self, value: float, portfolio: Portfolio) -> float:
        """Return what is seen of a number of a portfolio; what is infinite stays so."""
        if abs(value) == inf:
            return value
        return (squashed if self.squashed else plain)(value, 1.0 / self.of(portfolio))

    def __str__(self) -> str:
        """Return the formula."""
        unit = {"connection": "connection MW", "energy": "battery MWh"}.get(self.by, f"{self.unit:g}")
        text = "x" if not self.by and self.unit == 1.0 else f"x / {unit}"
        return f"asinh({text})" if self.squashed else text


def scale_of(field: Field) -> Scale:
    """Return how an observation column is shown."""
    if field.unit == "MW":
        return Scale(field.name.startswith(MARKET_POWER), "connection", 0.0)
    if field.unit == "MWh":
        return Scale(False, "energy", 0.0)
    largest = max(abs(field.low), abs(field.high))
    if largest < inf:
        return Scale(False, "", max(1.0, largest))
    return Scale(field.unit == "EUR/MWh", "", FIXED_UNITS.get(field.unit, 1.0))


def size_of(by: str, connection_mw: Any, capacity_mwh: Any) -> Any:
    """Return by what MW or MWh are divided: the connection; the battery, or without one what the connection moves in an hour."""
    return connection_mw if by == "connection" else np.where(capacity_mwh > 0.0, capacity_mwh, connection_mw)


LONG_RUN = 8  # columns that follow each other, from which on it pays to ask at once whether any has changed


@dataclass(frozen=True)
class Scales:
    """The tables that `stacking.envs.scaling.to_seen` reads."""

    rates: FLOAT  # (learner, OBSERVATIONS_W)
    large: INT  # (Q,)
    sources: INT  # (Q,)
    runs: INT  # (R, 2)


def scales_of(portfolios: tuple[Portfolio, ...]) -> Scales:
    """Return the tables for some learners."""
    sizes = np.zeros((len(portfolios), v.OBSERVATIONS_W), np.float32)
    sizes[:, v.CONNECTION_MW] = [p.connection_mw for p in portfolios]
    sizes[:, v.CAPACITY_MWH] = [p.battery.capacity_mwh if p.battery else 0.0 for p in portfolios]
    return Scales(rates_of(sizes), *series_tables())


def rates_of(observation: NDArray[np.float32]) -> FLOAT:
    """Return 1 / unit of each column of some rows, (n, OBSERVATIONS_W), from what they see: their connection and battery."""
    connection = observation[:, v.CONNECTION_MW].astype(np.float64)
    capacity = observation[:, v.CAPACITY_MWH].astype(np.float64)
    units, columns = np.empty((len(observation), v.OBSERVATIONS_W)), _columns_by_size()
    units[:] = columns.fixed
    units[:, columns.connection] = size_of("connection", connection, capacity)[:, None]
    units[:, columns.energy] = size_of("energy", connection, capacity)[:, None]
    return 1.0 / units


@dataclass(frozen=True)
class _Columns:
    fixed: FLOAT  # (OBSERVATIONS_W,) units of known size, 1 elsewhere
    connection: INT
    energy: INT


@cache
def _columns_by_size() -> _Columns:
    scales = [scale_of(field) for field in v.observation_layout().fields]
    by = np.array([scale.by for scale in scales])
    fixed = np.array([scale.unit if not scale.by else 1.0 for scale in scales])
    return _Columns(fixed, np.flatnonzero(by == "connection"), np.flatnonzero(by == "energy"))


@cache
def series_tables() -> tuple[INT, INT, INT]:
    """Return columns of any size, (Q,), the place in this list from which numbers move on, and its runs: see `Scales`."""
    fields = v.observation_layout().fields
    scales = [scale_of(field) for field in fields]
    source = {k: _source(k, fields) for k, scale in enumerate(scales) if scale.squashed}
    # a column comes before that from which its numbers move on, so that it still finds the old ones there
    large = sorted((k for k in source if source[k] < k), reverse=True) + [k for k in source if source[k] >= k]
    ends = [q for q in range(1, len(large) + 1) if q == len(large) or large[q] != large[q - 1] + 1]
    parts = [large[first:end] for first, end in zip([0, *ends], ends, strict=False)]
    parts.sort(key=lambda columns: len(columns) < LONG_RUN)  # long ones first; no number moves from one to another
    large, counts = [k for columns in parts for k in columns], [len(columns) for columns in parts if len(columns) >= LONG_RUN]
    runs = np.column_stack([np.cumsum([0, *counts])[:-1], counts])
    return np.array(large, np.int64), np.array([large.index(source[k]) for k in large], np.int64), runs.astype(np.int64)


def _source(k: int, fields: tuple[Field, ...]) -> int:
    """Return the column from which the numbers of column k move on when time passes, itself if there is none."""
    stem, number = _series(fields[k].name)
    for mark, step in MOVES.items():
        if number is not None and stem.endswith(mark):
            wanted = (stem, number + step)
            return next((j for j, f in enumerate(fields) if _series(f.name) == wanted and f.unit == fields[k].unit), k)
    return k


def _series(name: str) -> tuple[str, int | None]:
    """Return the name of a numbered column without its number, and the number.

    >>> _series("da_price_h12"), _series("weekend")
    (('da_price_h', 12), ('weekend', None))
    """
    stem = name.rstrip("0123456789")
    return stem, int(name[len(stem) :]) if stem != name else None


def observation_width(config: EnvConfig) -> int:
    """Return the number of columns of an observation: the layout, and what is seen beside it."""
    return seen_width(config.advice is not None, config.steer_eur_per_mwh, config.mask_seen)


def seen_width(advised: bool, steer_eur_per_mwh: float, mask_seen: bool) -> int:
    """Return the number of columns of the layout, an advice, its alternatives (low, high of each in `STEERED`), and a mask."""
    return v.OBSERVATIONS_W + v.ACTIONS_W * (advised + mask_seen) + 2 * len(STEERED) * (steer_eur_per_mwh > 0.0)


def observation_space(portfolio: Portfolio, config: EnvConfig) -> spaces.Box:
    """Return the scaled observation of a portfolio as a flat float32 box; bounds that the layout does not know are infinite."""
    fields = v.observation_layout().fields
    masked = v.ACTIONS_W if config.mask_seen else 0
    more = [(-1.0, 1.0)] * (observation_width(config) - v.OBSERVATIONS_W - masked) + [(0.0, 1.0)] * masked
    low = [scale_of(f).shown(f.low, portfolio) for f in fields] + [bound[0] for bound in more]
    high = [scale_of(f).shown(f.high, portfolio) for f in fields] + [bound[1] for bound in more]
    return spaces.Box(np.array(low, np.float32), np.array(high, np.float32), dtype=np.float32)


def widest(boxes: Sequence[spaces.Box]) -> spaces.Box:
    """Return the smallest box that holds all boxes, whose portfolios may differ."""
    if len(boxes) == 1:
        return boxes[0]
    low, high = np.min([box.low for box in boxes], axis=0), np.max([box.high for box in boxes], axis=0)
    return spaces.Box(low, high, dtype=np.float32)


def action_space(levels: int | None = None) -> spaces.Box | spaces.MultiDiscrete:
    """Return the decisions: numbers of -1..1, or whole numbers if levels are given."""
    if levels is None:
        return spaces.Box(-1.0, 1.0, (v.ACTIONS_W,), np.float32)
    return spaces.MultiDiscrete(level_counts(levels))


def level_counts(levels: int) -> INT:
    """Return the number of levels of each decision, (ACTIONS_W,): consent has two, no and yes."""
    counts = np.full(v.ACTIONS_W, levels, np.int64)
    counts[v.CONSENTS] = 2
    return counts


def level_numbers(levels: int) -> FLOAT:
    """Return the number of -1..1 of each level of each decision, evenly spaced, (ACTIONS_W, levels); NaN beyond the last one.

    >>> level_numbers(5)[0].tolist()
    [-1.0, -0.5, 0.0, 0.5, 1.0]
    """
    out = np.full((v.ACTIONS_W, levels), np.nan)
    for k, count in enumerate(level_counts(levels)):
        out[k, :count] = np.linspace(-1.0, 1.0, count)
    return out


def level_masks(is_open: NDArray[np.bool_], levels: int) -> NDArray[np.bool_]:
    """Return which levels may be chosen, side by side: all of an open column, the first of a closed one.

    Args:
        is_open: (..., ACTIONS_W).
        levels: as given to `action_space`.

    Returns:
        (..., sum of the levels), as MaskablePPO takes it.
    """
    counts = level_counts(levels)
    out = np.repeat(is_open, counts, axis=-1)
    out[..., np.concatenate([[0], np.cumsum(counts)[:-1]])] = True
    return out


def price_table(compiled: Compiled) -> FLOAT:
    """Return the action columns that are prices, for `stacking.envs.scaling` (price, PRICE_W)."""
    rows = []
    for gate in compiled.gates:
        if gate[s.KIND] in (s.OFFER, s.DAY_OFFER):
            early = gate[s.KIND] == s.DAY_OFFER
            product = compiled.products[c.LFM if early else gate[s.MARKET]]
            for direction in (c.UP, c.DN):
                share = (v.LFM_OFFER if early else int(gate[s.ACTION])) + direction
                rows.append([share + 2, share, NEXT_DAY if early else gate[s.LEAD], product[s.PRICE_FLOOR], product[s.PRICE_CAP]])
    return np.array(rows, np.float64)


def market_columns(market: str) -> tuple[int, ...]:
    """Return the decisions that belong to a market; consent belongs to the local one."""
    first = {"da": v.DA_VOLUME_FRAC, "id": v.ID_POWER_FRAC, "lfm": v.LFM_OFFER, "mfrr": v.MFRR_OFFER}[market]
    count = {"da": 3, "id": 1, "lfm": 4, "mfrr": 4}[market]
    consent = (v.CONSENT_UP, v.CONSENT_DN) if market == "lfm" else ()
    return (*range(first, first + count), *consent)
