"""What the operators choose depends on nothing but the rules; nothing moves without consent; pay of a pool member covers its bid.

Random worlds of five portfolios with local and balancing bids. Names, order, size behind the bid, content, wear, losses, tariff
and kind of asset are what the operator does not see.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from stacking import columns as c
from stacking import flows as f
from stacking.config import Design
from stacking.portfolio import Load, Portfolio
from stacking.scenario import Library
from stacking.scenario.sites import Sites

from ..toy import LFM, MFRR, TICKS, UP, Record, consents, design, library, need, play, portfolio

ROWS = 5
RATED_MW = 4.0
ANY_SIZE = {"min_mw": 0.01, "granularity_mw": 0.01}
RULES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("exclusive", {"mfrr": ANY_SIZE}),
    ("parallel", {"mfrr": ANY_SIZE}),
    ("parallel_adjusted", {}),
    ("norflex_eam", {}),
    ("norflex_eam", {"pooling": True}),
    ("norflex_eam", {"mfrr": ANY_SIZE, "forward_price": "as_bid"}),
    ("mandatory", {"pooling": True}),
    ("onenet", {}),
    ("finflex", {}),
    ("onenet_pl", {"grid_check": "reject"}),
)
FIRST = np.arange(ROWS)
SEEDS = range(8)
CHOSEN = [f.OFFERED_LFM, f.OFFERED_MFRR, f.FORWARDED_MWH, f.ACTIVATED_LFM, f.ACTIVATED_MFRR, f.ACTIVATED_FORWARDED,
          f.CASH_LFM, f.CASH_MFRR, f.CASH_FORWARDED]  # fmt: skip
PRICES = [f.PRICE_MFRR_UP, f.PRICE_MFRR_DN, f.ACCEPTED_LFM_MWH, f.ACCEPTED_MFRR_MWH, f.BACKGROUND_LFM_MWH, f.BACKGROUND_MFRR_MWH]


@dataclass(frozen=True)
class Bids:
    """What five portfolios decide: MW, EUR/MWh and consent, by portfolio."""

    local_mw: np.ndarray
    local_price: np.ndarray
    own_mw: np.ndarray
    own_price: np.ndarray
    consent: np.ndarray

    def decisions(self, order: np.ndarray, setting: Design) -> dict[tuple[int, int], dict[str, float]]:
        """Return the decisions of row k = those of portfolio order[k], as far as the design asks."""
        asked = setting.asks
        found: dict[tuple[int, int], dict[str, float]] = {}
        for row, k in enumerate(order):
            if not setting.joint:
                found[0, row] = {
                    "lfm_up_share_frac": float(self.local_mw[k]) / RATED_MW,
                    "lfm_up_price": float(self.local_price[k]),
                }
                found[0, row] |= consents(float(self.consent[k])) if asked else {}
            for tick in (5, 6, 7, 8):
                own = {"mfrr_up_share_frac": float(self.own_mw[k]) / RATED_MW, "mfrr_up_price": float(self.own_price[k])}
                found[tick, row] = own
        return found


def drawn(seed: int) -> tuple[Bids, float, float, np.ndarray]:
    """Return bids of eighths of 1 MW, needs of DSO and TSO (MW), and tie-breaks."""
    random = np.random.default_rng(seed)
    bids = Bids(
        random.integers(4, 20, ROWS) / 8, random.choice([30.0, 60.0, 60.0, 80.0, 90.0], ROWS), random.integers(2, 28, ROWS) / 8,
        random.choice([30.0, 46.0, 60.0, 80.0], ROWS), random.integers(0, 2, ROWS).astype(float),
    )  # fmt: skip
    return bids, random.integers(0, 24) / 4, random.integers(4, 60) / 4, random.permutation(ROWS) / 10 + 0.05


def world(dso_mw: float, tso_mw: float, priority: np.ndarray) -> Library:
    """Return a world in which the DSO needs up to 300 EUR/MWh and the TSO has 12 MW of other people from 46 to 100."""
    lib = library(TICKS, ROWS, imbalance=100.0, priority=tuple(priority))
    need(lib, MFRR, UP, tso_mw, volume=12.0, reference=40.0, anchor=100.0)
    lib.series[:, :, c.DOMINANT], lib.series[:, :, c.NEED_FORECAST] = 1.0, tso_mw
    need(lib, LFM, UP, dso_mw, volume=2.0, reference=50.0, anchor=70.0, limit=300.0)
    return lib


def rules(k: int, **more: Any) -> Design:
    """Return one of the designs."""
    return design(RULES[k][0], **{**RULES[k][1], **more})


def batteries(names: str = "abcde") -> tuple[Portfolio, ...]:
    """Return batteries of 4 MW that are alike."""
    return tuple(portfolio(name, RATED_MW, 32.0) for name in names)


def other_assets(names: str = "vwxyz") -> tuple[Portfolio, ...]:
    """Return portfolios with the same 4 MW up at any time, made of something else."""
    settings = {"peak_mw": RATED_MW, "flexible_frac": 1.0, "step_mw": 0.125, "notice_min": 0.0, "min_duration_min": 15.0,
                "max_duration_min": 1440.0, "rest_min": 0.0, "activations_per_day": 96}  # fmt: skip
    load = Portfolio(name=names[4], connection_mw=50.0, load=Load(**settings))  # type: ignore[arg-type]
    return (
        portfolio(names[0], RATED_MW, 64.0),
        portfolio(names[1], RATED_MW, 40.0, wear=25.0, connection=20.0),
        portfolio(names[2], RATED_MW, 32.0, tariff=30.0),
        portfolio(names[3], RATED_MW, 80.0, efficiency=0.8, low=0.1),
        load,
    )


def with_load(lib: Library) -> Library:
    """Return a world in which one load consumes 4 MW all the time."""
    ticks, hours = lib.series.shape[1], lib.hourly.shape[1]
    sites = Sites(
        sessions=np.zeros((0, c.SESSION_W)), first=np.zeros((1, 1), np.int64), fleet_hourly=np.zeros((1, 0, hours, c.FLEET_W)),
        load_mw=np.full((1, 1, ticks), RATED_MW), load_hourly=np.full((1, 1, hours), RATED_MW),
    )  # fmt: skip
    return replace(lib, sites=sites)


def played(k: int, seed: int, order: np.ndarray = FIRST, names: str = "abcde", **more: Any) -> Record:
    """Play a random world under one of the designs, its portfolios in some order and with some names."""
    bids, dso_mw, tso_mw, priority = drawn(seed)
    chosen_rules = rules(k, **more)
    return play(chosen_rules, world(dso_mw, tso_mw, priority[order]), bids.decisions(order, chosen_rules), batteries(names))


def chosen(seen: Record, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what the operators chose and paid by portfolio, and prices, both by tick; portfolios in their first order."""
    back = np.argsort(rows)
    return seen.flows[:, back][:, :, CHOSEN], seen.market[:, PRICES]


