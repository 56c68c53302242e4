"""Energy balance and limits."""

from __future__ import annotations

import numpy as np

from .. import flows as f
from .. import state as s
from ..assets.battery import drain_mwh
from ..units import MTU_H
from .step import TOLERANCE_MWH, Step

_DRAIN = np.vectorize(drain_mwh, otypes=[float])


def check_store(step: Step) -> None:
    """Energy balance and limits of the assets and of the grid connection."""
    p, e, flows = step.params, step.engine, step.flows
    then, now = step.old["state"][..., s.CONTENT], e.state[..., s.CONTENT]
    battery = (flows[..., f.DISCHARGED] - flows[..., f.CHARGED]) / MTU_H
    drained = _DRAIN(battery, p[:, s.INTO], p[:, s.OUT])
    step.equal("content after = content before - energy drained", now, then - drained, TOLERANCE_MWH)
    room = TOLERANCE_MWH * np.maximum(1.0, p[:, s.CAPACITY_MWH])
    step.demand("content >= minimum", now >= p[:, s.MIN_MWH] - room, now, p[:, s.MIN_MWH])
    step.demand("content <= maximum", now <= p[:, s.MAX_MWH] + room, now, p[:, s.MAX_MWH])
    step.demand("battery <= rated power", np.abs(battery) <= p[:, s.RATED_MW] + room, np.abs(battery), p[:, s.RATED_MW])
    step.equal("content told = content", flows[..., f.CONTENT_MWH], now, 0.0)
    power, limit = flows[..., f.POWER_MW], p[:, s.CONNECTION_MW]
    step.demand("power <= grid connection", np.abs(power) <= limit * (1.0 + TOLERANCE_MWH), np.abs(power), limit)
    rows = np.flatnonzero(p[:, s.LOAD_ROW] >= 0)
    used = np.zeros(power.shape)
    tick = np.minimum(step.tick, e.consumption.shape[-1] - 1)
    used[:, rows] = e.consumption[e.scenario, :, tick][:, p[rows, s.LOAD_ROW].astype(int)]
    cars, load = flows[..., f.EV_CHARGED] - flows[..., f.EV_INJECTED], flows[..., f.LOAD_SHED] - flows[..., f.LOAD_RECOVERED]
    step.equal("metered = battery + cars + load", power * MTU_H, battery * MTU_H - cars + load - used * MTU_H, TOLERANCE_MWH)
    step.demand("a load gives up what it has", flows[..., f.LOAD_SHED] <= used * MTU_H + room, flows[..., f.LOAD_SHED], used)
