"""Joint procurement solved by hand: four battery MW, other people's steps, one TSO and one or two DSO."""

from __future__ import annotations

import numpy as np
import pytest

from stacking import columns as c
from stacking import flows as f
from stacking import layout as v
from stacking import state as s
from stacking.columns import background_column
from stacking.engine import Engine
from stacking.network import load_network

from ..toy import BLOCK, DN, LFM, UP, Record, balancing, by_row, design, library, need, play, portfolio, tso_needs_up

SEEN = slice(BLOCK, None)


def prices(record: Record) -> list[float]:
    return [round(float(x), 6) for x in record.market[-1, [f.PRICE_MFRR_UP, f.PRICE_MFRR_DN]]]


def test_one_activation_serves_the_dso_and_the_tso() -> None:
    """The DSO needs 1 MW up, the TSO 2 MW. Other people ask 50 + 30 x (0.1, 0.25, 0.5, ...) for each half MW, the FSP 100.

    The DSO can only use the FSP: 1 MW at 100. It counts for the TSO too, who buys two half MW, at 53 and 57.5. The area's
    price is 100, the root's 57.5: per MTU the TSO pays 14.375 EUR, the DSO 42.5 / 4. Imbalance price: 50 + (57.5 - 80).
    """
    lib = library()
    tso_needs_up(lib, 2.0, 80.0, 50.0, first=BLOCK)
    need(lib, LFM, UP, 1.0, limit=400.0, first=BLOCK)
    record = play(design("onenet"), lib, balancing("up", 0.75, 100.0))
    assert record.cash() == {"lfm": 42.5, "mfrr": 57.5}
    assert record.energy() == {"offered_mfrr_mwh": 3.0, "activated_mfrr_mwh": 1.0, "discharged_mwh": 1.0}
    assert record.power() == [1.0] * 4
    assert prices(record) == [57.5, 50.0]
    assert record.market[-1, f.PRICE_IMBALANCE] == pytest.approx(27.5)
    bought = record.market[7, [f.ACCEPTED_MFRR_MWH, f.BACKGROUND_MFRR_MWH, f.NEED_MFRR_MWH, f.NEED_LFM_MWH]]
    assert bought.tolist() == [0.25, 0.25, 0.5, 0.25]


def test_the_forwarding_design_buys_the_same_needs_for_more() -> None:
    """The same bids where the DSO buys alone: nobody tells the TSO of one MW in time, so it buys two MW itself."""
    lib = library()
    tso_needs_up(lib, 2.0, 80.0, 50.0, first=BLOCK)
    need(lib, LFM, UP, 1.0, limit=400.0, first=BLOCK)
    joint = play(design("onenet"), lib, balancing("up", 0.75, 100.0)).market[:, f.BACKGROUND_MFRR_MWH].sum()
    alone = play(design("onenet"), lib, {}).market[:, f.BACKGROUND_MFRR_MWH].sum()
    assert (joint, alone) == (1.0, 2.0)


def test_opposite_needs_are_weighed_against_each_other() -> None:
    """The DSO needs 1 MW up and is willing to pay 30; the TSO needs nothing: what is bought up must be bought down again.

    The FSP asks 60 up; other people take energy back at 45 (volume 100 MW, reference 50). 60 - 45 < 30, so it is bought: the
    area's price is 60, the root's 50 - 0.1 x 5 = 49.5 (first down step), the DSO pays 10.5.
    """
    lib = library(da=49.5)
    need(lib, c.MFRR, DN, 0.0, volume=100.0, reference=50.0, anchor=45.0)
    need(lib, LFM, UP, 1.0, limit=30.0, first=BLOCK)
    record = play(design("onenet"), lib, balancing("up", 1.0, 60.0))
    assert record.energy()["activated_mfrr_mwh"] == 1.0
    assert record.cash() == {"mfrr": 49.5, "lfm": 10.5}
    lib = library(da=49.5)
    need(lib, c.MFRR, DN, 0.0, volume=100.0, reference=50.0, anchor=45.0)
    need(lib, LFM, UP, 1.0, limit=30.0, first=BLOCK)
    dear = play(design("onenet"), lib, balancing("up", 1.0, 80.0))
    assert "activated_mfrr_mwh" not in dear.energy()
    assert dear.market[:, f.UNSERVED_LFM_MWH].sum() == 1.0


