"""Compiled serial = compiled parallel = plain Python, bit for bit, from one source; and an edited law is noticed."""

from __future__ import annotations

import secrets
from collections import Counter
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np
import pytest
from llvmlite.binding import Linkage

from stacking import build as builder
from stacking import layout as v
from stacking import state as s
from stacking.build import build, is_cached, law, part, variant_name
from stacking.catalogue import default_portfolios, design_names
from stacking.compile import compile_design
from stacking.engine import Engine
from stacking.invariants import counts
from stacking.kernel import TOGETHER, advance
from stacking.scenario import generate, scenario_keys
from stacking.state import ahead, cell, hour_cell

from ..toy import FLEET, SHARING, busy, design, lively, portfolio, same_bytes

WORLDS, ROWS = 8, 4
MIXED = default_portfolios()[0].model_copy(update={"name": "cars and load"})
FOUR = (FLEET[0], FLEET[1], MIXED, portfolio("large", 12.0, 24.0, efficiency=0.9, start=None))  # 5 MW is no obstacle
SETTINGS = (
    design("norflex_eam", pooling=True, forward_fee_eur_per_mwh=2.0, delivery_priority="pro_rata"),
    design("parallel_late", tso_shortfall="no_pay_no_correction", position="corrected"),
    design("norflex", baseline="quiet_mean"),
    design("exclusive", baseline="nomination"),
    design("norflex_eam", **SHARING[2]),
    design("norflex_eam", **SHARING[3]),
)


def engines(setting, *backends: str, worlds: int = WORLDS) -> list[Engine]:
    lib = busy(generate(scenario_keys("train", worlds, seed=3), portfolios=FOUR, days=1), seed=3)
    made = [Engine(setting, FOUR, lib, worlds, backend) for backend in backends]
    for engine in made:
        engine.reset(np.arange(worlds))
    return made


def run_together(made: list[Engine], steps: int, seed: int = 1) -> Counter[str]:
    """Step engines with the same actions, comparing all bytes; return what happened."""
    random, happened = np.random.default_rng(seed), Counter()
    for step in range(steps):
        action = lively(made[0].compiled.bounds, made[0].mask.shape[:2], random)
        action[~made[0].mask] = np.nan
        for engine in made:
            engine.step(action)
        for other in made[1:]:
            same_bytes(made[0], other)
        happened.update(counts(made[0]))
        if step == steps // 2:  # some worlds start again in the middle
            for engine in made:
                engine.reset([5, 6], [1, 7])
    return happened


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda d: d.name)
def test_compiled_kernel_is_plain_python_bit_for_bit(setting):
    made = engines(setting, "python", "serial")
    happened = run_together(made, 146)
    assert made[0].ended.sum() == WORLDS - 2
    assert made[0].chargers[..., s.LEFT].any()  # cars are plugged in
    assert made[0].history.any() == (setting.rules.baseline in ("quiet_mean", "nomination"))
    for what in ("local", "balancing", "refusals"):
        assert happened[what] > 1.0, what
    assert (happened["forwards"] > 1.0) == setting.shares
    assert (happened["double_activated"] > 1.0) == (setting.name == "parallel_late")


def test_parallel_build_is_the_serial_one_bit_for_bit():
    happened = Counter()
    for setting in SETTINGS:
        made = engines(setting, "serial", "parallel", worlds=2 * WORLDS)
        assert made[0]._advance is not made[1]._advance
        assert made[1]._scratch.shape[0] == 2 * WORLDS * ROWS // TOGETHER > 1  # chunks of worlds do not share memory there
        happened.update(run_together(made, 146, seed=2))
        for what in ("local", "balancing", "refusals"):
            assert happened[what] > 10.0
    assert happened["forwards"] > 10.0
    assert is_cached(advance, "parallel")
    parallel: Any = build(advance, "parallel")
    assert b"NRT_incref" not in object_code(parallel, variant_name(advance, "parallel"))


