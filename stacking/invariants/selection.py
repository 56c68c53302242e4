"""Where every gate sees all sales, no MW is picked twice and what is sold is delivered."""

from __future__ import annotations

from .. import flows as f
from .. import state as s
from ..config import Design
from .step import TOLERANCE_MWH, Step


def sees_everything(design: Design) -> bool:
    """Return whether every offer gate sees all sold and pending MW, so that nothing can be sold twice."""
    if design.shared_book and design.rules.lock_latency_s > 0.0 and design.rules.conflict_rule == "both_stand":
        return False
    return all({"lfm", "mfrr"} <= set(g.sees) for g in design.gates if g.kind == "offer")


def check_selection(step: Step) -> None:
    """Where every gate sees all sales, no MW is picked twice and everything sold is delivered."""
    if not sees_everything(step.design):
        return
    for k, name in ((f.DOUBLE_SELECTED, "double selection"), (f.DOUBLE_ACTIVATED, "double activation")):
        # what two-way cars can inject changes until delivery, so their headroom is an estimate
        holds = (step.flows[..., k] <= TOLERANCE_MWH) | (step.params[:, s.FLEET_ROW] >= 0)
        step.demand(f"no {name} where gates see all sales", holds, step.flows[..., k], 0.0)
    if step.design.rules.validation == "separate":  # orders in opposite directions hide each other from their operators
        return
    short = step.flows[..., f.UNDELIVERED_LFM] + step.flows[..., f.UNDELIVERED_MFRR] + step.flows[..., f.DEPLETED]
    # forecasts of cars and loads may fail, a battery may not
    delivered = (short <= TOLERANCE_MWH) | ~step.batteries_only
    step.demand("what is sold in sight of all commitments is delivered", delivered, short, 0.0)
