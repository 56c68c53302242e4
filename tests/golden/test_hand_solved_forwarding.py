"""Worlds of four delivered MTU solved by hand: the two forwarding designs, consent, eligibility, pooling, prices of forwards.

Facts as in test_hand_solved_parallel, but the TSO needs 12 MW up; other people's curve at 12 MW (from 40 to 100):
    3 MW at 46, 6 MW at 55, 9 MW at 70, 10.8 MW at 85, 12 MW at 100.
"""

from __future__ import annotations

import pytest

from stacking import columns as c
from stacking import flows as f
from stacking import layout as v

from ..toy import (
    DN,
    LFM,
    MFRR,
    TICKS,
    UP,
    balancing,
    by_row,
    consents,
    design,
    library,
    local,
    merged,
    need,
    play,
    portfolio,
)


def world(dso_mw: float, rows: int = 1, tso_mw: float = 12.0):
    lib = library(TICKS, rows, imbalance=100.0)
    need(lib, MFRR, UP, tso_mw, volume=12.0, reference=40.0, anchor=100.0)
    lib.series[:, :, c.DOMINANT] = 1.0
    need(lib, LFM, UP, dso_mw, limit=300.0)
    return lib


# 3.5 MW locally at 80, then all that is left at the balancing gate at 30
SALE = merged(local("up", 0.875, 80.0, consent=1.0), balancing("up", 1.0, 30.0))


def test_norflex_eam_forwards_the_unsold_part_and_locks_it():
    # local: 3.5 MW at 80, the DSO buys 1: 80. Unsold 2.5: 2 forwarded (1 MW steps), 0.5 x 1 h left over
    # own bid: 4 - 1 sold - 2 forwarded = 1 MW at 30
    # need 12 - 1 = 11: own 1 at 30, others 9 up to 70, forwarded 1 of 2 at 80 -> 80, set by the forwarded bid
    # mFRR 1 x 80, forwarded 1 x 80; imbalance 3 metered - 2 corrected = 1 x 80
    seen = play(design("norflex_eam"), world(1.0), SALE)
    assert seen.cash() == {"lfm": 80.0, "mfrr": 80.0, "mfrr_forwarded": 80.0, "imbalance": 80.0}
    assert seen.refused() == {"GRANULARITY_REST": 0.5}
    assert seen.energy() == {
        "offered_lfm_mwh": 3.5,
        "offered_mfrr_mwh": 1.0,
        "forwarded_mwh": 2.0,
        "activated_lfm_mwh": 1.0,
        "activated_mfrr_mwh": 1.0,
        "activated_forwarded_mwh": 1.0,
        "imbalance_mwh": 1.0,
        "discharged_mwh": 3.0,
        "consent_asked_mwh": 2.5,
        "asked_count": 4.0,
    }
    assert seen.market[8:, f.PRICE_MFRR_UP].tolist() == [80.0] * 4
    # the lock is seen: at tick 5, of 4 MW 1 is sold and 2 are forwarded
    assert seen.observation[5, 0, v.FEASIBLE_UP_MFRR] == 1.0
    assert seen.observation[5, 0, [v.BOOK + 36, v.BOOK + 37]].tolist() == [0.25, 0.75]  # sold locally: MTU 8; 9..11
    assert seen.observation[5, 0, [v.BOOK + 39, v.BOOK + 40]].tolist() == [0.5, 1.5]  # forwarded


def test_without_consent_bids_stay_local_and_the_fsp_bids_itself():
    # nothing forwarded; own bid 4 - 1 = 3 MW at 30; need 11: own 3, others 8 (up to 9 at 70) -> 70
    # local 80; mFRR 3 x 70 = 210; imbalance 4 - 3 = 1 x 70
    seen = play(design("norflex_eam"), world(1.0), merged(SALE, {0: consents(0.0)}))
    assert seen.cash() == {"lfm": 80.0, "mfrr": 210.0, "imbalance": 70.0}
    assert seen.refused() == {"NO_CONSENT": 2.5}
    energy = seen.energy()
    assert (energy["opted_out_mwh"], energy["opted_out_count"], energy["consent_asked_mwh"]) == (2.5, 4.0, 2.5)
    assert "forwarded_mwh" not in energy


@pytest.mark.parametrize(("consent", "forwarded"), [(0.5, 2.0), (0.499, 0.0), (1.0, 2.0)])
def test_consent_is_yes_from_one_half_on(consent: float, forwarded: float):
    seen = play(design("norflex_eam"), world(0.0), local("up", 0.5, 80.0, consent=consent))
    assert seen.energy().get("forwarded_mwh", 0.0) == forwarded
    assert seen.observation[1, 0, [v.CONSENT_NOW_UP, v.CONSENT_NOW_DN]].tolist() == [float(forwarded > 0.0)] * 2


