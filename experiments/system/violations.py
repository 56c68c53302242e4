"""Violations of local limits that balancing orders cause in the MTU that was delivered."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stacking import columns as c
from stacking import state as s
from stacking.columns import background_column
from stacking.coordination import beyond_mw
from stacking.invariants.step import Step
from stacking.units import MTU_H

FLOAT = NDArray[np.float64]


def span(first_row: int, last_row: int) -> NDArray[np.int64]:
    """Return rows `first_row` to `last_row`, both included, as the kernel's laws take the rows below a market."""
    found = np.zeros(max(s.FIRST_ROW, s.LAST_ROW) + 1, np.int64)
    found[s.FIRST_ROW], found[s.LAST_ROW] = first_row, last_row + 1
    return found


def caused_mwh(step: Step, world: int, others_mw: FLOAT) -> FLOAT:
    """Return what own and forwarded balancing orders add to the violation of each area's limit, (A,) MWh >= 0.

    Left = margin - sign x (schedules beyond reference + local sales below) - bought from others; caused = sum over directions of
    max(0, max(0, left - sign x balancing orders below) - max(0, left)). Orders count as given; what fails is counted elsewhere.

    Args:
        step: the step that delivered.
        world: which of its worlds.
        others_mw: (A, 2) bought for this MTU from other people by area and direction, MW.
    """
    engine, areas, tau = step.engine, step.engine.areas, int(step.tick[world])
    local = engine.library.local[int(engine.scenario[world])]
    ordered = (step.order(c.MFRR) + step.order(c.FORWARDED))[world]
    found = np.zeros(len(areas.node))
    for a in range(len(areas.node)):
        moved = float(ordered[areas.rows(a)].sum())
        if moved == 0.0:
            continue
        below = span(int(areas.first_row[a]), int(areas.last_row[a]))
        beyond = beyond_mw(below, engine.params, engine.ring[world], step.slot, 1)
        for d, sign in enumerate((1.0, -1.0)):
            left = local[a, tau, background_column(d) + c.NEED] - sign * beyond - others_mw[a, d]
            found[a] += max(0.0, max(0.0, left - sign * moved) - max(0.0, left)) * MTU_H
    return found
