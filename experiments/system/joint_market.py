"""Joint procurement of a step: the optimisation once more on the inputs of the step, need by need.

By the laws of `procure_jointly` and `clear_jointly`. One activation serves all needs on its path; it stands in the auction of the
lowest area that needs its direction, and in that of the balancing area.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stacking import columns as c
from stacking import flows as f
from stacking import state as s
from stacking.build import build
from stacking.columns import background_column
from stacking.gates.offers import beyond_mw, gather_offers
from stacking.gates.procurement import (
    ASKED_LOWER_MW,
    NODES_W,
    add_balancing,
    add_local,
    asked_mw,
    bids_needed,
    list_offers,
    missing_mw,
    penalties,
    set_limits,
)
from stacking.markets import joint as j
from stacking.markets.cost_split import clear_and_split
from stacking.markets.merit_order import OFFER_ROW, background_alone_mw
from stacking.units import MTU_H, POWER_EPSILON_MW

from .auction import BOOL, FLOAT, Auction
from .bill import Bill, step_cost_eur
from .books import Books

_kernel = cache(build)


@dataclass
class Problem:
    """One delivery MTU as the optimisation met it, and its result.

    Attributes:
        bids: (n, BIDS_W) accepted MW included; own: how many of them are of portfolios, local: how many of the rest are local.
        row: (own,) portfolio of each; nodes: (A + 1, NODES_W) limits, prices, shortfalls; the last is the balancing area.
        needed_mw: net need of the balancing area, + = up; reference: price that the root's is nearest to, EUR/MWh.
    """

    bids: FLOAT
    own: int
    local: int
    row: NDArray[np.int64]
    nodes: FLOAT
    needed_mw: float
    reference: float

    @property
    def root_price(self) -> float:
        """Return the price of the balancing area, EUR/MWh."""
        return float(self.nodes[-1, j.PRICE_EUR_PER_MWH])

    def signed(self, first: int, last: int) -> FLOAT:
        """Return accepted MW of the bids first..last-1, + = up."""
        return self.bids[first:last, j.BID_SIGN] * self.bids[first:last, j.BID_ACCEPTED_MW]


def procure_jointly(books: Books, gate: NDArray[np.int64]) -> None:
    """Pick the bids for one MTU, book them and note each need."""
    first, lead = books.tick + int(gate[s.LEAD]), int(gate[s.LEAD])
    problem = _problem(books, first)
    _clear(books, problem)
    for row, sign, mw in zip(problem.row, problem.bids[:, j.BID_SIGN], problem.bids[: problem.own, j.BID_ACCEPTED_MW],
                             strict=False):  # fmt: skip
        if mw > POWER_EPSILON_MW:
            books.sell(int(row), c.MFRR, 0 if sign > 0.0 else 1, first, 1, float(mw))
    books.note_refusals(c.MFRR, 0, lead)
    slot = books.slot(first)
    books.prices[:, slot] = problem.nodes[:, j.PRICE_EUR_PER_MWH]
    for d in range(2):
        books.balance[(s.CLEARED_UP if d == 0 else s.CLEARED_DN) + slot] = _balancing_price(books, problem, d, first)
    without = _without_each(books, problem)
    books.out.auctions += [*_local_needs(books, problem, first, without), *_balancing_needs(books, problem, first, without)]
    books.out.bills.append(_bill(books, problem, first))
    books.out.others_mw[first] = _others_mw(books, problem, first)
    _sum_up(books, problem)


def _problem(books: Books, first: int) -> Problem:
    """Set the problem up as the engine does."""
    slot, at, root, rows = books.slot(first), books.series[first], len(books.spans), books.engine.rows
    curves, product = books.engine.compiled.curves, books.engine.compiled.products[c.MFRR]
    bids = np.zeros((bids_needed(rows, root, curves.shape[1]), j.BIDS_W))
    nodes = np.zeros((root + 1, NODES_W))
    n, owners = 0, []
    for d, offers in enumerate((books.offers, books.spare)):
        count = gather_offers(books.rules, books.ring, books.priority, c.MFRR, d, slot, 0, rows, False, offers)
        n = list_offers(offers, count, n, 1.0 if d == 0 else -1.0, root, books.params, bids)
        owners.append(offers[:count, OFFER_ROW].astype(np.int64))
    own = n
    set_limits(first, slot, product, at, books.spans, books.local, books.params, books.ring, nodes)
    for a in range(root):
        n = add_local(n, a, books.spans, curves[c.LFM], books.local[a, first], books.background_priority, bids, nodes)
    local = n
    n = add_balancing(n, root, curves[c.MFRR], at, books.background_priority, bids)
    needed = float(at[background_column(0) + c.NEED] - at[background_column(1) + c.NEED])
    reference = float(at[c.DA_PRICE])
    if abs(needed) > POWER_EPSILON_MW:
        reference = float(product[s.PRICE_FLOOR] if needed > 0.0 else product[s.PRICE_CAP])
    return Problem(bids[:n].copy(), own, local, np.concatenate(owners), nodes, needed, reference)


def _clear(books: Books, problem: Problem) -> None:
    """Clear a problem by the engine's law, in place."""
    bids, nodes = _cleared(books, problem, problem.bids[None].copy())
    problem.bids, problem.nodes = bids[0], nodes[0]


