"""The paired comparison: rows of episodes in, a table of figures with bootstrap intervals out.

Every figure is a mean over scenarios, a ratio of sums over scenarios, or a tail mean; nothing else is done to the rows,
so each can be recomputed from the stored ``episodes`` table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from stacking.errors import StackingError
from stacking.flows import CASH_LABELS
from stacking.units import HOURS_PER_YEAR

from .metric import EUR, MWH, SHARE, Metric
from .paired import paired_differences
from .rows import CASH_COLUMNS, ENERGY_COLUMNS, MARKET_COLUMNS, REFUSED_COLUMNS
from .stats import RESAMPLES, FloatArray, Interval, cvar_interval, mean_interval, ratio_interval

BASELINE = "rebid"
"""The competent player without coordination: every strategy is compared with it on the same scenarios."""

TABLE_COLUMNS = ["design", "strategy", "section", "metric", "unit", "estimate", "low", "high", "count"]


ORDERED = ("activated_lfm_mwh", "activated_mfrr_mwh", "activated_forwarded_mwh")


_WORDS = {"lfm": "local", "mfrr": "mFRR", "mwh": "", "count": "", "ev": "EV"}
_COUNTS = {
    "ev_left_count": ("cars left", "cars/episode"),
    "ev_short_count": ("cars short", "cars/episode"),
    "load_starts_count": ("load activations", "starts/episode"),
}


def _energy(column: str) -> Metric:
    """Return the figure of a column of energy or of a count."""
    title = " ".join(_WORDS.get(w, w) for w in column.split("_")).strip()
    title, unit = _COUNTS.get(column, (title, MWH))
    return Metric(column, title, unit, "energy", (column,))


MARKET_TITLES = {
    "need_lfm_mwh": "local need",
    "accepted_lfm_mwh": "local need met by FSPs",
    "background_lfm_mwh": "local need met by others",
    "unserved_lfm_mwh": "local need not met",
    "need_mfrr_mwh": "mFRR need",
    "accepted_mfrr_mwh": "mFRR need met by FSPs",
    "background_mfrr_mwh": "mFRR need met by others",
    "unserved_mfrr_mwh": "mFRR need not met",
    "violated_mwh": "limits violated by balancing",
    "dso_paid_eur": "DSO pays FSPs",
    "tso_paid_eur": "TSO pays FSPs",
    "counter_eur": "DSO pays for opposite energy",
    "tso_fee_eur": "TSO pays fees of forwarding",
}
"""What the engine sums per world; it belongs to a scenario, not to an FSP (`runner.Run.worlds`)."""

METRICS: tuple[Metric, ...] = (
    Metric("flex_eur", "flex revenue", EUR, "result", ("flex_eur",)),
    Metric(
        "flex_eur_per_kw_year", "EUR/kW-year", "EUR/kW-year", "result", ("flex_eur",), ("rated_mw_hours",),
        scale=HOURS_PER_YEAR / 1000.0,
    ),
    Metric("top_share_frac", "made in top 1 % of MTU", SHARE, "result", ("top_mtu_eur",), ("flex_mtu_eur",), signed=True),
    Metric("delivered_frac", "delivered/ordered", SHARE, "result", ("delivered_mwh",), ORDERED),
    *(
        Metric(column, f"{label.market}: {label.name}" if label.market != label.name else label.name, EUR, "cash", (column,))
        for label, column in zip(CASH_LABELS, CASH_COLUMNS, strict=True)
    ),
    Metric("net_eur", "net", EUR, "cash", ("net_eur",)),
    *(
        _energy(column)
        for column in ENERGY_COLUMNS
        if not column.startswith(("asked", "opted", "consent"))
    ),
    Metric("asked_count", "asked, bids of one MTU", "bids/episode", "consent", ("asked_count",)),
    Metric("consent_asked_mwh", "asked, MWh", MWH, "consent", ("consent_asked_mwh",)),
    Metric("opt_out_mtu_frac", "opted out by bids", SHARE, "consent", ("opted_out_count",), ("asked_count",)),
    Metric("opt_out_mwh_frac", "opted out by MWh", SHARE, "consent", ("opted_out_mwh",), ("consent_asked_mwh",)),
    *(
        Metric(column, title, EUR if column.endswith("eur") else MWH, "markets", (column,))
        for column, title in MARKET_TITLES.items()
    ),
    *(
        Metric(column, column.removeprefix("refused_").removesuffix("_mwh").upper(), MWH, "refused", (column,))
        for column in REFUSED_COLUMNS
    ),
)  # fmt: skip
"""Every figure of the table other than the paired difference and the tail mean."""

DIFFERENCE, TAIL, HOLM = "difference_eur", "cvar_eur", "difference_p_holm"


def comparison_table(
    episodes: pd.DataFrame, worlds: pd.DataFrame | None = None, *, seed: int = 0, resamples: int = RESAMPLES
) -> pd.DataFrame:
    """Return the table of figures, one row per design, strategy and figure.

    Columns: ``design, strategy, section, metric, unit, estimate, low, high, count``; the interval is a 95 % percentile
    bootstrap over scenarios. Money and energies are sums over the portfolios of a world.

    Args:
        episodes: rows as `runner.run` returns them or as they are read back from a result folder.
        worlds: the same by scenario; without them the figures of the markets are left out.
        seed: of the bootstrap.
        resamples: number of bootstrap samples.

    Raises:
        StackingError: for fewer than two scenarios, strategies that did not run on the same scenarios, or worlds of another run.
    """
    whole = _with_markets(_worlds(episodes), worlds)
    metrics = [metric for metric in METRICS if worlds is not None or metric.section != "markets"]
    found = []
    for design, frame in whole.groupby("design", sort=False):
        differences = _differences(frame, seed, resamples)
        for strategy, part in frame.groupby("strategy", sort=False):
            # the order of rows must not decide which scenarios a resample holds
            part = part.sort_values("scenario")
            rows = {name: part[name].to_numpy() for name in part.columns.astype(str)}
            for metric in metrics:
                interval = figure(metric, rows, seed, resamples)
                found.append(_line(design, strategy, metric.section, metric.name, metric.unit, interval))
            tail = cvar_interval(rows["flex_eur"], seed=seed, resamples=resamples)
            found.append(_line(design, strategy, "result", TAIL, EUR, tail))
            if str(strategy) in differences:
                interval, holm = differences[str(strategy)]
                found.append(_line(design, strategy, "result", DIFFERENCE, EUR, interval))
                exact = Interval(holm, holm, holm, interval.level_frac, interval.count)
                found.append(_line(design, strategy, "result", HOLM, SHARE, exact))
    return pd.DataFrame(found, columns=TABLE_COLUMNS)


def _worlds(episodes: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with the portfolios of a world added up."""
    needed = ["design", "strategy", "scenario", "flex_eur", "flex_mtu_eur", "top_mtu_eur", "rated_mw_hours", "net_eur"]
    numbers = [*needed[3:], *CASH_COLUMNS, *ENERGY_COLUMNS, *REFUSED_COLUMNS]
    for column in (*needed, *numbers):
        if column not in episodes.columns:
            raise StackingError(
                "A column of the episodes is missing.",
                place="comparison table",
                key=column,
                remedy="Give the episodes as `stacking compare --out` writes them.",
            )
    grouped = episodes.groupby(["design", "strategy", "scenario"], sort=False)
    worlds = pd.DataFrame(grouped[numbers].sum()).reset_index()
    return with_delivered(worlds)


