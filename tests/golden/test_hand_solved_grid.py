"""The grid check and the position of local activations solved by hand."""

from __future__ import annotations

import numpy as np
import pytest

from stacking import codes
from stacking import columns as c
from stacking import flows as f
from stacking import layout as v
from stacking.columns import background_column
from stacking.engine import Engine
from stacking.invariants import check_step
from stacking.network import load_network

from ..toy import BLOCK, DN, LFM, UP, consents, design, library, local, merged, need, play, portfolio, tso_needs_up


@pytest.mark.parametrize(
    ("rule", "sold", "refused", "violated"),
    [
        ("none", [2.0, 0.0], [0.0, 0.0], 1.5),
        ("limit", [0.5, 1.5], [3.5, 0.0], 0.0),
        ("reject", [0.0, 2.0], [4.0, 0.0], 0.0),
    ],
)
def test_the_grid_check_keeps_the_tso_within_the_limits_of_the_dso(
    rule: str, sold: list[float], refused: list[float], violated: float
) -> None:
    """The TSO needs 2 MW up. The cheap bid of 4 MW (40) stands where only 0.5 MW more may flow out, the dear one (60) does not.

    Unchecked it is called and exceeds the limit by 1.5 MW; a check that limits leaves 0.5 MW of it and refuses 3.5 MW; one that
    rejects refuses it whole.
    """
    lib = library(rows=2, areas=4)
    tso_needs_up(lib, 2.0, 90.0, 90.0, first=BLOCK)
    lib.local[:, 0, BLOCK:, background_column(DN) + c.NEED] = -0.5
    portfolios = tuple(portfolio(name).model_copy(update={"node": node}) for name, node in (("cheap", "Norra"), ("dear", "City")))
    engine = Engine(design("parallel_adjusted", grid_check=rule), portfolios, lib, backend="python",
                    network=load_network("stockholm"))  # fmt: skip
    flows, result = np.zeros((2, f.FLOWS_W)), np.zeros(f.MARKET_W)
    for tick in range(12):
        action = np.zeros((1, 2, v.ACTIONS_W))
        if BLOCK <= tick + 3 < 12:
            action[0, :, v.MFRR_SHARE_UP] = 1.0
            action[0, :, v.MFRR_PRICE_UP] = 40.0, 60.0
        before = engine.snapshot()
        engine.step(action)
        check_step(engine, before, action)
        flows += engine.flows[0]
        result += engine.market[0]
    assert flows[:, f.ACTIVATED_MFRR].tolist() == sold
    assert flows[:, f.REFUSED + codes.GRID_LIMIT].tolist() == refused
    assert result[f.VIOLATED_MWH] == violated


def test_a_bid_that_relieves_the_grid_passes_any_check() -> None:
    """Down-regulation where too much flows out already: nothing to refuse, and no limit is exceeded."""
    lib = library(rows=1)
    need(lib, c.MFRR, DN, 2.0, volume=2.0, reference=50.0, anchor=20.0, first=BLOCK)
    lib.local[:, 0, BLOCK:, background_column(DN) + c.NEED] = 3.0
    record = play(
        design("parallel_adjusted", grid_check="reject"), lib,
        {t - 3: {"mfrr_dn_share_frac": 0.25, "mfrr_dn_price": 60.0} for t in range(8, 12)},
    )  # fmt: skip
    assert record.energy()["activated_mfrr_mwh"] == 1.0
    assert record.refused() == {}
    assert record.market[:, f.VIOLATED_MWH].sum() == 0.0


@pytest.mark.parametrize(
    ("position", "cash", "bought", "counter"),
    [
        ("none", {"lfm": 100.0, "imbalance": 50.0}, 1.0, 0.0),
        ("corrected", {"lfm": 100.0}, 1.0, 0.0),
        ("dso_counterbuys", {"lfm": 100.0}, 2.0, -45.0),
        ("paired", {"lfm": 100.0}, 2.0, -45.0),
    ],
)
def test_who_stands_for_the_energy_of_a_local_activation(
    position: str, cash: dict[str, float], bought: float, counter: float
) -> None:
    """1 MW up for an hour at 100; the TSO needs 2 MW up. Day-ahead and imbalance price 50, half a spread 5.

    none: the FSP's position is long by 1 MWh and earns 50 EUR; the TSO buys 1 MWh less. corrected: no imbalance, the TSO buys 1
    MWh less. With opposite energy elsewhere the balance does not move (2 MWh) and the operator gets 45 EUR for it.
    """
    lib = library()
    tso_needs_up(lib, 2.0, 50.0, 50.0, first=BLOCK)
    need(lib, LFM, UP, 1.0, limit=400.0, first=BLOCK)
    record = play(design("parallel_adjusted", position=position), lib, local("up", 0.25, 100.0))
    assert record.cash() == cash
    assert record.market[:, f.BACKGROUND_MFRR_MWH].sum() == bought
    assert record.market[:, f.COUNTER_EUR].sum() == counter


