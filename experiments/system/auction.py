"""Every auction of a step as the buyer saw it: need, offers, other people's supply, price. Taken from the books afterwards.

The engine keeps sums per world only. The same laws (`accept`, `shifted_need`) run again here on what stood in the books,
area by area and direction by direction; a result that the engine does not confirm is an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stacking import columns as c
from stacking import flows as f
from stacking import state as s
from stacking.columns import background_column
from stacking.coordination import beyond_mw
from stacking.engine import Engine, Snapshot
from stacking.errors import StackingError
from stacking.invariants.step import Step
from stacking.lookahead import column
from stacking.markets.merit_order import (
    OFFER_ACCEPTED,
    OFFER_KEY,
    OFFER_MW,
    OFFER_PRIORITY,
    OFFER_ROW,
    OFFER_W,
    accept,
    background_alone_mw,
    shifted_need,
    step_price,
)
from stacking.observe import is_due
from stacking.units import MTU_H, POWER_EPSILON_MW

from .violations import span

FLOAT = NDArray[np.float64]

TOLERANCE_MWH = 1e-5


@dataclass(frozen=True)
class Auction:
    """One market, area, direction and delivery in which somebody needed something.

    Attributes:
        world, market, area (-1: balancing), direction: where; tau: first MTU of delivery; hours: of the block.
        need_mw: asked for; limit: most that the buyer pays (up) or least that it takes (down), EUR/MWh.
        price: marginal price, EUR/MWh; da_price: of the day-ahead market, EUR/MWh.
        offered_mw, accepted_mw: (F,) of each portfolio at prices within the limit, MW.
        others_mw, others_offer_mw: bought from other people, and offered by them within the limit, MW.
        others_eur: what the bought steps of other people cost, EUR, + = cost.
        scheduled_mw: (F,) schedule of the portfolios below beyond their reference, mean of the block, MW, + = injection.
    """

    world: int
    market: int
    area: int
    direction: int
    tau: int
    hours: float
    need_mw: float
    limit: float
    price: float
    da_price: float
    offered_mw: FLOAT
    accepted_mw: FLOAT
    others_mw: float
    others_offer_mw: float
    others_eur: float
    scheduled_mw: FLOAT

    @property
    def sign(self) -> float:
        """Return +1 for up, -1 for down."""
        return 1.0 if self.direction == c.UP else -1.0

    @property
    def unserved_mw(self) -> float:
        """Return need - bought, MW; below what the market tells apart it is rounding and none."""
        missing = self.need_mw - self.others_mw - float(self.accepted_mw.sum())
        return missing if missing > POWER_EPSILON_MW else 0.0


def auctions(engine: Engine, before: Snapshot) -> list[Auction]:
    """Return the auctions of the last step.

    Args:
        engine: just stepped.
        before: its snapshot before that step.

    Raises:
        StackingError: if the engine bought something else, as under a design that clears in another way.
    """
    step = Step(engine, before)
    found = [each for world in np.flatnonzero(step.moved) for each in _of_world(step, int(world))]
    for world in np.flatnonzero(step.moved):
        _confirm(step, int(world), [each for each in found if each.world == world])
    return found


def _of_world(step: Step, world: int) -> Iterator[Auction]:
    """Give the auctions of one world, in the order of its gates."""
    engine, tick = step.engine, int(step.tick[world])
    library, k = engine.library, int(engine.scenario[world])
    for gate in engine.compiled.gates:
        if gate[s.KIND] == s.CLEAR and is_due(gate, library.calendar[k, tick], tick, int(library.length[k])):
            at = _local if gate[s.MARKET] == c.LFM else _balancing
            yield from at(step, world, int(gate[s.LEAD]), int(gate[s.COUNT]))


def _balancing(step: Step, world: int, lead: int, count: int) -> Iterator[Auction]:
    """Give the auctions of the TSO for one MTU."""
    engine, tau = step.engine, int(step.tick[world]) + lead
    library, k = engine.library, int(engine.scenario[world])
    at = library.series[k, tau]
    known = step.old["world"][world, s.SHIFT_KNOWN + s.PAST + lead]
    needs = shifted_need(at[background_column(0) + c.NEED], at[background_column(1) + c.NEED], known)
    offers = [_offers(step, world, lead, d, (c.MFRR, c.FORWARDED), slice(0, engine.rows)) for d in range(2)]
    for d, need in enumerate(needs):
        if need > POWER_EPSILON_MW:
            yield _cleared(step, world, c.MFRR, -1, d, tau, MTU_H, need, at, offers[d], np.zeros(engine.rows))


def _local(step: Step, world: int, lead: int, count: int) -> Iterator[Auction]:
    """Give the auctions of the local markets of one block, from the leaves to the root."""
    engine, areas, tau = step.engine, step.engine.areas, int(step.tick[world]) + lead
    local = engine.library.local[int(engine.scenario[world])]
    place = lead - 1 + s.PAST  # everything has moved by one slot
    block, ring = slice(place, place + count), engine.ring[world].copy()  # before the clearing: with what was sold before
    cells = ring[:, s.BOOK : s.PLAN].reshape(engine.rows, s.SLOTS, s.BOOK_W)
    columns = [column(c.LFM, s.SOLD, d) for d in range(2)]
    cells[:, block, columns] = 0.0
    scheduled = np.array([beyond_mw(span(k, k), engine.params, ring, place, count) for k in range(engine.rows)])
    bought = np.zeros((2, engine.rows))  # at this tick, in the areas below
    told = [step.book(c.LFM, s.SOLD, d, old=True)[world, :, lead : lead + count] for d in range(2)]
    for a in range(len(areas.node)):
        rows = areas.rows(a)
        for d in range(2):
            cells[:, block, columns[d]] = told[d] + bought[d][:, None]
        beyond = beyond_mw(span(rows.start, rows.stop - 1), engine.params, ring, place, count)
        below = np.zeros(engine.rows)
        below[rows] = scheduled[rows]
        for d in range(2):
            need = local[a, tau, background_column(d) + c.NEED] - (1.0 if d == 0 else -1.0) * beyond
            if need > POWER_EPSILON_MW:
                offers = _offers(step, world, lead, d, (c.LFM,), rows, told[d].mean(axis=1) + bought[d])
                each = _cleared(step, world, c.LFM, a, d, tau, count * MTU_H, need, local[a, tau], offers, below)
                yield each
                bought[d] += each.accepted_mw


def _offers(step: Step, world: int, lead: int, d: int, ledgers: tuple[int, ...], rows: slice, sold: FLOAT | None = None) -> FLOAT:
    """Return the offers in merit order, (n, OFFER_W)."""
    engine = step.engine
    priority = engine.library.priority[int(engine.scenario[world])]
    numbers = np.arange(engine.rows)[rows]
    parts = []
    for rank, ledger in enumerate(ledgers):
        offered = step.book(ledger, s.OFFERED, d)[world, numbers, lead] - (0.0 if sold is None else sold[numbers])
        part = np.zeros((len(numbers), OFFER_W + 1))
        part[:, OFFER_KEY] = (1.0 if d == 0 else -1.0) * step.book(ledger, s.PRICE, d)[world, numbers, lead]
        part[:, OFFER_PRIORITY], part[:, OFFER_MW], part[:, OFFER_ROW] = priority[numbers], offered, numbers
        part[:, OFFER_W] = len(ledgers) * numbers + rank
        parts.append(part[offered > POWER_EPSILON_MW])
    found = np.concatenate(parts)
    return found[np.lexsort((found[:, OFFER_W], found[:, OFFER_PRIORITY], found[:, OFFER_KEY]))]


def _cleared(
    step: Step, world: int, market: int, area: int, d: int, tau: int, hours: float, need: float, at: FLOAT, offers: FLOAT,
    scheduled: FLOAT,
) -> Auction:  # fmt: skip
    """Return an auction from its need (MW), other people's supply (one row of the background) and sorted offers."""
    engine, k = step.engine, int(step.engine.scenario[world])
    sign, base, curve = 1.0 if d == 0 else -1.0, background_column(d), engine.compiled.curves[market]
    volume, reference, anchor, limit = (float(at[base + x]) for x in (c.VOLUME, c.REF, c.ANCHOR, c.LIMIT))
    priority = engine.library.scalars[k, c.BACKGROUND_PRIORITY]
    price, _, others = accept(offers, len(offers), curve, sign, need, volume, reference, anchor, limit, priority, 0.0)
    offered, accepted = np.zeros(engine.rows), np.zeros(engine.rows)
    inside = offers[:, OFFER_KEY] <= sign * limit
    np.add.at(offered, offers[inside, OFFER_ROW].astype(np.int64), offers[inside, OFFER_MW])
    np.add.at(accepted, offers[:, OFFER_ROW].astype(np.int64), offers[:, OFFER_ACCEPTED])
    return Auction(
        world, market, area, d, tau, hours, float(need), limit, float(price), float(engine.library.series[k, tau, c.DA_PRICE]),
        offered, accepted, float(others),
        float(background_alone_mw(curve, sign, np.inf, volume, reference, anchor, limit)),
        sign * hours * step_cost_eur(curve, volume, reference, anchor, others), scheduled,
    )  # fmt: skip


