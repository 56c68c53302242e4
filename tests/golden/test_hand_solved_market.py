"""Worlds solved by hand: who is bought at which price in the local and the balancing market, and what a sale pays."""

from __future__ import annotations

import pytest

from stacking import columns as c
from stacking import flows as f
from stacking import layout as v

from ..toy import DN, LFM, MFRR, TICKS, UP, balancing, by_row, design, library, local, merged, need, play, portfolio, tso_needs_up


@pytest.mark.parametrize(
    ("need_mw", "limit", "mine", "others", "price", "shift"),
    [
        # others: 0.5 MW each at 150, 200, 250, 300 (volume 2, from 100 to 300); own 1 MW at 180
        # need 2: others 0.5 at 150, own 1, others 0.5 at 200. Alone the others would have sold 2: 1 MW displaced, no shift
        (2.0, 300.0, 1.0, 1.0, 200.0, 0.0),
        # up to 190 only: others 0.5, own 1. Alone the others would have sold 0.5: 1 MW more than without the FSP
        (2.0, 190.0, 1.0, 0.5, 180.0, 1.0),
        # need 1.2: others 0.5, own 0.7, set by the FSP; alone 1.2
        (1.2, 300.0, 0.7, 0.5, 180.0, 0.0),
        # the DSO pays at most 160: the own bid is too dear
        (2.0, 160.0, 0.0, 0.5, 150.0, 0.0),
    ],
)
def test_local_merit_order(need_mw: float, limit: float, mine: float, others: float, price: float, shift: float):
    lib = library()
    need(lib, LFM, UP, need_mw, volume=2.0, reference=100.0, anchor=300.0, limit=limit)
    need(lib, MFRR, UP, 5.0, volume=5.0, reference=50.0, anchor=100.0)
    seen = play(design("parallel_adjusted"), lib, local("up", 0.25, 180.0))
    told = seen.market[0, [f.ACCEPTED_LFM_MWH, f.BACKGROUND_LFM_MWH, f.NEED_LFM_MWH]].tolist()
    assert told == pytest.approx([mine, others, need_mw])
    assert seen.cash().get("lfm", 0.0) == round(180.0 * mine, 6)  # pay as bid
    assert seen.observation[0:3, 0, v.LOCAL + 16].tolist() == [0.0, price, price]  # published one MTU after the gate
    assert seen.market[7, f.NEED_MFRR_MWH] == (5.0 - shift) * 0.25
    assert seen.market[11, f.DSO_PAID_EUR] == pytest.approx(180.0 * mine / 4)


def test_equal_prices_go_by_the_priority_drawn_in_the_scenario():
    lib = library(rows=2, priority=(0.7, 0.2))
    need(lib, LFM, UP, 1.5, limit=300.0)
    same = local("up", 0.25, 180.0)
    seen = play(design("parallel"), lib, by_row(r0=same, r1=same), (portfolio("a"), portfolio("b")))
    assert [seen.cash(row)["lfm"] for row in range(2)] == [90.0, 180.0]  # b first: 1 MWh, a the other half


def test_background_goes_by_its_own_priority():
    # others: one step of 1 MW at 100 comes first, the tie at 150 goes to the lower number
    for background, mine in ((0.05, 0.5), (0.9, 1.0)):
        lib = library()
        lib.scalars[:, c.BACKGROUND_PRIORITY] = background
        need(lib, LFM, UP, 1.0, volume=2.0, reference=100.0, anchor=300.0, limit=300.0)  # 0.5 at 150, 0.5 at 200
        seen = play(design("parallel"), lib, local("up", 0.25, 150.0))
        assert seen.energy()["activated_lfm_mwh"] == mine


def test_a_local_sale_beyond_the_need_turns_the_balance_round():
    # the local purchase of 4 MW exceeds the TSO's up need of 3: 1 MW down is needed then. Others (no need published:
    # volume 100 at the day-ahead price of 50) clear at 50
    lib = library(imbalance=100.0)
    tso_needs_up(lib, 3.0, 100.0, 40.0)
    need(lib, LFM, UP, 4.0, limit=300.0)
    seen = play(design("parallel"), lib, merged(local("up", 1.0, 200.0), balancing("dn", 0.25, 60.0)))
    # own down bid: blind to the local sale, 0.25 x 4 = 1 MW at 60: taken before others at 50; it sets the price
    assert seen.market[7:11, f.NEED_MFRR_MWH].tolist() == [0.25] * 4
    assert seen.market[8:, f.PRICE_MFRR_DN].tolist() == [60.0] * 4
    # up price: nothing needed, the published 100; imbalance price 100. Metered 3 - corrected (-1) = 4 x 100
    assert seen.cash() == {"lfm": 800.0, "mfrr": -60.0, "imbalance": 400.0}
    assert seen.power() == [3.0] * 4


