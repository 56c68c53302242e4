"""The system side: one world solved by hand, auctions that the engine confirms, and the no-harm test."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from stacking import columns as c
from stacking import flows as f
from stacking import state as s
from stacking.columns import background_column
from stacking.config import Design
from stacking.engine import Engine
from stacking.errors import StackingError
from stacking.experiments.request import Request
from stacking.experiments.system import harm, report
from stacking.experiments.system.auction import Auction
from stacking.experiments.system.clearings import Clearings
from stacking.experiments.system.measures import hhi, own_need_mwh, pivotal, scarcity, unserved_eur
from stacking.experiments.system.play import bid_history, cases_of, play
from stacking.experiments.system.tally import Tally
from stacking.scenario import Library

from ..toy import DN, LFM, MFRR, UP, balancing, by_row, design, library, local, merged, need, portfolio


def tallied(rules: Design, lib: Library, decisions, portfolios=None) -> dict[str, float]:
    """Play scenario 0 with decisions by (tick, portfolio) and return its row."""
    engine = Engine(rules, portfolios or (portfolio(wear=10.0),), lib, backend="python")
    tally, names = Tally(engine), engine.compiled.layout.names
    table = {key if isinstance(key, tuple) else (key, 0): columns for key, columns in decisions.items()}
    for tick in range(int(lib.length[0])):
        action = np.zeros((1, engine.rows, len(names)))
        for row in range(engine.rows):
            for name, value in table.get((tick, row), {}).items():
                action[0, row, names.index(name)] = value
        engine.step(action)
        tally.record(action)
    return tally.rows()[0]


def short_world(dso_mw: float, rows: int = 1) -> Library:
    """Return tests/golden's world: the TSO needs 12 MW up, others 3 MW at 46, 6 at 55, 9 at 70, 10.8 at 85, 12 at 100."""
    lib = library(12, rows, imbalance=100.0)
    need(lib, MFRR, UP, 12.0, volume=12.0, reference=40.0, anchor=100.0)
    lib.series[:, :, 12] = 1.0
    need(lib, LFM, UP, dso_mw, limit=300.0)
    return lib


def test_a_forwarding_world_solved_by_hand():
    # Local: need 5 MW for an hour, 3.5 offered at 80, nobody else: 3.5 bought as bid, 1.5 MWh not met at 300.
    # Balancing in MTU 8..11: 12 - 3.5 = 8.5 up. Own 0.5 left: below 1 MW. Others: 3 at 46, 3 at 55, 2.5 at 70 = 478 EUR/h.
    # Before, MTU 1..7 (first gate at T-15): 12 MW up each: 3 x 46 + 3 x 55 + 3 x 70 + 1.8 x 85 + 1.2 x 100 = 786 EUR/h.
    row = tallied(
        design("norflex_eam"), short_world(5.0), merged(local("up", 0.875, 80.0, consent=1.0), balancing("up", 1.0, 30.0))
    )
    assert (row["lfm_need_mwh"], row["lfm_bought_mwh"], row["lfm_unserved_mwh"]) == pytest.approx((5.0, 3.5, 1.5))
    assert row["lfm_unserved_eur"] == pytest.approx(450.0)
    assert (row["dso_fsp_eur"], row["dso_others_eur"], row["dso_paid_eur"]) == pytest.approx((280.0, 0.0, 280.0))
    assert row["cost_others_mfrr_eur"] == pytest.approx(478.0 + 7 * 0.25 * 786.0)
    assert row["tso_others_eur"] == pytest.approx(8.5 * 70.0 + 7 * 0.25 * 12.0 * 100.0)
    assert row["cost_wear_eur"] == pytest.approx(35.0)
    # the schedule is empty and the store is worth nothing here; nothing is left to the imbalance: the TSO knew of 3.5 MW,
    # but the FSP keeps a surplus of 3.5 MWh, at 100 less what the up price fell (100 -> 70)
    assert (row["cost_energy_eur"], row["cost_stored_eur"]) == (0.0, 0.0)
    assert row["cost_imbalance_eur"] == pytest.approx(0.0)
    assert row["tso_imbalance_eur"] == pytest.approx(3.5 * 70.0)
    assert row["social_cost_eur"] == pytest.approx(478.0 + 7 * 0.25 * 786.0 + 35.0)
    assert (row["lfm_hhi"], row["lfm_pivotal_auctions"], row["lfm_auctions"]) == (1.0, 1.0, 1.0)
    assert row["mfrr_up_price"] == pytest.approx((8 * 100.0 + 4 * 70.0) / 12)


