"""A report for people: text tables and charts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..chart import Chart, svg
from ..stats import Interval
from ..tables import bracketed, number, percent, render, wrapped
from .report import BESIDE, Compared, Report

FEW_BLOCKS = 10
TITLES = {m.name: m.title for m in BESIDE}


def to_text(report: Report, width: int | None = None) -> str:
    """Return the report as text."""
    suite, tested = report.suite, report.tested
    few = min((c.found.blocks for c in report.compared), default=FEW_BLOCKS)
    notes = [
        f"The test split was opened {tested.times} time(s) in this folder.",
        *([_law(report)] if report.compared else []),
        *([f"One test has {few} block(s) only: its intervals are too narrow."] if few < FEW_BLOCKS else []),
        *([f"One training seed: its chance is not in the interval ({report.name} asks for {suite.seeds})."]
          if any(c.found.seeds == 1 for c in report.compared) else []),
        *suite.notes,
        *(f"Left out: {text}" for text in tested.skipped),
    ]  # fmt: skip
    blocks = [f"{report.name}: {suite.title}", wrapped(suite.question, width=width)]
    blocks += [_comparisons(report, width)] if report.compared else []
    blocks += [_crossed(report, width)] if report.crossed else []
    blocks += [_players(report, width), "\n".join(wrapped(f"- {line}", indent="  ", width=width) for line in notes)]
    return "\n\n".join(blocks)


def _law(report: Report) -> str:
    return (
        f"difference: mean over training seeds and scenarios, EUR per episode [95 % interval: bootstrap over training seeds and "
        f"over blocks of {report.suite.block_days} days, paired]; p two-sided, Holm over the {len(report.compared)} comparisons."
    )


def _comparisons(report: Report, width: int | None) -> str:
    header = ["cell", "test", "training - rival", "steps", "training", "rival", "difference", "%", "p", "p Holm", "seeds",
              "scenarios", "blocks", "goal"]  # fmt: skip
    rows = [
        [
            c.cell, c.test, f"{c.training} - {c.rival}", steps_text(c.steps), number(c.own_eur), number(c.rival_eur),
            bracketed(c.found.eur), bracketed(c.found.percent), p_text(c.found.p_value), p_text(c.p_holm), str(c.found.seeds),
            str(c.found.scenarios), str(c.found.blocks), _goal(c),
        ]
        for c in report.compared
    ]  # fmt: skip
    return render(header, rows, width=width, left=3)


def _goal(c: Compared) -> str:
    return "-" if c.goal_percent is None else f"> {c.goal_percent:g} %: {c.verdict or '-'}"


def _crossed(report: Report, width: int | None) -> str:
    rival = report.suite.rival[0].name
    header = ["trained in", "played in", "test", "steps", f"less {rival} tuned there", "%", "seeds"]
    rows = [
        [
            c.trained_in, c.cell, c.test, steps_text(c.steps), bracketed(c.found.eur), bracketed(c.found.percent),
            str(c.found.seeds),
        ]
        for c in report.crossed
    ]  # fmt: skip
    return render(header, rows, width=width, left=3)


def _players(report: Report, width: int | None) -> str:
    header = ["cell", "test", "player", "steps", "flex EUR", "net EUR", "worst 5 %", *TITLES.values()]
    rows = [
        [
            e.cell, e.test, e.player.name, steps_text(e.player.steps), number(e.flex_eur), number(e.net_eur), number(e.cvar_eur),
            *(percent(x) if name.endswith("frac") else number(x) for name, x in e.beside.items()),
        ]
        for e in report.earned
    ]  # fmt: skip
    return render(header, rows, width=width, left=3)


def steps_text(steps: int) -> str:
    """Return a number of steps as people say it.

    >>> steps_text(6_000_000), steps_text(1_500), steps_text(0)
    ('6M', '1,500', '-')
    """
    if not steps:
        return "-"
    return f"{steps // 10**6}M" if steps % 10**6 == 0 else f"{steps:,}"


def p_text(p: float) -> str:
    """Return a p-value.

    >>> p_text(0.0001), p_text(0.04321), p_text(1.0)
    ('0.0001', '0.043', '1')
    """
    return f"{p:.2g}"


def charts(report: Report) -> dict[str, str]:
    """Return file name -> SVG: the differences in per cent of the rival, one chart per test and budget."""
    found: dict[str, str] = {}
    for test in dict.fromkeys(c.test for c in report.compared):
        for steps in dict.fromkeys(c.steps for c in report.compared):
            part = [c for c in report.compared if c.test == test and c.steps == steps]
            if part:
                found[f"{test}-{steps}.svg"] = svg(_chart(report, part, test, steps))
    return found


def _chart(report: Report, part: Sequence[Compared], test: str, steps: int) -> Chart:
    cells = list(dict.fromkeys(c.cell for c in part))
    lines: dict[str, list[Interval | None]] = {}
    for c in part:
        lines.setdefault(f"{c.training} - {c.rival}", [None] * len(cells))[cells.index(c.cell)] = c.found.percent
    title = f"{report.suite.title}: {test}, {steps_text(steps)} steps"
    return Chart(title, "cell", "difference, % of the rival [95 %]", cells, None, lines, joined=False)


def write_report(report: Report, out: Path, text: str, data: bytes) -> list[Path]:
    """Write text, JSON and charts to a folder and return the files."""
    files = {"report.txt": (text + "\n").encode(), "report.json": data}
    files |= {name: drawn.encode() for name, drawn in charts(report).items()}
    for name, content in files.items():
        (out / name).write_bytes(content)
    return [out / name for name in files]
