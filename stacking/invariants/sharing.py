"""Nothing is shared without consent."""

from __future__ import annotations

import numpy as np

from .. import codes
from .. import columns as c
from .. import flows as f
from .. import state as s
from ..units import MTU_H
from .step import TOLERANCE_MWH, Step


def check_sharing(step: Step) -> None:
    """Nothing is shared without consent, and what is shared is unsold, at the local price."""
    twice = step.design.rules.conflict_rule == "both_stand"
    rules, grown, lost = step.design.rules, np.zeros(step.engine.reward.shape), np.zeros(step.engine.reward.shape)
    asks = step.design.asks
    for d in range(2):
        offered, then = step.book(c.FORWARDED, s.OFFERED, d), step.book(c.FORWARDED, s.OFFERED, d, old=True)
        more = np.maximum(offered - then, 0.0)
        grown += more.sum(axis=2)
        lost += np.maximum(then - offered, 0.0).sum(axis=2)
        consent = step.engine.ring[..., s.CONSENTS + d].astype(np.int64)[..., None] >> np.arange(more.shape[2]) & 1
        allowed = consent == 1 if asks else np.full(more.shape, step.design.shares or step.design.shared_book)
        step.demand("nothing is shared without consent", allowed | (more <= 0.0), more, consent)
        unsold = step.book(c.LFM, s.OFFERED, d) - step.book(c.LFM, s.SOLD, d)
        if twice:  # a bid may stand for both
            unsold = step.book(c.LFM, s.OFFERED, d)
        step.demand("forwarded <= unsold local offer", offered <= unsold + TOLERANCE_MWH, offered, unsold)
        price, told = step.book(c.LFM, s.PRICE, d), step.book(c.LFM, s.PRICE, d, old=True)
        local = step.book(c.LFM, s.OFFERED, d, old=True)
        step.demand("a local or forwarded bid keeps its price", (local == 0.0) | (price == told), price, told)
    step.equal("forwarded MWh = what the ledger gained", step.flows[..., f.FORWARDED_MWH], grown * MTU_H, TOLERANCE_MWH)
    told = step.flows[..., f.REFUSED + codes.WITHDRAWN]
    if rules.verified_by == "receiving_operator":
        struck = [f.REFUSED + code for code in (codes.NOT_MEMBER, codes.COLLATERAL, codes.POOL_TOO_SMALL)]
        told = told + step.flows[..., struck].sum(axis=-1)
        step.demand("a forwarded bid is withdrawn or struck out", lost * MTU_H <= told + TOLERANCE_MWH, lost * MTU_H, told)
    else:
        step.equal("a forwarded bid is kept or withdrawn", lost * MTU_H, told, TOLERANCE_MWH)
    if asks:
        agreed = (step.engine.state[..., s.CONSENT_NOW : s.CONSENT_NOW + 2] >= 0.5).any(axis=-1)
        sold = step.flows[..., f.FORWARDED_ID]
        step.demand("nothing is sold intraday for an FSP without consent", agreed | (sold == 0.0), sold)