def test_down_regulation_is_paid_for_by_the_fsp():
    # DSO needs 2 MW down and takes bids down to -100; own bid: the FSP pays 20 for what it takes: -40
    # TSO needs 2 down after the 2 MW that it knows of shift its own need of 4; own 2 MW at 30 -> -60
    lib = library(imbalance=20.0)
    need(lib, LFM, DN, 2.0, limit=-100.0)
    need(lib, MFRR, DN, 4.0, volume=4.0, reference=50.0, anchor=20.0)
    lib.series[:, :, c.DOMINANT] = -1.0
    seen = play(design("parallel_adjusted"), lib, merged(local("dn", 0.5, 20.0), balancing("dn", 1.0, 48.0)))
    # after 2 MW locally 2 MW and 2 MWh are left; 48 lies above the others' first step of 47: own 2 first, price 48
    # imbalance price 20 + (48 - 20) = 48: metered -4 - corrected -2 = -2 MWh x 48
    assert seen.cash() == {"lfm": -40.0, "mfrr": -96.0, "imbalance": -96.0}
    assert seen.power() == [-4.0] * 4


@pytest.mark.parametrize(("price", "pay"), [(-10.0, 20.0), (-101.0, None)])
def test_a_negative_down_price_pays_the_fsp_down_to_the_limit(price: float, pay: float | None):
    lib = library()
    need(lib, LFM, DN, 2.0, limit=-100.0)
    assert play(design("parallel"), lib, local("dn", 0.5, price)).cash().get("lfm") == pay


def test_both_directions_sold_in_one_block_are_both_paid():
    """Bought = paid: 2 MW up at 200 and 1 MW down at 20 for the same hour are two sales."""
    lib = library()
    need(lib, LFM, UP, 2.0, limit=300.0)
    need(lib, LFM, DN, 1.0, limit=-100.0)
    both = merged(local("up", 0.5, 200.0), local("dn", 0.25, 20.0))
    seen = play(design("parallel"), lib, both)
    assert seen.power() == [1.0] * 4
    assert seen.energy()["activated_lfm_mwh"] == 3.0
    assert seen.cash()["lfm"] == 2.0 * 200.0 - 1.0 * 20.0
    assert seen.observation[1, 0, v.LOCAL + 16] == 200.0  # the dearest accepted offer, not the last one cleared


def test_without_pay_for_a_shortfall_each_direction_is_paid_for_what_it_delivered():
    # parallel, DSO first, no pay and no correction. Local up 4 at 200; the TSO takes 4 up (8 - 4 known) at 30, set by the
    # FSP, and 2 down at 60, set by the FSP. Ordered 4 + 4 - 2 = 6 MW, delivered 4: 2 of the 4 MW up for the TSO are missing:
    # mFRR 2 x 30 - 2 x 60 = -60. Imbalance: 4 metered - (2 - 2) = 4 MWh at 100 + (30 - 100) = 30
    lib = library(imbalance=100.0)
    tso_needs_up(lib, 8.0, 100.0, 40.0)
    need(lib, LFM, UP, 4.0, limit=300.0)
    need(lib, MFRR, DN, 2.0, volume=2.0, reference=50.0, anchor=20.0)
    bids = merged(local("up", 1.0, 200.0), balancing("up", 1.0, 30.0), balancing("dn", 0.5, 60.0))
    seen = play(design("parallel", tso_shortfall="no_pay_no_correction"), lib, bids)
    assert seen.power() == [4.0] * 4
    assert seen.energy()["undelivered_mfrr_mwh"] == 2.0
    assert seen.cash() == {"lfm": 800.0, "mfrr": -60.0, "imbalance": 120.0}


