"""Delivery and settlement of the MTU that starts now: physics first, then responsibility, then money."""

from __future__ import annotations

from typing import Any

from . import columns as c
from . import flows as f
from . import state as s
from .assets.battery import deliverable_mw, drain_mwh, terminal_value_eur
from .build import law
from .columns import market_column
from .coordination import doubly_sold_mw
from .lookahead import column
from .settlement import between, forwarded_price, imbalance_price, local_pay_eur, penalty_eur, shortfall_shares_mw
from .units import MTU_H, POWER_EPSILON_MW


@law
def deliver(params: Any, state: Any, book: Any, plan: Any, flow: Any, tick: int) -> tuple[float, float, float, float]:
    """Move the battery towards schedule + activations, as far as physics allows.

    Returns:
        local order, balancing order, shortfall (wanted - metered) and schedule, MW, signed.
    """
    slot = tick % s.BOOK_SLOTS
    position = plan[tick % s.PLAN_SLOTS]
    local = book[slot, column(c.LFM, s.SOLD, 0)] - book[slot, column(c.LFM, s.SOLD, 1)]
    own = book[slot, column(c.MFRR, s.SOLD, 0)] - book[slot, column(c.MFRR, s.SOLD, 1)]
    passed = book[slot, column(c.FORWARDED, s.SOLD, 0)] - book[slot, column(c.FORWARDED, s.SOLD, 1)]
    into, out = params[s.INTO], params[s.OUT]
    wanted = position + local + own + passed
    power = deliverable_mw(wanted, state[s.CONTENT], params[s.RATED_MW], params[s.MIN_MWH], params[s.MAX_MWH], into, out)
    content = state[s.CONTENT] - drain_mwh(power, into, out)
    state[s.CONTENT] = min(max(content, params[s.MIN_MWH]), params[s.MAX_MWH])  # rounding of the inverse only
    state[s.POWER] = power
    flow[f.POWER_MW], flow[f.POSITION_MW], flow[f.CONTENT_MWH] = power, position, state[s.CONTENT]
    flow[f.CHARGED] = max(0.0, -power) * MTU_H
    flow[f.DISCHARGED] = max(0.0, power) * MTU_H
    flow[f.ACTIVATED_LFM] = ledger_energy_mwh(book, slot, c.LFM)
    flow[f.ACTIVATED_MFRR] = ledger_energy_mwh(book, slot, c.MFRR)
    flow[f.ACTIVATED_FORWARDED] = ledger_energy_mwh(book, slot, c.FORWARDED)
    return local, own + passed, wanted - power, position


@law
def ledger_energy_mwh(book: Any, slot: int, ledger: int) -> float:
    """Return the energy ordered from a ledger in one MTU, both directions added, MWh."""
    return (book[slot, column(ledger, s.SOLD, 0)] + book[slot, column(ledger, s.SOLD, 1)]) * MTU_H


@law
def count_double(params: Any, book: Any, flow: Any, tick: int, position: float, shortfall_mw: float) -> None:
    """Count double activation and, apart from it, energy that was sold in sequence and is not there any more."""
    slot = tick % s.BOOK_SLOTS
    double_up = doubly_sold_mw(params, book, slot, position, 0)
    double_dn = doubly_sold_mw(params, book, slot, position, 1)
    flow[f.DOUBLE_ACTIVATED] = (double_up + double_dn) * MTU_H
    explained = double_up if shortfall_mw > 0.0 else double_dn
    flow[f.DEPLETED] = max(0.0, abs(shortfall_mw) - explained) * MTU_H


