"""The DSO's looks at the local books of a step, area by area and direction by direction, by the laws of `clear_local`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stacking import columns as c
from stacking import flows as f
from stacking import state as s
from stacking.columns import background_column
from stacking.gates.clearing import mean_price
from stacking.gates.forwarding import fit_offers
from stacking.gates.local_need import told_margin_mw
from stacking.gates.offers import beyond_mw, gather_local
from stacking.markets.merit_order import OFFER_ACCEPTED, OFFER_ROW, accept, background_alone_mw
from stacking.units import MTU_H, MTU_PER_HOUR, POWER_EPSILON_MW

from .auction import Auction, missing_mw
from .bill import Bill, step_cost_eur
from .books import Books
from .measures import pivotal
from .offers import by_row, in_merit_order, offered_within

FLOAT = NDArray[np.float64]


def look_locally(books: Books, gate: NDArray[np.int64]) -> None:
    """Let the DSO look at all local books, from the leaves to the root, and book what it buys."""
    first, count = books.tick + int(gate[s.LEAD]), int(gate[s.COUNT])
    told = np.array([books.sold(c.LFM, d, first) for d in range(2)])  # before this tick
    scheduled, moved = books.scheduled_mw(first, count), 0.0
    for a in range(len(books.spans)):
        beyond = beyond_mw(books.spans[a], books.params, books.ring, books.slot(first), count)
        for d in range(2):
            moved += _look(books, gate, a, d, beyond, told[d], scheduled)
    _shift_balance(books, gate, moved)


def _look(books: Books, gate: NDArray[np.int64], a: int, d: int, beyond: float, told: FLOAT, scheduled: FLOAT) -> float:
    """Clear one area and direction; return what it moves beyond what other people alone would have, MW, + = up."""
    first, count = books.tick + int(gate[s.LEAD]), int(gate[s.COUNT])
    sign, base, curve = 1.0 if d == 0 else -1.0, background_column(d), books.engine.compiled.curves[c.LFM]
    at, slot, energy = books.local[a, first], books.slot(first), count * MTU_H
    place = s.OTHERS + d * s.SLOTS + slot
    already, margin = float(books.prices[a, place]), float(at[base + c.NEED])
    volume, reference, anchor, limit = (float(at[base + x]) for x in (c.VOLUME, c.REF, c.ANCHOR, c.LIMIT))
    alone = 0.0
    if gate[s.AGAIN] == 0 and margin > 0.0:
        alone = background_alone_mw(curve, sign, margin, volume, reference, anchor, limit)
    if gate[s.FORECAST] == 1:
        margin = told_margin_mw(sign * books.local_hourly[a, c.LFM_NEED_NEAR - c.LFM_NEED_FAR, first // MTU_PER_HOUR])
    need, last = margin - sign * beyond - already, bool(gate[s.LAST] == 1)
    if last:
        _note_surplus(books, a, d, first, count, need)
    if need <= POWER_EPSILON_MW:
        return -sign * alone
    rows = books.spans[a, s.FIRST_ROW], books.spans[a, s.LAST_ROW]
    n = gather_local(books.rules, books.ring, books.priority, books.spans[a], d, slot, books.offers)
    if gate[s.WHOLE] == 0:
        fit_offers(books.offers, n, books.params, books.ring, slot, d, int(gate[s.KNOWN_MIN]), books.flow, books.work)
        books.note_refusals(c.LFM, d, int(gate[s.LEAD]))
    offers = in_merit_order(books.offers, n)
    price, mine, others = accept(
        offers, n, curve, sign, need, volume, reference, anchor, limit, books.background_priority, already
    )  # fmt: skip
    below = np.zeros(books.engine.rows)
    below[rows[0] : rows[1]] = 1.0
    offered = offered_within(offers, n, sign * limit, books.engine.rows)
    supply = float(background_alone_mw(curve, sign, np.inf, volume, reference, anchor, limit)) - already
    books.out.auctions.append(Auction(
        books.world, c.LFM, a, d, first, energy, need, limit, float(price), float(books.series[first, c.DA_PRICE]),
        offered, by_row(offers, n, OFFER_ACCEPTED, books.engine.rows), float(others), supply,
        missing_mw(need, mine + others) if last else 0.0, scheduled * below, told * below, already,
        pivotal(need, offered, supply), last,
    ))  # fmt: skip
    cost = sign * energy * step_cost_eur(curve, volume, reference, anchor, others, already)
    books.out.bills.append(Bill(lfm_mwh=others * energy, cost_lfm_eur=cost, dso_eur=cost))
    _sum_up(books, gate, sign, need, mine, others, energy)
    books.prices[a, place : place + count] += others
    for offer in offers[:n]:
        if offer[OFFER_ACCEPTED] > POWER_EPSILON_MW:
            books.sell(int(offer[OFFER_ROW]), c.LFM, d, first, count, float(offer[OFFER_ACCEPTED]))
    if not last:
        for tau in range(first, first + count):
            books.early[a, d, tau] = books.early.get((a, d, tau), 0.0) + mine + others
    return sign * (mine + others - alone)


def _note_surplus(books: Books, a: int, d: int, first: int, count: int, need: float) -> None:
    """Count what was bought for an area on a forecast and turns out not to be needed."""
    early = [books.early.pop((a, d, tau), 0.0) for tau in range(first, first + count)]
    books.out.surplus_mwh += sum(min(mw, max(0.0, -need)) for mw in early) * MTU_H


def _sum_up(books: Books, gate: NDArray[np.int64], sign: float, need: float, mine: float, others: float, energy: float) -> None:
    """Add what the engine should have summed, and the opposite energy elsewhere."""
    sums, first = books.out.sums, books.tick + int(gate[s.LEAD])
    sums[f.ACCEPTED_LFM_MWH] += mine * energy
    sums[f.BACKGROUND_LFM_MWH] += others * energy
    sums[f.NEED_LFM_MWH] += (need if gate[s.LAST] == 1 else mine + others) * energy
    sums[f.UNSERVED_LFM_MWH] += max(0.0, need - mine - others) * energy if gate[s.LAST] == 1 else 0.0
    if books.rules[s.NEUTRAL] > 0.0:
        da_price = mean_price(books.series, first, int(gate[s.COUNT]))
        counter = -sign * (mine + others) * energy * (da_price - sign * books.rules[s.ID_HALF_SPREAD])
        sums[f.COUNTER_EUR] += counter
        books.out.bills.append(Bill(counter_eur=counter))


def _shift_balance(books: Books, gate: NDArray[np.int64], moved_mw: float) -> None:
    """Tell the balance what all areas moved; where opposite energy elsewhere takes its place, that energy has its value."""
    first, count = books.tick + int(gate[s.LEAD]), int(gate[s.COUNT])
    if books.rules[s.NEUTRAL] > 0.0:
        worth = mean_price(books.series, first, count) * moved_mw * count * MTU_H
        books.out.bills.append(Bill(cost_counter_eur=-worth))
        return
    for slot in range(books.slot(first), books.slot(first) + count):
        books.balance[s.SHIFT + slot] = moved_mw + (books.balance[s.SHIFT + slot] if gate[s.AGAIN] == 1 else 0.0)