def step_cost_eur(curve: FLOAT, volume_mw: float, reference: float, anchor: float, bought_mw: float) -> float:
    """Return what the first `bought_mw` of a stepwise curve cost at the price of each step, EUR per hour.

    Args:
        curve: (steps, 2) cumulative fractions of volume and of price.
        volume_mw, reference, anchor: of the curve, MW and EUR/MWh.
        bought_mw: MW taken from it, cheapest first.

    >>> step_cost_eur(np.array([[0.5, 0.5], [1.0, 1.0]]), 4.0, 40.0, 100.0, 3.0)  # 2 x 70 + 1 x 100
    240.0
    """
    top = np.minimum(curve[:, 0] * volume_mw, bought_mw)
    taken = np.diff(top, prepend=0.0)
    return float(sum(mw * step_price(reference, anchor, frac) for mw, frac in zip(taken, curve[:, 1], strict=True)))


def _confirm(step: Step, world: int, found: list[Auction]) -> None:
    """Compare with what the engine bought."""
    told = step.market[world]
    for market, columns in (
        (c.LFM, (f.NEED_LFM_MWH, f.ACCEPTED_LFM_MWH, f.BACKGROUND_LFM_MWH)),
        (c.MFRR, (f.NEED_MFRR_MWH, f.ACCEPTED_MFRR_MWH, f.BACKGROUND_MFRR_MWH)),
    ):
        own = [each for each in found if each.market == market]
        sums = [sum(x) for x in zip(*(((e.need_mw * e.hours), e.accepted_mw.sum() * e.hours, e.others_mw * e.hours)
                                      for e in own), strict=True)] or [0.0, 0.0, 0.0]  # fmt: skip
        for at, value in zip(columns, sums, strict=True):
            if abs(value - told[at]) > TOLERANCE_MWH * max(1.0, abs(told[at])):
                raise StackingError(
                    "The engine bought something else than its books say.", value=f"{value!r} against {told[at]!r} MWh",
                    place=f"design {step.design.name}, world {world}, tick {step.tick[world]}", key=f"market {market}",
                    allowed="designs that clear each market by merit order",
                    remedy="The system side cannot be measured for this design.",
                )  # fmt: skip