def test_consent_is_not_asked_where_sharing_is_mandatory():
    rules = design("mandatory")
    sale = merged(local("up", 0.875, 80.0), balancing("up", 1.0, 30.0))
    seen = play(rules, world(1.0), sale)
    assert seen.energy()["forwarded_mwh"] == 2.0
    assert not seen.mask[:, :, v.CONSENTS].any()


@pytest.mark.parametrize(("consent", "down"), [(1.0, 0.0), (0.0, 1.0)])
def test_opposite_bids_are_blocked_after_a_local_sale_that_the_tso_knows_of(consent: float, down: float):
    # local up 1 MW sold. Own down bids: blocked with consent (8 MW of down power wanted: 4 + 1 sold), taken without
    lib = world(1.0, tso_mw=0.0)
    need(lib, MFRR, DN, 2.0, volume=2.0, reference=50.0, anchor=20.0)
    sale = merged(local("up", 0.25, 80.0, consent=consent), balancing("dn", 0.2, 30.0))  # 0.2 x (4 + 1) = 1 MW
    seen = play(design("norflex_eam"), lib, sale)
    energy = seen.energy()
    assert energy.get("activated_mfrr_mwh", 0.0) == down
    assert seen.refused().get("OPPOSITE_SALE", 0.0) == (1.0 if down == 0.0 else 0.0)
    assert seen.power() == [1.0 - down] * 4


def test_consent_is_counted_per_bid():
    # both directions unsold in four MTU: 1 + 1 MWh, eight bids of one MTU
    seen = play(design("norflex_eam"), world(0.0), merged(local("up", 0.25, 80.0), local("dn", 0.25, 48.0)))
    energy = seen.energy()
    assert (energy["consent_asked_mwh"], energy["opted_out_mwh"]) == (2.0, 2.0)
    assert (energy["asked_count"], energy["opted_out_count"]) == (8.0, 8.0)


@pytest.mark.parametrize(("up", "dn"), [(1.0, 0.0), (0.0, 1.0), (1.0, 1.0), (0.0, 0.0)])
def test_consent_is_given_for_each_direction_by_itself(up: float, dn: float):
    # 1 MW up and 1 MW down offered for one hour, nothing bought: one MWh each is forwarded where its owner agrees
    answer = {0: {"consent_up": up, "consent_dn": dn}}
    seen = play(design("norflex_eam"), world(0.0), merged(local("up", 0.25, 80.0), local("dn", 0.25, 48.0), answer))
    energy = seen.energy()
    assert energy.get("forwarded_mwh", 0.0) == up + dn
    assert energy.get("opted_out_mwh", 0.0) == energy.get("opted_out_count", 0.0) / 4.0 == 2.0 - up - dn
    assert seen.refused() == ({"NO_CONSENT": 2.0 - up - dn} if up + dn < 2.0 else {})
    assert seen.observation[1, 0, [v.CONSENT_NOW_UP, v.CONSENT_NOW_DN]].tolist() == [up, dn]
    sold = sum(seen.flows[:, 0, f.ACTIVATED_FORWARDED])
    assert seen.power() == [0.0] * 4 or sold > 0.0


@pytest.mark.parametrize(("up", "dn", "blocked"), [(1.0, 0.0, 1.0), (0.0, 1.0, 0.0)])
def test_the_block_of_opposite_bids_follows_the_consent_of_the_sold_direction(up: float, dn: float, blocked: float):
    # 1 MW up is sold locally; the TSO learns of it only if the up bid was shared, and then refuses own down bids
    sale = merged(local("up", 0.25, 80.0), {0: {"consent_up": up, "consent_dn": dn}}, balancing("dn", 0.2, 30.0))
    seen = play(design("norflex_eam"), world(1.0, tso_mw=0.0), sale)
    assert seen.refused().get("OPPOSITE_SALE", 0.0) == blocked