@pytest.mark.parametrize("name", design_names())
def test_the_gates_of_a_tick_are_told_taken_and_cleared_in_this_order(name: str):
    """The kernel takes each part as a slice of the table; a gate at which consent is withdrawn is one at which one bids."""
    rules: dict[str, Any] = {"consent_revocable_until_min": 75.0} if name in ("norflex_eam", "sthlmflex_eam") else {}
    kinds = compile_design(design(name, **rules)).gates[:, s.KIND]
    parts = (kinds >= s.AUCTION).astype(int) + (kinds >= s.DAY_CLEAR)
    assert (np.diff(parts) >= 0).all()
    assert parts[-1] == 2
    assert (s.REVOKE in kinds) == bool(rules)


def test_closed_columns_change_no_byte():
    one, other = engines(SETTINGS[0], "serial", "serial")
    random = np.random.default_rng(4)
    for _ in range(144):
        action = lively(one.compiled.bounds, one.mask.shape[:2], random)
        rubbish = action.copy()
        rubbish[~one.mask] = random.choice([np.nan, np.inf, -np.inf, 1e300, -7.0], int((~one.mask).sum()))
        one.step(action)
        other.step(rubbish)
        same_bytes(one, other)


def test_serial_and_parallel_are_separate_entries():
    names = {variant_name(advance, backend) for backend in ("serial", "parallel")}
    assert len(names) == 2
    serial: Any = build(advance, "serial")
    assert build(advance, "serial") is serial
    assert serial.py_func.__name__ == variant_name(advance, "serial")
    assert build(advance, "python") is advance


@pytest.mark.parametrize(
    ("place", "name", "edited"),
    [
        ("stacking.delivery", "penalty_eur", law(lambda factor, price, mwh: -2.0 * factor * abs(price) * abs(mwh))),
        ("stacking.gates.offers", "POWER_EPSILON_MW", 1e-6),  # a constant imported by name
        ("stacking.state", "PAST", 3),  # a constant of a module
        ("stacking.assets.battery", "power_for_drain_mw", law(lambda drain, into, out: drain / out)),  # two modules away
    ],
)
def test_an_edited_law_or_constant_changes_the_name_of_the_build(monkeypatch, place: str, name: str, edited):
    before = {backend: variant_name(advance, backend) for backend in ("serial", "parallel")}
    monkeypatch.setattr(f"{place}.{name}", edited)
    after = {backend: variant_name(advance, backend) for backend in ("serial", "parallel")}
    assert len({*before.values(), *after.values()}) == 4
    monkeypatch.undo()
    assert {backend: variant_name(advance, backend) for backend in ("serial", "parallel")} == before


def read_all(ring, out) -> None:
    """Add what no single-precision sum can hold to what is read from a ring."""
    out[0] = ahead(ring, 0, 0, 0) + ahead(ring, 0, 0, 1)
    out[1] = cell(ring, 0, 0) + cell(ring, 0, 1)
    out[2] = hour_cell(ring, 0, 0) + hour_cell(ring, 0, 1)


@pytest.mark.parametrize("backend", ["python", "serial"])
def test_what_is_read_from_a_ring_is_double_precision(backend: str):
    ring, out = np.zeros(s.RING_W, np.float32), np.zeros(3)
    for first in (s.AHEAD, s.BOOK, s.PLAN):
        ring[first : first + 2] = 1.0, 2.0**-30
    build(read_all, backend)(ring, out)
    assert out.tolist() == [1.0 + 2.0**-30] * 3


@law
def doubled(x: float) -> float:
    return 2.0 * x


def small_kernel(values) -> None:
    """A kernel of its own, so that an edit can be compiled in no time."""
    for i in range(values.shape[0]):
        values[i] = doubled(values[i])


def test_an_edited_law_changes_the_compiled_result(monkeypatch):
    values = np.ones(3)
    build(small_kernel, "serial")(values)
    assert values.tolist() == [2.0] * 3
    monkeypatch.setattr(f"{__name__}.doubled", law(lambda x: 3.0 * x), raising=True)
    monkeypatch.setitem(small_kernel.__globals__, "doubled", law(lambda x: 3.0 * x))
    values = np.ones(3)
    build(small_kernel, "serial")(values)
    assert values.tolist() == [3.0] * 3