def _cleared(books: Books, problem: Problem, bids: FLOAT) -> tuple[FLOAT, FLOAT]:
    """Return bids and nodes of variants of a problem, (k, n, BIDS_W), cleared."""
    k, n, areas = len(bids), bids.shape[1], len(problem.nodes)
    nodes = np.repeat(problem.nodes[None], k, axis=0)
    many = j.pieces_needed(n, areas)
    memory: tuple[Any, ...] = (
        np.zeros((k, j.PIECES_W, many)), np.zeros((k, j.LINKS_W, many), np.int64), np.zeros((k, areas, j.LISTS_W), np.int64),
    )  # fmt: skip
    backend = "python" if books.engine.backend == "python" else "serial"
    _kernel(clear_and_split, backend)(bids, np.full(k, n), nodes, np.full(k, problem.reference), *memory, np.zeros(k))
    return bids, nodes


def _without_each(books: Books, problem: Problem) -> tuple[NDArray[np.int64], FLOAT]:
    """Return the portfolios of which anything is accepted and the nodes (k, A + 1, NODES_W) of the optimisation without each."""
    accepted = problem.bids[: problem.own, j.BID_ACCEPTED_MW] > POWER_EPSILON_MW
    sellers = np.unique(problem.row[accepted])
    if len(sellers) == 0:
        return sellers, np.zeros((0, *problem.nodes.shape))
    bids = np.repeat(problem.bids[None], len(sellers), axis=0)
    bids[:, : problem.own, j.BID_MW] *= problem.row[None, :] != sellers[:, None]
    return sellers, _cleared(books, problem, bids)[1]


def _pivotal(books: Books, without: tuple[NDArray[np.int64], FLOAT], node: int, d: int, missing: float) -> BOOL:
    """Return the portfolios without which more of the need of a node is missing, (F,)."""
    found = np.zeros(books.engine.rows, dtype=bool)
    for row, nodes in zip(*without, strict=True):
        found[row] = missing_mw(nodes[node], d) > missing + POWER_EPSILON_MW
    return found


