"""Bad configuration: always a StackingError that names place, key, value or what is allowed, and a remedy."""

from __future__ import annotations

import copy
import math
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stacking.catalogue import (
    DESIGNS_FOLDER,
    PRODUCTS_FILE,
    default_portfolios,
    design_from,
    design_names,
    load_design,
    load_portfolios,
)
from stacking.compile import compile_design, compile_portfolios
from stacking.config import validated
from stacking.engine import Engine
from stacking.errors import StackingError
from stacking.portfolio import Battery, Portfolio

from ..toy import DESIGNS, library, portfolio


def raw(name: str = "norflex_eam") -> dict[str, Any]:
    return tomllib.loads((DESIGNS_FOLDER / f"{name}.toml").read_text())


def told(error: StackingError, *parts: str) -> None:
    """Assert that a message names its place and the parts, and says what to do."""
    text = str(error)
    assert error.place, text
    assert error.remedy, text
    assert error.key, text
    assert error.value is not None or error.allowed, text
    for part in parts:
        assert part in text, (part, text)


def change(path: str, value: Any, name: str = "norflex_eam") -> dict[str, Any]:
    """Return a shipped design with one entry changed; a product field is changed on top of its base."""
    data = raw(name)
    first, _, rest = path.partition(".")
    if first == "products" and rest:
        market, _, field = rest.partition(".")
        base = data["products"][market]
        data["products"][market] = {"base": base, field: value} if field else value
    elif rest:
        data[first][rest] = value
    else:
        data[first] = value
    return data


DESIGN_ERRORS: list[tuple[str, Any, tuple[str, ...]]] = [
    ("rulez", {}, ("rulez", "rules")),
    ("rules.tso_penalty_faktor", 1.0, ("tso_penalty_faktor", "unknown")),
    ("rules.tso_penalty_factor", "much", ("tso_penalty_factor", "much")),
    ("rules.tso_penalty_factor", math.nan, ("tso_penalty_factor", "nan")),
    ("rules.tso_penalty_factor", math.inf, ("tso_penalty_factor", "inf")),
    ("rules.tso_penalty_factor", -0.5, ("tso_penalty_factor", "-0.5", "greater than or equal to 0")),
    ("rules.tso_penalty_factor", True, ("tso_penalty_factor", "True")),
    ("rules.id_half_spread_eur_per_mwh", math.nan, ("id_half_spread_eur_per_mwh",)),
    ("rules.position", "both", ("position", "both", "none", "corrected")),
    ("rules.delivery_priority", "mine", ("delivery_priority", "dso_first")),
    ("rules.forward_price", 3, ("forward_price", "marginal")),
    ("rules.baseline", "guess", ("baseline", "guess", "quiet_mean")),
    ("rules.baseline", 0, ("baseline", "schedule")),
    ("rules.pooling", 1, ("pooling", "1")),
    ("rules.pooling", "no", ("pooling", "no")),
    ("rules.block_opposite_balancing", "yes", ("block_opposite_balancing", "yes")),
    ("rules", [], ("rules",)),
    ("name", "No Spaces", ("name", "No Spaces")),
    ("title", 7, ("title", "7")),
    ("gates", [], ("gates",)),
    ("gates", "all", ("gates",)),
    ("products", {}, ("lfm", "mfrr")),
    ("products", {"lfm": "lfm"}, ("mfrr",)),
    ("products", {"lfm": "lfm", "mfrr": "mfrr_eam", "afrr": "lfm"}, ("afrr",)),
    ("products", 3, ("products",)),
    ("products.lfm", "lfmm", ("lfmm", "lfm_late")),
    ("products.lfm", 4, ("products.lfm", "4")),
    ("products.lfm.gate_closure_min", 90.0, ("clearing_min = 120", "gate_closure_min = 90")),  # gate after clearing
    ("products.mfrr.clearing_min", 60.0, ("clearing_min = 60", "gate_closure_min = 45")),
    ("products.lfm.publication_min", 150.0, ("publication_min = 150", "clearing_min = 120")),
    ("products.lfm.publication_min", 120.0, ("publication_min",)),  # told before the market has cleared in that tick
    ("products.mfrr.publication_min", 15.0, ("publication_min",)),
    ("products.lfm.gate_closure_min", "120", ("gate_closure_min", "120")),
    ("products.lfm.gate_closure_min", math.nan, ("gate_closure_min",)),
    ("products.lfm.gate_closure_min", 1000.0, ("gate_closure_min", "1000", "180")),
    ("products.lfm.duration_min", 30, ("duration_min", "30", "15")),
    ("products.lfm.min_mw", 0.0, ("min_mw", "greater than")),
    ("products.lfm.granularity_mw", math.nan, ("granularity_mw",)),
    ("products.mfrr.granularity_mw", 1e-300, ("granularity_mw",)),
    ("products.lfm.price_floor", 5000.0, ("price_floor = 5000", "price_cap = 5000")),
    ("products.lfm.price_cap", 1e9, ("price_cap",)),
    ("products.lfm.delivery_threshold_frac", 1.2, ("delivery_threshold_frac", "1.2")),
    ("products.lfm.curve_volume_frac", [0.5, 0.25, 0.75, 1.0], ("curve_volume_frac", "rise")),
    ("products.lfm.curve_price_frac", [0.5], ("curve",)),
    ("products.lfm.directions", ["left"], ("directions", "left")),
    ("products.lfm.directions", [], ("directions",)),
    ("products.lfm.sources", "assumed", ("sources", "assumed")),
    ("products.lfm.base", 3, ("lfm",)),
    ("products.lfm.colour", "red", ("colour", "red")),
    ("products.mfrr.price_rule", "pay_as_bid", ("price_rule",)),  # what the engine cannot do must not be accepted
    ("products.lfm.price_rule", "marginal", ("marginal",)),
]


