"""Invariants at every step of a thousand episodes with random and adversarial legal actions, over designs, rules and sizes."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from stacking import layout as v
from stacking import state as s
from stacking.engine import Engine
from stacking.invariants import check_step, counts, sees_everything
from stacking.scenario import generate, scenario_keys

from ..toy import DESIGNS, FLEET, SHARING, busy, design

SIZES = (1, 2, 3, 4, 5)
VARIANTS: tuple[tuple[str, dict], ...] = (
    *((name, {}) for name in DESIGNS),
    ("parallel", {"delivery_priority": "tso_first", "tso_shortfall": "no_pay_no_correction"}),
    ("parallel_late", {"delivery_priority": "pro_rata", "position": "corrected", "tso_penalty_factor": 2.0}),
    ("norflex_eam", {"pooling": True, "forward_fee_eur_per_mwh": 5.0, "forward_price": "better"}),
    ("norflex_eam", {"consent": "mandatory", "forward_price": "as_bid", "block_opposite_balancing": False}),
    ("norflex", {"pooling": True, "block_opposite_intraday": False, "delivery_priority": "tso_first"}),
    *(("norflex_eam", rules) for rules in SHARING),
    ("parallel", {"validation": "separate", "tso_shortfall": "no_pay_no_correction"}),
)  # fmt: skip
WORLDS = 20  # per variant and size: 26 x 5 x 20 = 2,600 episodes
TOTAL: Counter[str] = Counter()

SHARES = [v.LFM_SHARE_UP, v.LFM_SHARE_DN, v.MFRR_SHARE_UP, v.MFRR_SHARE_DN]
PRICES = [v.LFM_PRICE_UP, v.LFM_PRICE_DN, v.MFRR_PRICE_UP, v.MFRR_PRICE_DN]
STYLES = ("random", "corners", "greedy", "price extremes", "intraday flips", "quiet", "two-faced")


def decide(engine: Engine, tick: int, random: np.random.Generator) -> np.ndarray:
    """Return legal actions: world b plays style b; closed columns hold rubbish that must not matter."""
    low, high = engine.compiled.bounds
    shape = engine.mask.shape
    action = random.uniform(low, high, shape)
    action[..., PRICES] = random.normal(60.0, 80.0, (*shape[:2], 4)).clip(low[PRICES], high[PRICES])
    corners = np.where(random.random(shape) < 0.5, low, high)
    extremes = np.where(random.random(shape) < 0.5, low, high)
    for world in range(shape[0]):
        style, here = STYLES[world % len(STYLES)], action[world]
        if style == "corners":
            here[:] = corners[world]
        elif style == "greedy":  # everything everywhere at prices that are taken
            here[:, SHARES], here[:, v.CONSENTS] = 1.0, 1.0
            here[:, PRICES] = np.tile([20.0, 80.0], 2)
        elif style == "price extremes":
            here[:, PRICES] = extremes[world][:, PRICES]
        elif style == "intraday flips":
            here[:, v.ID_POWER_FRAC] = 1.0 if tick % 2 else -1.0
            here[:, v.DA_END_CONTENT_FRAC] = random.integers(2)
        elif style == "quiet":
            here[:, SHARES] *= random.random(4) < 0.3
            here[:, v.ID_POWER_FRAC] = 0.0
        elif style == "two-faced":  # sells up locally, then does the opposite
            up = tick % 8 < 4
            here[:, SHARES] = [up, not up, not up, up]
            here[:, v.CONSENTS] = random.integers(2, size=2)  # shares one direction, both or none
            here[:, v.ID_POWER_FRAC] = -1.0 if up else 1.0
    action[~engine.mask] = random.choice([np.nan, np.inf, -1e300, 7.0], int((~engine.mask).sum()))
    return action


@pytest.fixture(scope="module")
def libraries():
    keys = scenario_keys("train", len(SIZES) * WORLDS, seed=7)
    part = {n: keys[i * WORLDS : (i + 1) * WORLDS] for i, n in enumerate(SIZES)}
    # a local market of the day before needs a second day
    return {(n, days): busy(generate(part[n], rows=n, days=days), seed=n) for n in SIZES for days in (1, 2)}


@pytest.mark.parametrize(
    "number", range(len(VARIANTS)), ids=lambda i: "-".join([VARIANTS[i][0], *map(str, VARIANTS[i][1].values())])
)
def test_invariants_hold_whatever_is_decided(libraries, number: int):
    name, rules = VARIANTS[number]
    setting = design(name, **rules)
    happened: Counter[str] = Counter()
    for rows in SIZES:
        chosen = FLEET[:rows] if rows < 5 else FLEET[::-1]
        owned = [{"fsp": f"owner {k // 2}", "member": k != 1, "collateral_eur": 2e3 if k == 0 else None} for k in range(rows)]
        portfolios = tuple(p.model_copy(update=more) for p, more in zip(chosen, owned, strict=True))
        engine = Engine(setting, portfolios, libraries[rows, 1 + (setting.products["lfm"].gate_clock is not None)], worlds=WORLDS)
        engine.reset(np.arange(WORLDS))
        random = np.random.default_rng([number, rows])
        tick, action = 0, np.zeros(engine.mask.shape)
        while not engine.ended.all():
            before = engine.snapshot()
            action = decide(engine, tick, random)
            engine.step(action)
            check_step(engine, before, action)
            happened.update(counts(engine))
            tick += 1
        happened["episodes"] += WORLDS
        before = engine.snapshot()
        engine.step(action)  # after the end nothing moves
        check_step(engine, before, action)
        assert (engine.control == before.arrays["control"])[:, [s.SCENARIO, s.CLOCK]].all()
    for what in ("balancing", "refusals", *(() if setting.joint else ("local",))):
        assert happened[what] > 0.0, what
    if setting.shares:
        assert happened["forwards"] > 0.0
        assert happened["forwarded_activated"] > 0.0
        assert (happened["opted_out"] > 0.0) == setting.asks
    blind = not sees_everything(setting)
    for what in ("double_selected", "double_activated", *(("undelivered",) if setting.rules.validation == "allotted" else ())):
        assert (happened[what] > 1.0) == blind, what
    rules = setting.rules
    assert (happened["paid_twice"] > 1.0) == (rules.validation == "separate" and setting.name == "parallel")
    assert (happened["withdrawn"] > 0.0) == (rules.consent_revocable_until_min is not None)
    assert (happened["sold_intraday"] > 0.0) == ("id" in setting.receiving_markets)
    TOTAL.update(happened)


def test_a_thousand_episodes_were_played_and_things_happened():
    if TOTAL["episodes"] == 0:
        pytest.skip("runs after the episodes")
    assert TOTAL["episodes"] >= 1000
    for what in (
        "local",
        "balancing",
        "forwards",
        "forwarded_activated",
        "refusals",
        "opted_out",
        "double_selected",
        "double_activated",
        "undelivered",
    ):
        assert TOTAL[what] > 100.0, what
