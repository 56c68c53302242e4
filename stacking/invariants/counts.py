"""What happened in a step: an equivalence test must show that it was not empty."""

from __future__ import annotations

from .. import codes
from .. import flows as f
from ..engine import Engine


def counts(engine: Engine) -> dict[str, float]:
    """Return what happened in the last step, summed over worlds: an equivalence test must show that these are not 0."""
    flows = engine.flows.reshape(-1, f.FLOWS_W).sum(axis=0)
    return {
        "trades": float(flows[[f.ACTIVATED_LFM, f.ACTIVATED_MFRR, f.ACTIVATED_FORWARDED]].sum()),
        "local": float(flows[f.ACTIVATED_LFM]),
        "balancing": float(flows[f.ACTIVATED_MFRR]),
        "forwards": float(flows[f.FORWARDED_MWH]),
        "forwarded_activated": float(flows[f.ACTIVATED_FORWARDED]),
        "refusals": float(flows[f.REFUSED :].sum()),
        "opted_out": float(flows[f.OPTED_OUT]),
        "double_selected": float(flows[f.DOUBLE_SELECTED]),
        "double_activated": float(flows[f.DOUBLE_ACTIVATED]),
        "undelivered": float(flows[f.UNDELIVERED_LFM] + flows[f.UNDELIVERED_MFRR]),
        "paid_twice": float(flows[f.DOUBLE_PAID]),
        "withdrawn": float(flows[f.REFUSED + codes.WITHDRAWN]),
        "sold_intraday": float(flows[f.FORWARDED_ID]),
    }
