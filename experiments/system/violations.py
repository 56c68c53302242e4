"""Limits of areas in the MTU that was delivered: what exceeds them, and what orders of the TSO add to it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stacking import columns as c
from stacking import flows as f
from stacking import state as s
from stacking.columns import background_column
from stacking.gates.grid import count_violations, others_mw
from stacking.invariants.step import Step
from stacking.units import MTU_H, POWER_EPSILON_MW

FLOAT = NDArray[np.float64]


def exceeded(step: Step, world: int, others: FLOAT | None = None) -> tuple[float, float]:
    """Return by how much the limits of areas are exceeded at delivery, MWh and EUR at the limit price of the hour.

    Exceeded = sum over areas and directions of max(0, margin - sign x (metered - reference schedule below + local sales of other
    people)), whoever caused it and whatever was bought against it. EUR: sign x limit price, 0 where none was drawn.

    Args:
        step: the step that delivered.
        world: which of its worlds.
        others: (A,) local sales of other people, MW, + = injection; those of the engine by default.
    """
    engine, k, tau = step.engine, int(step.engine.scenario[world]), int(step.tick[world])
    areas, local, flows = engine.areas, engine.library.local[k, :, tau], step.flows[world]
    scheduled = engine.ahead[world, :, s.SCHEDULED :: s.ASSET_FIELDS, step.slot].astype(np.float64)[:, : s.FLEET + 1]
    moved = scheduled.sum(axis=1) + flows[:, f.POWER_MW] - flows[:, f.POSITION_MW]
    before = np.concatenate([[0.0], np.cumsum(moved)])
    injected = before[areas.last_row + 1] - before[areas.first_row]
    if others is None:
        others = np.array([others_mw(engine.prices[world], a, step.slot) for a in range(len(areas.node))])
    energy = money = 0.0
    for d, sign in enumerate((1.0, -1.0)):
        base = background_column(d)
        over = local[: len(areas.node), base + c.NEED] - sign * (injected + others)
        over = np.where(over > POWER_EPSILON_MW, over, 0.0) * MTU_H
        price = np.maximum(0.0, sign * local[: len(areas.node), base + c.LIMIT])
        energy += float(over.sum())
        money += float((over[over > 0.0] * price[over > 0.0]).sum())
    return energy, money if np.isfinite(money) else float("nan")


def caused_mwh(step: Step, world: int) -> float:
    """Return what own and forwarded balancing orders add to the violation of limits, MWh >= 0, by `count_violations` at delivery.

    Caused = sum over areas and directions of max(0, max(0, need with the orders) - max(0, need without)), need = margin - sign x
    (schedules beyond reference + local sales below + local sales of other people). Orders count as given; what fails is counted
    elsewhere. The engine counts the same when the balancing market clears: before local orders that come later.

    Args:
        step: the step that delivered.
        world: which of its worlds.
    """
    engine, tau = step.engine, int(step.tick[world])
    areas, local = engine.areas, engine.library.local[int(engine.scenario[world])]
    spans = np.column_stack([areas.first_row, areas.last_row + 1, areas.parent]).astype(np.int64)
    found = np.zeros(f.MARKET_W)
    count_violations(tau, tau + 1, spans, local, engine.params, engine.ring[world], engine.prices[world], found)
    return float(found[f.VIOLATED_MWH])