def test_gopacs_changes_the_schedule_and_not_the_balance() -> None:
    """1 MW up for an hour at 100, paired at 45: no imbalance, and the TSO buys its 2 MWh as if nothing had happened."""
    lib = library()
    tso_needs_up(lib, 2.0, 50.0, 50.0, first=BLOCK)
    need(lib, LFM, UP, 1.0, limit=400.0, first=BLOCK)
    record = play(design("gopacs"), lib, local("up", 0.25, 100.0))
    assert record.cash() == {"lfm": 100.0}
    assert record.market[:, [f.BACKGROUND_MFRR_MWH, f.COUNTER_EUR]].sum(axis=0).tolist() == [2.0, -45.0]
    assert record.market[3, f.ACCEPTED_LFM_MWH] == 1.0  # the order stands from T-120 and is called at T-75


def test_redispatch_takes_whole_megawatts_shortly_before_delivery() -> None:
    """1.6 MW of 4 are offered: 1 MW is taken at T-45, 0.6 MWh are left out."""
    lib = library()
    need(lib, LFM, UP, 5.0, limit=400.0, first=BLOCK)
    record = play(design("redispatch"), lib, local("up", 0.4, 100.0))
    assert record.cash() == {"lfm": 100.0}
    assert record.refused() == {"GRANULARITY_REST": pytest.approx(0.6)}
    assert record.market[5, f.ACCEPTED_LFM_MWH] == 1.0


def test_opentunity_serves_the_dso_first_and_the_tso_with_the_rest_at_the_same_moment() -> None:
    """1.5 MW at 55: the DSO takes 1 MW, the TSO (needs 2, others at 53 and 57.5) half a MW, each quarter hour at T-45."""
    lib = library()
    tso_needs_up(lib, 2.0, 80.0, 50.0, first=BLOCK)
    lib.series[:, BLOCK:, c.NEED_FORECAST] = 2.0
    need(lib, LFM, UP, 1.0, limit=400.0, first=BLOCK)
    record = play(design("opentunity"), lib, local("up", 0.375, 55.0))
    assert record.cash()["lfm"] == 55.0
    assert record.cash()["mfrr_forwarded"] == 27.5
    assert np.flatnonzero(record.market[:, f.ACCEPTED_LFM_MWH]).tolist() == [5, 6, 7, 8]


def test_onenet_pl_forwards_small_bids_together_as_far_as_the_grid_carries_them() -> None:
    """Two bids of 0.8 MW make one MW; the limit leaves 0.5 MW of it. Alone neither would be large enough."""
    lib = library(rows=2)
    tso_needs_up(lib, 2.0, 90.0, 90.0, first=BLOCK)
    lib.local[:, 0, BLOCK:, background_column(DN) + c.NEED] = -0.5
    table = {(0, row): {"lfm_up_share_frac": 0.2, "lfm_up_price": 40.0 + 10.0 * row, **consents(1.0)} for row in range(2)}
    record = play(design("onenet_pl"), lib, table, (portfolio("a"), portfolio("b")))
    assert [record.energy(row).get("activated_forwarded_mwh", 0.0) for row in range(2)] == [0.5, 0.0]
    assert record.refused(0) == {"GRID_LIMIT": pytest.approx(0.3, abs=1e-4)}
    assert record.refused(1)["POOL_TRIMMED"] == pytest.approx(0.6, abs=1e-4)


@pytest.mark.parametrize(("name", "sold"), [("gb_stacking", 0.0), ("parallel_adjusted", 1.0)])
def test_gb_stacking_splits_an_asset_in_one_direction_only(name: str, sold: float) -> None:
    """1 MW up is sold to the DSO; 1 MW down is offered to the balancing market for the same hour."""
    lib = library()
    need(lib, LFM, UP, 1.0, limit=400.0, first=BLOCK)
    need(lib, c.MFRR, DN, 2.0, volume=2.0, reference=50.0, anchor=20.0, first=BLOCK)
    down = {t - 3: {"mfrr_dn_share_frac": 0.2, "mfrr_dn_price": 60.0} for t in range(8, 12)}
    record = play(design(name), lib, merged(local("up", 0.25, 100.0), down))
    assert record.energy()["activated_lfm_mwh"] == 1.0
    assert record.energy().get("activated_mfrr_mwh", 0.0) == sold
    assert record.refused() == ({"OPPOSITE_SALE": 1.0} if name == "gb_stacking" else {})