@law
def settle(
    rules: Any, threshold: float, params: Any, state: Any, book: Any, sums: Any, at: Any, world: Any, flow: Any,
    result: Any, tick: int,
    local: float, balancing: float, shortfall: float, position: float,
) -> None:  # fmt: skip
    """Book every EUR of one portfolio and MTU.

    Imbalance = metered - schedule - position-corrected activations, at the imbalance price (DESIGN 7.2). Balancing
    activations are corrected by the ordered volume when the payment is kept, by the delivered volume otherwise.
    """
    slot = tick % s.BOOK_SLOTS
    short_local, short_balancing = 0.0, 0.0
    if shortfall != 0.0:
        short_local, short_balancing = shortfall_shares_mw(shortfall, local, balancing, int(rules[s.DSO_SHARE]))
    short_local_mwh, short_balancing_mwh = short_local * MTU_H, short_balancing * MTU_H
    flow[f.UNDELIVERED_LFM], flow[f.UNDELIVERED_MFRR] = abs(short_local_mwh), abs(short_balancing_mwh)
    flow[f.CASH_DA] = (position - sums[s.ID_MW, slot]) * MTU_H * at[c.DA_PRICE]
    flow[f.CASH_ID] = sums[s.ID_VALUE, slot]
    local_mwh, balancing_mwh = local * MTU_H, balancing * MTU_H
    if flow[f.ACTIVATED_LFM] > 0.0:
        pay_local(threshold, book, flow, slot, short_local_mwh)
    kept = rules[s.KEEP_PAYMENT] > 0.0
    if flow[f.ACTIVATED_MFRR] + flow[f.ACTIVATED_FORWARDED] > 0.0:
        pay_balancing(rules, book, world, flow, slot, 0.0 if kept else short_balancing_mwh)
    if kept and abs(short_balancing_mwh) > POWER_EPSILON_MW:
        price = world[slot, s.CLEARED_UP] if short_balancing_mwh > 0.0 else world[slot, s.CLEARED_DN]
        flow[f.CASH_TSO_PENALTY] = penalty_eur(rules[s.PENALTY], price, short_balancing_mwh)
    corrected = balancing_mwh if kept else balancing_mwh - short_balancing_mwh
    if rules[s.CORRECT_LFM] > 0.0:
        corrected += local_mwh
    imbalance = (state[s.POWER] - position) * MTU_H - corrected
    price = settled_imbalance_price(at, world, slot)
    flow[f.IMBALANCE] = abs(imbalance)
    flow[f.CASH_IMBALANCE] = imbalance * price
    flow[f.CASH_WEAR] = -params[s.WEAR] * flow[f.DISCHARGED]
    flow[f.CASH_TARIFF] = -params[s.TARIFF] * flow[f.CHARGED]
    result[f.DSO_PAID_EUR] += flow[f.CASH_LFM]
    result[f.TSO_PAID_EUR] += flow[f.CASH_MFRR] + flow[f.CASH_FORWARDED] + flow[f.CASH_TSO_PENALTY] + flow[f.CASH_IMBALANCE]


@law
def settled_imbalance_price(at: Any, world: Any, slot: int) -> float:
    """Return the imbalance price of the MTU in a ring slot, EUR/MWh."""
    up, down = market_column(c.MFRR, 0) + c.ANCHOR, market_column(c.MFRR, 1) + c.ANCHOR
    return imbalance_price(
        at[c.IMBALANCE_PRICE], at[c.DOMINANT], world[slot, s.CLEARED_UP], at[up], world[slot, s.CLEARED_DN], at[down]
    )


@law
def pay_local(threshold: float, book: Any, flow: Any, slot: int, undelivered_mwh: float) -> None:
    """Pay the local activations of one MTU as bid, each direction for itself; the shortfall belongs to its own direction."""
    for d in range(2):
        sign = 1.0 if d == 0 else -1.0
        ordered = sign * book[slot, column(c.LFM, s.SOLD, d)] * MTU_H
        if ordered != 0.0:
            delivered = ordered - between(undelivered_mwh, ordered)
            flow[f.CASH_LFM] += local_pay_eur(book[slot, column(c.LFM, s.PRICE, d)], ordered, delivered, threshold)


@law
def pay_balancing(rules: Any, book: Any, world: Any, flow: Any, slot: int, unpaid_mwh: float) -> None:
    """Pay own and forwarded balancing activations of one MTU; forwarded ones carry the fee."""
    for d in range(2):
        sign = 1.0 if d == 0 else -1.0
        marginal = world[slot, s.CLEARED_UP + d]
        own = book[slot, column(c.MFRR, s.SOLD, d)] * MTU_H
        passed = book[slot, column(c.FORWARDED, s.SOLD, d)] * MTU_H
        ordered = sign * (own + passed)
        if ordered == 0.0:
            continue
        paid_share = 1.0 - between(unpaid_mwh, ordered) / ordered
        price = forwarded_price(int(rules[s.FORWARD_PRICE]), book[slot, column(c.FORWARDED, s.PRICE, d)], marginal, sign)
        flow[f.CASH_MFRR] += sign * own * marginal * paid_share
        flow[f.CASH_FORWARDED] += sign * passed * price * paid_share
        flow[f.CASH_FEE] -= rules[s.FEE] * passed


@law
def settle_terminal(rules: Any, params: Any, state: Any, flow: Any, price: float) -> None:
    """Book the value of the change of content when the episode ends."""
    flow[f.CASH_TERMINAL] = rules[s.TERMINAL_FACTOR] * terminal_value_eur(
        state[s.START_CONTENT], state[s.CONTENT], price, params[s.WEAR], params[s.CHARGE_FRAC], params[s.DISCHARGE_FRAC]
    )