def test_late_local_sales_are_left_to_the_imbalance():
    # 4 MW up at 80 for an hour. Known in time, the TSO buys 4 MW less. Called when delivery starts (tick 8), it is known at
    # tick 9, when the TSO buys for MTU 10: in MTU 8 and 9 it bought 12 MW of others and 4 MW arrive too much, at 100
    known = tallied(design("parallel_adjusted"), short_world(4.0), local("up", 1.0, 80.0))
    assert (known["activated_lfm_mwh"], known["cost_imbalance_eur"]) == pytest.approx((4.0, 0.0))
    late = design("parallel_late")
    late_gate = 8 - -(-int(late.products["lfm"].gate_closure_min) // 15)
    row = tallied(late, short_world(4.0), {late_gate: {"lfm_up_share_frac": 1.0, "lfm_up_price": 80.0}})
    assert row["activated_lfm_mwh"] == pytest.approx(4.0)
    assert row["cost_imbalance_eur"] == pytest.approx(-2 * 0.25 * 4.0 * 100.0)
    assert row["cost_others_mfrr_eur"] == pytest.approx(9 * 0.25 * 786.0 + 2 * 0.25 * 443.0)
    assert known["cost_others_mfrr_eur"] == pytest.approx(7 * 0.25 * 786.0 + 3 * 46.0 + 3 * 55.0 + 2 * 70.0)


@pytest.mark.parametrize(("price", "accepted"), [(60.0, 1.0), (95.0, 1.0), (105.0, 0.0)])
def test_entry_of_those_too_small_for_the_tso(price: float, accepted: float):
    # two batteries of 0.5 MW: alone below 1 MW, pooled 1 MW is forwarded; need 12: others 10.8 MW below 95, 12 below 105
    rules = design("norflex_eam", pooling=True)
    sale = local("up", 1.0, price, consent=1.0)
    pair = tuple(portfolio(name, 0.5, 4.0) for name in ("a", "b"))
    row = tallied(rules, short_world(0.0, 2), by_row(r0=sale, r1=sale), pair)
    assert row["entry_small_offered_mwh"] == pytest.approx(1.0)
    assert row["entry_small_mwh"] == row["entry_silent_mwh"] == pytest.approx(accepted)
    assert row["mfrr_hhi"] == pytest.approx(0.5) if accepted else np.isnan(row["mfrr_hhi"])
    alone = tallied(design("norflex_eam"), short_world(0.0, 2), by_row(r0=sale, r1=sale), pair)
    assert alone["entry_small_offered_mwh"] == 0.0


@pytest.mark.parametrize(("room_mw", "ordered_mwh", "caused_mwh"), [(1.0, 2.0, 1.0), (2.0, 2.0, 0.0), (-0.5, 2.0, 2.0)])
def test_violations_that_balancing_causes(room_mw: float, ordered_mwh: float, caused_mwh: float):
    # 2 MW own at 30 are ordered for an hour (below the first 3 MW of others at 46); the grid bears room_mw more injection;
    # where it is over its limit before, all of the order is on top
    lib = short_world(0.0)
    lib.local[:, 0, :, background_column(DN) + c.NEED] = -room_mw
    row = tallied(design("parallel_adjusted"), lib, balancing("up", 0.5, 30.0))
    assert row["activated_mfrr_mwh"] == pytest.approx(ordered_mwh)
    assert row["violation_caused_mwh"] == pytest.approx(caused_mwh)
    # in the other direction the same order is a relief
    helped = short_world(6.0)
    assert tallied(design("parallel_adjusted"), helped, balancing("up", 0.5, 30.0))["violation_caused_mwh"] == 0.0


def auction(**changes) -> Auction:
    """Return an auction of 4 MW up for an hour: a offers 3, b 1, others 1; a sells 3, b 1."""
    own = Auction(0, LFM, 0, UP, 8, 1.0, 4.0, 300.0, 90.0, 50.0, np.array([3.0, 1.0]), np.array([3.0, 1.0]), 0.0, 1.0, 0.0,
                  np.zeros(2), np.zeros(2), 0.0, np.array([True, False]))  # fmt: skip
    return replace(own, **changes)


def test_measures_of_an_auction():
    assert pivotal(4.0, np.array([3.0, 1.0]), 1.0).tolist() == [True, False]  # without a 2 MW remain for 4; without b 4
    assert pivotal(9.0, np.array([3.0, 0.0]), 1.0).tolist() == [True, False]  # who offers nothing is missed by nobody
    assert scarcity(auction()) == pytest.approx(0.8)
    assert scarcity(auction(offered_mw=np.zeros(2), others_offer_mw=0.0)) == np.inf
    assert hhi([3.0, 1.0]) == 0.625
    # a charges 2 MW beyond its reference, b discharges 0.5: 1.5 of the need is made, a sells 2 of it to cure its own
    assert own_need_mwh(auction(scheduled_mw=np.array([-2.0, 0.5]))) == (1.5, 2.0)
    assert own_need_mwh(auction(scheduled_mw=np.array([2.0, 0.5]))) == (0.0, 0.0)
    assert own_need_mwh(auction(scheduled_mw=np.array([-9.0, 0.0]))) == (4.0, 3.0)
    # an earlier look bought 1 MW of a and 0.2 of others: 0.3 of what schedules made is left, and a sells 1 MW more of its 2
    again = auction(scheduled_mw=np.array([-2.0, 0.5]), sold_before_mw=np.array([1.0, 0.0]), others_before_mw=0.2)
    assert own_need_mwh(again) == (pytest.approx(0.3), 1.0)
    # down: what counts is a schedule that injects
    down = auction(direction=DN, scheduled_mw=np.array([1.0, -0.5]), limit=-20.0, accepted_mw=np.array([1.0, 0.0]),
                   unserved_mw=3.0)  # fmt: skip
    assert own_need_mwh(down) == (0.5, 1.0)
    assert unserved_eur(down) == pytest.approx(3.0 * 20.0)  # the DSO would have paid 20 for each MWh taken
    assert np.isnan(unserved_eur(replace(down, limit=-np.inf)))
    # of an early look counts what it bought: the rest is asked for again
    early = auction(need_mw=6.0, last=False, unserved_mw=0.0)
    assert (early.counted_mw, early.bought_mw) == (4.0, 4.0)


def test_another_result_than_the_books_say_is_an_error():
    lib = short_world(1.0)
    engine = Engine(design("norflex_eam"), (portfolio(),), lib, backend="python")
    clearings, before = Clearings(engine), engine.snapshot()
    action = np.zeros((1, 1, len(engine.compiled.layout.names)))
    engine.step(action)
    assert clearings.of(before, action)[0].auctions
    engine.market[0, f.BACKGROUND_MFRR_MWH] += 1.0
    with pytest.raises(StackingError, match="something else") as told:
        clearings.of(before, action)
    assert told.value.key == "background_mfrr_mwh"
    engine.market[0, f.BACKGROUND_MFRR_MWH] -= 1.0
    engine.world[0, s.CLEARED_UP + s.PAST] += 1.0
    with pytest.raises(StackingError, match="something else") as told:
        clearings.of(before, action)
    assert told.value.key == "price up"


def rows(change: float, count: int = 12) -> pd.DataFrame:
    """Return made-up rows of two designs whose mFRR up price differs by about `change`."""
    random = np.random.default_rng(0)
    columns = {m.column: 50.0 for m in harm.MEASURES}
    found = []
    for k in range(count):
        base = {**columns, "mfrr_up_price": 50.0 + k}
        found.append({"design": "a", "scenario": f"s{k}", **base})
        found.append({"design": "b", "scenario": f"s{k}", **base, "mfrr_up_price": 50.0 + k + change * random.uniform(0.5, 1.5)})
    return pd.DataFrame(found)


@pytest.mark.parametrize(("change", "expected"), [(5.0, "harm"), (-5.0, "no harm"), (0.1, "no harm"), (0.0, "equal")])
def test_verdicts(change: float, expected: str):
    table = harm.no_harm(rows(change), "a").set_index("measure")
    assert table.loc["mfrr_up_price", "verdict"] == expected
    assert set(table.drop("mfrr_up_price")["verdict"]) == {"equal"}


def test_an_uncertain_difference_is_undecided_and_prices_pair_up():
    frame = rows(0.0)
    frame.loc[frame["design"] == "b", "lfm_price"] += np.where(np.arange(12) % 2 == 0, 30.0, -28.0)
    frame.loc[(frame["scenario"] == "s3") & (frame["design"] == "a"), "lfm_price"] = np.nan
    table = harm.no_harm(frame, "a").set_index("measure")
    assert table.loc["lfm_price", ["verdict", "count"]].tolist() == ["undecided", 11]
    with pytest.raises(StackingError, match="baseline"):
        harm.no_harm(frame, "z")


def test_a_run_from_end_to_end():
    asked = Request(designs=("parallel_adjusted", "norflex_eam@never", "norflex_eam@always"), seeds=2, days=1,
                    population="mixed:6", split="train", pooling=True)  # fmt: skip
    cases = cases_of(asked)
    side = report.system_side(play(cases), resamples=50)
    assert side.baseline == "parallel_adjusted"
    # who never consents follows parallel_adjusted: not one figure differs
    numbers = side.rows.drop(columns=["design", "scenario"])
    a, b = (numbers[side.rows["design"] == name].reset_index(drop=True) for name in asked.designs[:2])
    pd.testing.assert_frame_equal(a, b)
    assert set(side.harm.loc[side.harm["design"] == "norflex_eam@never", "verdict"]) <= {"equal", "-"}
    json.dumps(report.to_json(side), allow_nan=False)
    text = report.to_text(side, 160)
    assert "SOCIAL COST" in text
    assert "verdict" in text
    history = bid_history(cases.cases[0], cases)
    offered = side.rows.loc[(side.rows["design"] == "parallel_adjusted") & (side.rows["scenario"] == str(cases.library.keys[0]))]
    assert history["offered_mwh"].sum() == pytest.approx(
        float(offered[["offered_lfm_mwh", "offered_mfrr_mwh"]].sum(axis=1).iloc[0])
    )


def test_what_cannot_be_run_is_told():
    for asked in (Request(designs=("norflex_eam", "norflex_eam")), Request(strategies=("rebid", "stacked")),
                  Request(designs=("nowhere@always",))):  # fmt: skip
        with pytest.raises(StackingError):
            cases_of(asked)
