"""Who earns what: figures by size class and by kind of asset, from the rows of episodes of several portfolios."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from stacking.errors import StackingError
from stacking.units import HOURS_PER_YEAR

from .compare import ORDERED, figure, with_delivered
from .metric import EUR, MWH, SHARE, Metric
from .rows import REFUSED_COLUMNS
from .stats import RESAMPLES, Interval
from .tables import plus_minus, render, share, wrapped

GROUP_COLUMNS = ["design", "strategy", "grouping", "group", "fsp", "metric", "unit", "estimate", "low", "high", "count"]

SIZE_CLASSES: tuple[tuple[str, float], ...] = (
    ("below 0.1 MW", 0.1),
    ("0.1-0.5 MW", 0.5),
    ("0.5-1 MW", 1.0),
    ("1-5 MW", np.nextafter(5.0, 6.0)),
    ("above 5 MW", np.inf),
)
"""Title and upper edge, which belongs to the next class; 5 MW itself belongs to "1-5 MW"."""

KINDS: Mapping[str, str] = {"battery": "battery", "fleet": "EV fleet", "load": "industrial load", "mixed": "mixture"}
GROUPINGS: Mapping[str, str] = {"size": "size class (rated power of an FSP)", "kind": "kind of asset"}

BID = ("offered_lfm_mwh", "offered_mfrr_mwh", "forwarded_mwh", *REFUSED_COLUMNS)
"""What was put to a market: taken into a book (own local, own balancing, forwarded) or refused."""

GROUP_METRICS: tuple[Metric, ...] = (
    Metric("flex_eur", "flex revenue", EUR, "group", ("flex_eur",)),
    Metric(
        "flex_eur_per_kw_year", "EUR/kW-year", "EUR/kW-year", "group", ("flex_eur",), ("rated_mw_hours",),
        scale=HOURS_PER_YEAR / 1000.0,
    ),
    Metric("too_small_frac", "too small", SHARE, "group", ("refused_below_minimum_mwh",), BID),
    Metric("rounded_frac", "cut by the granularity", SHARE, "group", ("refused_granularity_rest_mwh",), BID),
    Metric("forwarded_frac", "forwarded", SHARE, "group", ("forwarded_mwh",), ("consent_asked_mwh",)),
    Metric("delivered_frac", "delivered/ordered", SHARE, "group", ("delivered_mwh",), ORDERED),
    Metric("ev_unmet_mwh", "missing when cars leave", MWH, "group", ("ev_unmet_mwh",)),
    Metric("ev_short_count", "cars short", "cars/episode", "group", ("ev_short_count",)),
    Metric("load_starts_count", "load activations", "starts/episode", "group", ("load_starts_count",)),
)  # fmt: skip
"""Figures of each group; sums over its FSPs before anything else."""

PRINTED = ("too_small_frac", "rounded_frac", "forwarded_frac")
"""Shares that stand beside the revenue on the screen; the others are in the stored table and in the JSON."""


def group_table(episodes: pd.DataFrame, *, seed: int = 0, resamples: int = RESAMPLES) -> pd.DataFrame:
    """Return figures by size class and by kind, one row per design, strategy, group and figure.

    Columns: ``design, strategy, grouping, group, fsp, metric, unit, estimate, low, high, count``; `fsp` is the number of
    FSPs of the group, the interval a 95 % percentile bootstrap over scenarios, of sums over the group's FSPs. Groups
    without an FSP are left out.

    Args:
        episodes: rows as `runner.run` returns them or as they are read back from a result folder.
        seed: of the bootstrap.
        resamples: number of bootstrap samples.

    Raises:
        StackingError: for a missing column, or fewer than two scenarios.
    """
    summed = list(dict.fromkeys(c for m in GROUP_METRICS for c in (*m.top, *m.bottom) if c != "delivered_mwh"))
    summed += ["undelivered_lfm_mwh", "undelivered_mfrr_mwh"]
    for column in ("design", "strategy", "scenario", "portfolio", "kind", "rated_mw", *summed):
        if column not in episodes.columns:
            raise StackingError(
                "A column of the episodes is missing.", place="group table", key=column,
                remedy="Give the episodes as `stacking compare --out` writes them.",
            )  # fmt: skip
    frame = episodes.assign(
        size=np.array([title for title, _ in SIZE_CLASSES])[size_class(episodes["rated_mw"].to_numpy())],
        kind=[KINDS[str(kind)] for kind in episodes["kind"]],
    )
    found: list[list[object]] = []
    for grouping, titles in (("size", [title for title, _ in SIZE_CLASSES]), ("kind", list(KINDS.values()))):
        fsp = {str(title): len(set(part["portfolio"])) for title, part in frame.groupby(grouping)}
        keys = ["design", "strategy", grouping]
        worlds = pd.DataFrame(frame.groupby([*keys, "scenario"], sort=False)[summed].sum()).reset_index()
        parts = {tuple(map(str, key)): part for key, part in _by(with_delivered(worlds), keys)}
        pairs = dict.fromkeys((key[0], key[1]) for key in parts)
        for (design, strategy), title in ((pair, title) for pair in pairs for title in titles if title in fsp):
            # the order of rows must not decide which scenarios a resample holds
            part = parts[design, strategy, title].sort_values("scenario")
            rows = {name: part[name].to_numpy() for name in part.columns.astype(str)}
            for metric in GROUP_METRICS:
                got = figure(metric, rows, seed, resamples)
                line = [design, strategy, grouping, title, fsp[title], metric.name, metric.unit]
                found.append([*line, got.estimate, got.low, got.high, got.count])
    return pd.DataFrame(found, columns=GROUP_COLUMNS)


def _by(frame: pd.DataFrame, keys: list[str]) -> Iterator[tuple[Any, pd.DataFrame]]:
    """Return the rows of each combination of keys."""
    return iter(frame.groupby(keys, sort=False))


def size_class(rated_mw: ArrayLike) -> NDArray[np.int64]:
    """Return the number of the size class of rated powers, MW.

    >>> size_class([0.05, 0.1, 0.5, 1.0, 5.0, 5.1]).tolist()
    [0, 1, 2, 3, 3, 4]
    """
    return np.searchsorted([edge for _, edge in SIZE_CLASSES], np.asarray(rated_mw, dtype=np.float64), side="right")


# ---- text ------------------------------------------------------------------------------------------------------------
def groups_text(table: pd.DataFrame, width: int | None = None) -> str:
    """Return a table by size class and one by kind of asset, where there are rows for it."""
    parts = {title: table.loc[table["grouping"] == name] for name, title in GROUPINGS.items()}
    return "\n\n".join(_grouping_text(part, title, width) for title, part in parts.items() if len(part))


def _grouping_text(table: pd.DataFrame, title: str, width: int | None) -> str:
    columns = ["design", "strategy", "group", "metric", "estimate", "low", "high", "count"]
    found = {
        (d, s, g, m): Interval(estimate, low, high, 0.95, int(count))
        for d, s, g, m, estimate, low, high, count in table[columns].itertuples(index=False, name=None)
    }
    fsp = dict(table[["group", "fsp"]].drop_duplicates().itertuples(index=False, name=None))
    rows: list[list[str]] = []
    for design in dict.fromkeys(table["design"]):
        rows.append([f"{design}:"])
        for strategy in dict.fromkeys(table.loc[table["design"] == design, "strategy"]):  # not every one plays every design
            cells = [_cell(found, (design, strategy, group)) for group in fsp]
            rows.append([f"  {strategy}", *cells])
    head = (
        f"By {title}: flex revenue, EUR/kW-year (mean ± half of the 95 % interval) / of all MWh put to a market, refused as too "
        "small / cut by the granularity / of the unsold local MWh that could be, forwarded"
    )
    header = ["strategy", *(f"{group}, {count} FSP" for group, count in fsp.items())]
    return wrapped(head, width=width) + "\n" + render(header, rows, width=width)


def _cell(found: Mapping[tuple[str, str, str, str], Interval], key: tuple[str, str, str]) -> str:
    parts = [share(found[*key, metric]) for metric in PRINTED]
    return " / ".join([plus_minus(found[*key, "flex_eur_per_kw_year"]), *(p.split(" ±")[0] for p in parts)])