@pytest.mark.parametrize(("dso_up", "consent", "down"), [(1.0, 1.0, 0.0), (0.0, 1.0, 1.0), (1.0, 0.0, 0.0)])
def test_the_opposite_local_bid_is_not_forwarded_either(dso_up: float, consent: float, down: float):
    # offered locally for the same hour: 1 MW up at 80 and 1 MW down at 48 (others: from 47 on). If the DSO takes the up
    # bid, the down bid stays local: else the FSP would buy back from the TSO at 48 what the DSO has just bought at 80
    lib = world(dso_up, tso_mw=0.0)
    need(lib, MFRR, DN, 2.0, volume=2.0, reference=50.0, anchor=20.0)
    both = merged(local("up", 0.25, 80.0, consent=consent), local("dn", 0.25, 48.0))
    seen = play(design("norflex_eam"), lib, both)
    assert seen.energy().get("activated_forwarded_mwh", 0.0) == down
    assert seen.power() == [dso_up - down] * 4
    if dso_up and consent:
        assert seen.refused() == {"OPPOSITE_SALE": 1.0}


def test_intraday_cannot_buy_back_what_was_sold_locally():
    # ID gate of MTU 8 is tick 4: buying (-1) is the opposite of the local up sale; 5 MW = 4 + 1 sold are wanted
    seen = play(design("norflex_eam"), world(1.0), merged(local("up", 0.25, 80.0), {4: {"id_power_frac": -1.0}}))
    assert seen.refused() == {"OPPOSITE_SALE": 1.25}
    assert "id" not in seen.cash()
    # with the rule switched off it is a trade: 5 MW x 0.25 h x (50 + 5)
    free = design("norflex_eam", block_opposite_intraday=False)
    seen = play(free, world(1.0), merged(local("up", 0.25, 80.0), {4: {"id_power_frac": -1.0}}))
    assert seen.cash()["id"] == -68.75


@pytest.mark.parametrize(("dso_mw", "forwarded", "refused"), [(2.0, 6.0, 2.0), (3.5, 0.0, 6.45)])
def test_norflex_forwards_from_five_mw_on(dso_mw: float, forwarded: float, refused: float):
    # battery 10 MW / 20 MWh; 8 MW locally at 80. Unsold 6 -> forwarded 6; unsold 4.5 -> below the 5 MW minimum
    # own bid for the hour (gate T-45): 10 - 8 = 2 MW: below the minimum. After the refusal 10 - 3.5 = 6.5: offered 0.3 of it
    lib = world(dso_mw)
    share = 1.0 if forwarded else 0.3
    sale = merged(local("up", 0.8, 80.0, consent=1.0), balancing("up", share, 30.0, (8,)))
    seen = play(design("norflex"), lib, sale, (portfolio(power=10.0, capacity=20.0),))
    assert seen.energy().get("forwarded_mwh", 0.0) == forwarded
    if forwarded:
        # need 12 - 2 = 10: others 9 up to 70, forwarded 1 of 6 at 80 -> 80; imbalance 3 - 1 = 2 x 80
        assert seen.cash() == {"lfm": 160.0, "mfrr_forwarded": 80.0, "imbalance": 160.0}
        assert seen.refused() == {"BELOW_MINIMUM": 2.0}
    else:
        # need 12 - 3.5 = 8.5: others -> 70. imbalance 3.5 x 70
        assert seen.cash() == {"lfm": 280.0, "imbalance": 245.0}
        # 4.5 MW forward refused, and 1.95 MW of the own bid: below the minimum
        assert seen.refused() == {"BELOW_MINIMUM": 6.45}


@pytest.mark.parametrize(
    ("rule", "fee", "pay", "charge"),
    [("marginal", 0.0, 170.0, 0.0), ("as_bid", 0.0, 160.0, 0.0), ("better", 0.0, 170.0, 0.0), ("marginal", 5.0, 170.0, -10.0)],
)
def test_price_and_fee_of_forwarded_bids(rule: str, fee: float, pay: float, charge: float):
    # nothing sold locally; 2 of 2 MW forwarded at 80; need 12: others 9 up to 70, forwarded 2, others 1 at 85 -> 85
    rules = design("norflex_eam", forward_price=rule, forward_fee_eur_per_mwh=fee)
    seen = play(rules, world(0.0), local("up", 0.5, 80.0, consent=1.0))
    assert seen.cash() == {name: x for name, x in (("mfrr_forwarded", pay), ("fee", charge)) if x}
    assert seen.observation[0, 0, v.RULE_FEE] == fee


