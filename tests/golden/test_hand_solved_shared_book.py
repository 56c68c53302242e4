"""One book for TSO and DSO solved by hand: who buys what, at which look, and what a late lock does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from stacking import codes
from stacking import columns as c
from stacking import flows as f
from stacking import layout as v
from stacking.catalogue import load_design
from stacking.config import Design
from stacking.engine import Engine
from stacking.errors import StackingError
from stacking.invariants import check_step
from stacking.portfolio import Battery, Portfolio
from stacking.scenario import Library, ScenarioKey, generate

from ..toy import BLOCK, LFM, UP, busy, by_row, design, library, local, need, play, portfolio, tso_needs_up


def world(*, forecast: float = 0.0, rows: int = 1) -> Library:
    """Return a block in which the DSO needs 1 MW up (told beforehand as `forecast`) and the TSO 2 MW, others at 50 to 80."""
    lib = library(rows=rows)
    tso_needs_up(lib, 2.0, 80.0, 50.0, first=BLOCK)
    lib.series[:, BLOCK:, c.NEED_FORECAST] = 2.0
    need(lib, LFM, UP, 1.0, limit=400.0, first=BLOCK)
    lib.local_hourly[:, :, c.LFM_NEED_NEAR] = forecast
    return lib


def test_both_operators_buy_from_one_book_as_bid() -> None:
    """3 MW at 60. T-45: the DSO takes 1 MW; of the TSO's 2 MW other people serve 1 (53 and 57.5 < 60 < 65), the FSP 1.

    T-15: what the DSO moved is told, so 2 - 1 - 1 = 0 MW are left to buy; the price is the published one. 2 MW in four MTU: the
    DSO pays 60 EUR, the TSO 60 EUR; the DSO's MW is not in the position, the imbalance of 1 MWh earns 50.
    """
    record = play(design("finflex"), world(), local("up", 0.75, 60.0))
    assert record.cash() == {"lfm": 60.0, "mfrr_forwarded": 60.0, "imbalance": 50.0}
    assert record.power() == [2.0] * 4
    assert record.market[:, f.ACCEPTED_LFM_MWH].tolist() == [0.0] * 5 + [0.25] * 4 + [0.0] * 3
    assert record.market[:, f.BACKGROUND_MFRR_MWH].sum() == 0.0


def test_an_early_look_buys_on_the_forecast_and_a_late_one_the_rest() -> None:
    """Forecast at T-120: 0.6 MW for the whole block; the real need is 1 MW: 0.4 MW more for each quarter hour at T-45."""
    record = play(design("finflex"), world(forecast=0.6), local("up", 0.5, 60.0))
    assert record.market[:, f.ACCEPTED_LFM_MWH].round(6).tolist() == [0.6] + [0.0] * 4 + [0.1] * 4 + [0.0] * 3
    assert record.cash()["lfm"] == pytest.approx(60.0, abs=1e-4)


def test_what_was_bought_on_a_forecast_that_was_too_high_is_paid() -> None:
    record = play(design("finflex"), world(forecast=1.5), local("up", 0.5, 60.0))
    assert record.market[:, f.ACCEPTED_LFM_MWH].tolist() == [1.5] + [0.0] * 11
    assert record.cash()["lfm"] == 90.0


def test_the_owner_of_other_bids_sells_once_too() -> None:
    """Two others' MW at 40 to 70 of which the early look takes 0.5 MW: the late look goes on where it stopped."""
    lib = world(forecast=0.5)
    need(lib, LFM, UP, 1.0, limit=400.0, volume=2.0, reference=30.0, anchor=70.0, first=BLOCK)
    record = play(design("finflex"), lib, {})
    assert record.market[:, f.BACKGROUND_LFM_MWH].round(6).tolist() == [0.5] + [0.0] * 4 + [0.125] * 4 + [0.0] * 3
    assert record.market[:, f.UNSERVED_LFM_MWH].sum() == 0.0


LATE = {"lfm": 220.0, "imbalance": 200.0}
TWICE = {"lfm": 220.0, "mfrr_forwarded": 82.5, "imbalance": 125.0, "tso_penalty": -120.0}


