"""The tables of the system side: figures by design, differences to the first design, and the no-harm test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from ..compare import figure
from ..metric import EUR, MWH, SHARE, Metric
from ..paired import paired_differences
from ..stats import RESAMPLES, Interval
from ..tables import bracketed, number, render, wrapped
from .harm import MARGIN_FRAC, MEASURES, no_harm
from .tally import PARTIES, party_column

PRICE = "EUR/MWh"
COSTS = (
    ("wear", "wear"), ("ev_delay", "drivers: charging moved"), ("ev_unmet", "drivers: energy missing"),
    ("load", "loads interrupted"),
    ("energy", "wholesale energy of schedules"), ("stored", "less energy left in store"), ("imbalance", "left to the imbalance"),
    ("others_lfm", "other people, local"), ("others_mfrr", "other people, mFRR"),
    ("counter", "opposite energy elsewhere"),
)  # fmt: skip


def _of(name: str, title: str, unit: str, section: str) -> Metric:
    return Metric(name, title, unit, section, (name,))


METRICS: tuple[Metric, ...] = (
    _of("social_cost_eur", "social cost", EUR, "social cost"),
    *(_of(f"cost_{name}_eur", title, EUR, "social cost") for name, title in COSTS),
    _of("lost_mwh", "lost in batteries", MWH, "social cost"),
    _of("lost_eur", "of wholesale energy: lost", EUR, "social cost"),
    _of("lfm_need_mwh", "local need", MWH, "congestion"),
    _of("lfm_unserved_mwh", "local need not met", MWH, "congestion"),
    _of("lfm_unserved_eur", "not met, at limit price", EUR, "congestion"),
    _of("lfm_surplus_mwh", "bought on a forecast, not needed", MWH, "congestion"),
    _of("exceeded_mwh", "limits exceeded at delivery", MWH, "congestion"),
    _of("exceeded_eur", "exceeded, at limit price", EUR, "congestion"),
    _of("violation_caused_mwh", "violations caused by balancing orders", MWH, "congestion"),
    Metric("lfm_fill_frac", "fill rate, local", SHARE, "congestion", ("lfm_bought_mwh",), ("lfm_need_mwh",)),
    Metric("mfrr_fill_frac", "fill rate, mFRR", SHARE, "congestion", ("mfrr_bought_mwh",), ("mfrr_need_mwh",)),
    _of("dso_paid_eur", "DSO pays", EUR, "payments"),
    _of("dso_fsp_eur", "of this to FSPs", EUR, "payments"),
    _of("dso_counter_eur", "for opposite energy elsewhere", EUR, "payments"),
    _of("tso_paid_eur", "TSO pays", EUR, "payments"),
    _of("tso_fsp_eur", "of this to FSPs for activation", EUR, "payments"),
    _of("tso_penalty_eur", "penalties", EUR, "payments"),
    _of("tso_imbalance_eur", "imbalance of FSPs", EUR, "payments"),
    *(_of(party_column(name), name, EUR, "cash of each party, together 0") for name in PARTIES),
    _of("offered_lfm_mwh", "offered, local", MWH, "volumes"),
    _of("offered_mfrr_mwh", "offered, mFRR", MWH, "volumes"),
    _of("forwarded_mwh", "forwarded", MWH, "volumes"),
    _of("activated_lfm_mwh", "activated, local", MWH, "volumes"),
    _of("activated_mfrr_mwh", "activated, mFRR own", MWH, "volumes"),
    _of("activated_forwarded_mwh", "activated, mFRR forwarded", MWH, "volumes"),
    _of("lfm_others_mwh", "other people, local", MWH, "volumes"),
    _of("mfrr_others_mwh", "other people, mFRR", MWH, "volumes"),
    _of("double_selected_mwh", "doubly selected", MWH, "volumes"),
    _of("double_activated_mwh", "doubly activated", MWH, "volumes"),
    _of("entry_small_offered_mwh", "forwarded of those too small", MWH, "entry"),
    _of("entry_small_mwh", "accepted of those too small", MWH, "entry"),
    _of("entry_silent_mwh", "accepted of those silent at mFRR", MWH, "entry"),
    _of("lfm_hhi", "HHI of FSPs, local", SHARE, "concentration"),
    _of("mfrr_hhi", "HHI of FSPs, mFRR", SHARE, "concentration"),
    Metric("lfm_pivotal_frac", "auctions with a pivotal FSP, local", SHARE, "concentration", ("lfm_pivotal_auctions",),
           ("lfm_auctions",)),
    Metric("mfrr_pivotal_frac", "auctions with a pivotal FSP, mFRR", SHARE, "concentration", ("mfrr_pivotal_auctions",),
           ("mfrr_auctions",)),
    _of("lfm_price_scarcity_corr", "price and scarcity, local", SHARE, "signals"),
    _of("mfrr_price_scarcity_corr", "price and scarcity, mFRR", SHARE, "signals"),
    _of("price_corr", "local and mFRR price", SHARE, "signals"),
    _of("price_gap", "mean gap of local and mFRR price", PRICE, "signals"),
    Metric("own_need_frac", "need made by schedules", SHARE, "signals", ("own_need_mwh",), ("lfm_need_mwh",)),
    Metric("own_sold_frac", "sold against own schedule (increase-decrease)", SHARE, "signals", ("own_sold_mwh",),
           ("lfm_fsp_mwh",)),
)  # fmt: skip

DIFFERENCES = ("social_cost_eur", "lfm_unserved_mwh", "lfm_unserved_eur", "exceeded_mwh", "exceeded_eur", "dso_paid_eur",
               "tso_paid_eur", "forwarded_mwh", "activated_forwarded_mwh", "double_activated_mwh",
               "entry_small_mwh")  # fmt: skip
LEFT_OUT = (
    "Social cost is energy, wear and compensation, not payments; it leaves out unserved congestion (above), what others change "
    "in their schedules, grid losses, and effects on day-ahead and intraday prices. docs/system-side.md says what each figure is."
)
Missing = Mapping[str, Mapping[str, str]]
"""Why a case has no number in a column."""

SECTIONS = tuple(dict.fromkeys(metric.section for metric in METRICS))


@dataclass(frozen=True)
class SystemSide:
    """Rows by case and scenario, and the tables made of them; the first case is the baseline."""

    rows: pd.DataFrame
    figures: pd.DataFrame
    differences: pd.DataFrame
    harm: pd.DataFrame
    baseline: str
    margin_frac: float = MARGIN_FRAC
    missing: Missing = field(default_factory=dict)
    apart: Missing = field(default_factory=dict)


def system_side(
    rows: pd.DataFrame, *, missing: Missing | None = None, apart: Missing | None = None,
    margin_frac: float = MARGIN_FRAC, seed: int = 0, resamples: int = RESAMPLES,
) -> SystemSide:  # fmt: skip
    """Return the tables of the system side.

    Args:
        rows: one row per case and scenario, as `play.play` returns them; the first case is what others are compared with.
        missing: case -> column -> why it has no number.
        apart: case -> column -> why it is not compared with the first case.
        margin_frac: of the no-harm test.
        seed, resamples: of the bootstrap over scenarios.

    Raises:
        StackingError: for fewer than two scenarios, or cases that did not run on the same ones.
    """
    baseline = str(rows["design"].iloc[0])
    figures = pd.DataFrame(
        [{"design": design, "section": m.section, "metric": m.name, "unit": m.unit, **_numbers(m, part, seed, resamples)}
         for design, part in rows.groupby("design", sort=False) for m in METRICS]
    )  # fmt: skip
    alike = rows.copy()
    for case, columns in (apart or {}).items():
        alike.loc[alike["design"] == case, list(columns)] = float("nan")
    harm = no_harm(alike, baseline, margin_frac=margin_frac, seed=seed, resamples=resamples)
    return SystemSide(rows, figures, _differences(alike, baseline, seed, resamples), harm, baseline, margin_frac,
                      missing or {}, apart or {})  # fmt: skip


def _numbers(metric: Metric, part: pd.DataFrame, seed: int, resamples: int) -> dict[str, float]:
    """Return a figure with its interval over the scenarios that have one."""
    used = part.sort_values("scenario").loc[:, [*metric.top, *metric.bottom]].dropna()
    if len(used) < 2:
        return {"estimate": float("nan"), "low": float("nan"), "high": float("nan"), "count": len(used)}
    found = figure(metric, {name: used[name].to_numpy() for name in used.columns}, seed, resamples)
    return {"estimate": found.estimate, "low": found.low, "high": found.high, "count": found.count}


def _differences(whole: pd.DataFrame, baseline: str, seed: int, resamples: int) -> pd.DataFrame:
    """Return paired differences to the baseline of the figures in DIFFERENCES, of the cases that have them."""
    found = []
    for name in DIFFERENCES:
        having = list(dict.fromkeys(whole.loc[whole[name].notna(), "design"]))
        if baseline not in having:
            continue
        rows = whole.loc[whole["design"].isin(having)]
        used = rows.loc[~rows["scenario"].isin(rows.loc[rows[name].isna(), "scenario"])]
        if len(set(used["design"])) > 1 and len(set(used["scenario"])) > 1:
            table = paired_differences(used, baseline, value=name, group="design", seed=seed, resamples=resamples)
            found.append(table.assign(metric=name))
    columns = ["metric", "design", "mean", "low", "high", "p_value", "p_holm", "count"]
    return pd.concat(found, ignore_index=True).loc[:, columns] if found else pd.DataFrame(columns=columns)


# ---- text and data -----------------------------------------------------------------------------------------------------
def to_text(side: SystemSide, width: int | None = None) -> str:
    """Return the tables as text; figures that are zero in every case are left out and named."""
    return "\n\n".join(_parts(side, width))


def _parts(side: SystemSide, width: int | None) -> Iterator[str]:
    designs = list(dict.fromkeys(side.figures["design"]))
    count = len(set(side.rows["scenario"]))
    yield f"System side: mean per episode over {count} paired scenarios, with 95 % bootstrap intervals"
    cells = {(r["design"], r["metric"]): _interval(r) for r in side.figures.to_dict("records")}
    rows: list[list[str]] = []
    empty = []
    for section in SECTIONS:
        body = []
        for metric in (m for m in METRICS if m.section == section):
            found = [cells[design, metric.name] for design in designs]
            if all(np.isnan(x.estimate) or x.estimate == 0.0 for x in found):
                empty.append(metric.title)
            else:
                body.append([metric.title, metric.unit, *(bracketed(x) for x in found)])
        rows += [[section.upper()], *body] if body else []
    yield render(["", "unit", *designs], rows, width=width, left=2)
    if empty:
        yield wrapped(f"Nothing in any case: {', '.join(empty)}.", width=width)
    titles = {metric.name: metric.title for metric in METRICS}
    for line in (*_reasons("Not told under", side.missing), *_reasons("Not compared under", side.apart)):
        yield wrapped(line, width=width)
    lines = [[titles[r["metric"]], r["design"], bracketed(_interval(r)), number(r["p_holm"])]
             for r in side.differences.to_dict("records") if r["low"] != 0.0 or r["high"] != 0.0]  # fmt: skip
    if lines:
        yield f"Difference to {side.baseline} on the same scenarios\n" + render(
            ["", "design", "difference", "p (Holm)"], lines, width=width, left=2)  # fmt: skip
    yield wrapped(LEFT_OUT, width=width)
    if len(side.harm):
        yield _harm_text(side, width)


def _reasons(what: str, missing: Missing) -> Iterator[str]:
    """Give a sentence for each case and reason."""
    titles = {metric.name: f"{metric.title} ({metric.section})" for metric in METRICS}
    titles |= {measure.column: measure.title for measure in MEASURES}
    for case, columns in missing.items():
        for reason in dict.fromkeys(columns.values()):
            names = [titles[column] for column, why in columns.items() if why == reason]
            yield f"{what} {case}: {', '.join(names)}; {reason}."


def _harm_text(side: SystemSide, width: int | None) -> str:
    names = {measure.column: f"{measure.title}, {measure.unit}" for measure in MEASURES}
    lines = [
        [names[r["measure"]], r["design"], number(r["baseline"]), bracketed(_interval(r)), number(r["p_holm"]),
         str(r["count"]), r["verdict"]]
        for r in side.harm.to_dict("records")
    ]  # fmt: skip
    head = ["measure", "design", side.baseline, "difference", "p (Holm)", "n", "verdict"]
    return (f"Harm to other markets against {side.baseline}; no harm = worse by at most {100 * side.margin_frac:g} % (assumed)\n"
            + render(head, lines, width=width, left=2))  # fmt: skip


def _interval(row: dict[Any, Any]) -> Interval:
    estimate = row["estimate"] if "estimate" in row else row["mean"]
    return Interval(float(estimate), float(row["low"]), float(row["high"]), 0.95, int(row["count"]))


def to_json(side: SystemSide) -> dict[str, Any]:
    """Return the tables as plain data; None stands for a number that does not exist."""

    def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
        return [
            {str(k): None if isinstance(x, float) and not np.isfinite(x) else x for k, x in row.items()}
            for row in frame.to_dict("records")
        ]

    return {
        "baseline": side.baseline, "margin_frac": side.margin_frac, "scenarios": len(set(side.rows["scenario"])),
        "missing": {case: dict(columns) for case, columns in side.missing.items() if columns},
        "not_compared": {case: dict(columns) for case, columns in side.apart.items() if columns},
        "figures": records(side.figures), "differences": records(side.differences), "no_harm": records(side.harm),
        "rows": records(side.rows),
    }  # fmt: skip
