"""Stockholm solved by hand: up only, a price ceiling, hourly forwarding from 5 MW on, or from 1 MW on today.

Facts as in test_hand_solved_forwarding: the TSO needs 12 MW up; others: 3 MW at 46, 6 at 55, 9 at 70, 10.8 at 85, 12 at 100.
What is delivered locally counts against the mean of the same hour of five working days, in which the battery stood still.
"""

from __future__ import annotations

import pytest

from stacking import columns as c
from stacking import flows as f
from stacking.scenario import Library

from ..toy import LFM, MFRR, TICKS, UP, balancing, design, library, local, merged, need, play, portfolio

LARGE = (portfolio(power=10.0, capacity=20.0),)


def world(dso_mw: float) -> Library:
    lib = library(TICKS, imbalance=100.0)
    need(lib, MFRR, UP, 12.0, volume=12.0, reference=40.0, anchor=100.0)
    lib.series[:, :, c.DOMINANT] = 1.0
    need(lib, LFM, UP, dso_mw, limit=2000.0)
    return lib


@pytest.mark.parametrize(("dso_mw", "forwarded", "cash"), [
    # 8 MW at 80, the DSO buys 2: 160 EUR. 6 MW unsold, forwarded for the hour. Need 12 - 2 = 10: others 9, forwarded 1 -> 80.
    # Imbalance: 3 metered - 1 corrected = 2 x 80
    (2.0, 6.0, {"lfm": 160.0, "mfrr_forwarded": 80.0, "imbalance": 160.0}),
    # the DSO buys 3.5: 4.5 MW unsold, below the 5 MW of the Swedish regulating power market. Need 8.5: others -> 70
    (3.5, 0.0, {"lfm": 280.0, "imbalance": 245.0}),
])  # fmt: skip
def test_sthlmflex_forwards_from_five_mw_on(dso_mw: float, forwarded: float, cash: dict[str, float]):
    seen = play(design("sthlmflex"), world(dso_mw), local("up", 0.8, 80.0, consent=1.0), LARGE)
    assert seen.energy().get("forwarded_mwh", 0.0) == forwarded
    assert seen.cash() == cash
    assert seen.refused() == ({} if forwarded else {"BELOW_MINIMUM": 4.5})
    assert seen.flows[:, 0, f.VALIDATED_LFM].sum() == pytest.approx(dso_mw)


def test_sthlmflex_today_forwards_from_one_mw_on():
    # 3.5 MW at 80, the DSO buys 1; 2.5 unsold, 2 forwarded; own bid 1 MW at 30. Need 11: own 1, others 9, forwarded 1 -> 80
    sale = merged(local("up", 0.875, 80.0, consent=1.0), balancing("up", 1.0, 30.0))
    seen = play(design("sthlmflex_eam"), world(1.0), sale)
    assert seen.cash() == {"lfm": 80.0, "mfrr": 80.0, "mfrr_forwarded": 80.0, "imbalance": 80.0}
    assert seen.refused() == {"GRANULARITY_REST": 0.5}


@pytest.mark.parametrize("name", ["sthlmflex", "sthlmflex_eam"])
@pytest.mark.parametrize(("price", "sold"), [(870.0, 2.0), (871.0, 0.0)])
def test_bids_above_the_ceiling_of_10000_sek_are_refused(name: str, price: float, sold: float):
    seen = play(design(name), world(2.0), local("up", 0.5, price))
    assert seen.energy().get("activated_lfm_mwh", 0.0) == sold
    assert seen.refused() == ({} if sold else {"PRICE_LIMIT": 2.0})


@pytest.mark.parametrize("name", ["sthlmflex", "sthlmflex_eam"])
def test_nothing_is_offered_locally_downwards(name: str):
    seen = play(design(name), world(0.0), local("dn", 1.0, 20.0, consent=1.0))
    assert "offered_lfm_mwh" not in seen.energy()