@pytest.mark.parametrize(
    ("latency_s", "rule", "cash", "refused", "twice"),
    [
        (30.0, "first_match", LATE, {}, 0.0),  # the lock is there: nothing is left for the TSO
        (31.0, "first_match", LATE, {"LOCKED": 1.5}, 0.0),
        (30.0, "both_stand", LATE, {}, 0.0),
        (31.0, "both_stand", TWICE, {}, 1.5),
    ],
)
def test_a_late_lock_lets_a_bid_be_matched_twice(
    latency_s: float, rule: str, cash: dict[str, float], refused: dict[str, float], twice: float
) -> None:
    """A battery of 4 MW sells all of it to the DSO (4 MW needed, at 55); the TSO looks 30 s later and needs 2 MW.

    It buys 0.5 MW of others (53) and 1.5 MW at 55. Both stand: 5.5 MW are ordered of 4 MW. The DSO is served first, the TSO
    misses 1.5 MWh: it pays 82.5 EUR and takes a penalty of 1.5 x 80. Imbalance: 4 MWh metered - 1.5 MWh corrected = 2.5 at 50;
    without the TSO 4 at 50.
    """
    lib = world()
    need(lib, LFM, UP, 4.0, limit=400.0, first=BLOCK)
    lib.series[:, :, c.LOOK_S] = 30.0
    record = play(design("finflex", lock_latency_s=latency_s, conflict_rule=rule), lib, local("up", 1.0, 55.0),
                  (portfolio(capacity=16.0),))  # fmt: skip
    assert record.refused() == refused
    assert record.cash() == cash
    assert record.energy().get("double_selected_mwh", 0.0) == twice
    assert record.energy().get("double_activated_mwh", 0.0) == twice


def test_the_first_of_two_bids_at_one_price_is_the_one_of_better_priority() -> None:
    record = play(
        design("finflex"), world(rows=2), by_row(r0=local("up", 0.25, 60.0), r1=local("up", 0.25, 60.0)),
        (portfolio("a"), portfolio("b")),
    )  # fmt: skip
    assert [record.cash(row).get("lfm", 0.0) for row in range(2)] == [60.0, 0.0]
    assert [record.cash(row).get("mfrr_forwarded", 0.0) for row in range(2)] == [0.0, 60.0]


def busy_world(rules: dict[str, Any], seeds: int = 4) -> tuple[Design, tuple[Portfolio, ...], Library]:
    portfolios = tuple(
        Portfolio(name=name, connection_mw=5.0, battery=Battery(power_mw=5.0, capacity_mwh=10.0)) for name in ("a", "b", "c")
    )
    keys = [ScenarioKey("train", "generator", 7, k) for k in range(seeds)]
    lib = busy(generate(keys, days=2, portfolios=portfolios), seed=2)
    lib.series[:, :, c.NEED_FORECAST] = 10.0
    return design("finflex", **rules), portfolios, lib


def matched_twice(latency_s: float, rule: str) -> tuple[float, float]:
    """Return MWh selected twice and MWh void because of a lock, over worlds in which everybody offers everything."""
    setting, portfolios, lib = busy_world({"lock_latency_s": latency_s, "conflict_rule": rule})
    engine = Engine(setting, portfolios, lib, worlds=len(lib.keys))
    engine.reset(np.arange(engine.worlds))
    action = np.zeros(engine.mask.shape)
    action[..., v.LFM_SHARE_UP], action[..., v.LFM_PRICE_UP] = 1.0, 20.0
    twice = void = 0.0
    while not engine.ended.all():
        before = engine.snapshot()
        engine.step(action)
        check_step(engine, before, action)
        twice += float(engine.flows[..., f.DOUBLE_SELECTED].sum())
        void += float(engine.flows[..., f.REFUSED + codes.LOCKED].sum())
    return twice, void


def test_double_selection_is_zero_without_latency_and_grows_with_it() -> None:
    latencies = (0.0, 90.0, 300.0, 900.0)
    twice = [matched_twice(latency, "both_stand")[0] for latency in latencies]
    assert twice[0] == 0.0
    assert twice == sorted(twice)
    assert len(set(twice)) == len(latencies)
    void = [matched_twice(latency, "first_match") for latency in latencies]
    assert [first for first, _ in void] == [0.0] * 4
    assert [second for _, second in void] == sorted(second for _, second in void)
    assert void[-1][1] > void[1][1] > 0.0


def test_looks_that_make_no_sense_are_named() -> None:
    data = load_design("finflex").model_dump()
    for change, says in (
        ({"need": "forecast"}, "realised need"),
        ({"lead_min": 60.0}, "clearing_min"),
    ):
        gates = [dict(gate) for gate in data["gates"]]
        last = max(k for k, gate in enumerate(gates) if (gate["kind"], gate["book"]) == ("clear", "lfm"))
        gates[last].update(change)
        with pytest.raises((StackingError, ValueError), match=says):
            Design.model_validate({**data, "gates": gates})
    gates = [{**gate, "lead_min": 20.0} if gate["kind"] == "match" else gate for gate in data["gates"]]
    with pytest.raises((StackingError, ValueError), match="before publication"):
        Design.model_validate({**data, "gates": gates})
