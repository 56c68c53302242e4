"""What the TSO buys in a step: in the balancing market, and from a shared book, checked against the grid or not.

By the laws of `clear_balancing`, `match_book` and `buy_within_limits`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from stacking import columns as c
from stacking import flows as f
from stacking import state as s
from stacking.columns import background_column
from stacking.gates.eligibility import strike_pool
from stacking.gates.forwarding import fit_offers
from stacking.gates.grid import buy_within_limits, count_refused
from stacking.gates.matching import list_book, lock
from stacking.gates.offers import gather_offers
from stacking.markets.merit_order import (
    OFFER_ACCEPTED,
    OFFER_LEDGER,
    OFFER_ROW,
    background_alone_mw,
    shifted_need,
)
from stacking.units import MTU_H, POWER_EPSILON_MW

from .auction import BOOL, FLOAT, Auction, missing_mw
from .bill import Bill, step_cost_eur
from .books import Books
from .measures import pivotal
from .offers import by_row, in_merit_order, offered_within


def clear_balancing(books: Books, gate: NDArray[np.int64]) -> None:
    """Clear the balancing market for one MTU and book what the TSO buys."""
    first = books.tick + int(gate[s.LEAD])
    slot, at, rows, sums = books.slot(first), books.series[first], books.engine.rows, books.out.sums
    if books.rules[s.VERIFIED_LATE] > 0.0:
        _strike_out(books, slot, int(gate[s.LEAD]))
    moved = float(books.balance[s.SHIFT_KNOWN + slot] + books.balance[s.MATCHED + slot])
    needs = shifted_need(at[background_column(0) + c.NEED], at[background_column(1) + c.NEED], moved)
    for d, need in enumerate(needs):
        if need <= POWER_EPSILON_MW:
            books.balance[(s.CLEARED_UP if d == 0 else s.CLEARED_DN) + slot] = at[background_column(d) + c.ANCHOR]
            continue
        n = gather_offers(books.rules, books.ring, books.priority, c.MFRR, d, slot, 0, rows, False, books.offers)
        auction, mine = _bought(books, n, d, float(need), first)
        _note_refusals(books, n, auction, int(gate[s.LEAD]))
        books.balance[(s.CLEARED_UP if d == 0 else s.CLEARED_DN) + slot] = auction.price
        books.out.auctions.append(auction)
        books.out.bills.append(_bill(books, auction))
        others = auction.others_mw
        sums[f.ACCEPTED_MFRR_MWH] += mine * MTU_H
        sums[f.BACKGROUND_MFRR_MWH] += others * MTU_H
        sums[f.NEED_MFRR_MWH] += need * MTU_H
        sums[f.UNSERVED_MFRR_MWH] += max(0.0, need - mine - others) * MTU_H
        for offer in books.offers[:n]:
            if offer[OFFER_ACCEPTED] > POWER_EPSILON_MW:
                books.sell(int(offer[OFFER_ROW]), int(offer[OFFER_LEDGER]), d, first, 1, float(offer[OFFER_ACCEPTED]))


def _strike_out(books: Books, slot: int, lead: int) -> None:
    """Strike out forwarded bids that the TSO does not accept, direction by direction."""
    product = books.engine.compiled.products[c.MFRR]
    for d in range(2):
        for head in np.flatnonzero(books.params[:, s.POOL_HEAD] > 0.0):
            strike_pool(books.rules, product, slot, d, int(head), books.params, books.ring, books.flow)
        books.note_refusals(c.FORWARDED, d, lead)


def _note_refusals(books: Books, n: int, auction: Auction, lead: int) -> None:
    """Note what the grid kept from being bought, of own and of forwarded bids apart; the law adds both up by portfolio."""
    books.flow[:] = 0.0
    for ledger in (c.MFRR, c.FORWARDED) if books.rules[s.GRID_CHECK] > 0.0 else ():
        chosen = books.offers[:n, OFFER_LEDGER] == ledger
        count_refused(
            books.offers[:n][chosen], books.spare[:n][chosen], int(chosen.sum()), auction.sign, auction.price, books.flow
        )
        books.note_refusals(ledger, auction.direction, lead)


def match(books: Books, gate: NDArray[np.int64], sold_before: FLOAT) -> None:
    """Let the TSO buy from the shared book for one MTU; sold_before: (F, 2) MW that the DSO had bought when the tick began."""
    first = books.tick + int(gate[s.LEAD])
    slot, at, sums = books.slot(first), books.series[first], books.out.sums
    forecast, blind = float(at[c.NEED_FORECAST]), bool(at[c.LOOK_S] < books.rules[s.LOCK_LATENCY_S])
    needs = shifted_need(max(0.0, forecast), max(0.0, -forecast), float(books.balance[s.SHIFT_KNOWN + slot]))
    for d, need in enumerate(needs):
        if need <= POWER_EPSILON_MW:
            continue
        n = list_book(books.ring, books.priority, sold_before, blind, slot, d, books.offers)
        fit_offers(books.offers, n, books.params, books.ring, slot, d, int(gate[s.KNOWN_MIN]), books.flow, books.work)
        auction, _ = _bought(books, n, d, float(need), first)
        stands = _lock(books, n, d, first)
        books.note_refusals(c.FORWARDED, d, int(gate[s.LEAD]))
        bought = float(stands.sum())
        books.balance[s.MATCHED + slot] += auction.sign * bought
        sums[f.ACCEPTED_MFRR_MWH] += bought * MTU_H
        sums[f.NEED_MFRR_MWH] += bought * MTU_H
        books.out.auctions.append(_looked(auction, stands))


def _lock(books: Books, n: int, d: int, tau: int) -> FLOAT:
    """Write the matches to the books; return what stands, (F,) MW."""
    stands = np.zeros(books.engine.rows)
    for offer in books.offers[:n]:
        if offer[OFFER_ACCEPTED] > POWER_EPSILON_MW:
            row = int(offer[OFFER_ROW])
            p = books.params[row]
            fleet, load = books.fleets[max(0, int(p[s.FLEET_ROW]))], books.loads[max(0, int(p[s.LOAD_ROW]))]
            stands[row] += lock(books.rules, p, books.ring[row], fleet, load, books.flow[row], tau, books.slot(tau), d,
                                float(offer[OFFER_ACCEPTED]), books.work)  # fmt: skip
    return stands


def _looked(auction: Auction, stands: FLOAT) -> Auction:
    """Return the look at a shared book: nothing is bought of other people, and the balancing market still follows."""
    return replace(auction, accepted_mw=stands, others_mw=0.0, unserved_mw=0.0, last=False, pays_price=False)


def _bought(books: Books, n: int, d: int, need: float, first: int) -> tuple[Auction, float]:
    """Buy from the listed offers beside other people's balancing supply; return the auction and what the offers gave, MW."""
    rows, at, base = books.engine.rows, books.series[first], background_column(d)
    sign, curve = 1.0 if d == 0 else -1.0, books.engine.compiled.curves[c.MFRR]
    volume, reference, anchor, limit = (float(at[base + x]) for x in (c.VOLUME, c.REF, c.ANCHOR, c.LIMIT))
    listed = in_merit_order(books.offers, n)[:n].copy()
    supply = float(background_alone_mw(curve, sign, np.inf, volume, reference, anchor, limit))
    price, mine, others = _buy(books, books.offers, books.spare, n, d, need, first, books.flow)
    offered = offered_within(books.offers, n, sign * limit, rows)
    accepted = by_row(books.offers, n, OFFER_ACCEPTED, rows)
    auction = Auction(
        books.world, c.MFRR, -1, d, first, MTU_H, need, limit, price, float(at[c.DA_PRICE]), offered, accepted, others, supply,
        missing_mw(need, mine + others), np.zeros(rows), np.zeros(rows), 0.0,
        _pivotal(books, listed, d, need, first, offered, accepted, mine + others, supply),
    )  # fmt: skip
    return auction, mine


