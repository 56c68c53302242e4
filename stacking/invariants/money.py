"""Money is conserved, and an imbalance is paid once at its price."""

from __future__ import annotations

import numpy as np

from .. import columns as c
from .. import flows as f
from .. import state as s
from ..units import MTU_H
from .step import TOLERANCE_EUR, TOLERANCE_MWH, Step


def check_money(step: Step) -> None:
    """Cash of all parties sums to zero: every label has one counterpart, and the operators paid what the FSPs received."""
    flows, e = step.flows, step.engine
    if sorted(label.column for label in f.CASH_LABELS) != list(range(f.CASH_W)) or not all(x.counterpart for x in f.CASH_LABELS):
        step.fail("every cash column has one label with one counterpart", (0,), float(len(f.CASH_LABELS)))
    total = np.zeros(e.reward.shape)
    for k in range(f.CASH_W):
        total = total + flows[..., k]
    step.equal("reward = sum of the cash labels", e.reward, total, 0.0)
    step.equal("account = account before + reward", e.state[..., s.CASH], step.old["state"][..., s.CASH] + e.reward, 0.0)
    paid = {name: np.zeros(e.worlds) for name in {label.counterpart for label in f.CASH_LABELS}}
    for label in f.CASH_LABELS:
        paid[label.counterpart] -= flows[..., label.column].sum(axis=1)
    step.equal("the DSO paid what the FSPs received", step.market[:, f.DSO_PAID_EUR], -paid["DSO"], TOLERANCE_EUR)
    step.equal("the TSO paid what the FSPs received", step.market[:, f.TSO_PAID_EUR], -paid["TSO"], TOLERANCE_EUR)
    step.equal("cash of all parties sums to zero", sum(paid.values()) + e.reward.sum(axis=1), 0.0, TOLERANCE_EUR)
    for k in (f.CASH_TSO_PENALTY, f.CASH_FEE, f.CASH_WEAR, f.CASH_TARIFF):
        step.demand("penalties, fees, wear and tariffs are costs", flows[..., k] <= 0.0, flows[..., k])
    step.equal(
        "wear = wear cost x discharged",
        flows[..., f.CASH_WEAR],
        -step.params[:, s.WEAR] * flows[..., f.DISCHARGED],
        TOLERANCE_EUR,
    )
    early = (e.clock < e.library.length[e.scenario])[:, None]
    step.demand("terminal value at the end only", ~early | (flows[..., f.CASH_TERMINAL] == 0.0), flows[..., f.CASH_TERMINAL])


def check_imbalance(step: Step) -> None:
    """Imbalance = metered - schedule - corrected activations, paid at the imbalance price."""
    flows = step.flows
    local, balancing = step.order(c.LFM) * MTU_H, (step.order(c.MFRR) + step.order(c.FORWARDED)) * MTU_H
    corrected = balancing
    if step.design.rules.tso_shortfall == "no_pay_no_correction":
        corrected = balancing - np.sign(balancing) * flows[..., f.UNDELIVERED_MFRR]
    if step.design.rules.position != "none":
        corrected = corrected + local
    imbalance = (flows[..., f.POWER_MW] - flows[..., f.POSITION_MW]) * MTU_H - corrected
    step.equal("imbalance = metered - schedule - corrected", flows[..., f.IMBALANCE], np.abs(imbalance), TOLERANCE_MWH)
    price = step.market[:, f.PRICE_IMBALANCE][:, None]
    step.equal("imbalance cash = imbalance x price", flows[..., f.CASH_IMBALANCE], imbalance * price, TOLERANCE_EUR)