@pytest.mark.slow
def test_an_edited_law_changes_the_compiled_engine(monkeypatch):
    """The whole kernel again, with another penalty: another build, other cash, and still plain Python bit for bit."""
    setting = design("parallel")
    normal = engines(setting, "serial")[0]
    monkeypatch.setattr("stacking.delivery.penalty_eur", law(lambda factor, price, mwh: -3.0 * factor * abs(price * mwh)))
    edited, plain = engines(setting, "serial", "python")
    assert edited._advance is not normal._advance
    assert run_together([edited, plain], 60)["undelivered"] > 0.0
    random = np.random.default_rng(1)
    for _ in range(60):
        normal.step(lively(normal.compiled.bounds, normal.mask.shape[:2], random))
    assert edited.state[..., s.CASH].sum() != normal.state[..., s.CASH].sum()


def counted(a):
    """Views of an array that numba must count references of."""
    total = 0.0
    for i in range(a.shape[0]):
        rows = [a[i], a[i - 1]]
        total += rows[i % 2][0]
    return total


def object_code(dispatcher, name: str) -> bytes:
    files = [path for path in Path(dispatcher.stats.cache_path).glob("*.nbc") if name in path.name]
    assert files, f"no cache entry of {name}"
    return b"".join(path.read_bytes() for path in files)


def test_no_reference_counting_in_the_compiled_kernel(monkeypatch):
    engines(SETTINGS[0], "serial")
    name = variant_name(advance, "serial")
    compiled: Any = build(advance, "serial")
    assert len(compiled.signatures) == 1  # one layout of arguments, one compilation
    assert b"NRT_incref" not in object_code(compiled, name)
    # the same look finds it where it is: a kernel with reference counting
    monkeypatch.setenv("STACKING_NRT", "1")
    control = builder._compile(counted, "serial", "counted_with_references")
    control(np.ones((4, 2)))
    assert b"NRT_incref" in object_code(control, "counted_with_references")


@part
def mean_of(row) -> float:
    total = 0.0
    for i in range(row.shape[0]):
        total += row[i] if row[i] < 1e9 else mean_of_few(row, i)
    return total / row.shape[0]


@part
def mean_of_few(row, n: int) -> float:
    total = 0.0
    for i in range(n):
        total += row[i]
    return total


def means(rows, out) -> None:
    """A kernel with parts, called from two places."""
    for i in range(rows.shape[0]):
        out[i] = mean_of(rows[i]) + mean_of_few(rows[i], 2)


def test_only_a_kernel_calls_its_laws_so_that_the_compiler_may_change_how(monkeypatch):
    left = {}
    for way in ("1", "0"):
        monkeypatch.setenv("STACKING_UNSEALED", way)
        compiled: Any = builder._compile(means, "serial", variant_name(means, "serial") + secrets.token_hex(4))
        out = np.zeros(2)
        compiled(np.arange(8.0).reshape(2, 4), out)
        assert out.tolist() == [2.5, 14.5]
        library = compiled.overloads[compiled.signatures[0]].library
        left[way] = sum(f.linkage == Linkage.linkonce_odr and "mean_of" in f.name for f in library.get_defined_functions())
    assert left["1"] > 0
    assert left["0"] == 0


def test_an_allocation_in_a_kernel_is_a_compile_error():
    import numba

    assert isinstance(counted, FunctionType)
    without = builder._compile(counted, "serial", "counted_without_references")
    with pytest.raises((numba.core.errors.NumbaError, RuntimeError, NotImplementedError)):
        without(np.ones((4, 2)))


def test_every_open_column_is_checked_and_named():
    engine = engines(SETTINGS[0], "serial")[0]
    names = engine.compiled.layout.names
    assert engine.mask[0, 0].sum() >= v.ACTIONS_W - 0  # noon: every gate is open at the first tick
    for column, name in enumerate(names):
        low, high = engine.compiled.bounds[:, column]
        for wrong in (low - 1e-6, high + 1e-6, np.nan, np.inf, -np.inf):
            before = engine.snapshot()
            action = np.clip(np.zeros(engine.mask.shape), *engine.compiled.bounds)
            action[3, 1, column] = wrong
            with pytest.raises(ValueError, match=f"world 3, portfolio 'fast', tick 0(?s:.*){name}"):
                engine.step(action)
            assert engine.clock[3] == 0
            engine.restore(before)
