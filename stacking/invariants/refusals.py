"""What was wanted at a gate was offered or refused."""

from __future__ import annotations

import numpy as np

from .. import codes
from .. import flows as f
from .. import layout as v
from .selection import sees_everything
from .step import FLOAT, Step

_OFFER_CODES = (codes.PRICE_LIMIT, codes.BELOW_MINIMUM, codes.GRANULARITY_REST, codes.OPPOSITE_SALE, codes.SOLD_ELSEWHERE,
                codes.NOT_MEMBER)  # fmt: skip


def check_refusals(step: Step, action: FLOAT) -> None:
    """Offered + refused = wanted at the balancing gate, where what was permitted is what was observed.

    That is so if the gate sees all sales, changes no forwarded bid, and nothing else was decided or struck out in the same tick.
    """
    rules = step.design.rules
    if rules.change_forwarded != "none" or rules.verified_by == "receiving_operator":
        return
    mask, seen = step.old["mask"], step.old["observation"].astype(float)
    action = np.where(mask, action, 0.0)  # what stands in closed columns means nothing
    others = [v.DA_VOLUME_FRAC, v.ID_POWER_FRAC, v.LFM_SHARE_UP, v.LFM_SHARE_DN]
    alone = ~(mask[..., others] & ((action[..., others] != 0.0) | (np.array(others) == v.DA_VOLUME_FRAC))).any(axis=-1)
    alone &= step.flows[..., f.CONSENT_ASKED] == 0.0  # no local bid was looked at by a forward gate
    gate = mask[..., v.MFRR_SHARE_UP] & alone & sees_everything(step.design)
    product = step.design.products["mfrr"]
    hours = product.duration_min / 60.0
    wanted = np.zeros(gate.shape)
    for direction, share, room in (
        ("up", v.MFRR_SHARE_UP, v.FEASIBLE_UP_MFRR),
        ("dn", v.MFRR_SHARE_DN, v.FEASIBLE_DN_MFRR),
    ):
        wanted = wanted + (action[..., share] * seen[..., room] * hours if direction in product.directions else 0.0)
    told = step.flows[..., f.OFFERED_MFRR] + step.flows[..., [f.REFUSED + code for code in _OFFER_CODES]].sum(axis=-1)
    holds = ~gate | (np.abs(told - wanted) <= 1e-5 * np.maximum(1.0, wanted))  # the observation is single precision
    step.demand("offered + refused = wanted", holds, told, wanted)
