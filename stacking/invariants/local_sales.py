"""Local sales by area."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .. import columns as c
from .. import state as s
from ..engine import Engine, Snapshot
from .step import Step


def check_local_sales(engine: Engine, before: Snapshot) -> None:
    """Check local sales of the last step by area: nothing without a market, and no more than the markets above a row need.

    Below a top market: new sales of a direction <= sum over its areas of max(0, margin - signed injection beyond the
    reference schedule) + new sales of the other direction, which make up for each other.

    Raises:
        InvariantError: with the numbers.
    """
    step = Step(engine, before)
    for gate in engine.compiled.gates:
        if gate[s.KIND] == s.CLEAR and gate[s.MARKET] == c.LFM:
            _check_gate(step, gate)


def _resold(step: Step, gate: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return what was sold intraday right after this clearing, (world, portfolio, slot) MW; it moved the schedule."""
    gates = step.engine.compiled.gates
    if not any(g[s.KIND] == s.RESELL and g[s.LEAD] == gate[s.LEAD] for g in gates):
        return np.zeros((step.engine.worlds, step.engine.rows, s.SLOTS - 1))
    return step.book_column(s.ID_MW) - step.book_column(s.ID_MW, old=True)


def _check_gate(step: Step, gate: NDArray[np.int64]) -> None:
    """Check what one clearing sold; a clearing on a forecast may buy more than is needed in the end."""
    engine, areas = step.engine, step.engine.areas
    place, count = int(gate[s.LEAD]) - 1 + s.PAST, int(gate[s.COUNT])  # everything has moved by one slot
    block = slice(place, place + count)
    grown = [(step.book(c.LFM, s.SOLD, d) - step.book(c.LFM, s.SOLD, d, old=True))[..., block] for d in range(2)]
    outside = areas.row_area < 0
    for sold in grown:
        step.demand("no local sale without a local market", sold[:, outside] <= 0.0, sold[:, outside])
    if gate[s.FORECAST] == 1:
        return
    scheduled = engine.ahead.astype(np.float64)[:, :, s.SCHEDULED :: s.ASSET_FIELDS][:, :, :2, block].sum(axis=2)
    scheduled = scheduled - _resold(step, gate)[..., block]
    told = sum(sign * step.book(c.LFM, s.SOLD, d, old=True)[..., block] for d, sign in enumerate((1.0, -1.0)))
    local = engine.library.local[engine.scenario]
    at = np.minimum(step.tick + int(gate[s.LEAD]), local.shape[2] - 1)
    bound = np.zeros((2, len(areas.node), engine.worlds))
    for a in range(len(areas.node)):
        beyond = (scheduled + told)[:, areas.rows(a)].mean(axis=2).sum(axis=1)
        for d, sign in enumerate((1.0, -1.0)):
            margin = local[step.worlds, a, at, c.background_column(d) + c.NEED]
            above = a
            while areas.parent[above] >= 0:
                above = areas.parent[above]
            bound[d, above] += np.maximum(0.0, margin - sign * beyond)
    for a in (int(k) for k in np.flatnonzero(areas.parent < 0)):
        new = [sold[:, areas.rows(a)].max(axis=2, initial=0.0).sum(axis=1) for sold in grown]
        for d in range(2):
            step.demand(f"local sales below '{areas.names[a]}' <= needs", new[d] <= bound[d, a] + new[1 - d] + 1e-5,
                        new[d], bound[d, a] + new[1 - d])  # fmt: skip
