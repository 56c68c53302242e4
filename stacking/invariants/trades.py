"""What was sold, ordered and called agrees with the books."""

from __future__ import annotations

import numpy as np

from .. import columns as c
from .. import flows as f
from .. import state as s
from ..lookahead import column
from ..units import MTU_H
from .step import FLOAT, TOLERANCE_MWH, Step


def check_trades(step: Step) -> None:
    """Bought = sold per market and MTU, never more than needed, never more than offered, and a sale is never taken back."""
    for name, ledgers, accepted, background, needed in (
        ("local", (c.LFM,), f.ACCEPTED_LFM_MWH, f.BACKGROUND_LFM_MWH, f.NEED_LFM_MWH),
        ("balancing", (c.MFRR, c.FORWARDED), f.ACCEPTED_MFRR_MWH, f.BACKGROUND_MFRR_MWH, f.NEED_MFRR_MWH),
    ):
        sold = np.zeros(step.engine.worlds)
        for ledger in ledgers:
            for d in range(2):
                now, then = step.book(ledger, s.SOLD, d), step.book(ledger, s.SOLD, d, old=True)
                offered = step.book(ledger, s.OFFERED, d)
                step.demand(f"a {name} sale is never taken back", now >= then, now, then)
                step.demand(f"{name}: sold <= offered", now <= offered + TOLERANCE_MWH, now, offered)
                sold += (now - then).sum(axis=(1, 2)) * MTU_H
        if name == "local":
            sold += _sold_early_mwh(step)
        step.equal(f"{name}: bought = sold", step.market[:, accepted], sold, TOLERANCE_MWH)
        supplied = step.market[:, accepted] + step.market[:, background]
        if not step.design.joint:  # there one MW serves several needs, and may be bought against another
            need = step.market[:, needed]
            step.demand(f"{name}: bought <= need", supplied <= need + TOLERANCE_MWH, supplied, need)


def _sold_early_mwh(step: Step) -> FLOAT:
    """Return what a local market of the day before sold in this step, (world,), MWh."""
    if step.engine.early.shape[2] == 0:
        return np.zeros(step.engine.worlds)
    fields = slice(s.EARLY_SOLD * s.PLAN_HOURS, (s.EARLY_SOLD + 2) * s.PLAN_HOURS)
    grown = step.engine.early[..., fields].astype(np.float64) - step.old["early"][..., fields]
    return np.maximum(grown, 0.0).sum(axis=(1, 2))


def check_orders(step: Step) -> None:
    """Delivered + undelivered = ordered, and nobody is short of more than was ordered."""
    for ledger, activated in (
        (c.LFM, f.ACTIVATED_LFM),
        (c.MFRR, f.ACTIVATED_MFRR),
        (c.FORWARDED, f.ACTIVATED_FORWARDED),
    ):
        book = step.engine.book.astype(np.float64)
        both = sum(book[:, :, step.slot, column(ledger, s.SOLD, d)] for d in range(2))
        step.equal("activated = sold for the MTU", step.flows[..., activated], both * MTU_H, TOLERANCE_MWH)
    local, balancing = step.order(c.LFM), step.order(c.MFRR) + step.order(c.FORWARDED)
    wanted = step.flows[..., f.POSITION_MW] + local + balancing
    shortfall = (wanted - step.flows[..., f.POWER_MW]) * MTU_H
    for order, undelivered in ((local, f.UNDELIVERED_LFM), (balancing, f.UNDELIVERED_MFRR)):
        missing = step.flows[..., undelivered]
        step.demand("undelivered <= ordered", missing <= np.abs(order) * MTU_H + TOLERANCE_MWH, missing, np.abs(order) * MTU_H)
    if step.design.rules.validation == "separate":
        _check_apart(step, (local + balancing) * MTU_H - shortfall, local * MTU_H, balancing * MTU_H)
    else:
        _check_allotted(step, shortfall, local, balancing)


def _check_apart(step: Step, delivered: FLOAT, local: FLOAT, balancing: FLOAT) -> None:
    """Each operator counts what was delivered in its own direction; what both count is told as paid twice; MWh."""
    counted = np.zeros(delivered.shape)
    for order, undelivered in ((local, f.UNDELIVERED_LFM), (balancing, f.UNDELIVERED_MFRR)):
        own = np.clip(delivered * np.sign(order), 0.0, np.abs(order))
        counted += own
        step.equal("delivered + undelivered = ordered", own + step.flows[..., undelivered], np.abs(order), TOLERANCE_MWH)
    twice = np.maximum(0.0, counted - np.abs(delivered))
    step.equal("paid twice = counted - delivered", step.flows[..., f.DOUBLE_PAID], twice, TOLERANCE_MWH)


def _check_allotted(step: Step, shortfall: FLOAT, local: FLOAT, balancing: FLOAT) -> None:
    """A shortfall (MWh) is borne once, and wholly where an order in its direction (MW) can bear it."""
    left = shortfall.copy()
    for order, undelivered in ((local, f.UNDELIVERED_LFM), (balancing, f.UNDELIVERED_MFRR)):
        missing = step.flows[..., undelivered]
        left = left - np.sign(order) * missing
    step.demand("undelivered <= shortfall", left * np.sign(shortfall) >= -TOLERANCE_MWH, left, shortfall)
    # what no operator bears must come from an infeasible schedule: every order in its direction is wholly undelivered
    for order, undelivered in ((local, f.UNDELIVERED_LFM), (balancing, f.UNDELIVERED_MFRR)):
        could = (np.sign(order) == np.sign(left)) & (np.abs(left) > TOLERANCE_MWH)
        spare = np.abs(order) * MTU_H - step.flows[..., undelivered]
        step.demand("delivered + undelivered = ordered", ~could | (spare <= TOLERANCE_MWH), left, spare)


def check_calls(step: Step) -> None:
    """Once the result of a market is known, what the assets are to deliver is what was sold."""
    ahead = step.engine.ahead.astype(np.float64)[..., :-1]
    for high, ledgers in ((s.HI_LOCAL, (c.LFM,)), (s.HI_BALANCING, (c.MFRR, c.FORWARDED))):
        most, least = (sum(ahead[:, :, kind * s.ASSET_FIELDS + high + k] for kind in range(s.KINDS_W)) for k in range(2))
        told = sum(step.book(ledger, s.SOLD, 0) - step.book(ledger, s.SOLD, 1) for ledger in ledgers)
        known = most == least
        step.demand("calls of a known result = sales", ~known | (np.abs(most - told) <= TOLERANCE_MWH * 10), most, told)