def test_a_limit_keeps_the_cheapest_bid_from_being_called() -> None:
    """The TSO needs 2 MW up. The cheap FSP (40) stands where only 0.5 MW more may flow out, the dear one (60) does not.

    0.5 MW are bought of the cheap, 1.5 MW of the dear one at 60 (other people ask 90). The price of the tight area is 40, 20
    below the root's: the TSO pays 60 for each MWh, of which 20 are the rent of the scarce line and go to its owner, the DSO.
    """
    lib = library(rows=2, areas=4)
    tso_needs_up(lib, 2.0, 90.0, 90.0, first=BLOCK)
    base = background_column(DN)
    lib.local[:, 0, BLOCK:, base + c.NEED] = -0.5  # room for 0.5 MW more injection
    lib.local[:, 0, BLOCK:, base + c.LIMIT] = -3000.0
    network = load_network("stockholm")
    portfolios = (portfolio("cheap").model_copy(update={"node": "Norra"}), portfolio("dear").model_copy(update={"node": "City"}))
    engine = Engine(design("onenet"), portfolios, lib, backend="python", network=network)
    action = np.zeros((1, 2, v.ACTIONS_W))
    sold = np.zeros(2)
    cash = np.zeros((2, f.CASH_W))
    for tick in range(12):
        action[...] = 0.0
        if tick + 3 >= BLOCK and tick + 3 < 12:
            action[0, :, v.MFRR_SHARE_UP] = 1.0
            action[0, :, v.MFRR_PRICE_UP] = 40.0, 60.0
        engine.step(action)
        sold += engine.flows[0, :, f.ACTIVATED_MFRR]
        cash += engine.flows[0, :, : f.CASH_W]
    assert sold.tolist() == [0.5, 1.5]
    assert cash[:, f.CASH_MFRR].tolist() == [30.0, 90.0]
    assert cash[:, f.CASH_LFM].tolist() == [-10.0, 0.0]


@pytest.mark.parametrize(("limit", "called", "violated"), [(0.0, 0.5, 0.0), (-20.0, 2.0, 1.5), (-60.0, 0.5, 0.0)])
def test_a_limit_holds_where_nobody_would_pay_for_it(limit: float, called: float, violated: float) -> None:
    """The TSO needs 2 MW up, others ask 90, the FSP 40 where 0.5 MW more may flow out.

    Exceeding the limit costs what the DSO would pay for a MWh less: 20 is worth it (40 + 20 < 90), 60 is not. 0 means that none
    was drawn, not that the limit is free to exceed.
    """
    lib = library()
    tso_needs_up(lib, 2.0, 90.0, 90.0, first=BLOCK)
    lib.local[:, 0, BLOCK:, background_column(DN) + c.NEED] = -0.5
    lib.local[:, 0, BLOCK:, background_column(DN) + c.LIMIT] = limit
    record = play(design("onenet"), lib, balancing("up", 0.5, 40.0))
    assert record.energy()["activated_mfrr_mwh"] == called
    assert record.market[:, f.VIOLATED_MWH].sum() == violated
    assert record.market[:, [f.NEED_LFM_MWH, f.UNSERVED_LFM_MWH]].sum() == 0.0