def _buy(
    books: Books, offers: FLOAT, spare: FLOAT, n: int, d: int, need: float, first: int, flow: FLOAT
) -> tuple[float, float, float]:
    """Call the engine's law on listed offers; return marginal price, MW of the offers, MW of others."""
    price, mine, others = buy_within_limits(
        books.rules, offers, spare, n, d, need, first, books.now, books.engine.compiled.curves[c.MFRR], books.series[first],
        books.background_priority, books.spans, books.local, books.params, books.ring, books.prices, books.rooms, flow,
    )  # fmt: skip
    return float(price), float(mine), float(others)


def _pivotal(
    books: Books, listed: FLOAT, d: int, need: float, first: int, offered: FLOAT, accepted: FLOAT, met: float, supply: float
) -> BOOL:
    """Return who is pivotal; where the grid limits what can be bought, by buying once more without each seller.

    Others then find the room that it leaves: supply as cut for all together would not do.
    """
    if books.rules[s.GRID_CHECK] == 0.0:
        return pivotal(need, offered, supply)
    found = np.zeros(books.engine.rows, dtype=bool)
    if supply >= need:
        return found  # other people alone can meet it
    for row in np.flatnonzero(accepted > POWER_EPSILON_MW):
        rest = listed[listed[:, OFFER_ROW] != row].copy()
        _, mine, others = _buy(books, rest, rest.copy(), len(rest), d, need, first, np.zeros(books.flow.shape))
        found[row] = mine + others < met - POWER_EPSILON_MW
    return found


def _bill(books: Books, auction: Auction) -> Bill:
    """Return what other people sold, at the marginal price, and what it cost them."""
    at, base, bought = books.series[auction.tau], background_column(auction.direction), auction.others_mw
    curve = books.engine.compiled.curves[c.MFRR]
    cost = step_cost_eur(curve, float(at[base + c.VOLUME]), float(at[base + c.REF]), float(at[base + c.ANCHOR]), bought)
    return Bill(
        mfrr_mwh=bought * MTU_H, cost_mfrr_eur=auction.sign * MTU_H * cost,
        tso_eur=auction.sign * auction.price * bought * MTU_H,
    )  # fmt: skip
