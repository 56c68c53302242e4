"""Windows of real data: which columns they need, which days can be delivered, which windows have gaps."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from ..errors import StackingError
from ..units import MTU_PER_HOUR
from .calendar import TAIL_HOURS, Clock, clock, episode_start, local_midnight, time_zone
from .cells import DIRECTION, MTU_S
from .parameters import Balancing
from .splits import split_period
from .table import PriceTable, net_need

Floats = NDArray[np.float64]

DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Plan:
    """Which columns the windows need, and which parts are drawn."""

    needed: dict[str, Floats]  # columns that must be complete during an episode, (Q,)
    need: Floats | None  # (2, Q) balancing need in MW
    has_prices: bool  # mFRR prices, or imbalance prices from which they follow
    synthetic: tuple[str, ...]
    notes: tuple[str, ...]

    @classmethod
    def of(cls, table: PriceTable, p: Balancing) -> Plan:
        """Decide what is replayed: prices first, then needs, which are of use only with prices."""
        columns = table.columns
        has_mfrr, has_imbalance = "mfrr_up_price" in columns, "imb_price" in columns
        found = net_need(columns)
        needed, synthetic, notes = {"da_price": columns["da_price"]}, [], []
        if not has_mfrr and not has_imbalance:
            synthetic += ["balancing prices and needs", "imbalance prices"]
            found = None
        else:
            names = ["mfrr_up_price", "mfrr_dn_price"] if has_mfrr else []
            needed |= {name: columns[name] for name in (*names, "imb_price", DIRECTION) if name in columns}
            if not has_mfrr:
                synthetic.append("mFRR prices (imbalance price where it lies beyond day-ahead, else day-ahead)")
            if not has_imbalance:
                synthetic.append("imbalance prices (mFRR price of the dominating direction)")
            if DIRECTION not in columns:
                synthetic.append("dominating direction (from needs and prices)")
            if found is None:
                synthetic.append("balancing needs in MW")
            else:
                needed[found[0]] = found[1].sum(axis=0)
                synthetic.append(f"balancing need of {p.minimal_need_mw:g} MW where a price differs from day-ahead without need")
        unused = sorted(set(columns) - set(needed) - set(found[0].split(" and ") if found else ()))
        if unused:
            notes.append(f"columns read but not used: {', '.join(unused)}")
        synthetic += ["local needs and others' local offers", "forecasts"]
        return cls(needed, found[1] if found else None, has_mfrr or has_imbalance, tuple(synthetic), tuple(notes))


def choose_windows(
    table: PriceTable, plan: Plan, split: str, days: int, timezone: str, count: int | None
) -> tuple[list[dt.date], list[str]]:
    """Return the first delivery days of the windows to replay, and what is to be said about the others.

    Raises:
        StackingError: for an unknown split, too short files, or a split without a complete window.
    """
    first, end = delivery_days(table, plan, time_zone(timezone), days)
    period = split_period(first, end, split)
    starts = [day for day in (first + k * days * DAY for k in range((end - first).days // days)) if period.holds(day, days)]
    checked = [(day, missing_columns(table, plan, clock(day, days, timezone))) for day in starts]
    complete = [day for day, missing in checked if not missing]
    if not complete:
        raise StackingError(
            "No complete window in this split.",
            place=table.source,
            key="split",
            value=f"{split}: {len(starts)} windows of {days} days, all with missing values"
            if starts
            else f"{split}: {period.first} to {period.end} holds no window of {days} days",
            allowed="at least one window without missing values",
            remedy="Use fewer days, more data, or another split.",
        )
    kept = (
        complete
        if count is None or count >= len(complete)
        else [complete[(2 * k + 1) * len(complete) // (2 * count)] for k in range(count)]
    )
    said = f"split {split}: delivery {period.first} to {period.end - DAY}"
    said += f", {len(complete)} of {len(starts)} windows complete"
    return kept, [said, *skipped(checked, days), *choice(len(kept), len(complete), count)]


def delivery_days(table: PriceTable, plan: Plan, zone: ZoneInfo, days: int) -> tuple[dt.date, dt.date]:
    """Return the local days that can be delivered: the range in which all needed columns have values.

    The day before the first must be there from noon on, the day after the last in day-ahead prices.
    """
    filled = {name: np.flatnonzero(~np.isnan(values)) for name, values in plan.needed.items()}
    for name, at in filled.items():
        if not len(at):
            raise StackingError(
                "A column is empty.",
                place=table.source,
                key=name,
                allowed="at least one complete window",
                remedy="Remove the column or give its values.",
            )
    begin = _moment(table.first_s + max(int(at[0]) for at in filled.values()) * MTU_S)
    stop = _moment(table.first_s + (min(int(at[-1]) for at in filled.values()) + 1) * MTU_S)
    da_stop = _moment(table.first_s + (int(filled["da_price"][-1]) + 1) * MTU_S)
    first = begin.astimezone(zone).date()
    while episode_start(first, zone) < begin:
        first += DAY
    end = stop.astimezone(zone).date() + DAY
    while local_midnight(end, zone) > stop or max(local_midnight(end + DAY, zone), local_midnight(end, zone) + DAY) > da_stop:
        end -= DAY
    if (end - first).days < days:
        raise StackingError(
            "The price files are too short for one window.",
            place=table.source,
            key="days",
            value=days,
            allowed=f"at most {max((end - first).days, 0)} (noon of the day before and the day after are needed too)",
            remedy="Use fewer days or more data.",
        )
    return first, end


def _moment(seconds: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


def first_tick(table: PriceTable, now: Clock) -> int:
    """Return the row of the table at which an episode starts."""
    return (int(now.start.timestamp()) - table.first_s) // MTU_S


def missing_columns(table: PriceTable, plan: Plan, now: Clock) -> tuple[str, ...]:
    """Return the needed columns that have a gap in a window."""
    at, ticks = first_tick(table, now), now.ticks
    after = max(now.next_day_ticks, 24 * MTU_PER_HOUR)
    reach = {name: ticks + (after if name == "da_price" else 0) for name in plan.needed}
    return tuple(name for name, values in plan.needed.items() if np.isnan(cut(values, at, reach[name])).any())


def cut(values: Floats, at: int, count: int) -> Floats:
    """Return ``count`` values from ``at`` on, NaN beyond the end of the table."""
    part = values[at : at + count]
    return part if len(part) == count else np.append(part, np.full(count - len(part), np.nan))


def skipped(checked: Sequence[tuple[dt.date, tuple[str, ...]]], days: int) -> list[str]:
    """Return one note per run of skipped windows that lack the same columns."""
    notes = []
    for missing, run in groupby(checked, key=lambda pair: pair[1]):
        if missing:
            skipped = [day for day, _ in run]
            last = skipped[-1] + (days - 1) * DAY
            notes.append(f"skipped {len(skipped)} window(s), delivery {skipped[0]} to {last}: missing {', '.join(missing)}")
    return notes


def choice(kept: int, complete: int, count: int | None) -> list[str]:
    """Say how many of the complete windows were taken, if not all or not as many as asked for."""
    if count is not None and count > complete:
        return [f"{count} windows were asked for, {complete} are there"]
    return [f"{kept} of {complete} complete windows taken, spread evenly"] if kept < complete else []


def short_tails(table: PriceTable, clocks: Sequence[Clock]) -> list[str]:
    """Say where day-ahead prices end so soon after a window that late forecasts fall back on earlier days."""
    da, tail = table.columns["da_price"], TAIL_HOURS * MTU_PER_HOUR
    short = sum(bool(np.isnan(cut(da, first_tick(table, now), now.ticks + tail)).any()) for now in clocks)
    if not short:
        return []
    return [
        f"{short} window(s): day-ahead prices are missing on the second day after the end; "
        "forecasts for it repeat the same hour two days earlier"
    ]