@pytest.mark.parametrize(("direction", "price", "sold"), [("up", 60.0, 0.0), ("dn", 60.0, 0.0), ("up", 45.0, 1.0)])
def test_what_schedules_exceed_and_nobody_pays_for_is_left_and_not_made_worse(direction: str, price: float, sold: float) -> None:
    """An area lacks 1 MW up, the DSO pays nothing for it; the TSO needs 1 MW (in the direction of the bid), others have it at 50.

    At 60 up nobody buys: the need is not met. Down at 60 the FSP would pay more than others do, but it would lack more. At 45 up
    the TSO buys, which serves the area too.
    """
    lib = library()
    d = UP if direction == "up" else DN
    need(lib, c.MFRR, d, 1.0, volume=1.0, reference=50.0, anchor=50.0, first=BLOCK)
    need(lib, LFM, UP, 1.0, limit=0.0, first=BLOCK)
    record = play(design("onenet"), lib, balancing(direction, 0.25, price))
    assert record.energy().get("activated_mfrr_mwh", 0.0) == sold
    totals = record.market[:, [f.NEED_LFM_MWH, f.UNSERVED_LFM_MWH, f.VIOLATED_MWH]].sum(axis=0)
    assert totals.tolist() == [1.0, 1.0 - sold, 0.0]


def test_two_bids_compete_by_price_then_by_the_drawn_priority() -> None:
    """The TSO needs 3 MW: 2 MW at 60 of row 1, and 1 MW of the two that ask 70 goes to the better priority, row 2."""
    lib = library(rows=3, priority=(0.5, 0.6, 0.4))
    tso_needs_up(lib, 3.0, 90.0, 90.0, first=BLOCK)
    record = play(
        design("onenet"), lib,
        by_row(r0=balancing("up", 0.5, 70.0), r1=balancing("up", 0.5, 60.0), r2=balancing("up", 0.5, 70.0)),
        tuple(portfolio(name) for name in "abc"),
    )  # fmt: skip
    assert [record.energy(row).get("activated_mfrr_mwh", 0.0) for row in range(3)] == [0.0, 2.0, 1.0]
    assert [record.cash(row).get("mfrr", 0.0) for row in range(3)] == [0.0, 140.0, 70.0]


def test_what_both_directions_needed_apart_is_not_netted() -> None:
    """Published: 5 MW up at 80, 3 MW down at 20. With nobody bidding the prices are the published ones."""
    lib = library()
    tso_needs_up(lib, 5.0, 80.0, 50.0, first=BLOCK)
    need(lib, c.MFRR, DN, 3.0, volume=3.0, reference=50.0, anchor=20.0, first=BLOCK)
    assert prices(play(design("onenet"), lib, {})) == [80.0, 20.0]


def test_a_shortfall_pays_the_penalty_at_the_price_of_the_area() -> None:
    """A battery sells 1 MW in four MTU and is empty after the first: 0.75 MWh are missing.

    It keeps 4 x 0.25 x 60 = 60 EUR, pays 0.75 x 60 as penalty and buys 0.75 MWh at the imbalance price 50 + (60 - 90) = 20.
    """
    lib = library()
    tso_needs_up(lib, 1.0, 90.0, 90.0, first=BLOCK)
    engine = Engine(design("onenet"), (portfolio(),), lib, backend="python")
    action = np.zeros((1, 1, v.ACTIONS_W))
    cash = np.zeros(f.CASH_W)
    for tick in range(12):
        action[...] = 0.0
        if BLOCK <= tick + 3 < 12:
            action[0, 0, v.MFRR_SHARE_UP], action[0, 0, v.MFRR_PRICE_UP] = 0.25, 60.0
        if tick == BLOCK + 1:
            engine.state[0, 0, s.CONTENT] = 0.0  # the store leaks
        engine.step(action)
        cash += engine.flows[0, 0, : f.CASH_W]
    assert cash[f.CASH_MFRR] == pytest.approx(60.0)
    assert cash[f.CASH_TSO_PENALTY] == pytest.approx(-45.0)
    assert cash[f.CASH_IMBALANCE] == pytest.approx(-15.0)