@pytest.mark.parametrize(("path", "value", "parts"), DESIGN_ERRORS, ids=[f"{p}={v!r}"[:60] for p, v, _ in DESIGN_ERRORS])
def test_a_bad_entry_of_a_design_is_named(path: str, value: Any, parts: tuple[str, ...]):
    with pytest.raises(StackingError) as caught:
        compile_design(design_from(change(path, value), "my.toml"))
    told(caught.value, "my.toml" if caught.value.place == "my.toml" else "design", *parts)


def gates(data: dict[str, Any], *, without: tuple[str, str] | None = None, extra: dict[str, Any] | None = None) -> dict[str, Any]:
    data["gates"] = [g for g in data["gates"] if (g["kind"], g["book"]) != without]
    if extra:
        data["gates"].append(extra)
    return data


@pytest.mark.parametrize(
    ("data", "parts"),
    [
        (gates(raw(), extra={"kind": "forward", "book": "mfrr", "to": "lfm"}), ("gates", "to", "redispatch")),
        (gates(raw("parallel"), extra={"kind": "forward", "book": "lfm", "to": "lfm"}), ("gates", "to", "redispatch")),
        (
            gates(raw(), extra={"kind": "forward", "book": "mfrr", "to": "mfrr"}),
            ("finer to coarser", "redispatch, id, mfrr"),
        ),
        (gates(raw(), extra={"kind": "clear", "book": "mfrr"}), ("twice",)),
        (gates(raw(), extra={"kind": "offer", "book": "lfm"}), ("offer", "twice")),
        (gates(raw(), extra={"kind": "match", "book": "lfm"}), ("match",)),
        (gates(raw(), without=("offer", "mfrr"), extra={"kind": "offer", "book": "mfrr", "sees": ["afrr"]}), ("sees", "afrr")),
        (gates(raw(), without=("offer", "mfrr"), extra={"kind": "offer", "book": "mfrr", "sees_sold": ["lfm"]}), ("sees_sold",)),
        (gates(raw(), extra={"kind": "clear", "book": "da"}), ("clear", "da")),
        (gates(raw(), without=("clear", "lfm"), extra={"kind": "clear", "book": "lfm", "to": "mfrr"}), ("forward", "to")),
        (gates(raw(), without=("clear", "lfm")), ("clear", "lfm", "missing")),
        (gates(raw(), without=("publish", "mfrr")), ("publish", "mfrr", "missing")),
        (gates(raw(), without=("publish", "forwarded")), ("publish", "forwarded")),
        (gates(raw("parallel"), extra={"kind": "forward", "book": "lfm", "to": "mfrr"}), ("forwarded",)),
        (gates(raw("parallel"), extra={"kind": "forward", "book": "lfm"}), ("to",)),
    ],
)
def test_a_bad_gate_table_is_named(data: dict[str, Any], parts: tuple[str, ...]):
    with pytest.raises(StackingError) as caught:
        compile_design(design_from(data, "my.toml"))
    told(caught.value, *parts)


