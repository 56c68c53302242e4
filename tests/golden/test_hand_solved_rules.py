"""The rules a to i of Article 34, each with a world of four delivered MTU in which it changes what is forwarded, called or paid.

Facts as in test_hand_solved_forwarding: a battery of 4 MW offers 3.5 MW locally at 80, the TSO needs 12 MW up, other people's
curve at 12 MW: 3 MW at 46, 6 MW at 55, 9 MW at 70, 10.8 MW at 85, 12 MW at 100.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from stacking import columns as c
from stacking import flows as f
from stacking import layout as v
from stacking import state as s
from stacking.columns import background_column
from stacking.config import Design
from stacking.engine import Engine
from stacking.gates.pools import share_failure
from stacking.invariants import check_step
from stacking.network import Network, network_from
from stacking.portfolio import Portfolio
from stacking.scenario import Library

from ..toy import BLOCK, DN, LFM, MFRR, UP, balancing, by_row, consents, design, library, local, merged, need, play, portfolio

BOTH = {"lfm", "mfrr"}


def world(dso_mw: float, rows: int = 1, *, areas: int = 1, tso_mw: float = 12.0) -> Library:
    lib = library(rows=rows, areas=areas, imbalance=100.0)
    need(lib, MFRR, UP, tso_mw, volume=12.0, reference=40.0, anchor=100.0)
    lib.series[:, :, c.DOMINANT] = 1.0
    need(lib, LFM, UP, dso_mw, limit=300.0)
    return lib


SALE = merged(local("up", 0.875, 80.0, consent=1.0), balancing("up", 1.0, 30.0))
OUTSIDER = (portfolio().model_copy(update={"member": False}),)


# ---- a: membership, collateral, and who verifies -----------------------------------------------------------------------------
def test_who_is_no_member_can_neither_be_forwarded_nor_bid_itself():
    # 1 MW sold locally at 80; 2.5 MW unsold and 3 MW of the own bid are refused; need 11: others up to 100. Imbalance 1 x 100
    seen = play(design("norflex_eam", membership="each"), world(1.0), SALE, OUTSIDER)
    assert seen.cash() == {"lfm": 80.0, "imbalance": 100.0}
    assert seen.refused() == {"NOT_MEMBER": 5.5}
    assert "forwarded_mwh" not in seen.energy()


def test_where_the_receiving_operator_verifies_the_bid_was_locked_in_vain():
    # 2 MW forwarded and struck out when the TSO clears; meanwhile 4 - 1 - 2 = 1 MW was free for an own bid, refused as well
    late = design("norflex_eam", membership="each", verified_by="receiving_operator")
    seen = play(late, world(1.0), SALE, OUTSIDER)
    assert seen.cash() == {"lfm": 80.0, "imbalance": 100.0}
    assert seen.refused() == {"GRANULARITY_REST": 0.5, "NOT_MEMBER": 3.0}
    assert seen.energy()["forwarded_mwh"] == 2.0
    assert seen.observation[5, 0, v.FEASIBLE_UP_MFRR] == 1.0


def test_members_are_treated_as_before():
    for operator in ("local_operator", "receiving_operator"):
        seen = play(design("norflex_eam", membership="each", verified_by=operator), world(1.0), SALE)
        assert seen.cash() == {"lfm": 80.0, "mfrr": 80.0, "mfrr_forwarded": 80.0, "imbalance": 80.0}


SMALL = tuple(portfolio(name, 0.4, 0.8) for name in "abc")
THREE = by_row(**{f"r{row}": local("up", 1.0, price, consent=1.0) for row, price in enumerate((80.0, 60.0, 70.0))})


@pytest.mark.parametrize(
    ("membership", "verified_by", "refused"),
    [
        # 1.2 MW pooled: 1 MW forwarded, the dearest (a) gives up 0.2
        ("pool", "local_operator", [{"POOL_TRIMMED": 0.2}, {}, {}]),
        # c is no member: 0.8 MW are left, below 1 MW
        ("each", "local_operator", [{"POOL_TOO_SMALL": 0.4}, {"POOL_TOO_SMALL": 0.4}, {"NOT_MEMBER": 0.4}]),
        # known only when the TSO clears: c is struck out and takes a (0.2) and b (0.4) with it
        (
            "each",
            "receiving_operator",
            [{"POOL_TOO_SMALL": 0.2, "POOL_TRIMMED": 0.2}, {"POOL_TOO_SMALL": 0.4}, {"NOT_MEMBER": 0.4}],
        ),
    ],
)
def test_a_pool_without_a_member(membership: str, verified_by: str, refused: list[dict[str, float]]):
    rules = design("norflex_eam", pooling=True, membership=membership, verified_by=verified_by)
    portfolios = (*SMALL[:2], SMALL[2].model_copy(update={"member": False}))
    seen = play(rules, world(0.0, 3, tso_mw=10.0), THREE, portfolios)
    assert [seen.refused(row) for row in range(3)] == refused
    # forwarded: others 6 up to 55, b 0.4, c 0.4, others up to 70, a 0.2 -> 80 for all three
    paid = [{"mfrr_forwarded": x} for x in (16.0, 32.0, 32.0)] if membership == "pool" else [{}] * 3
    assert [seen.cash(row) for row in range(3)] == paid


@pytest.mark.parametrize(("verified_by", "forwarded", "refused"), [
    ("local_operator", 1.0, {"COLLATERAL": 1.5}),  # 1,000 EUR cover 1 of 2.5 MW
    ("receiving_operator", 2.0, {"GRANULARITY_REST": 0.5, "COLLATERAL": 2.0}),  # 2 MW forwarded, struck out whole
])  # fmt: skip
def test_collateral_covers_so_many_mw(verified_by: str, forwarded: float, refused: dict[str, float]):
    rules = design("norflex_eam", collateral_eur_per_mw=1000.0, verified_by=verified_by)
    owner = (portfolio().model_copy(update={"collateral_eur": 1000.0}),)
    seen = play(rules, world(1.0), local("up", 0.875, 80.0, consent=1.0), owner)
    assert seen.energy()["forwarded_mwh"] == forwarded
    assert seen.refused() == refused


# ---- b: scope of consent, and until when it can be withdrawn -----------------------------------------------------------------
@pytest.mark.parametrize(
    ("scope", "asked", "forwarded"), [("per_bid", [0, 4, 8], 4.0), ("per_day", [0, 4], 2.0), ("standing", [0], 6.0)]
)
def test_consent_is_asked_as_often_as_its_scope_says(scope: str, asked: list[int], forwarded: float):
    # three blocks of 2 MW at 200 that nobody buys; where it is asked, the owner says yes, no, yes; a local day begins with the
    # second block
    lib = library(20)
    lib.calendar[:, 4, c.DAY_LEFT] = 8
    offers = {t: {"lfm_up_share_frac": 0.25, "lfm_up_price": 200.0} for t in (0, 4, 8)}
    answers = {t: consents(float(t != 4)) for t in asked}
    lib = replace(lib, start_frac=np.full((1, 1), 1.0))
    seen = play(design("norflex_eam", consent=scope), lib, merged(offers, answers), (portfolio(power=8.0, capacity=80.0),))
    assert np.flatnonzero(seen.mask[:, 0, v.CONSENT_UP]).tolist() == asked
    assert seen.energy()["forwarded_mwh"] == forwarded
    assert seen.energy().get("opted_out_mwh", 0.0) == 6.0 - forwarded


@pytest.mark.parametrize(("answer", "cash", "refused"), [
    # kept: as in test_norflex_eam_forwards_the_unsold_part_and_locks_it
    (1.0, {"lfm": 80.0, "mfrr": 80.0, "mfrr_forwarded": 80.0, "imbalance": 80.0}, {"GRANULARITY_REST": 0.5}),
    # withdrawn at T-75: 4 - 1 = 3 MW are free for an own bid at 30; need 11: own 3, others 8 -> 70
    (0.0, {"lfm": 80.0, "mfrr": 210.0, "imbalance": 70.0}, {"GRANULARITY_REST": 0.5, "WITHDRAWN": 2.0}),
])  # fmt: skip
def test_consent_can_be_withdrawn_until_the_time_of_the_rule(answer: float, cash: dict[str, float], refused: dict[str, float]):
    rules = design("norflex_eam", consent_revocable_until_min=75.0)
    seen = play(rules, world(1.0), merged(SALE, {3: consents(answer)}))
    assert np.flatnonzero(seen.mask[:, 0, v.CONSENT_UP]).tolist() == [0, 3]
    assert seen.cash() == cash
    assert seen.refused() == refused
    assert seen.observation[0, 0, v.RULE_REVOCABLE_H] == 1.25


@pytest.mark.parametrize("until", [120.0, 60.0, 45.0, 100.0])
def test_withdrawing_must_not_fall_on_another_gate(until: float):
    with pytest.raises(Exception, match=r"allowed: \[105, 90, 75\]"):
        design("norflex_eam", consent_revocable_until_min=until)


# ---- c: location -------------------------------------------------------------------------------------------------------------
def tree(*, zone_mw: float | None = None) -> Network:
    """Return two DSO areas below a zone of the TSO, which has a limit of its own or none."""
    zone: dict[str, Any] = {"name": "zone", "kind": "zone", "parent": "root", "owner": "TSO"}
    areas = [{"name": name, "kind": "area", "parent": "zone", "owner": f"DSO {name}", "limit_mw": 10.0} for name in "ab"]
    root = {"name": "root", "kind": "root", "owner": "TSO"}
    return network_from(
        {"name": "tree", "title": "test", "node": [root, zone | ({"limit_mw": zone_mw} if zone_mw else {}), *areas]}, "t"
    )


def play_in(network: Network, rules: Design, lib: Library, decisions: Any, portfolios: tuple[Portfolio, ...]) -> tuple[Any, Any]:
    """Play a world in a network; return sums of flows and of market columns."""
    engine = Engine(rules, portfolios, lib, backend="python", network=network)
    names = engine.compiled.layout.names
    flows, market = np.zeros(engine.flows[0].shape), np.zeros(f.MARKET_W)
    for tick in range(int(lib.length[0])):
        action = np.zeros(engine.mask.shape)
        for (at, row), columns in decisions.items():
            for name, value in columns.items() if at == tick else ():
                action[0, row, names.index(name)] = value
        before = engine.snapshot()
        engine.step(action)
        check_step(engine, before, action)
        flows += engine.flows[0]
        market += engine.market[0]
    return flows, market


def at(name: str, node: str, **size: float) -> Portfolio:
    return portfolio(name, **size).model_copy(update={"node": node})


@pytest.mark.parametrize(("location", "called", "violated"), [("kept", [0.5, 1.5], 0.0), ("stripped", [2.0, 0.0], 1.5)])
def test_a_bid_without_its_place_passes_the_grid_check(location: str, called: list[float], violated: float):
    # TSO: 2 MW up. Forwarded: 2 MW at 40 from area a, where 0.5 MW may flow out, and 2 MW at 60 from area b. Others at 90
    lib = world(0.0, 2, areas=2, tso_mw=0.0)
    need(lib, MFRR, UP, 2.0, volume=2.0, reference=90.0, anchor=90.0, first=BLOCK)
    lib.local[:, 0, BLOCK:, background_column(DN) + c.NEED] = -0.5
    offers = by_row(r0=local("up", 0.5, 40.0, consent=1.0), r1=local("up", 0.5, 60.0, consent=1.0))
    rules = design("norflex_eam", grid_check="limit", location=location, mfrr={"min_mw": 0.5, "granularity_mw": 0.5})
    flows, market = play_in(tree(), rules, lib, offers, (at("x", "a"), at("y", "b")))
    assert flows[:, f.ACTIVATED_FORWARDED].tolist() == called
    assert market[f.VIOLATED_MWH] == violated


@pytest.mark.parametrize(("location", "forwarded"), [("kept", 0.0), ("stripped", 1.0)])
def test_pools_form_at_the_level_to_which_location_is_known(location: str, forwarded: float):
    # 0.6 MW in area a and 0.6 MW in area b: 1 MW only together, which nobody does who must say where it stands
    offers = by_row(r0=local("up", 1.0, 80.0, consent=1.0), r1=local("up", 1.0, 60.0, consent=1.0))
    rules = design("norflex_eam", pooling=True, location=location)
    pair = (at("x", "a", power=0.6, capacity=1.2), at("y", "b", power=0.6, capacity=1.2))
    flows, _ = play_in(tree(), rules, world(0.0, 2, areas=2), offers, pair)
    assert flows[:, f.FORWARDED_MWH].sum() == pytest.approx(forwarded)


@pytest.mark.parametrize(("members", "forwarded"), [("all", [0.4, 0.6, 1.0]), ("fsp", [0.0, 0.0, 2.0])])
def test_a_pool_of_one_fsp_holds_its_own_bids_only(members: str, forwarded: list[float]):
    # a (0.4 MW at 90) is alone; b and c (0.6 at 60, 1.4 at 70) belong to "bc": 2 MW; all together 2.4, 2 of it forwarded
    offers = by_row(**{f"r{k}": local("up", 1.0, price, consent=1.0) for k, price in enumerate((60.0, 65.0, 70.0))})
    sizes = (("a", 0.4, None), ("b", 0.6, "bc"), ("c", 1.4, "bc"))
    who = tuple(portfolio(n, mw, 2 * mw).model_copy(update={"fsp": fsp}) for n, mw, fsp in sizes)
    seen = play(design("norflex_eam", pooling=True, pool_members=members), world(0.0, 3), offers, who)
    total = [float(seen.flows[:, row, f.FORWARDED_MWH].sum()) for row in range(3)]
    assert total == pytest.approx(forwarded if members == "all" else [0.0, 0.6, 1.4], abs=1e-6)


# ---- d: transparency ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("told", "seen_then"), [("own", [0.0] * 4), ("market", [3.0, 1.0, 70.0, 48.0])])
def test_volume_and_best_price_of_all_forwarded_bids_are_published(told: str, seen_then: list[float]):
    # for MTU 8: 2 MW at 80 and 1 MW at 70 up, 1 MW at 48 down; known at the next balancing gate of that MTU, tick 5
    offers = by_row(
        r0=merged(local("up", 0.5, 80.0, consent=1.0), local("dn", 0.25, 48.0)), r1=local("up", 0.25, 70.0, consent=1.0)
    )
    seen = play(design("norflex_eam", transparency=told), world(0.0, 2), offers, (portfolio("a"), portfolio("b")))
    columns = seen.observation[:, :, v.FORWARDED_ALL : v.FORWARDED_ALL + 4]
    assert columns[4].tolist() == [[0.0] * 4] * 2
    assert columns[5].tolist() == [seen_then] * 2


# ---- e: change of price and volume -------------------------------------------------------------------------------------------
def repriced(price: float, share: float = 0.0) -> dict[int, dict[str, float]]:
    return merged(local("up", 0.5, 80.0, consent=1.0), balancing("up", share, price))


@pytest.mark.parametrize(("rule", "price", "cash"), [
    # 2 MW forwarded at 80; need 12: others 9 up to 70, forwarded 2, others 1 at 85 -> called, as bid 80
    ("none", 120.0, {"mfrr_forwarded": 160.0}),
    ("price", 120.0, {}),  # dearer than other people's last MW at 100
    ("price", 50.0, {"mfrr_forwarded": 100.0}),
    ("price_and_volume", 50.0, {}),  # share 0: withdrawn, and nothing else offered
])  # fmt: skip
def test_the_balancing_gate_reprices_a_forwarded_bid_where_the_rule_lets_it(rule: str, price: float, cash: dict[str, float]):
    seen = play(design("norflex_eam", change_forwarded=rule, forward_price="as_bid"), world(0.0), repriced(price))
    assert seen.cash() == cash
    assert seen.observation[0, 0, v.RULE_CHANGES] == ["none", "price", "price_and_volume"].index(rule)


def test_a_lowered_volume_is_free_again():
    # share 0.5 of 2 forwarded MW = 1 kept; of 4 - 1 = 3 free MW half is offered as well: 1 (1 MW steps), at 50
    rules = design("norflex_eam", change_forwarded="price_and_volume")
    seen = play(rules, world(0.0), repriced(50.0, 0.5))
    assert seen.refused() == {"WITHDRAWN": 1.0, "GRANULARITY_REST": 0.5}
    # need 12: others 3 at 46, 2 at 50, others 7 -> 85: both paid 85
    assert seen.cash() == {"mfrr": 85.0, "mfrr_forwarded": 85.0}


def test_a_new_price_outside_the_limits_is_refused_and_the_bid_keeps_its_own():
    rules = design("norflex_eam", change_forwarded="price", forward_price="as_bid", mfrr={"price_cap": 90.0})
    seen = play(rules, world(0.0), repriced(95.0))
    assert seen.cash() == {"mfrr_forwarded": 160.0}
    assert seen.refused() == {"PRICE_LIMIT": 2.0}


# ---- f: what was bought in part, and who is liable ---------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("dso_mw", "forwarded", "refused"), [(1.0, 0.0, {"RESIDUAL": 2.5}), (0.0, 3.0, {"GRANULARITY_REST": 0.5})]
)
def test_a_residual_can_be_returned_to_its_owner(dso_mw: float, forwarded: float, refused: dict[str, float]):
    seen = play(design("norflex_eam", residual="returned"), world(dso_mw), SALE)
    assert seen.energy().get("forwarded_mwh", 0.0) == forwarded
    assert seen.refused() == refused
    if dso_mw:  # 3 MW of its own at 30 instead: need 11, others 8 -> 70
        assert seen.cash() == {"lfm": 80.0, "mfrr": 210.0, "imbalance": 70.0}


def blind(rules: Design) -> Design:
    """Return a design whose balancing gate does not see local sales, so that somebody can fall short."""
    gates = tuple(g.model_copy(update={"sees": ("mfrr",)}) if (g.kind, g.book) == ("offer", "mfrr") else g for g in rules.gates)
    return rules.model_copy(update={"gates": gates})


@pytest.mark.parametrize(("failure", "penalties"), [("own", [-42.5, 0.0]), ("shared", [-24.7917, -17.7083])])
def test_a_pool_bears_the_failure_of_a_member_together_where_the_rule_says(failure: str, penalties: list[float]):
    # 3.5 MW each locally, a at 80, b at 85; the DSO takes 1 MW of a. Forwarded: a 2.5, b 3.5 MW. The gate that is blind for the
    # local sale lets a offer 4 - 2.5, so 1 MW, at 30. Need 18 - 1 = 17: own 1, others 9 up to 70, a 2.5 at 80, b 3.5 at 85, one
    # other at 85 -> 85. a is to deliver 1 + 1 + 2.5 of 4 MW and misses 0.5 MWh: penalty 0.5 x 85 = 42.5, of it
    # 2.5 / 3.5 the pool's, 30.3571, split as 2.5 : 3.5
    offers = by_row(r0=SALE, r1=local("up", 0.875, 85.0, consent=1.0))
    rules = blind(design("norflex_eam", pooling=True, pool_failure=failure))
    seen = play(rules, world(1.0, 2, tso_mw=18.0), offers, (portfolio("a"), portfolio("b")))
    assert [seen.cash(row).get("tso_penalty", 0.0) for row in range(2)] == penalties
    assert seen.cash(1)["mfrr_forwarded"] == 297.5


def test_shares_of_a_failure_are_by_ordered_energy_and_sum_exactly():
    # a: forwarded 3 MWh of 4 ordered, penalty -40, of which -30 is the pool's; b: forwarded 1 MWh, none; c stands alone
    params, flow = np.zeros((3, s.PARAMS_W)), np.zeros((3, f.FLOWS_W))
    params[:, s.POOL_HEAD], params[:, s.NEXT_IN_POOL] = [1.0, 0.0, 1.0], [1.0, -1.0, -1.0]
    flow[:, f.ACTIVATED_FORWARDED], flow[:, f.ACTIVATED_MFRR] = [3.0, 1.0, 2.0], [1.0, 0.0, 0.0]
    flow[:, f.CASH_TSO_PENALTY] = [-40.0, 0.0, -7.0]
    share_failure(params, flow)
    # a keeps -10 of its own bids and bears 3/4 of -30
    assert flow[:, f.CASH_TSO_PENALTY].tolist() == [-32.5, -7.5, -7.0]


# ---- g: fee and who pays it --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("payer", "fee", "tso"), [("fsp", -10.0, 0.0), ("tso", 0.0, 10.0)])
def test_the_fee_is_paid_by_whom_the_rule_names(payer: str, fee: float, tso: float):
    rules = design("norflex_eam", forward_fee_eur_per_mwh=5.0, forward_fee_payer=payer)
    seen = play(rules, world(0.0), local("up", 0.5, 80.0, consent=1.0))
    assert seen.cash().get("fee", 0.0) == fee
    assert seen.cash()["mfrr_forwarded"] == 170.0
    assert seen.market[:, f.TSO_FEE_EUR].sum() == tso


# ---- i: validation -----------------------------------------------------------------------------------------------------------
TWICE = merged(local("up", 0.5, 80.0), balancing("up", 1.0, 30.0))


@pytest.mark.parametrize(("validation", "tolerance", "cash", "paid_twice"), [
    # 2 MW sold to the DSO at 80 and, blind, 4 MW to the TSO: 4 delivered. Need 12 - 2 = 10: own 4 at 30, others 6 -> 55.
    # DSO first: the TSO misses 2 of 4 MWh: penalty 2 x 55. Imbalance 4 - 4 corrected = 0
    ("allotted", 0.0, {"lfm": 160.0, "mfrr": 220.0, "tso_penalty": -110.0}, 0.0),
    ("allotted", 0.5, {"lfm": 160.0, "mfrr": 220.0}, 0.0),
    # each operator measures 4 MW more than scheduled and is content: 2 MWh count twice
    ("separate", 0.0, {"lfm": 160.0, "mfrr": 220.0}, 2.0),
])  # fmt: skip
def test_the_same_energy_counts_once_or_for_each_operator(
    validation: str, tolerance: float, cash: dict[str, float], paid_twice: float
):
    rules = design("parallel", validation=validation, tso_tolerance_frac=tolerance)
    seen = play(rules, world(2.0), TWICE)
    assert seen.cash() == cash
    assert seen.energy().get("double_paid_mwh", 0.0) == paid_twice
    assert seen.energy()["double_activated_mwh"] == 2.0


# ---- receiving markets -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("consent", "price", "cash", "intraday"), [
    # day-ahead 50, half spread 5: an up bid at 40 is sold at 45. 1 MW to the DSO at 40; 2.5 MWh intraday; need 11 -> 100
    (1.0, 40.0, {"id": 112.5, "lfm": 40.0, "imbalance": 100.0}, 2.5),
    (0.0, 40.0, {"lfm": 40.0, "imbalance": 100.0}, 0.0),
    # at 80 the intraday price is not met: 2 MW go on to the balancing market: need 11: others 9, forwarded 2 -> 80
    (1.0, 80.0, {"lfm": 80.0, "mfrr_forwarded": 160.0, "imbalance": 80.0}, 0.0),
])  # fmt: skip
def test_unsold_bids_are_tried_intraday_first(consent: float, price: float, cash: dict[str, float], intraday: float):
    rules = design("norflex_eam", receivers=("id", "mfrr"))
    assert rules.receiving_markets == ("id", "mfrr")
    seen = play(rules, world(1.0), local("up", 0.875, price, consent=consent))
    assert seen.cash() == cash
    assert seen.energy().get("forwarded_id_mwh", 0.0) == intraday
    assert seen.power() == [1.0 + intraday + (2.0 if "mfrr_forwarded" in cash else 0.0)] * 4


@pytest.mark.parametrize(("receivers", "consent", "zone_pays"), [
    (("mfrr",), 1.0, 0.0), (("redispatch", "mfrr"), 0.0, 0.0), (("redispatch", "mfrr"), 1.0, 160.0),
])  # fmt: skip
def test_a_limit_of_the_tso_is_a_receiving_market_that_needs_consent(
    receivers: tuple[str, ...], consent: float, zone_pays: float
):
    # nobody needs anything in area a; the TSO's zone above needs 2 MW up for an hour, willing to pay 300; offered: 3.5 MW at 80
    lib = world(0.0, 1, areas=3, tso_mw=0.0)
    for area in range(3):
        need(lib, LFM, UP, 2.0 if area == 2 else 0.0, limit=300.0, area=area)
    rules = design("norflex_eam", receivers=receivers)
    offers = by_row(r0=local("up", 0.875, 80.0, consent=consent))
    flows, market = play_in(tree(zone_mw=10.0), rules, lib, offers, (at("x", "a"),))
    assert flows[0, f.CASH_LFM] == zone_pays
    assert market[f.UNSERVED_LFM_MWH] == (0.0 if zone_pays else 2.0)


# ---- rules that need each other ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("rules", [
    {"pool_members": "fsp"}, {"pool_failure": "shared"}, {"membership": "pool"},
    {"pooling": True, "change_forwarded": "price_and_volume"},
])  # fmt: skip
def test_rules_that_mean_nothing_without_others_are_refused(rules: dict[str, Any]):
    with pytest.raises(Exception, match="pooling"):
        design("norflex_eam", **rules)


@pytest.mark.parametrize("receivers", [("mfrr", "id"), ("mfrr", "mfrr"), ("id", "redispatch")])
def test_receiving_markets_are_tried_in_the_order_of_their_gates(receivers: tuple[str, ...]):
    with pytest.raises(Exception, match=r"redispatch, id, mfrr|appears twice"):
        design("norflex_eam", receivers=receivers)


def test_unknown_receivers_are_refused():
    with pytest.raises((ValidationError, Exception), match="redispatch"):
        design("norflex_eam", receivers=("fcr",))
