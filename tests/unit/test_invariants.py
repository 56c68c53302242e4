"""Every invariant can fail: one number that is wrong after a step is found and named with its rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from stacking import columns as c
from stacking import flows as f
from stacking import layout as v
from stacking import state as s
from stacking.engine import Engine, Snapshot
from stacking.errors import StackingError
from stacking.invariants import InvariantError, check_step, counts, sees_everything
from stacking.portfolio import Fleet, Load, Portfolio
from stacking.presets import load_preset
from stacking.scenario import generate, scenario_keys
from stacking.state import column

from ..toy import DESIGNS, FLEET, busy, design, lively

LEDGERS = (c.LFM, c.MFRR, c.FORWARDED)


@pytest.fixture(scope="module")
def played() -> tuple[Engine, Snapshot, np.ndarray, Snapshot]:
    """An engine after a step in which things happened, the snapshots around it and the action."""
    lib = busy(generate(scenario_keys("train", 12, seed=41), rows=3, days=1), seed=41)
    engine = Engine(design("norflex_eam"), FLEET[:3], lib, 12)
    engine.reset(np.arange(12))
    random = np.random.default_rng(1)
    while True:
        action, before = lively(engine.compiled.bounds, (12, 3), random), engine.snapshot()
        engine.step(action)
        check_step(engine, before, action)
        happened = counts(engine)
        waiting = slots(engine, c.FORWARDED, s.OFFERED)[:, :, s.PAST : s.PAST + 10].any()
        enough = all(happened[k] > 0 for k in ("local", "balancing", "forwards", "forwarded_activated"))
        if engine.clock[0] > 30 and enough and waiting:
            return engine, before, action, engine.snapshot()


def where(mask: np.ndarray) -> tuple[int, ...]:
    assert mask.any(), "nothing to spoil"
    return tuple(int(i) for i in np.argwhere(mask)[0])


def slots(engine: Engine, ledger: int, field: int) -> np.ndarray:
    """Return (world, portfolio, slot) of a book column, up direction."""
    return engine.book[..., column(ledger, field, 0)]


def add(name: str, index: Callable[[Engine], tuple], amount: float) -> Callable[[Engine], None]:
    def spoil(engine: Engine) -> None:
        getattr(engine, name)[index(engine)] += amount

    return spoil


def flow(k: int) -> Callable[[Engine], tuple]:
    return lambda engine: (0, 0, k)


def sale(ledger: int, field: int = s.SOLD, reach: int = 10) -> Callable[[Engine], tuple]:
    """Return the place of a coming sale of a ledger: after the delivered MTU."""

    def place(engine: Engine) -> tuple:
        coming = np.zeros(slots(engine, ledger, field).shape, bool)
        coming[:, :, s.PAST : s.PAST + reach] = True
        return (*where(coming & (slots(engine, ledger, field) > 0)), column(ledger, field, 0))

    return place


def no_consent(engine: Engine) -> None:
    row = where(engine.flows[..., f.FORWARDED_MWH] > 0)
    engine.ring[(*row, slice(s.CONSENTS, s.CONSENTS + 2))] = 0.0


def take_back(engine: Engine) -> None:
    row = sale(c.LFM, reach=3)(engine)[:3]  # sold hours ago
    engine.book[(*row, column(c.LFM, s.SOLD, 0))] -= 0.02


def other_price(engine: Engine) -> None:
    engine.book[*sale(c.FORWARDED, s.OFFERED, reach=3)(engine)[:3], column(c.FORWARDED, s.PRICE, 0)] += 1.0  # told hours ago


def other_calls(high: int) -> Callable[[Engine], None]:
    """Return a change of what the battery is to deliver of a result that is known."""

    def spoil(engine: Engine) -> None:
        place = where((engine.ahead[:, :, high] == engine.ahead[:, :, high + 1]) & (engine.ahead[:, :, high] != 0.0))
        for field in (high, high + 1):
            engine.ahead[place[0], place[1], field, place[2]] += 0.01

    return spoil


SPOILS: list[tuple[str, Callable[[Engine], Any]]] = [
    ("content after", add("state", lambda e: (2, 1, s.CONTENT), 1e-3)),
    ("content told", add("flows", flow(f.CONTENT_MWH), 1e-9)),
    ("battery <= rated", add("params", lambda e: (0, s.RATED_MW), -4.9999)),
    ("power <= grid connection", add("params", lambda e: (0, s.CONNECTION_MW), -4.9999)),
    ("metered = battery", add("flows", flow(f.EV_CHARGED), 0.01)),
    ("metered = battery", add("flows", flow(f.LOAD_SHED), 0.01)),
    ("gives up what it has", lambda e: [e.flows.__setitem__((0, 0, k), 1.0) for k in (f.LOAD_SHED, f.LOAD_RECOVERED)]),
    ("content >= minimum", add("params", lambda e: (0, s.MIN_MWH), 9.0)),
    ("content <= maximum", add("params", lambda e: (0, s.MAX_MWH), -9.0)),
    ("content after", add("flows", flow(f.CHARGED), 0.01)),
    ("content after", add("flows", flow(f.DISCHARGED), 0.01)),
    ("metered = battery", add("flows", flow(f.POWER_MW), 0.01)),
    ("is finite", add("observation", lambda e: (0, 0, v.DA), np.nan)),
    ("is finite", add("flows", flow(f.CASH_DA), np.inf)),
    ("not negative", add("flows", lambda e: (*where(e.flows[..., f.REFUSED] == 0), f.REFUSED), -1e-3)),
    ("not negative", add("flows", flow(f.DEPLETED), -1e-3)),
    ("reward = sum", add("reward", lambda e: (0, 0), 1e-9)),
    ("account", add("state", lambda e: (0, 0, s.CASH), 1e-6)),
    ("the DSO paid", add("market", lambda e: (0, f.DSO_PAID_EUR), 0.01)),
    ("the TSO paid", add("market", lambda e: (0, f.TSO_PAID_EUR), -0.01)),
    ("local: bought = sold", add("market", lambda e: (0, f.ACCEPTED_LFM_MWH), 0.01)),
    ("balancing: bought = sold", add("market", lambda e: (0, f.ACCEPTED_MFRR_MWH), 0.01)),
    ("bought <= need", add("market", lambda e: (0, f.BACKGROUND_MFRR_MWH), 1e3)),
    ("never taken back", take_back),
    ("sold <= offered", add("book", sale(c.LFM), 1e3)),
    ("calls of a known result", other_calls(s.HI_LOCAL)),
    ("calls of a known result", other_calls(s.HI_BALANCING)),
    ("activated = sold", add("flows", lambda e: (*where(e.flows[..., f.ACTIVATED_MFRR] > 0), f.ACTIVATED_MFRR), 0.01)),
    ("undelivered <= ordered", add("flows", lambda e: (*where(e.flows[..., f.ACTIVATED_LFM] == 0), f.UNDELIVERED_LFM), 0.01)),
    ("imbalance = metered", add("flows", flow(f.IMBALANCE), 0.01)),
    ("forwarded MWh", add("flows", flow(f.FORWARDED_MWH), 0.01)),
    ("forwarded <= unsold", add("book", sale(c.FORWARDED, s.OFFERED), 50.0)),
    ("keeps its price", other_price),
    ("without consent", no_consent),
    ("no double selection", add("flows", flow(f.DOUBLE_SELECTED), 0.01)),
    ("no double activation", add("flows", flow(f.DOUBLE_ACTIVATED), 0.01)),
    ("sold in sight", add("flows", flow(f.DEPLETED), 0.01)),
    ("portfolios alike", lambda e: e.mask.__setitem__((0, 1, 0), True)),
]


@pytest.mark.parametrize(
    ("rule", "spoil"),
    [pytest.param(rule, spoil, id=f"{i}-{rule}") for i, (rule, spoil) in enumerate(SPOILS)],
)
def test_a_wrong_number_is_named_with_its_rule(played, rule: str, spoil: Callable[[Engine], None]):
    engine, before, action, after = played
    params = engine.params.copy()
    try:
        spoil(engine)
        with pytest.raises(InvariantError, match=rule) as caught:
            check_step(engine, before, action)
        assert isinstance(caught.value, StackingError)
        assert "world" in str(caught.value)
        assert caught.value.value
    finally:
        engine.restore(after)
        engine.params[:] = params
    check_step(engine, before, action)


def test_cash_that_is_in_no_label_or_in_two_is_found(played):
    engine, before, action, after = played
    row = where(engine.flows[..., f.DISCHARGED] > 0)
    for k, rule in ((f.CASH_WEAR, "wear"), (f.CASH_TERMINAL, "terminal"), (f.CASH_IMBALANCE, "TSO|imbalance cash")):
        engine.flows[(*row, k)] -= 5.0
        total = 0.0
        for label in range(f.CASH_W):
            total += engine.flows[(*row, label)]
        engine.reward[row] = total
        engine.state[(*row, s.CASH)] = before.arrays["state"][(*row, s.CASH)] + total
        with pytest.raises(InvariantError, match=rule):
            check_step(engine, before, action)
        engine.restore(after)


def test_refusals_that_do_not_add_up_are_found(played):
    engine, _, _, after = played
    action = lively(engine.compiled.bounds, (12, 3), np.random.default_rng(2))  # no local gate in this tick
    action[..., v.ID_POWER_FRAC] = 0.0
    engine.step(action)
    check_step(engine, after, action)
    for k in (f.OFFERED_MFRR, f.REFUSED + 2):
        row = where(engine.flows[..., f.OFFERED_MFRR] > 0)
        engine.flows[(*row, k)] += 0.25
        with pytest.raises(InvariantError, match=r"offered \+ refused = wanted"):
            check_step(engine, after, action)
        engine.flows[(*row, k)] -= 0.25
    engine.restore(after)


def test_a_world_that_is_over_must_stay_as_it_is():
    lib = busy(generate(scenario_keys("train", 2, seed=41), rows=3, days=1), seed=41)
    engine = Engine(design("parallel"), FLEET[:3], lib, 2)
    random = np.random.default_rng(1)
    for _ in range(144):
        engine.step(lively(engine.compiled.bounds, (2, 3), random))
    before = engine.snapshot()
    engine.step(lively(engine.compiled.bounds, (2, 3), random))
    check_step(engine, before)
    for name in ("state", "ring", "flows", "reward"):
        getattr(engine, name)[1, 0] += 1.0
        with pytest.raises(InvariantError, match="idle"):
            check_step(engine, before)
        engine.restore(before)
        engine.step(lively(engine.compiled.bounds, (2, 3), random))
    engine.mask[0, :, v.ID_POWER_FRAC] = True
    with pytest.raises(InvariantError, match="nothing is open"):
        check_step(engine, before)


def test_which_designs_let_their_gates_see_everything():
    honest = {name for name in DESIGNS if sees_everything(design(name))}
    assert honest == set(DESIGNS) - {"parallel", "parallel_late"}
    assert {"exclusive", "parallel_adjusted", "norflex", "norflex_eam"} <= honest


def test_cars_loads_and_local_sales_are_checked_with_every_step():
    fleet = Fleet(chargers=4, site="depot", charger_mw=0.15, v2g_share_frac=1.0)
    portfolios = (*FLEET[:2], Portfolio(name="site", connection_mw=4.0, fleet=fleet, load=Load(**load_preset("cold_store"))))
    lib = busy(generate(scenario_keys("train", 2, seed=41), portfolios=portfolios, days=1), seed=41)
    engine, random = Engine(design("norflex_eam"), portfolios, lib, 2), np.random.default_rng(1)
    before, sold = engine.snapshot(), False
    while not sold:
        before = engine.snapshot()
        engine.step(lively(engine.compiled.bounds, (2, 3), random))
        check_step(engine, before)
        sold = bool(engine.market[:, f.ACCEPTED_LFM_MWH].any()) and bool((engine.chargers[..., s.CAR_MW] > 0.0).any())
    after = engine.snapshot()
    for name, place, rule in (
        ("chargers", np.s_[..., s.LENT], "want and lend is not negative"),
        ("state", np.s_[:, 2, s.OWED_MWH], "owed = owed before"),
    ):
        getattr(engine, name)[place] -= 0.5
        with pytest.raises(InvariantError, match=rule):
            check_step(engine, before)
        engine.restore(after)
    lib.local[..., [c.background_column(d) + c.NEED for d in range(2)]] -= 1e3
    with pytest.raises(InvariantError, match="local sales below"):
        check_step(engine, before)