def test_a_sale_in_the_other_direction_frees_headroom_and_is_no_double_selection():
    """4 MW up and 2 MW down sold locally leave 2 MW up for the TSO: 6 - 2 = 4 MW, all of it delivered once."""
    lib = library()
    need(lib, LFM, UP, 4.0, limit=300.0)
    need(lib, LFM, DN, 2.0, limit=-100.0)
    tso_needs_up(lib, 20.0, 100.0, 40.0)
    bids = merged(local("up", 1.0, 200.0), local("dn", 0.5, 20.0), balancing("up", 1.0, 30.0, (8,)))
    seen = play(design("parallel_adjusted"), lib, bids)
    energy = seen.energy()
    assert energy["activated_mfrr_mwh"] == 0.5
    assert "double_selected_mwh" not in energy
    assert "undelivered_mfrr_mwh" not in energy


def test_losses_wear_and_tariff():
    # efficiency 0.8: 2 MW for an hour drain 2.5 MWh; from 4 MWh that is feasible up to 4 x 0.8 = 3.2 MW
    # wear 10 x 2 MWh discharged; imbalance +2 x 50; nothing stored is worth anything
    lib = library()
    need(lib, LFM, UP, 2.0, limit=300.0)
    lossy = (portfolio(efficiency=0.8, wear=10.0, tariff=4.0),)
    seen = play(design("parallel"), lib, local("up", 1.0, 200.0), lossy)
    assert seen.cash() == {"lfm": 400.0, "imbalance": 100.0, "wear": -20.0}
    assert seen.energy()["offered_lfm_mwh"] == 3.2
    assert seen.flows[-1, 0, f.CONTENT_MWH] == 1.5
    # down: 2 MW for an hour store 1.6 MWh; tariff 4 x 2 MWh charged
    lib = library()
    need(lib, LFM, DN, 2.0, limit=-300.0)
    seen = play(design("parallel"), lib, local("dn", 1.0, 10.0), lossy)
    assert seen.cash() == {"lfm": -20.0, "imbalance": -100.0, "tariff": -8.0}
    assert seen.flows[-1, 0, f.CONTENT_MWH] == pytest.approx(5.6)


def test_connection_and_content_window_limit_what_can_be_offered():
    # connection 3 MW; window 20..80 % of 8 MWh = 1.6..6.4, start 4: 2.4 MWh up and down for an hour
    narrow = portfolio(low=0.2, high=0.8, connection=3.0)
    seen = play(design("parallel"), library(), {}, (narrow,))
    assert seen.observation[0, 0, [v.FEASIBLE_UP_LFM, v.FEASIBLE_DN_LFM]].tolist() == pytest.approx([2.4, 2.4])
    assert seen.observation[0, 0, [v.FEASIBLE_UP_MFRR, v.FEASIBLE_DN_MFRR]].tolist() == [3.0, 3.0]


def test_minimum_and_granularity_of_own_balancing_bids():
    # 2.6 MW wanted at tick 5: 2 MW offered, 0.6 x 0.25 h not a whole MW; 0.8 MW at tick 6: below 1 MW
    lib = library()
    tso_needs_up(lib, 8.0, 100.0, 40.0)
    bids = merged(balancing("up", 0.65, 30.0, (8,)), balancing("up", 0.2, 30.0, (9,)))
    seen = play(design("parallel"), lib, bids)
    assert seen.energy()["offered_mfrr_mwh"] == 0.5
    assert seen.flows[6, 0, f.OFFERED_MFRR] == 0.0
    assert seen.flows[6, 0, f.REFUSED :].sum() == pytest.approx(0.2)


def test_length_of_the_world_closes_the_gates():
    seen = play(design("norflex_eam"), library(), {})
    assert seen.mask.shape == (TICKS + 1, 1, v.ACTIONS_W)
    assert seen.mask[:, 0, v.LFM_SHARE_UP].nonzero()[0].tolist() == [0]  # block 8..11 only
    assert seen.mask[:, 0, v.CONSENTS].any(axis=0).all()
    assert not seen.mask[1:, 0, v.CONSENTS].any()
    assert seen.mask[:, 0, v.MFRR_SHARE_UP].nonzero()[0].tolist() == list(range(9))  # MTU 3..11
    assert seen.mask[:, 0, v.ID_POWER_FRAC].nonzero()[0].tolist() == list(range(8))  # MTU 4..11
    assert not seen.mask[:, 0, v.DA_VOLUME_FRAC].any()
    assert play(design("norflex"), library(), {}).mask[:, 0, v.MFRR_SHARE_UP].nonzero()[0].tolist() == [1, 5]
