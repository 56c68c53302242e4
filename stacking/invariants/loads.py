"""Loads: whole steps, energy owed, activations."""

from __future__ import annotations

import numpy as np

from .. import flows as f
from .. import state as s
from ..engine import Engine, Snapshot
from ..units import MTU_H
from .step import TOLERANCE_MWH, Step


def check_loads(engine: Engine, before: Snapshot) -> None:
    """Check the loads of the last step: whole steps, energy owed = owed before + rebound x interrupted - recovered.

    Raises:
        InvariantError: with the numbers.
    """
    step = Step(engine, before)
    p, flows, old, now = step.params, step.flows, step.old["state"], engine.state
    steps = flows[..., f.LOAD_SHED] / MTU_H / np.where(p[:, s.STEP_MW] > 0.0, p[:, s.STEP_MW], 1.0)
    step.demand("a load is interrupted in whole steps", np.abs(steps - np.round(steps)) <= 1e-6, steps)
    owed = old[..., s.OWED_MWH] + p[:, s.REBOUND_FRAC] * flows[..., f.LOAD_SHED] - flows[..., f.LOAD_RECOVERED]
    step.equal("owed = owed before + rebound - recovered", now[..., s.OWED_MWH], owed, TOLERANCE_MWH)
    both = (flows[..., f.LOAD_SHED] > 0.0) & (flows[..., f.LOAD_RECOVERED] > 0.0)
    step.demand("a load does not recover while it is interrupted", ~both, flows[..., f.LOAD_SHED])
    running = (flows[..., f.LOAD_SHED] == 0.0) | (now[..., s.RUN] > 0.0)  # it may run with nothing to give
    step.demand("an activation runs while a load is interrupted", running, now[..., s.RUN])
    first = (flows[..., f.LOAD_STARTS] > 0.0) == ((now[..., s.RUN] > 0.0) & (old[..., s.RUN] == 0.0))
    step.demand("a start is counted when an activation begins", first, flows[..., f.LOAD_STARTS])