def test_forwarding_comes_after_its_own_market_has_cleared():
    """What stands before the clearing of the same tick would be forwarded and then sold locally too."""
    data = raw()
    order = [(g["kind"], g["book"]) for g in data["gates"]]
    clear, forward = order.index(("clear", "lfm")), order.index(("forward", "lfm"))
    data["gates"][clear], data["gates"][forward] = data["gates"][forward], data["gates"][clear]
    with pytest.raises(StackingError) as caught:
        compile_design(design_from(data, "my.toml"))
    told(caught.value, "forward")


def test_forwarding_to_a_market_that_has_cleared_is_refused():
    # local calls at the start of delivery cannot be forwarded to a market that clears before
    with pytest.raises(StackingError) as caught:
        compile_design(design_from(change("products.lfm", "lfm_late"), "my.toml"))
    told(caught.value, "forward", "T-0")


BATTERY = {"power_mw": 5.0, "capacity_mwh": 10.0}


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"power_mw": 0.0}, ("power_mw", "greater than 0")),
        ({"power_mw": math.nan}, ("power_mw",)),
        ({"power_mw": math.inf}, ("power_mw",)),
        ({"power_mw": "5"}, ("power_mw", "5")),
        ({"power_mw": True}, ("power_mw", "True")),
        ({"capacity_mwh": -1.0}, ("capacity_mwh", "-1.0")),
        ({"charge_efficiency_frac": 1.1}, ("charge_efficiency_frac", "1.1")),
        ({"charge_efficiency_frac": 0.0}, ("charge_efficiency_frac",)),
        ({"charge_efficiency_frac": 93}, ("charge_efficiency_frac", "93")),
        ({"min_content_frac": 0.95}, ("min_content_frac = 0.95", "max_content_frac = 0.95")),
        ({"start_content_frac": 0.99}, ("start_content_frac = 0.99", "[0.05, 0.95]")),
        ({"start_content_frac": math.nan}, ("start_content_frac",)),
        ({"wear_eur_per_mwh": -1.0}, ("wear_eur_per_mwh",)),
        ({"color": "red"}, ("color",)),
    ],
)
def test_a_bad_battery_is_named(tmp_path: Path, changes: dict[str, Any], parts: tuple[str, ...]):
    with pytest.raises(StackingError) as caught:
        validated(Portfolio, {"name": "a", "connection_mw": 5.0, "battery": {**BATTERY, **changes}}, "mine.toml portfolio 1")
    told(caught.value, "mine.toml portfolio 1", *parts)


