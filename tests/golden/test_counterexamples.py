"""What no order of schemes holds for, solved by hand: payments, welfare, merit order with whole bids, a shared book, whole days.

Welfare and merit order by the laws of the markets, all else in the engine, for one hour or two. There other people offer
up-regulation at a flat price of 90, and local activations are corrected in the position (no imbalance), so that operators pay
for bids and nothing else. A cost is what bids ask for the energy that was called, and what operators would have paid for what
they lack.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from stacking import columns as c
from stacking import flows as f
from stacking.markets import merit_order as m
from stacking.scenario import Library

from ..joint_toy import Problem, area, problem
from ..schemes import costs, cut, tso_stage, uncut
from ..toy import (
    BLOCK,
    DN,
    LFM,
    MFRR,
    UP,
    Record,
    balancing,
    by_row,
    consents,
    design,
    library,
    local,
    need,
    play,
    portfolio,
    tso_needs_up,
)

OTHERS = 90.0  # EUR/MWh
PAIR = (portfolio("a"), portfolio("b"))


def world(tso_mw: float, rows: int = 1) -> Library:
    """Return a world in which the TSO needs so much up, as it had forecast."""
    lib = library(rows=rows)
    tso_needs_up(lib, tso_mw, OTHERS, OTHERS, first=BLOCK)
    lib.series[:, BLOCK:, c.NEED_FORECAST] = tso_mw
    return lib


def played(name: str, lib: Library, decisions: Any, portfolios: Any = ()) -> Record:
    return play(design(name, position="corrected"), lib, decisions, portfolios)


def cost(record: Record, *asked: float, lacking: float = 0.0, others: float = OTHERS) -> float:
    """Return the cost of what was called of each portfolio at what it asked, of others and of what the DSO lacks, EUR."""
    called = record.flows[:, :, [f.ACTIVATED_LFM, f.ACTIVATED_MFRR, f.ACTIVATED_FORWARDED]].sum(axis=(0, 2))
    sums = record.market.sum(axis=0)
    assert sums[f.UNSERVED_MFRR_MWH] == 0.0
    return float(called @ asked + others * sums[f.BACKGROUND_MFRR_MWH] + lacking * sums[f.UNSERVED_LFM_MWH])


def paid(record: Record) -> float:
    """Return what both operators pay for activated energy, to the FSPs and to others, EUR."""
    sums = record.market.sum(axis=0)
    return float(sums[f.DSO_PAID_EUR] + sums[f.TSO_PAID_EUR] + OTHERS * sums[f.BACKGROUND_MFRR_MWH])


# Payments


def test_joint_procurement_pays_more_for_the_same_bids() -> None:
    """The DSO needs 1 MW, the TSO 2 MW; a asks 20 for 1 MW.

    Both schemes call a and 1 MW of others: 20 + 90 = 110. Forwarding: the DSO pays a as bid, the TSO 90 for the other MW: 110.
    Joint: one price, 90, for both: 180.
    """
    lib = world(2.0)
    need(lib, LFM, UP, 1.0, limit=80.0, first=BLOCK)
    forwarding = played("norflex_eam", lib, local("up", 0.25, 20.0, consent=1.0))
    joint = played("onenet", lib, balancing("up", 0.25, 20.0))
    assert (cost(forwarding, 20.0), cost(joint, 20.0)) == (110.0, 110.0)
    assert (paid(forwarding), paid(joint)) == (110.0, 180.0)


def test_joint_procurement_costs_less_and_pays_more() -> None:
    """The DSO needs 2 MW, a missing one costs it 80; the TSO needs 2 MW. a asks 20 for 1 MW, b 100 for 1 MW.

    Forwarding: the DSO takes a; b is too dear for it, and for the TSO, which lacks 1 MW yet and takes it of others: 20 + 90 + 80
    lacking = 190, paid 20 + 90 = 110. Joint: b saves 90 at the root and 80 in the area, so a and b serve both operators: 120.
    Each is paid the price of the area, b's 100: 200.
    """
    lib = world(2.0, rows=2)
    need(lib, LFM, UP, 2.0, limit=80.0, first=BLOCK)
    sale = by_row(r0=local("up", 0.25, 20.0, consent=1.0), r1=local("up", 0.25, 100.0, consent=1.0))
    forwarding = played("norflex_eam", lib, sale, PAIR)
    joint = played("onenet", lib, by_row(r0=balancing("up", 0.25, 20.0), r1=balancing("up", 0.25, 100.0)), PAIR)
    assert (cost(forwarding, 20.0, 100.0, lacking=80.0), cost(joint, 20.0, 100.0, lacking=80.0)) == (190.0, 120.0)
    assert (paid(forwarding), paid(joint)) == (110.0, 200.0)


# Welfare


def test_the_cheaper_bid_is_not_the_cheaper_power() -> None:
    """The TSO needs 1 MW. A asks 60 in area 0 and costs 60; R asks 90 at the root and costs 20.

    Joint procurement and forwarding take A: bids for 60, power for 60. Without forwarding R: bids for 90, power for 20.
    """
    bids = problem([area(1), area(-1, 1.0, 1.0)], [(0, 1, 60.0, 1.0), (1, 1, 90.0, 1.0)])
    power = problem([area(1), area(-1, 1.0, 1.0)], [(0, 1, 60.0, 1.0), (1, 1, 20.0, 1.0)])
    taken = [cut(bids), *(tso_stage(bids, np.zeros(2), forwarding) for forwarding in (True, False))]
    assert [bids.cost_of(accepted) for accepted in taken] == [60.0, 60.0, 90.0]
    assert [power.cost_of(accepted) for accepted in taken] == [60.0, 60.0, 20.0]


# Merit order with bids that cannot be cut


def listed(case: Problem, forwarding: bool) -> np.ndarray:
    """Return the offers that the TSO sees, sorted by the law of the market; the row is that of the bid."""
    rows = [row for row, bid in enumerate(case.bids) if forwarding or int(bid[0]) == case.root]
    offers = np.zeros((len(rows), m.OFFER_W))
    offers[:, m.OFFER_KEY], offers[:, m.OFFER_MW], offers[:, m.OFFER_ROW] = case.bids[rows, 2], case.bids[rows, 3], rows
    m.sort_offers(offers, np.zeros_like(offers), len(rows))
    return offers


def in_merit_order(case: Problem, forwarding: bool, rule: str) -> float:
    """Return the cost of going down the list until the need of the root is met.

    Args:
        case: up bids only.
        forwarding: bids of areas are on the list.
        rule: of a bid larger than what is needed yet: "cut", take it "whole", or "pass" over it.
    """
    offers, accepted, remaining = listed(case, forwarding), np.zeros(len(case.bids)), float(case.areas[-1, 1])
    if rule == "cut":
        m.accept(offers, len(offers), np.zeros((0, 2)), 1.0, remaining, 0.0, 0.0, 0.0, np.inf, 0.0, 0.0)
        accepted[offers[:, m.OFFER_ROW].astype(int)] = offers[:, m.OFFER_ACCEPTED]
        return case.cost_of(accepted)
    for offer in offers:
        if remaining > 0.0 and (rule == "whole" or offer[m.OFFER_MW] <= remaining):
            accepted[int(offer[m.OFFER_ROW])] = offer[m.OFFER_MW]
            remaining -= offer[m.OFFER_MW]
    return case.cost_of(accepted)


@pytest.mark.parametrize(
    ("rule", "tso_mw", "local_mw", "forwarding", "off", "optimal", "if_cut"),
    [("whole", 2.0, 3.0, 140.0, 100.0, 100.0, 80.0), ("pass", 3.0, 2.0, 380.0, 150.0, 150.0, 130.0)],
)
def test_merit_order_with_whole_bids_costs_more_with_forwarding(
    rule: str, tso_mw: float, local_mw: float, forwarding: float, off: float, optimal: float, if_cut: float
) -> None:
    """A forwarded bid at 40 comes first on the list, R at 50 second; a surplus costs 20, a shortfall 300.

    whole: the TSO needs 2 MW, R has 2 MW: 100. The forwarded bid has 3 MW and is taken whole: 120 + 20 = 140. Cut: 80.
    pass: the TSO needs 3 MW, R has 3 MW: 150. The forwarded bid has 2 MW, then R is too large: 80 + 300 = 380. Cut: 130.
    The optimum takes R alone, and with bids that can be cut merit order is optimal: forwarding then costs no more than none.
    """
    case = problem([area(1), area(-1, tso_mw, tso_mw, 300.0, 20.0)], [(0, 1, 40.0, local_mw), (1, 1, 50.0, tso_mw)])
    assert in_merit_order(case, True, rule) == forwarding
    assert in_merit_order(case, False, rule) == off
    assert costs(case, uncut(np.ones(2, bool))) == (optimal, optimal, off)
    assert in_merit_order(case, True, "cut") == costs(case)[1] == if_cut < off


# A shared book, first come first served


def test_a_shared_book_costs_more_where_a_cheaper_bid_comes_later() -> None:
    """The TSO needs 1 MW. a has 1 MW at 60 in the local book, b 1 MW at 30 in the balancing market.

    finflex: at T-45 the TSO finds a cheaper than others at 90 and locks it, before the bids of the balancing market are compared:
    60. Forwarding: a and b stand in one list at T-15: 30.
    """
    bids = local("up", 0.25, 60.0)
    shared = played("finflex", world(1.0, rows=2), by_row(r0=bids, r1=balancing("up", 0.25, 30.0)), PAIR)
    bids = local("up", 0.25, 60.0, consent=1.0)
    forwarding = played("norflex_eam", world(1.0, rows=2), by_row(r0=bids, r1=balancing("up", 0.25, 30.0)), PAIR)
    assert (cost(shared, 60.0, 30.0), cost(forwarding, 60.0, 30.0)) == (60.0, 30.0)


def test_a_shared_book_costs_more_where_the_forecast_was_too_high() -> None:
    """The TSO expects to need 2 MW and needs 1 MW; a has 2 MW at 60. Others take energy back at 40.

    finflex: at T-45 the TSO locks 2 MW for its forecast and sells 1 MW back: 120 - 40 = 80. Forwarding, at T-15: 1 MW, 60.
    """
    lib = world(1.0)
    lib.series[:, BLOCK:, c.NEED_FORECAST] = 2.0
    need(lib, MFRR, DN, 0.0, volume=100.0, reference=40.0, anchor=40.0, first=BLOCK)
    shared = played("finflex", lib, local("up", 0.5, 60.0))
    forwarding = played("norflex_eam", lib, local("up", 0.5, 60.0, consent=1.0))
    assert shared.market[-1, f.PRICE_MFRR_DN] == 40.0
    assert (cost(shared, 60.0, others=-40.0), cost(forwarding, 60.0)) == (80.0, 60.0)


def test_a_shared_book_costs_less_where_bids_are_too_small_to_forward() -> None:
    """The TSO needs 1 MW; a has 0.5 MW at 60, below the 1 MW of the balancing market.

    finflex, where a lies in a book of small bids: 30 + 45 = 75. Forwarding refuses it: 90.
    """
    shared = played("finflex", world(1.0), local("up", 0.125, 60.0))
    forwarding = played("norflex_eam", world(1.0), local("up", 0.125, 60.0, consent=1.0))
    assert forwarding.refused() == {"BELOW_MINIMUM": 0.5}
    assert (cost(shared, 60.0), cost(forwarding, 60.0)) == (75.0, 90.0)


# Whole days


def two_hours(hours: tuple[int, ...], name: str, consent: float) -> float:
    """Play the hours of a day in which anything is needed and return the cost, EUR: see below."""
    lib, decisions = library(16), {}
    for hour in hours:
        first = BLOCK + 4 * hour
        tso_needs_up(lib, 1.0, OTHERS, OTHERS, first=first, last=first + 3)
        if hour == 1:
            need(lib, LFM, UP, 1.0, limit=400.0, first=first, last=first + 3)
        if name == "onenet":
            decisions |= balancing("up", 1.0, 80.0, tuple(range(first, first + 4)))
        else:
            decisions[4 * hour] = {"lfm_up_share_frac": 1.0, "lfm_up_price": 80.0, **consents(consent)}
    small = (portfolio(power=1.0, capacity=2.0),)  # 1 MWh is in store
    return cost(played(name, lib, decisions, small), 80.0, lacking=400.0)


@pytest.mark.parametrize(
    ("hours", "joint", "forwarding", "off"),
    [((0,), 80.0, 80.0, 90.0), ((1,), 80.0, 80.0, 80.0), ((0, 1), 570.0, 570.0, 170.0)],
)
def test_a_store_is_called_for_little_and_is_empty_when_it_is_worth_more(
    hours: tuple[int, ...], joint: float, forwarding: float, off: float
) -> None:
    """A battery has 1 MWh and asks 80. The TSO needs 1 MW in both hours, the DSO 1 MW in the second; lacking it costs 400.

    First hour alone: the TSO saves 10 if it can call the battery, 80 < 90. Second hour alone: the battery serves both for 80,
    whatever the scheme. Both: with forwarding, and where both buy jointly hour by hour, the battery is empty in the second hour:
    80 + 90 + 400 = 570. Without: others in the first hour, the battery in the second: 90 + 80 = 170.
    """
    assert two_hours(hours, "onenet", 1.0) == joint
    assert two_hours(hours, "norflex_eam", 1.0) == forwarding
    assert two_hours(hours, "norflex_eam", 0.0) == off