@pytest.mark.parametrize(("rule", "pay"), [("marginal", -40.0), ("as_bid", -60.0), ("better", -40.0)])
def test_down_bids_pay_and_the_better_price_is_the_lower_one(rule: str, pay: float):
    # TSO needs 4 down; others (volume 4, from 50 to 20): 1 at 47, 2 at 42.5, 3 at 35, 3.6 at 27.5, 4 at 20
    # forwarded 2 MW at 30: others 3 at 47..35, forwarded 1 of 2 -> 30. To make it pay less than it bid, the need is 5.2:
    # others 3, forwarded 2 at 30, others 0.2 at 27.5; at 5.8: 0.6 at 27.5, then 0.2 at 20 -> 20
    lib = library(TICKS, imbalance=50.0)
    need(lib, MFRR, DN, 5.8, volume=4.0, reference=50.0, anchor=20.0)
    seen = play(design("norflex_eam", forward_price=rule), lib, local("dn", 0.5, 30.0, consent=1.0))
    assert seen.cash() == {"mfrr_forwarded": pay}
    assert seen.power() == [-2.0] * 4


def small(number: int):
    """Batteries of 0.4 MW / 0.8 MWh."""
    return tuple(portfolio(name, 0.4, 0.8) for name in "abcd"[:number])


PRICES = {f"r{row}": local("up", 1.0, price, consent=1.0) for row, price in enumerate((80.0, 60.0, 70.0))}


def test_small_bids_are_not_forwarded_alone():
    seen = play(design("norflex_eam"), world(0.0, 3), by_row(**PRICES), small(3))
    for row in range(3):
        assert seen.refused(row) == {"BELOW_MINIMUM": 0.4}
        assert seen.cash(row) == {}


def test_pooling_forwards_small_bids_together_and_trims_the_dearest():
    # 3 x 0.4 = 1.2 MW: 1 MW forwarded, 0.2 cut off from a at 80
    # need 10: others 6 up to 55, b 0.4 at 60, c 0.4 at 70 (tie with others, lower priority number first), others 3 at 70,
    # a 0.2 at 80 -> 80 for all three
    seen = play(design("norflex_eam", pooling=True), world(0.0, 3, tso_mw=10.0), by_row(**PRICES), small(3))
    assert [seen.cash(row) for row in range(3)] == [{"mfrr_forwarded": x} for x in (16.0, 32.0, 32.0)]
    assert [seen.refused(row) for row in range(3)] == [{"POOL_TRIMMED": 0.2}, {}, {}]
    assert [seen.energy(row)["forwarded_mwh"] for row in range(3)] == [0.2, 0.4, 0.4]


def test_a_pool_below_the_minimum_is_refused_and_needs_consent_of_each():
    seen = play(design("norflex_eam", pooling=True), world(0.0, 2), by_row(r0=PRICES["r0"], r1=PRICES["r1"]), small(2))
    assert [seen.refused(row) for row in range(2)] == [{"POOL_TOO_SMALL": 0.4}] * 2
    # three members, one of them without consent
    no = merged(PRICES["r2"], {0: consents(0.0)})
    seen = play(design("norflex_eam", pooling=True), world(0.0, 3), by_row(r0=PRICES["r0"], r1=PRICES["r1"], r2=no), small(3))
    assert [seen.refused(row) for row in range(3)] == [{"POOL_TOO_SMALL": 0.4}] * 2 + [{"NO_CONSENT": 0.4}]


@pytest.mark.parametrize(
    ("local_product", "code"),
    [({"full_activation_min": 15.0}, "TOO_SLOW"), ({"min_run_min": 30.0}, "MIN_RUN"), ({}, "PRICE_LIMIT")],
)
def test_what_does_not_fit_is_refused_with_its_code(local_product: dict, code: str):
    # price limit: the receiving market takes up to 70, the local bid is at 80: refused, not clipped
    mfrr = {"price_cap": 70.0} if code == "PRICE_LIMIT" else None
    rules = design("norflex_eam", lfm=local_product or None, mfrr=mfrr)
    seen = play(rules, world(0.0), local("up", 0.5, 80.0, consent=1.0))
    assert seen.refused() == {code: 2.0}
    assert seen.cash() == {}


def test_consent_counts_when_the_bid_was_made():
    """Blocked until delivery ends: consent withdrawn for a later hour does not free the hour that was shared."""
    # hour 8..11: 1 MW sold locally with consent. At tick 4 the local gate of hour 12..15 closes without consent.
    # At tick 5 a down bid for MTU 8 is still the opposite of a sale that the balancing operator knows of.
    lib = library(16)
    need(lib, LFM, UP, 1.0, limit=300.0, first=8, last=11)
    need(lib, MFRR, DN, 2.0, volume=2.0, reference=50.0, anchor=20.0)
    sale = merged(local("up", 0.5, 80.0, consent=1.0), {4: consents(0.0)}, balancing("dn", 0.2, 30.0))
    seen = play(design("norflex_eam"), lib, sale)
    assert "activated_mfrr_mwh" not in seen.energy()
    assert "OPPOSITE_SALE" in seen.refused()