ONE = '[[portfolio]]\nname = "{name}"\nconnection_mw = 5.0\n{more}[portfolio.battery]\npower_mw = 5.0\ncapacity_mwh = 10.0\n'


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (ONE.format(name="a", more="") * 2, ("same name", "a")),
        (ONE.format(name="a", more="count = 2\n") + ONE.format(name="a 1", more=""), ("same name", "a 1")),
        (ONE.format(name="a", more="count = 0\n"), ("count", "0")),
        (ONE.format(name="a", more="count = 1.5\n"), ("count", "1.5")),
        (ONE.format(name="", more=""), ("name",)),
        ("", ("portfolio",)),
        ("portfolio = []\n", ("portfolio",)),
        ("portfolio = 3\n", ("portfolio",)),
        ("portfolio = [3]\n", ("portfolio",)),
        (ONE.format(name="a", more="") + "[other]\nx = 1\n", ("other",)),
        ("[[portfolio]\n", ("TOML", "line 1")),
        ("name = \n", ("TOML",)),
    ],
)
def test_a_bad_portfolio_file_is_named(tmp_path: Path, text: str, parts: tuple[str, ...]):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(StackingError) as caught:
        load_portfolios(path)
    assert str(path) in caught.value.place
    assert caught.value.remedy
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize("load", [load_design, load_portfolios])
def test_files_that_cannot_be_read_are_named(tmp_path: Path, load):
    for path in (tmp_path / "missing.toml", tmp_path):
        with pytest.raises(StackingError) as caught:
            load(path)
        assert path.name in str(caught.value)
        assert caught.value.remedy
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00name")
    with pytest.raises(StackingError, match="not valid TOML"):
        load(binary)
    with pytest.raises(StackingError, match=r"Unknown design(?s:.*)exclusive"):
        load_design("parallell")


def test_what_is_shipped_is_valid_and_says_where_its_values_come_from():
    assert set(DESIGNS) <= set(design_names())
    for name in design_names():
        design = load_design(name)
        assert design.name == name
        compile_design(design)
        assert set(design.assumed) <= set(type(design.rules).model_fields), "assumed names a rule that does not exist"
    assert compile_portfolios(default_portfolios()).shape[0] == 1


def test_an_engine_names_what_is_wrong_with_its_arguments():
    lib, setting = library(rows=2, scenarios=2), load_design("parallel")
    cases: tuple[tuple[tuple[Any, ...], str], ...] = (
        (((), lib, 1), "portfolio"),
        (((portfolio("a"), portfolio("b"), portfolio("c")), lib, 1), "rows"),
        (((portfolio("a"),), lib, 0), "worlds"),
        (((portfolio("a"),), lib, 1, "gpu"), "back end"),
        (((portfolio("a"), portfolio("a")), lib, 1, "python"), "name"),
        (((portfolio("a").model_copy(update={"count": 3}),), lib, 1, "python"), "count"),
    )
    for arguments, part in cases:
        with pytest.raises(StackingError, match=part):
            Engine(setting, *arguments)  # type: ignore[arg-type]
    engine = Engine(setting, (portfolio("a"),), lib, 3, "python")
    for scenarios, worlds in (([0, 5, 1], None), ([-1], [0]), ([0], [3]), ([0, 1], None), ([0.5], [0]), ([0, 1], [1])):
        with pytest.raises(StackingError):
            engine.reset(scenarios, worlds)
    assert engine.clock.tolist() == [0, 0, 0]


@pytest.mark.parametrize("live", [[True], [True, False], [[True, True, True]], [0, 1, 7]])
def test_worlds_to_step_are_one_truth_value_each(live):
    """A shorter list would make the compiled kernel read memory that is not its own."""
    engine = Engine(load_design("parallel"), (portfolio("a"),), library(scenarios=2), 3, "python")
    with pytest.raises(StackingError):
        engine.step(np.zeros(engine.mask.shape), live=np.array(live))


@pytest.mark.parametrize("action", [[[0.0]], "sell", [[["sell"] * 14]] * 3, None, [[[1 + 2j] * 14]] * 3])
def test_an_action_that_is_no_matrix_of_numbers_is_named(action):
    engine = Engine(load_design("parallel"), (portfolio("a"),), library(), 3, "python")
    with pytest.raises(StackingError, match="action"):
        engine.step(action)


# ---- fuzz --------------------------------------------------------------------------------------------------------------

