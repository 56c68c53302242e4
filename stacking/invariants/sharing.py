"""Nothing is shared without consent."""

from __future__ import annotations

import numpy as np

from .. import columns as c
from .. import flows as f
from .. import state as s
from ..units import MTU_H
from .step import TOLERANCE_MWH, Step


def check_sharing(step: Step) -> None:
    """Nothing is shared without consent, and what is shared is unsold, at the local price."""
    twice = step.design.rules.conflict_rule == "both_stand"
    grown = np.zeros(step.engine.reward.shape)
    for d in range(2):
        offered, then = step.book(c.FORWARDED, s.OFFERED, d), step.book(c.FORWARDED, s.OFFERED, d, old=True)
        step.demand("a forwarded bid is never withdrawn", offered >= then, offered, then)
        grown += (offered - then).sum(axis=2)
        unsold = step.book(c.LFM, s.OFFERED, d) - step.book(c.LFM, s.SOLD, d)
        if twice:  # a bid may stand for both
            unsold = step.book(c.LFM, s.OFFERED, d)
        step.demand("forwarded <= unsold local offer", offered <= unsold + TOLERANCE_MWH, offered, unsold)
        price, told = step.book(c.LFM, s.PRICE, d), step.book(c.LFM, s.PRICE, d, old=True)
        local = step.book(c.LFM, s.OFFERED, d, old=True)
        step.demand("a local or forwarded bid keeps its price", (local == 0.0) | (price == told), price, told)
    step.equal("forwarded MWh = what the ledger gained", step.flows[..., f.FORWARDED_MWH], grown * MTU_H, TOLERANCE_MWH)
    consent = step.engine.state[..., s.CONSENT_NOW]
    shares = step.design.shares or step.design.shared_book
    allowed = (
        (consent >= 0.5) if step.design.shares and step.design.rules.consent == "per_bid" else np.full(consent.shape, shares)
    )
    step.demand("nothing is shared without consent", allowed | (grown <= 0.0), grown, consent)
