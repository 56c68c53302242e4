"""Worlds of four delivered MTU solved by hand: the three parallel designs and `exclusive`.

Common facts. Battery 4 MW / 8 MWh, half full (4 MWh), no losses, no wear. The four MTU are one hour, so MW over the block
are MWh of the world. Day-ahead 50 everywhere; the FSP has no schedule.

The TSO needs 8 MW up. Other people's curve at 8 MW (volume 8, from 40 to 100 EUR/MWh; shares of the product's curve):
    2 MW at 46, 4 MW at 55, 6 MW at 70, 7.2 MW at 85, 8 MW at 100
so that with nobody else bidding it clears at 100, the published price; the published imbalance price is 100 as well, and
since up is the dominating direction it moves with the up price: with an up price of 55 it is 100 + (55 - 100) = 55.
A local purchase that the TSO knows of reduces its need MW by MW.
"""

from __future__ import annotations

import pytest

from stacking import flows as f

from ..toy import LFM, TICKS, UP, balancing, design, library, local, merged, need, play, tso_needs_up

DOUBLE = {**dict.fromkeys(("offered_lfm_mwh", "offered_mfrr_mwh", "activated_lfm_mwh", "activated_mfrr_mwh"), 4.0)}
DOUBLE |= {"double_selected_mwh": 4.0, "double_activated_mwh": 4.0, "discharged_mwh": 4.0}


def world(dso_mw: float, tso_mw: float = 8.0):
    lib = library(TICKS, imbalance=100.0)
    tso_needs_up(lib, tso_mw, 100.0, 40.0)
    need(lib, LFM, UP, dso_mw, limit=300.0)
    return lib


BOTH = merged(local("up", 1.0, 200.0), balancing("up", 1.0, 30.0))  # all of the battery to both, blind where allowed


def test_do_nothing_earns_nothing_and_prices_are_the_published_ones():
    seen = play(design("parallel"), world(4.0), {})
    assert not seen.flows[:, 0, : f.CASH_W].any()
    assert seen.market[:, f.PRICE_MFRR_UP].tolist() == [100.0] * TICKS  # also in the first MTU, whose gates nobody saw
    assert seen.market[:, f.PRICE_MFRR_DN].tolist() == [50.0] * TICKS
    assert seen.market[:, f.PRICE_IMBALANCE].tolist() == [100.0] * TICKS


def test_exclusive_refuses_in_one_market_what_was_offered_in_the_other():
    # local: 4 MW offered at 200, the DSO needs 2 and buys 2: 2 MWh x 200 = 400
    # balancing: 2 MW would be free, but all 4 were offered locally: 2 MW x 1 h refused
    # the TSO's need falls to 8 - 2 = 6: up price 70; the position is not corrected: +2 MWh of imbalance x 70 = 140
    seen = play(design("exclusive"), world(2.0), BOTH)
    assert seen.cash() == {"lfm": 400.0, "imbalance": 140.0}
    assert seen.refused() == {"SOLD_ELSEWHERE": 2.0}
    assert seen.energy() == {"offered_lfm_mwh": 4.0, "activated_lfm_mwh": 2.0, "imbalance_mwh": 2.0, "discharged_mwh": 2.0}
    assert seen.power() == [2.0] * 4


def test_exclusive_lets_the_rest_of_the_capacity_go_to_the_other_market():
    # local: half of it, 2 MW, at 200; the DSO needs only 1: 200. Balancing: 4 - 2 offered = 2 MW free, 3 wanted: 1 MW refused
    # need 8 - 1 = 7: own 2 at 30, others 5 -> 70. mFRR 2 x 70 = 140; imbalance: 3 metered - 2 corrected = 1 x 70
    seen = play(design("exclusive"), world(1.0), merged(local("up", 0.5, 200.0), balancing("up", 1.0, 30.0)))
    assert seen.cash() == {"lfm": 200.0, "mfrr": 140.0, "imbalance": 70.0}
    assert seen.refused() == {"SOLD_ELSEWHERE": 1.0}
    assert seen.power() == [3.0] * 4