values = st.recursive(
    st.none().map(lambda _: 0)
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.text(max_size=8)
    | st.datetimes()
    | st.sampled_from(["lfm", "mfrr", "mfrr_eam", "lfm_late", "up", "dn", "none", "forward", "offer", "forwarded", ""]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=6) | st.sampled_from(["base", "kind", "book", "to"]), inner, max_size=4)
    ),
    max_leaves=8,
)
KEYS = [
    "name",
    "title",
    "story",
    "assumed",
    "products",
    "rules",
    "gates",
    "battery",
    "power_mw",
    "portfolio",
    "count",
    "base",
    "sources",
]


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=6), values, max_size=8))
def test_random_tables_are_designs_and_portfolios_or_named_errors(table: dict[str, Any]):
    for build in (
        lambda: design_from(table, "fuzz"),
        lambda: validated(Portfolio, table, "fuzz"),
        lambda: validated(Battery, table, "fuzz"),
    ):
        try:
            build()
        except StackingError as error:
            assert error.place  # noqa: PT017
            assert error.render()  # noqa: PT017
            assert error.to_dict()["problem"]  # noqa: PT017


PRODUCT_KEYS = sorted(tomllib.loads(PRODUCTS_FILE.read_text())["lfm"])
RULE_KEYS = sorted({*raw()["rules"], "id_half_spread_eur_per_mwh", "terminal_factor", "baseline"})


@settings(max_examples=400)
@example("parallel", [("lfm", "sources", "assumed")])
@example("parallel", [("mfrr", "granularity_mw", 1e-300)])
@example("norflex_eam", [("lfm", "publication_min", 120.0)])
@given(
    st.sampled_from(DESIGNS),
    st.lists(
        st.one_of(
            st.tuples(st.just("rules"), st.sampled_from(RULE_KEYS), values | st.floats(0, 10)),
            st.tuples(st.sampled_from(["lfm", "mfrr"]), st.sampled_from([*PRODUCT_KEYS, "base"]), values | st.floats(-50, 200)),
            st.tuples(
                st.just("gates"),
                st.integers(0, 15),
                st.dictionaries(st.sampled_from(["kind", "book", "to", "sees"]), values, max_size=3),
            ),
            st.tuples(st.just("drop"), st.integers(0, 15), st.none()),
            st.tuples(st.just("swap"), st.integers(0, 15), st.integers(0, 15)),
        ),
        min_size=1,
        max_size=3,
    ),
)
def test_a_damaged_design_is_still_a_design_or_a_named_error(name: str, damage: list[tuple[str, Any, Any]]):
    data = copy.deepcopy(raw(name))
    data["products"] = {market: {"base": base} for market, base in data["products"].items()}
    for where, key, value in damage:
        table = data["gates"]
        if where == "rules":
            data["rules"][key] = value
        elif where in ("lfm", "mfrr"):
            data["products"][where][key] = value
        elif where == "gates":
            table[key % len(table)].update(value)
        elif where == "drop" and len(table) > 1:
            del table[key % len(table)]
        elif where == "swap":
            a, b = key % len(table), value % len(table)
            table[a], table[b] = table[b], table[a]
    try:
        design = design_from(data, "fuzz")
        compiled = compile_design(design)
    except StackingError as error:
        assert error.place  # noqa: PT017
        assert error.remedy  # noqa: PT017
        return
    assert all(math.isfinite(x) for x in compiled.rules)
    assert all(math.isfinite(x) for x in compiled.products.ravel())
    # what is accepted can be played
    engine = Engine(design, (portfolio("a"),), library(), 1, "python")
    for _ in range(3):
        engine.step((compiled.bounds[0:1] + compiled.bounds[1:2])[None] / 2)


@settings(max_examples=200)
@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_random_files_are_named_errors(tmp_path_factory: pytest.TempPathFactory, content: bytes):
    path = tmp_path_factory.mktemp("fuzz") / "random.toml"
    path.write_bytes(content)
    for load in (load_design, load_portfolios):
        with pytest.raises(StackingError) as caught:
            load(path)
        assert str(path) in caught.value.place
