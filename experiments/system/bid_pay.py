"""What a delivered MTU brought by market and direction: delivered energy and payment of each bid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stacking import columns as c
from stacking import flows as f
from stacking import state as s
from stacking.delivery import baseline_error_mw, pay_balancing, pay_by_area, pay_local
from stacking.invariants.step import Step
from stacking.lookahead import column
from stacking.units import MTU_H

FLOAT = NDArray[np.float64]

CASH = ((f.CASH_LFM,), (f.CASH_MFRR,), (f.CASH_FORWARDED,))
JOINT_CASH = ((), (f.CASH_MFRR, f.CASH_LFM), ())
"""Columns of payment by ledger: what is procured jointly stands in one book and is paid by both operators."""


def cash_columns(step: Step) -> tuple[tuple[int, ...], ...]:
    """Return the columns of payment of each ledger."""
    return JOINT_CASH if step.design.joint else CASH


def ordered_mwh(step: Step) -> FLOAT:
    """Return the energy ordered for the MTU of the step, (B, F, ledger, direction) MWh >= 0."""
    book = step.engine.book[:, :, step.slot].astype(np.float64)
    sold = [[book[..., column(ledger, s.SOLD, d)] for d in range(2)] for ledger in range(c.LEDGERS_W)]
    return np.moveaxis(np.array(sold), (0, 1), (2, 3)) * MTU_H * step.moved[:, None, None, None]


def delivered_mwh(step: Step, ordered: FLOAT) -> FLOAT:
    """Return what was delivered of the orders, (B, F, ledger, direction) MWh.

    What an operator misses belongs to the direction of its net order; own and forwarded balancing orders share it by size.
    """
    delivered = ordered.copy()
    for ledgers, undelivered in (((c.LFM,), f.UNDELIVERED_LFM), ((c.MFRR, c.FORWARDED), f.UNDELIVERED_MFRR)):
        whole = ordered[:, :, list(ledgers)].sum(axis=2)
        missing = step.flows[..., undelivered]
        for d in range(2):
            here = (whole[..., d] > whole[..., 1 - d]) & (missing > 0.0)
            share = np.where(here, missing / np.where(here, whole[..., d], 1.0), 0.0)
            for ledger in ledgers:
                delivered[:, :, ledger, d] -= share * ordered[:, :, ledger, d]
    return delivered


def paid_eur(step: Step, ordered: FLOAT) -> FLOAT:
    """Return what was paid for the orders, (B, F, ledger, direction) EUR, + = received by the FSP.

    Where both directions were ordered of one portfolio, each is paid by the engine's own formula for itself.
    """
    paid = np.zeros(ordered.shape)
    both = np.zeros(ordered.shape[:2], dtype=bool)
    for ledger, cash in enumerate(cash_columns(step)):
        has = ordered[:, :, ledger] > 0.0
        twice = has[..., 0] & has[..., 1]
        both |= twice
        paid[:, :, ledger] = np.where(has & ~twice[..., None], step.flows[..., list(cash)].sum(axis=-1)[..., None], 0.0)
    for world, row in np.argwhere(both):
        _pay_each(step, ordered, paid, int(world), int(row))
    return paid


def _pay_each(step: Step, ordered: FLOAT, paid: FLOAT, world: int, row: int) -> None:
    """Pay one portfolio each direction for itself, in place."""
    engine, flows, old = step.engine, step.flows[world, row], step.old
    book = engine.book[world, row, step.slot]
    hour = int(engine.library.calendar[engine.scenario[world], step.tick[world], c.HOUR_OF_DAY])
    error = baseline_error_mw(step.rules, old["ring"][world, row], old["history"][world, row], flows[f.POSITION_MW], hour)
    net = ordered[world, row, :, 0] - ordered[world, row, :, 1]
    local = float(np.sign(net[c.LFM])) * flows[f.UNDELIVERED_LFM]
    balancing = float(np.sign(net[c.MFRR] + net[c.FORWARDED])) * flows[f.UNDELIVERED_MFRR]
    unpaid = 0.0 if step.rules[s.KEEP_PAYMENT] > 0.0 else balancing
    prices = np.zeros(s.WORLD_W)
    prices[s.CLEARED_UP + s.PAST] = step.market[world, f.PRICE_MFRR_UP]
    prices[s.CLEARED_DN + s.PAST] = step.market[world, f.PRICE_MFRR_DN]
    for d in range(2):
        ring, out = np.zeros(s.RING_W, np.float32), np.zeros(f.FLOWS_W)
        cells = ring[s.BOOK : s.PLAN].reshape(s.SLOTS, s.BOOK_W)
        cells[s.PAST] = book
        for ledger in range(c.LEDGERS_W):
            cells[s.PAST, column(ledger, s.SOLD, 1 - d)] = 0.0
        pay_local(step.engine.compiled.products[c.LFM, s.THRESHOLD], ring, out, s.PAST, local, error * MTU_H)
        if step.design.joint:
            by_area = np.zeros(engine.prices[world].shape)
            by_area[:, s.PAST] = engine.prices[world][:, step.slot]
            pay_by_area(by_area, int(engine.params[row, s.AREA]), ring, out, s.PAST, unpaid)
        else:
            pay_balancing(step.rules, ring, prices, out, s.PAST, unpaid)
        for ledger, cash in enumerate(cash_columns(step)):
            if (ordered[world, row, ledger] > 0.0).all():
                paid[world, row, ledger, d] = out[list(cash)].sum()