def _local_needs(books: Books, problem: Problem, first: int, without: tuple[NDArray[np.int64], FLOAT]) -> Iterator[Auction]:
    """Give the needs of the areas, from the leaves to the root; note what the result leaves exceeded that held without it."""
    rows, nodes, scheduled = books.engine.rows, problem.nodes, books.scheduled_mw(first, 1)
    product, curve = books.engine.compiled.products[c.MFRR], books.engine.compiled.curves[c.LFM]
    claimed = np.zeros((2, rows), dtype=bool)
    for a in range(len(books.spans)):
        at, span = books.local[a, first], slice(int(books.spans[a, s.FIRST_ROW]), int(books.spans[a, s.LAST_ROW]))
        for d, sign in enumerate((1.0, -1.0)):
            base, need, missing = background_column(d), float(asked_mw(nodes[a], d)), float(missing_mw(nodes[a], d))
            books.out.violated_mwh += max(0.0, missing - need) * MTU_H
            if need <= POWER_EPSILON_MW:
                continue
            below = np.zeros(rows, dtype=bool)
            below[span] = True
            limit, price = float(at[base + c.LIMIT]), float(nodes[a, j.PRICE_EUR_PER_MWH])
            others = float(problem.bids[problem.own : problem.local, j.BID_ACCEPTED_MW][
                (problem.bids[problem.own : problem.local, j.BID_AREA] == a)
                & (problem.bids[problem.own : problem.local, j.BID_SIGN] == sign)
            ].sum())  # fmt: skip
            volume, reference, anchor = (float(at[base + x]) for x in (c.VOLUME, c.REF, c.ANCHOR))
            dearest = sign * problem.root_price + penalties(product, at)[d]
            yield Auction(
                books.world, c.LFM, a, d, first, MTU_H, need, limit, price, float(books.series[first, c.DA_PRICE]),
                _of_rows(problem, sign, j.BID_MW, rows, dearest) * below,
                _of_rows(problem, sign, j.BID_ACCEPTED_MW, rows) * (below & ~claimed[d]), others,
                float(background_alone_mw(curve, sign, np.inf, volume, reference, anchor, limit)), min(need, missing),
                scheduled * below, np.zeros(rows), 0.0, _pivotal(books, without, a, d, missing),
            )  # fmt: skip
            claimed[d] |= below


def _balancing_needs(books: Books, problem: Problem, first: int, without: tuple[NDArray[np.int64], FLOAT]) -> Iterator[Auction]:
    """Give the needs of the balancing area.

    What both directions need of each other is regulated apart, by other people: it is in the need and in what they sell. What
    local needs add to the balance and nobody takes is a need that was not met.
    """
    at, rows, root, nodes = books.series[first], books.engine.rows, len(problem.nodes) - 1, problem.nodes
    product, curve, regulated = books.engine.compiled.products[c.MFRR], books.engine.compiled.curves[c.MFRR], _regulated(at)
    for d, sign in enumerate((1.0, -1.0)):
        base, net, missing = background_column(d), max(0.0, sign * problem.needed_mw), float(missing_mw(nodes[root], d))
        need = float(at[base + c.NEED]) + max(0.0, missing - net)
        if need <= POWER_EPSILON_MW:
            continue
        volume, reference, anchor, limit = (float(at[base + x]) for x in (c.VOLUME, c.REF, c.ANCHOR, c.LIMIT))
        others = max(0.0, sign * float(problem.signed(problem.local, len(problem.bids)).sum()))
        asked = 1.0 if net > POWER_EPSILON_MW or missing > POWER_EPSILON_MW else 0.0
        yield Auction(
            books.world, c.MFRR, -1, d, first, MTU_H, need, limit, _balancing_price(books, problem, d, first),
            float(at[c.DA_PRICE]), _of_rows(problem, sign, j.BID_MW, rows, penalties(product, at)[d]),
            _of_rows(problem, sign, j.BID_ACCEPTED_MW, rows) * asked, regulated + others,
            float(background_alone_mw(curve, sign, np.inf, volume, reference, anchor, limit)), missing,
            np.zeros(rows), np.zeros(rows), 0.0, _pivotal(books, without, root, d, missing),
        )  # fmt: skip


def _regulated(at: FLOAT) -> float:
    """Return what both directions need of each other, MW."""
    return float(min(at[background_column(0) + c.NEED], at[background_column(1) + c.NEED]))


def _balancing_price(books: Books, problem: Problem, d: int, first: int) -> float:
    """Return the balancing price of a direction: the root's where the net need lies there, else the published one."""
    if (1.0 if d == 0 else -1.0) * problem.needed_mw > POWER_EPSILON_MW:
        return problem.root_price
    return float(books.series[first, background_column(d) + c.ANCHOR])


