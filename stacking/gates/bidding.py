"""The gates of a tick for one portfolio: day plan, intraday trade, offers."""

from __future__ import annotations

from typing import Any

from .. import columns as c
from .. import layout as v
from .. import state as s
from ..assets.battery import content_span_mwh, renew_reach
from ..build import law, part
from ..lookahead import position_mw
from ..markets.day_ahead import plan_day
from ..observe import asks_now, is_due
from ..ring import take_plan
from ..state import set_consent, slot_of
from ..units import MTU_PER_HOUR
from .early import day_gate_due, take_day_offer
from .offers import take_offer, trade_intraday
from .passed import change_passed, revoke


@part
def take_bids(
    gates: Any, local_gate: int, balancing_gate: int, products: Any, rules: Any, p: Any, action: Any, series: Any, hourly: Any,
    day: Any, length: int, fleet: Any, load: Any, state: Any, feasible: Any, ring: Any, early: Any, history: Any, flow: Any,
    tick: int, work: Any,
) -> None:  # fmt: skip
    """Close the gates that are due and take the bids of one portfolio.

    Args:
        gates, products, rules: the compiled design; local_gate, balancing_gate: those whose offers are seen ahead.
        p, action, state, feasible, ring, early, history, flow: one row each.
        series, hourly: the scenario; day: (CALENDAR_W,) of the tick; length: its ticks.
        fleet, load: forecasts of the portfolio.
        tick: now.
        work: scratch.
    """
    untouched = True  # since the portfolio saw what is feasible
    for g in range(gates.shape[0]):
        kind, lead, count = gates[g, s.KIND], gates[g, s.LEAD], gates[g, s.COUNT]
        if kind == s.AUCTION and day[c.DA_FIRST] >= 0:
            buy_day(p, state, ring, early, hourly, day, fleet, load, action, tick, work)
            untouched = False
        elif kind == s.TRADE and tick + lead < length:
            share, price = action[v.ID_POWER_FRAC], series[tick + lead, c.DA_PRICE]
            trade_intraday(rules, p, share, state, ring, fleet, load, flow, tick, lead, price, work)
            untouched = untouched and share == 0.0
        elif kind == s.DAY_OFFER and day_gate_due(gates[g], day, tick, length):
            take_day_offer(gates[g], products[c.LFM], rules, p, action, state, ring, early, fleet, load, flow, tick, day)
            untouched = False
        elif kind == s.REVOKE and is_due(gates[g], day, tick, length):
            revoke(p, action, state, ring, flow, lead + s.PAST, count)
            untouched = False
        elif kind == s.OFFER and is_due(gates[g], day, tick, length):
            if gates[g, s.LEDGER] == c.LFM:
                asked = asks_now(rules, day, tick, lead)
                note_local_gate(rules, p, action, asked, state, ring, history, fleet, load, tick, lead, count)
            elif rules[s.CHANGES] > 0.0:
                change_passed(rules, products[c.MFRR], p, action, ring, flow, lead + s.PAST, count)
                untouched = False
            seen = g == (local_gate if gates[g, s.LEDGER] == c.LFM else balancing_gate)
            take_offer(gates[g], products[gates[g, s.MARKET]], rules, p, action, state, feasible, ring, fleet, load, flow, tick,
                       lead < day[c.DAY_LEFT], untouched and seen, work)  # fmt: skip
            untouched = False


@law
def note_local_gate(
    rules: Any,
    p: Any,
    action: Any,
    asked: bool,
    state: Any,
    ring: Any,
    history: Any,
    fleet: Any,
    load: Any,
    tick: int,
    lead: int,
    count: int,
) -> None:
    """Note consent and, where the baseline is nominated, the schedule as it is told at the local gate.

    Where consent is not asked for at this gate, what the owner said last holds.
    """
    if rules[s.HAS_FORWARD] > 0.0:
        for d in range(2):
            if asked:
                state[s.CONSENT_NOW + d] = 1.0 if action[v.CONSENT_UP + d] >= 0.5 else 0.0
            given = rules[s.NEEDS_CONSENT] == 0.0 or state[s.CONSENT_NOW + d] > 0.0
            for slot in range(lead + s.PAST, lead + s.PAST + count):
                set_consent(ring, slot, d, given)
    if rules[s.BASELINE] == s.BY_NOMINATION:
        for tau in range(tick + lead, tick + lead + count):
            slot = slot_of(tau, tick)
            history[slot] = position_mw(p, ring, fleet, load, tau, slot)


@part
def buy_day(
    p: Any, state: Any, ring: Any, early: Any, hourly: Any, day: Any, fleet: Any, load: Any, action: Any, tick: int, work: Any
) -> None:
    """Plan and buy the next local day on the forecast of the gate; the schedule of the hours before it is kept.

    The plan is feasible from the lowest to the highest content that own commitments can lead to by the start of the day.
    """
    first, count = day[c.DA_FIRST], day[c.DA_COUNT]
    low, high = content_span_mwh(p, state, ring, tick, first)
    plan_day(p, ring, early, work, hourly, day[c.NEXT_DAY_FORECAST], fleet, load, first, count, low, high,
             action[v.DA_VOLUME_FRAC], action[v.DA_MIN_SPREAD], action[v.DA_END_CONTENT_FRAC])  # fmt: skip
    renew_reach(p, ring, tick // MTU_PER_HOUR, (first + count - 1) // MTU_PER_HOUR)
    for tau in range(first, min(first + count, tick + s.WINDOW)):  # only if the day begins inside the window
        take_plan(ring, tau, slot_of(tau, tick))
