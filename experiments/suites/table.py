"""The table of a suite, made from submissions alone: every player beside the first rival on the same scenarios."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..runner import REFERENCE
from ..stats import FloatArray, cvar
from ..tables import bracketed, number
from .laws import Difference, block_length, difference
from .record import Suite
from .submissions import Result, Submission
from .view import steps_text


@dataclass(frozen=True)
class Line:
    """One player in one test.

    Attributes:
        cell, test: where it was played; trained_in: the other cell where it was trained, "" if it was this one or none.
        name, steps, seeds: of the player; seeds 0 where nothing was trained.
        mean_eur, cvar_eur: flex revenue per episode, and mean of the worst 5 %.
        against: less the first rival, tuned with as many steps (of players without: with the fewest); None for that rival.
    """

    cell: str
    test: str
    trained_in: str
    name: str
    steps: int
    seeds: int
    mean_eur: float
    cvar_eur: float
    against: Difference | None


def lines_of(suite: Suite, submissions: Sequence[Submission]) -> tuple[Line, ...]:
    """Return the lines of the table: by test and cell in the order of the suite, then by name and budget."""
    rival = suite.rival[0].name
    days = {test.name: test.days for test in suite.test}
    tests = {t.name: k for k, t in enumerate(suite.test)}
    cells = {c.name: k for k, c in enumerate(suite.all_cells())}
    found: list[Line] = []
    for one in submissions:
        groups: dict[tuple[str, str, str], list[Result]] = {}
        for r in one.results:
            groups.setdefault((r.cell, r.test, "" if r.trained_in in (None, r.cell) else str(r.trained_in)), []).append(r)
        for (cell, test, trained_in), results in groups.items():
            flex = np.array([r.flex_eur for r in results])
            other = _rival(submissions, rival, cell, test, one.steps)
            own = one.name == rival and one.kind == "rival"
            block = block_length(days[test], suite.block_days, flex.shape[1])
            against = None if own or other is None else difference(flex, other, block)
            seeds = sum(r.seed is not None for r in results)
            found.append(
                Line(cell, test, trained_in, one.name, one.steps, seeds, float(flex.mean()), cvar(flex.ravel()), against)
            )
    return tuple(sorted(found, key=lambda n: (tests[n.test], cells[n.cell], n.trained_in, n.steps, n.name)))


def _rival(submissions: Sequence[Submission], rival: str, cell: str, test: str, steps: int) -> FloatArray | None:
    """Return what the rival earned that was tuned with as many steps; with the fewest, for a player without."""
    there = sorted(
        ((s.steps, r) for s in submissions if s.name == rival and s.kind == "rival" for r in s.results
         if (r.cell, r.test) == (cell, test) and r.trained_in == cell),
        key=lambda pair: pair[0],
    )  # fmt: skip
    chosen = [r for budget, r in there if budget == steps] or [r for _, r in there if steps == 0]
    return np.array(chosen[0].flex_eur) if chosen else None


def markdown(suite: Suite, lines: Sequence[Line]) -> str:
    """Return the table as Markdown: of each test what everybody earned, then who differs from the rival, then cross-play."""
    rival = suite.rival[0].name
    parts = []
    for test in suite.test:
        own = [line for line in lines if line.test == test.name and not line.trained_in]
        beside = [([line.cell], line) for line in own if line.against is not None and line.name != REFERENCE]
        parts += [_means(f"Test `{test.name}`: flex revenue, EUR per episode", own)] if own else []
        parts += [_differences(f"Test `{test.name}`: less `{rival}`", ["cell"], rival, beside)] if beside else []
    crossed = [([line.cell, line.trained_in], line) for line in lines if line.trained_in]
    parts += [_differences("Cross-play", ["played in", "trained in"], rival, crossed)] if crossed else []
    return "\n\n".join(parts) + "\n"


def _means(title: str, lines: Sequence[Line]) -> str:
    """Return cells x players; a player of several budgets has a column for each."""
    players = sorted({(line.steps, line.name) for line in lines})
    earned = {(line.cell, line.steps, line.name): number(line.mean_eur) for line in lines}
    names = [f"`{name}` {steps_text(steps)}" if steps else f"`{name}`" for steps, name in players]
    rows = [
        [f"`{cell}`", *(earned.get((cell, *player), "") for player in players)] for cell in dict.fromkeys(n.cell for n in lines)
    ]
    return "\n".join([f"**{title}**", "", _row(["cell", *names]), _rule(1, len(names)), *map(_row, rows)])


def _differences(title: str, first: list[str], rival: str, rows: Sequence[tuple[list[str], Line]]) -> str:
    header = [*first, "player", "steps", "seeds", "EUR per episode", "worst 5 %", f"less {rival} [95 %]", "% of it [95 %]"]
    out = [f"**{title}**", "", _row(header), _rule(len(first) + 1, len(header) - len(first) - 1)]
    for names, line in rows:
        gain = ["", ""] if line.against is None else [bracketed(line.against.eur), bracketed(line.against.percent)]
        who = [*(f"`{name}`" for name in (*names, line.name)), steps_text(line.steps), str(line.seeds) if line.seeds else "-"]
        out.append(_row([*who, number(line.mean_eur), number(line.cvar_eur), *gain]))
    return "\n".join(out)


def _rule(left: int, right: int) -> str:
    return _row(["---"] * left + ["---:"] * right)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
