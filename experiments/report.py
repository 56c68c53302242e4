"""What a comparison says: the stored result, the text on the screen and the same as JSON."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from stacking.layout import LAYOUT_VERSION

from .compare import DIFFERENCE, HOLM, METRICS, TAIL, comparison_table, figures, names_in_order, unused
from .groups import group_table, groups_text
from .inputs import Setup
from .metric import Metric
from .runner import Progress, Run, run
from .stats import Interval
from .store import write_results
from .tables import bracketed, number, plus_minus, render, share, wrapped

MAIN_HEADER = (
    "strategy", "flex revenue, EUR", "EUR/kW-year", "minus rebid, EUR", "p(Holm)", "CVaR 5 %", "top 1 %",
    "imbalance", "terminal", "delivered",
)  # fmt: skip
FEW = 15
"""Below this number of scenarios the text warns that a bootstrap interval is too narrow."""

DELIVERED = next(metric for metric in METRICS if metric.name == "delivered_frac")

SECTIONS = {
    "cash": "Cash by market and reason, EUR per episode (mean ± half of the 95 % interval)",
    "energy": "Energy, MWh per episode, and counts (mean ± half of the 95 % interval)",
    "consent": "Consent to share unsold local bids (mean ± half of the 95 % interval)",
    "refused": "Refused, MWh per episode by code (`stacking explain CODE`)",
}


@dataclass(frozen=True)
class Comparison:
    """A finished comparison."""

    setup: Setup
    result: Run
    table: pd.DataFrame
    opened_utc: str  # when the run looked at its scenarios
    groups: pd.DataFrame | None = None  # figures by size and kind, where there are several portfolios


def compare(setup: Setup, progress: Progress | None = None) -> Comparison:
    """Run a comparison and make its table.

    Raises:
        StackingError: for bad input or a strategy that breaks its contract.
    """
    opened = datetime.now(UTC).isoformat(timespec="seconds")
    result = run(setup.contest, progress)
    table = comparison_table(result.episodes, result.worlds, seed=setup.seed)
    groups = group_table(result.episodes, seed=setup.seed) if len(setup.contest.portfolios) > 1 else None
    return Comparison(setup, result, table, opened, groups)


def save(comparison: Comparison, folder: str | Path) -> Path:
    """Write rows, table and manifest to a folder.

    Raises:
        StackingError: if the folder cannot be written.
    """
    setup = comparison.setup
    result = comparison.result
    frames = {"episodes": result.episodes, "days": result.days, "worlds": result.worlds, "comparison": comparison.table}
    if comparison.groups is not None:
        frames["groups"] = comparison.groups
    manifest = {
        "configuration": {**setup.described, "layout_version": LAYOUT_VERSION},
        "seeds": [setup.seed],
        "scenario_keys": [str(key) for key in setup.contest.library.keys],
        "backend": setup.contest.backend,
        "test_split_opened_utc": comparison.opened_utc if setup.opens_test else None,
        **facts(comparison),
    }
    return write_results(folder, frames, manifest)


def facts(comparison: Comparison) -> dict[str, Any]:
    """Return what a reader of the figures must know, as plain data."""
    contest, setup = comparison.setup.contest, comparison.setup
    return {
        "synthetic": list(contest.library.synthetic),
        "assumed": {design.name: list(design.assumed) for design in contest.designs},
        "notes": list(contest.library.notes),
        "test_split": test_note(setup, comparison.opened_utc),
    }


def to_json(comparison: Comparison) -> dict[str, Any]:
    """Return the comparison as JSON data; what is not a number is null."""
    setup = comparison.setup
    return {
        "designs": [design.name for design in setup.contest.designs],
        "strategies": [{key: origin[key] for key in ("name", "from", "parameters")} for origin in setup.described["strategies"]],
        "portfolios": [p.name for p in setup.contest.portfolios],
        "network": setup.described["network"]["name"],
        "population": setup.described["population"],
        "scenarios": len(setup.contest.library),
        "split": setup.split,
        "source": setup.contest.library.source,
        "days": setup.described["days"],
        "consent": setup.described["consent"],
        "overrides": setup.described["overrides"],
        **facts(comparison),
        "table": _records(comparison.table),
        "groups": [] if comparison.groups is None else _records(comparison.groups),
    }


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {str(key): None if isinstance(value, float) and not math.isfinite(value) else value for key, value in row.items()}
        for row in table.to_dict("records")
    ]


def test_note(setup: Setup, opened_utc: str) -> str:
    """Return the sentence about the test split, "" if it stayed closed."""
    if not setup.opens_test:
        return ""
    what = "The test split" if setup.split == "test" else "The split 'all', which holds the test split,"
    return f"{what} was opened by this run at {opened_utc}; tune nothing on what you see here (use --split validation)."


# ---- text ------------------------------------------------------------------------------------------------------------
def to_text(comparison: Comparison, width: int | None = None) -> str:
    """Return the tables and notes for the screen."""
    table = comparison.table
    found = figures(table)
    designs, strategies = names_in_order(table, "design"), names_in_order(table, "strategy")
    parts = [_head(comparison), _main(found, designs, strategies, width)]
    if comparison.groups is not None:
        parts.append(groups_text(comparison.groups, width))
    for section, title in SECTIONS.items():
        metrics = [metric for metric in METRICS if metric.section == section]
        if section == "energy":
            metrics.append(DELIVERED)
        parts.append(_section(table, found, designs, strategies, title, metrics, width))
    parts.append(_notes(comparison, width))
    return "\n\n".join(part for part in parts if part)


def _head(comparison: Comparison) -> str:
    setup, contest = comparison.setup, comparison.setup.contest
    power = sum(p.rated_mw for p in contest.portfolios)
    return wrapped(
        f"{len(contest.designs)} designs, {len(contest.strategies)} strategies, {len(contest.library)} paired "
        f"{setup.split} scenarios of {setup.described['days']} days ({contest.library.source}); "
        f"{len(contest.portfolios)} portfolio(s), {power:.4g} MW in each world, network '{setup.described['network']['name']}'."
    )


def _main(
    found: Mapping[tuple[str, str, str], Interval], designs: Sequence[str], strategies: Sequence[str], width: int | None
) -> str:
    rows: list[list[str]] = []
    for design in designs:
        rows.append([f"{design}:"])
        for strategy in strategies:
            get = _getter(found, design, strategy)
            holm = get(HOLM)
            rows.append(
                [
                    f"  {strategy}", bracketed(get("flex_eur")), plus_minus(get("flex_eur_per_kw_year")),
                    bracketed(get(DIFFERENCE)), _p_value(holm),
                    _plain(get(TAIL)), share(get("top_share_frac")), _plain(get("cash_imbalance_eur")),
                    _plain(get("cash_terminal_eur")), share(get("delivered_frac")),
                ]
            )  # fmt: skip
    title = "Flex revenue = net cash - net cash of do_nothing on the same scenario, per episode [95 % interval]"
    return title + "\n" + render(MAIN_HEADER, rows, width=width)


def _section(
    table: pd.DataFrame,
    found: Mapping[tuple[str, str, str], Interval],
    designs: Sequence[str],
    strategies: Sequence[str],
    title: str,
    metrics: Sequence[Metric],
    width: int | None,
) -> str:
    empty = set(unused(table, [metric.name for metric in metrics]))
    shown = [metric for metric in metrics if metric.name not in empty]
    left_out = f"Zero everywhere: {', '.join(m.title for m in metrics if m.name in empty)}." if empty else ""
    if not shown:
        return f"{title}\n{wrapped(left_out, width=width)}"
    rows: list[list[str]] = []
    for design in designs:
        lines = []
        for strategy in strategies:
            get = _getter(found, design, strategy)
            cells = [share(get(m.name)) if m.unit == "-" else plus_minus(get(m.name)) for m in shown]
            if any(cell not in ("0", "-") for cell in cells):
                lines.append([f"  {strategy}", *cells])
        if lines:
            rows += [[f"{design}:"], *lines]
    body = render(["strategy", *(m.title for m in shown)], rows, width=width)
    return "\n".join(part for part in (title, body, wrapped(left_out, width=width)) if part)


def _notes(comparison: Comparison, width: int | None) -> str:
    known = facts(comparison)
    lines = [f"Synthetic (drawn, not data): {', '.join(known['synthetic']) or 'nothing'}."]
    common = set.intersection(*(set(values) for values in known["assumed"].values()))
    lines.append(f"Assumed in all these designs: {', '.join(sorted(common)) or 'nothing'}.")
    for name, values in known["assumed"].items():
        if more := [value for value in values if value not in common]:
            lines.append(f"Assumed besides in {name}: {', '.join(more)}.")
    if comparison.setup.described["overrides"]:
        lines.append(f"Overridden: {', '.join(comparison.setup.described['overrides'])}.")
    lines += [f"Note: {note}." for note in known["notes"]]
    lines.append(f"Strategies: {_origins(comparison)}.")
    lines.append("Intervals: percentile bootstrap over scenarios; scenarios of 7 days are blocks of 7 days."
                 if comparison.setup.described["days"] == 7 else "Intervals: percentile bootstrap over scenarios.")  # fmt: skip
    count = len(comparison.setup.contest.library)
    if count < FEW:
        lines.append(f"Only {count} scenarios: intervals and p-values of so few are too narrow (--seeds 30 or more).")
    if known["test_split"]:
        lines.append(known["test_split"])
    return "\n".join(wrapped(line, indent="  ", width=width) for line in lines)


def _origins(comparison: Comparison) -> str:
    named = comparison.setup.described["strategies"]
    return "; ".join(f"{origin['name']} ({origin['from']})" for origin in named)


def _getter(found: Mapping[tuple[str, str, str], Interval], design: str, strategy: str) -> Callable[[str], Interval | None]:
    return lambda metric: found.get((design, strategy, metric))


def _p_value(figure: Interval | None) -> str:
    return "-" if figure is None else "<0.001" if figure.estimate < 0.001 else f"{figure.estimate:.3f}"


def _plain(figure: Interval | None) -> str:
    return "-" if figure is None else number(figure.estimate)