def same(left: tuple[np.ndarray, np.ndarray], right: tuple[np.ndarray, np.ndarray]) -> None:
    for a, b in zip(left, right, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)  # books hold single precision


@pytest.mark.parametrize("k", range(len(RULES)))
def test_order_and_names_do_not_matter(k: int):
    bought = 0.0
    for seed in SEEDS:
        order = np.random.default_rng(1000 + seed).permutation(ROWS)
        first = chosen(played(k, seed), FIRST)
        same(chosen(played(k, seed, order, "qponm"), order), first)
        bought += first[0][:, :, CHOSEN.index(f.ACTIVATED_MFRR)].sum()
    assert bought > 1.0


@pytest.mark.parametrize("k", range(len(RULES)))
def test_what_stands_behind_a_bid_does_not_matter(k: int):
    # a load offers whole steps of what is left, so its owner makes no balancing bid of its own here
    bought = 0.0
    for seed in SEEDS:
        bids, dso_mw, tso_mw, priority = drawn(seed)
        bids.own_mw[4] = 0.0
        lib, decisions = world(dso_mw, tso_mw, priority), bids.decisions(FIRST, rules(k))
        a = play(rules(k), lib, decisions, batteries())
        b = play(rules(k), with_load(lib), decisions, other_assets())
        energies = [column for column in CHOSEN if column >= f.CASH_W]
        np.testing.assert_allclose(b.flows[:, :, energies], a.flows[:, :, energies], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(b.market[:, PRICES], a.market[:, PRICES], rtol=1e-5, atol=1e-6)
        bought += a.flows[:, :, energies].sum()
    assert bought > 1.0


def test_nothing_moves_without_consent():
    moved = 0.0
    for seed in SEEDS:
        silent = drawn(seed)[0].consent == 0.0
        for k in (3, 4, 5):
            forwarded = played(k, seed).flows[:, :, [f.FORWARDED_MWH, f.ACTIVATED_FORWARDED, f.CASH_FORWARDED]]
            assert not forwarded[:, silent].any()
            moved += forwarded[:, ~silent, 0].sum()
    assert moved > 1.0


@pytest.mark.parametrize("k", range(len(RULES)))
def test_all_cash_sums_to_zero(k: int):
    for seed in SEEDS:
        seen = played(k, seed)
        received = seen.flows[..., : f.CASH_W].sum(axis=(0, 1))
        operators = {"DSO": f.DSO_PAID_EUR, "TSO": f.TSO_PAID_EUR}
        for name, column in operators.items():
            own = [label.column for label in f.CASH_LABELS if label.counterpart == name]
            assert seen.market[:, column].sum() == pytest.approx(received[own].sum(), abs=1e-6)
        others = [label.column for label in f.CASH_LABELS if label.counterpart not in operators]
        paid = seen.market[:, list(operators.values())].sum() + received[others].sum()
        assert seen.reward.sum() - paid == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("price", ["as_bid", "marginal", "better"])
def test_pay_of_a_pool_member_covers_its_bid(price: str):
    delivered = 0.0
    for seed in range(24):
        bids, seen = drawn(seed)[0], played(6, seed, forward_price=price)
        energy = seen.flows[:, :, f.ACTIVATED_FORWARDED].sum(axis=0)
        assert seen.flows[:, :, f.UNDELIVERED_MFRR].sum() == 0.0
        assert (seen.flows[:, :, f.CASH_FORWARDED].sum(axis=0) >= bids.local_price * energy - 1e-4).all()
        delivered += energy.sum()
    assert delivered > 1.0


def test_forwarding_selects_nothing_twice():
    twice = [f.DOUBLE_SELECTED, f.DOUBLE_ACTIVATED]
    for seed in SEEDS:
        for k in (3, 4, 5, 6):
            assert played(k, seed).flows[:, :, twice].max() <= 1e-6
    blind = sum(played(1, seed).flows[:, :, twice].sum() for seed in SEEDS)
    assert blind > 0.1  # where nobody is told, the same bids sell MW twice
