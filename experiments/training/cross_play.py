"""Cross-play: what each of several strategies or profiles earns when all others play another of them.

In the cell (A, B) one FSP plays A and all others play B, in turn for each FSP; the figure is the mean over FSPs. The diagonal is
what they earn among themselves; a row far below its diagonal was learned against its own kind alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..stats import Interval, mean_interval
from .profile import Arena


@dataclass(frozen=True)
class Side:
    """One of those who meet: its name in the table, and what each FSP plays."""

    label: str
    plays: Mapping[str, str]


@dataclass(frozen=True)
class Cell:
    """Mean flex revenue of an FSP that plays `learner` beside others that play `others`, EUR per episode.

    `advantage` is how much that is more than what it would earn by playing as the others do, paired by scenario.
    """

    learner: str
    others: str
    flex: Interval
    advantage: Interval


def cross_play(
    arena: Arena, sides: Sequence[Side], fsps: Sequence[str] = (), advance: Callable[[int], None] = lambda cells: None
) -> tuple[Cell, ...]:
    """Return all cells, row by row.

    Args:
        arena: world and scenarios.
        sides: at least one.
        fsps: over whom the mean is taken, all if empty.
        advance: called with 1 after each cell.

    Raises:
        StackingError: for an FSP or a strategy that is not there.
    """
    chosen, cells = arena.chosen(fsps), []
    columns = arena.columns(chosen)
    for a in sides:
        for b in sides:
            earned = [
                arena.flex_eur({**b.plays, fsp: a.plays[fsp]})[:, column] for fsp, column in zip(chosen, columns, strict=True)
            ]
            own, alike = np.mean(earned, axis=0), arena.flex_eur(b.plays)[:, columns].mean(axis=1)
            cells.append(Cell(a.label, b.label, mean_interval(own), mean_interval(own - alike)))
            advance(1)
    return tuple(cells)