def _of_rows(problem: Problem, sign: float, column: int, rows: int, dearest: float = np.inf) -> FLOAT:
    """Return a column of the portfolios' bids of one direction added up by portfolio, of those up to a signed price."""
    bids, found = problem.bids[: problem.own], np.zeros(rows)
    chosen = (bids[:, j.BID_SIGN] == sign) & (sign * bids[:, j.BID_EUR_PER_MWH] <= dearest)
    np.add.at(found, problem.row[chosen], bids[chosen, column])
    return found


def _bill(books: Books, problem: Problem, first: int) -> Bill:
    """Return what other people sold: the TSO pays the price of the balancing area, the DSO what lies above it in the area.

    Volumes at the root are net: where both directions have one price, other people may trade with each other.
    """
    at, own, local, signed = books.series[first], problem.own, problem.local, problem.signed(0, len(problem.bids))
    price, area = problem.bids[:, j.BID_EUR_PER_MWH], problem.bids[:, j.BID_AREA].astype(np.int64)
    premium = problem.nodes[area, j.PRICE_EUR_PER_MWH] - problem.root_price
    regulated, curve = _regulated(at), books.engine.compiled.curves[c.MFRR]
    apart_cost = apart_paid = 0.0
    for d, sign in enumerate((1.0, -1.0)):
        base = background_column(d)
        volume, reference, anchor = (float(at[base + x]) for x in (c.VOLUME, c.REF, c.ANCHOR))
        apart_cost += sign * step_cost_eur(curve, volume, reference, anchor, regulated)
        apart_paid += sign * regulated * _balancing_price(books, problem, d, first)
    return Bill(
        lfm_mwh=float(np.abs(signed[own:local]).sum()) * MTU_H,
        mfrr_mwh=float(abs(signed[local:].sum()) + 2.0 * regulated) * MTU_H,
        cost_lfm_eur=float(signed[own:local] @ price[own:local]) * MTU_H,
        cost_mfrr_eur=float(signed[local:] @ price[local:] + apart_cost) * MTU_H,
        dso_eur=float(signed[own:] @ premium[own:]) * MTU_H,
        tso_eur=float(signed[own:].sum() * problem.root_price + apart_paid) * MTU_H,
    )  # fmt: skip


def _others_mw(books: Books, problem: Problem, first: int) -> FLOAT:
    """Return by how much other people's local sales in and below each area change its flow, (A,) MW, + = injection.

    What they would have sold alone below is in the margin of the area: it has moved the limit of the optimisation.
    """
    found = np.zeros(len(books.spans))
    for area, mw in zip(problem.bids[problem.own :, j.BID_AREA], problem.signed(problem.own, problem.local), strict=False):
        a = int(area)
        while a >= 0:
            found[a] += mw
            a = int(books.spans[a, s.PARENT])
    for a in range(len(books.spans)):
        beyond = beyond_mw(books.spans[a], books.params, books.ring, books.slot(first), 1)
        found[a] -= problem.nodes[a, ASKED_LOWER_MW] - (books.local[a, first, background_column(0) + c.NEED] - beyond)
    return found


def _sum_up(books: Books, problem: Problem) -> None:
    """Add what the engine should have summed."""
    sums, nodes, accepted = books.out.sums, problem.nodes, problem.bids[:, j.BID_ACCEPTED_MW]
    sums[f.NEED_MFRR_MWH] += abs(problem.needed_mw) * MTU_H
    sums[f.UNSERVED_MFRR_MWH] += (nodes[-1, j.SHORTFALL_MW] + nodes[-1, j.SURPLUS_MW]) * MTU_H
    sums[f.ACCEPTED_MFRR_MWH] += accepted[: problem.own].sum() * MTU_H
    sums[f.BACKGROUND_LFM_MWH] += accepted[problem.own : problem.local].sum() * MTU_H
    sums[f.BACKGROUND_MFRR_MWH] += accepted[problem.local :].sum() * MTU_H
    for node in nodes[:-1]:
        for d in range(2):
            need, missing = float(asked_mw(node, d)), float(missing_mw(node, d))
            sums[f.NEED_LFM_MWH] += need * MTU_H
            sums[f.UNSERVED_LFM_MWH] += min(need, missing) * MTU_H
    sums[f.VIOLATED_MWH] = books.out.violated_mwh
