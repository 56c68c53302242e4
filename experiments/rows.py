"""Rows of results: what one strategy did in one design, by scenario and portfolio, by scenario, and by local day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stacking import flows as f
from stacking.network import compile_network, default_network
from stacking.scenario import Library
from stacking.units import MTU_H, MTU_MIN

from ..agents.drawn import kind_of
from .players import Mixed

if TYPE_CHECKING:
    from .runner import Contest

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Calendar = tuple[NDArray[np.str_], IntArray]

TOP_FRAC = 0.01

CASH_COLUMNS: tuple[str, ...] = tuple(f"cash_{label.name}_eur" for label in f.CASH_LABELS)
ENERGY_COLUMNS: tuple[str, ...] = tuple(name for _, name in f.ENERGY_LABELS)
REFUSED_COLUMNS: tuple[str, ...] = tuple(name for _, name in f.REFUSED_LABELS)
MARKET_COLUMNS: tuple[str, ...] = tuple(name for _, name in f.MARKET_LABELS)
FLOW_COLUMNS = [
    *(label.column for label in f.CASH_LABELS),
    *(column for column, _ in f.ENERGY_LABELS),
    *(column for column, _ in f.REFUSED_LABELS),
]
_FLOW_NAMES = (*CASH_COLUMNS, *ENERGY_COLUMNS, *REFUSED_COLUMNS)


@dataclass
class Batch:
    """Sums of one strategy in the designs of a group."""

    flows: FloatArray  # (D, S, F, labels)
    cash: FloatArray  # (D, S, F, T) EUR per MTU without terminal value
    market: FloatArray  # (D, S, labels of the markets)


def episode_rows(
    contest: Contest, design: str, label: str, batch: Batch, reference: Batch, d: int, calendar: Calendar
) -> pd.DataFrame:
    """Return the rows of one design and strategy, scenario by scenario."""
    library, portfolios = contest.library, contest.portfolios
    n, rows = len(library), len(portfolios)
    flows = batch.flows[d].reshape(n * rows, -1)
    frame = pd.DataFrame(_identity(contest, design, label))
    length = np.repeat(library.length, rows)
    frame["start_utc"] = pd.DatetimeIndex(np.repeat(library.start_utc, rows)).tz_localize("UTC")
    frame["days"] = np.repeat((calendar[0] != "").sum(axis=1) - 1, rows)  # the first is a half day
    frame["mtu"] = length
    for name, values in places(contest, label).items():
        frame[name] = np.tile(np.array(values, dtype=object), n)
    frame["rated_mw"] = np.tile([p.rated_mw for p in portfolios], n)
    frame["rated_mw_hours"] = frame["rated_mw"] * length * MTU_H
    frame["net_eur"] = flows[:, : f.CASH_W].sum(axis=1)
    frame["flex_eur"] = frame["net_eur"] - reference.flows[d].reshape(n * rows, -1)[:, : f.CASH_W].sum(axis=1)
    beyond = batch.cash[d] - reference.cash[d]
    frame["flex_mtu_eur"] = beyond.sum(axis=2).reshape(-1)
    frame["top_mtu_eur"] = top_cash(beyond, library.length).reshape(-1)
    return pd.concat([frame, pd.DataFrame(flows, columns=list(_FLOW_NAMES))], axis=1)


def world_rows(contest: Contest, design: str, label: str, batch: Batch, d: int) -> pd.DataFrame:
    """Return the rows of one design and strategy by scenario: what the operators needed, bought and paid, once for all FSPs."""
    count = len(contest.library)
    frame = pd.DataFrame({
        "design": np.full(count, design),
        "strategy": np.full(count, label),
        "scenario": [str(key) for key in contest.library.keys],
    })  # fmt: skip
    return pd.concat([frame, pd.DataFrame(batch.market[d], columns=list(MARKET_COLUMNS))], axis=1)


def places(contest: Contest, label: str) -> dict[str, list[str]]:
    """Return of each portfolio: what it consists of, its node and local market ("" if none), and the strategy it plays."""
    network, strategy = contest.network or default_network(), contest.strategies.get(label)
    areas = compile_network(network, contest.portfolios)
    return {
        "kind": [kind_of(p) for p in contest.portfolios],
        "node": [network.nodes[k].name for k in areas.row_node],
        "area": ["" if a < 0 else areas.names[a] for a in areas.row_area],
        "plays": list(strategy.assignment) if isinstance(strategy, Mixed) else [label] * len(contest.portfolios),
    }


def top_cash(cash: FloatArray, length: IntArray) -> FloatArray:
    """Return how much of the cash (S, F, T) falls into the best 1 % of all MTU of all scenarios, (S, F)."""
    total = cash.sum(axis=1)
    inside = np.arange(total.shape[1]) < length[:, None]
    count = max(1, round(TOP_FRAC * int(inside.sum())))
    ranked = np.where(inside, total, -np.inf).ravel()
    best = np.zeros(ranked.size, dtype=bool)
    best[np.argsort(-ranked, kind="stable")[:count]] = True
    return (cash * best.reshape(total.shape)[:, None]).sum(axis=2)


def day_rows(
    contest: Contest, design: str, label: str, batch: Batch, reference: Batch, d: int, calendar: Calendar
) -> pd.DataFrame:
    """Return cash by local day; the terminal value belongs to the last."""
    library, rows = contest.library, len(contest.portfolios)
    names, day = calendar
    terminal = FLOW_COLUMNS.index(f.CASH_TERMINAL)
    found = []
    for values in (batch, reference):
        cash = np.zeros((*values.cash.shape[1:3], names.shape[1]))
        for s in range(len(library)):
            count, last = int(library.length[s]), day[s, library.length[s] - 1]
            for k in range(rows):
                cash[s, k] = np.bincount(day[s, :count], values.cash[d, s, k, :count], minlength=names.shape[1])
            cash[s, :, last] += values.flows[d, s, :, terminal]
        found.append(cash)
    frame = pd.DataFrame(_identity(contest, design, label, repeat=names.shape[1]))
    frame["day"] = np.repeat(names, rows, axis=0).reshape(-1)
    frame["net_eur"] = found[0].reshape(-1)
    frame["flex_eur"] = (found[0] - found[1]).reshape(-1)
    return frame.loc[frame["day"] != ""].reset_index(drop=True)


def local_days(library: Library) -> Calendar:
    """Return the local days of each scenario, (S, days) as YYYY-MM-DD, and the day number of each tick, (S, T)."""
    zone, count = ZoneInfo(library.timezone), library.series.shape[1]
    step = np.timedelta64(MTU_MIN, "m")
    found = []
    for start, length in zip(library.start_utc, library.length, strict=True):
        local = pd.DatetimeIndex(start + step * np.arange(length)).tz_localize("UTC").tz_convert(zone).tz_localize(None)
        found.append(np.unique(local.to_numpy().astype("datetime64[D]"), return_inverse=True))
    number = np.zeros((len(library), count), dtype=np.int64)
    names = np.full((len(library), max(len(days) for days, _ in found)), "", dtype="U10")
    for s, (days, inverse) in enumerate(found):
        names[s, : len(days)], number[s, : len(inverse)] = days.astype("U10"), inverse
    return names, number


def _identity(contest: Contest, design: str, label: str, repeat: int = 1) -> dict[str, object]:
    """Return the columns that name a row."""
    library, rows = contest.library, len(contest.portfolios)
    scenarios = np.repeat([str(key) for key in library.keys], rows * repeat)
    return {
        "design": np.full(len(scenarios), design),
        "strategy": np.full(len(scenarios), label),
        "scenario": scenarios,
        "portfolio": np.tile(np.repeat([p.name for p in contest.portfolios], repeat), len(library)),
    }