def _with_markets(whole: pd.DataFrame, worlds: pd.DataFrame | None) -> pd.DataFrame:
    """Return rows by scenario with the sums of their markets."""
    if worlds is None:
        return whole
    keys = ["design", "strategy", "scenario"]
    for column in (*keys, *MARKET_COLUMNS):
        if column not in worlds.columns:
            raise StackingError(
                "A column of the worlds is missing.", place="comparison table", key=column,
                remedy="Give the worlds as `stacking compare --out` writes them.",
            )  # fmt: skip
    found = whole.merge(worlds[[*keys, *MARKET_COLUMNS]], on=keys, how="left", validate="one_to_one")
    if found[list(MARKET_COLUMNS)].isna().to_numpy().any():
        raise StackingError("The worlds are not those of the episodes.", place="comparison table", key="worlds",
                            value=len(worlds), allowed=f"one row for each of {len(whole)} scenarios",
                            remedy="Give both tables of the same run.")  # fmt: skip
    return found


def with_delivered(frame: pd.DataFrame) -> pd.DataFrame:
    """Return rows with `delivered_mwh` = ordered energy - what was not delivered of it, MWh."""
    missing = frame["undelivered_lfm_mwh"] + frame["undelivered_mfrr_mwh"]
    return frame.assign(delivered_mwh=frame[list(ORDERED)].sum(axis=1) - missing)


def figure(metric: Metric, rows: Mapping[str, FloatArray], seed: int, resamples: int) -> Interval:
    """Return a figure with its interval from columns of rows, (S,) each, in the order of the scenarios' names."""
    top = np.sum([rows[name] for name in metric.top], axis=0) * metric.scale
    if not metric.bottom:
        return mean_interval(top, seed=seed, resamples=resamples)
    bottom = np.sum([rows[name] for name in metric.bottom], axis=0)
    return ratio_interval(top, bottom, seed=seed, resamples=resamples, signed=metric.signed)


def _differences(frame: pd.DataFrame, seed: int, resamples: int) -> dict[str, tuple[Interval, float]]:
    """Return the paired difference to the baseline and its corrected p-value, by strategy."""
    names = set(frame["strategy"])
    if BASELINE not in names or len(names) < 2:
        return {}
    table = paired_differences(frame, BASELINE, value="flex_eur", seed=seed, resamples=resamples)
    return {
        str(row["strategy"]): (
            Interval(row["mean"], row["low"], row["high"], 0.95, int(row["count"])),
            float(row["p_holm"]),
        )
        for row in table.to_dict("records")
    }


def _line(design: object, strategy: object, section: str, metric: str, unit: str, interval: Interval) -> list[object]:
    return [design, strategy, section, metric, unit, interval.estimate, interval.low, interval.high, interval.count]


def figures(table: pd.DataFrame) -> dict[tuple[str, str, str], Interval]:
    """Return the table as (design, strategy, metric) -> figure."""
    return {
        (str(r["design"]), str(r["strategy"]), str(r["metric"])): Interval(
            r["estimate"], r["low"], r["high"], 0.95, int(r["count"])
        )
        for r in table.to_dict("records")
    }


def names_in_order(table: pd.DataFrame, column: str) -> list[str]:
    """Return the designs or strategies of a table in order of appearance."""
    return list(dict.fromkeys(table[column].astype(str)))


def unused(table: pd.DataFrame, metrics: Sequence[str]) -> list[str]:
    """Return those figures that are zero or empty for every design and strategy."""
    nonzero = np.abs(np.nan_to_num(table[["estimate", "low", "high"]].to_numpy(dtype=float))).max(axis=1) > 0.0
    used = set(table.loc[nonzero, "metric"])
    return [name for name in metrics if name not in used]