def test_parallel_adjusted_offers_what_is_left():
    # local: 4 MW offered at 200, 2 bought: 400. Balancing: 4 - 2 sold = 2 MW at 30
    # need 8 - 2 = 6: own 2, others 4 (2 at 46, 2 at 55) -> 55. mFRR 2 x 55 = 110; imbalance 4 - 2 = 2 x 55 = 110
    seen = play(design("parallel_adjusted"), world(2.0), BOTH)
    assert seen.cash() == {"lfm": 400.0, "mfrr": 110.0, "imbalance": 110.0}
    assert seen.refused() == {}
    assert seen.energy() == {
        "offered_lfm_mwh": 4.0,
        "offered_mfrr_mwh": 2.0,
        "activated_lfm_mwh": 2.0,
        "activated_mfrr_mwh": 2.0,
        "imbalance_mwh": 2.0,
        "discharged_mwh": 4.0,
    }
    assert seen.market[8:, f.PRICE_MFRR_UP].tolist() == [55.0] * 4
    assert seen.market[7:11, f.ACCEPTED_MFRR_MWH].tolist() == [0.5] * 4  # cleared one tick ahead
    assert seen.market[7:11, f.NEED_MFRR_MWH].tolist() == [1.5] * 4
    assert seen.market[0, [f.ACCEPTED_LFM_MWH, f.NEED_LFM_MWH]].tolist() == [2.0, 2.0]


@pytest.mark.parametrize(
    ("rules", "cash", "undelivered"),
    [
        # 4 MW sold to both, 4 delivered. The TSO's need 8 - 4 = 4 is met by the own bid: up price 30 = imbalance price.
        # DSO first: local 4 x 200 = 800; mFRR 4 x 30 = 120 kept, penalty 4 x 30; corrected by 4: imbalance 4 - 4 = 0
        ({}, {"lfm": 800.0, "mfrr": 120.0, "tso_penalty": -120.0}, {"undelivered_mfrr_mwh": 4.0}),
        # penalty factor 0.5
        ({"tso_penalty_factor": 0.5}, {"lfm": 800.0, "mfrr": 120.0, "tso_penalty": -60.0}, {"undelivered_mfrr_mwh": 4.0}),
        # TSO first: nothing delivered locally, below 80 %: no pay
        ({"delivery_priority": "tso_first"}, {"mfrr": 120.0}, {"undelivered_lfm_mwh": 4.0}),
        # pro rata: 2 MW short each; 50 % < 80 %: no local pay; penalty 2 x 30
        (
            {"delivery_priority": "pro_rata"},
            {"mfrr": 120.0, "tso_penalty": -60.0},
            {"undelivered_lfm_mwh": 2.0, "undelivered_mfrr_mwh": 2.0},
        ),
        # no pay and no correction: imbalance 4 MWh x 30
        (
            {"tso_shortfall": "no_pay_no_correction"},
            {"lfm": 800.0, "imbalance": 120.0},
            {"undelivered_mfrr_mwh": 4.0},
        ),
        # local activations corrected as well: imbalance 4 - 8 = -4 MWh x 30
        (
            {"position": "corrected"},
            {"lfm": 800.0, "mfrr": 120.0, "imbalance": -120.0, "tso_penalty": -120.0},
            {"undelivered_mfrr_mwh": 4.0},
        ),
    ],
)
def test_parallel_sells_the_same_mw_twice_and_the_rules_say_who_is_short(rules, cash, undelivered):
    seen = play(design("parallel", **rules), world(4.0), BOTH)
    assert seen.cash() == cash
    energy = seen.energy()
    imbalance = {"imbalance_mwh": 4.0} if "imbalance" in cash else {}
    assert energy == {**DOUBLE, **undelivered, **imbalance}
    assert seen.power() == [4.0] * 4
    assert seen.market[8:, f.PRICE_MFRR_UP].tolist() == [30.0] * 4  # set by the FSP


@pytest.mark.parametrize(
    ("priority", "threshold", "local_pay", "penalty"),
    [
        # 4 MW local, 1 MW balancing (the TSO needs 5 - 4 = 1): 1 MW short of 5
        ("tso_first", 0.8, 0.0, 0.0),  # 3 of 4 delivered = 75 %
        ("tso_first", 0.7, 600.0, 0.0),  # 3 MWh x 200
        ("pro_rata", 0.8, 640.0, -6.0),  # 0.8 and 0.2 MW short: 3.2 of 4 is just 80 %: 3.2 x 200; 0.2 MWh x 30
        ("pro_rata", 0.81, 0.0, -6.0),
        ("dso_first", 1.0, 800.0, -30.0),
    ],
)
def test_local_threshold(priority: str, threshold: float, local_pay: float, penalty: float):
    rules = design("parallel", lfm={"delivery_threshold_frac": threshold}, delivery_priority=priority)
    seen = play(rules, world(4.0, 5.0), BOTH)
    # imbalance: 4 metered - 1 corrected = 3 MWh x 30 (the own bid sets the price)
    expected = {"lfm": local_pay, "mfrr": 30.0, "imbalance": 90.0, "tso_penalty": penalty}
    assert seen.cash() == {name: value for name, value in expected.items() if value}
    assert seen.energy()["double_activated_mwh"] == 1.0


def test_parallel_late_calls_locally_when_the_balancing_gates_are_closed():
    # The DSO calls at the start of the hour (tick 8) and tells at tick 9. Balancing MTU 8 and 9 clear at ticks 7 and 8 with
    # the whole need of 8: own 4 at 30, others 4 -> 55. MTU 10 and 11 clear knowing of the 4 MW: need 4, own 4 -> 30.
    # mFRR 1 MWh x (55 + 55 + 30 + 30) = 170, all of it undelivered (DSO first): penalty 170. Local 4 x 200.
    # Imbalance: 4 metered - 4 corrected = 0.
    seen = play(design("parallel_late"), world(4.0), BOTH)
    assert seen.cash() == {"lfm": 800.0, "mfrr": 170.0, "tso_penalty": -170.0}
    assert seen.energy() == {**DOUBLE, "undelivered_mfrr_mwh": 4.0}
    assert seen.market[8:, f.PRICE_MFRR_UP].tolist() == [55.0, 55.0, 30.0, 30.0]
    assert seen.market[7:11, f.NEED_MFRR_MWH].tolist() == [2.0, 2.0, 1.0, 1.0]
    # the first double selection is the local call itself, one at each later clearing
    assert seen.flows[:, 0, f.DOUBLE_SELECTED].nonzero()[0].tolist() == [8, 9, 10]


def test_energy_sold_in_sequence_is_not_there_any_more():
    # parallel, hour 8..11 sold locally (4 MWh = all that is stored), MTU 12 sold to the TSO: power is free, energy is not.
    # No double selection; 4 MW x 0.25 h = 1 MWh depleted and undelivered.
    # TSO need in MTU 12: 8, no local sale there: own 4 at 30, others 4 -> 55: paid 55, penalty 55, imbalance 0 - 1 = -1 x 55
    lib = library(16, imbalance=100.0)
    tso_needs_up(lib, 8.0, 100.0, 40.0, first=12)
    need(lib, LFM, UP, 4.0, limit=300.0, first=8, last=11)
    seen = play(design("parallel"), lib, merged(local("up", 1.0, 200.0), balancing("up", 1.0, 30.0, (12,))))
    assert seen.cash() == {"lfm": 800.0, "mfrr": 55.0, "imbalance": 345.0, "tso_penalty": -55.0}  # 4 x 100 - 55
    energy = seen.energy()
    assert (energy["depleted_mwh"], energy["undelivered_mfrr_mwh"]) == (1.0, 1.0)
    assert "double_selected_mwh" not in energy
    # the same where gates see all sales: nothing can be offered
    seen = play(design("parallel_adjusted"), lib, merged(local("up", 1.0, 200.0), balancing("up", 1.0, 30.0, (12,))))
    assert seen.cash() == {"lfm": 800.0, "imbalance": 400.0}
    assert "offered_mfrr_mwh" not in seen.energy()
