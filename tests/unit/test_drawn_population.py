from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stacking.agents.drawn import area_providers, draw_population, draw_strategies, kind_of, quantile
from stacking.agents.population_file import FOLDER, load_population, population_names, population_origins
from stacking.agents.strategies import strategy_names
from stacking.errors import StackingError
from stacking.network import Network, Node, compile_network, default_network, load_network
from stacking.portfolio import Portfolio


def many_areas(n: int) -> Network:
    nodes = [Node(name="top", kind="root")]
    nodes += [Node(name=f"area {k}", kind="area", parent="top", owner="DSO", limit_mw=10.0) for k in range(n)]
    return Network("many", "many areas", tuple(nodes))


# ---- the records -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", population_names())
def test_what_is_drawn_without_validation_passes_it(name: str) -> None:
    for seed, network in ((0, default_network()), (3, load_network("stockholm"))):
        for portfolio in draw_population(name, 400, seed, network):
            again = Portfolio.model_validate(portfolio.model_dump(), strict=True)
            assert again == portfolio
            assert repr(again) == repr(portfolio)  # the same types too: no NumPy number slipped in
            assert again.model_dump_json() == portfolio.model_dump_json()


@settings(max_examples=60, deadline=None)
@given(name=st.sampled_from(population_names()), seed=st.integers(0, 2**40), count=st.integers(1, 30))
def test_any_seed_gives_valid_fsps_between_50_kw_and_5_mw(name: str, seed: int, count: int) -> None:
    for portfolio in draw_population(name, count, seed):
        Portfolio.model_validate(portfolio.model_dump(), strict=True)
        assert 0.05 - 1e-9 <= portfolio.rated_mw <= 5.0 + 1e-9
        assert portfolio.rated_mw <= portfolio.connection_mw


def test_all_kinds_sites_and_processes_occur() -> None:
    drawn = draw_population("mixed", 3000, 1)
    assert set(map(kind_of, drawn)) == {"battery", "fleet", "load", "mixed"}
    assert {p.fleet.site for p in drawn if p.fleet} == {"home", "work", "public", "depot"}
    assert {p.load.profile for p in drawn if p.load} == {"steel", "cold_store", "continuous", "two_shift"}
    assert any(p.battery and p.fleet and p.load for p in drawn)
    assert 0.05 < np.mean([p.fleet.v2g_share_frac > 0 for p in drawn if p.fleet]) < 0.15
    for p in drawn:
        if p.load:
            steps = p.load.peak_mw * p.load.flexible_frac / p.load.step_mw
            assert steps == pytest.approx(round(steps))


# ---- who draws what --------------------------------------------------------------------------------------------------
def test_an_fsp_keeps_its_draw_when_others_are_added() -> None:
    network = load_network("stockholm")
    few, many = (draw_population("mixed", n, 5, network) for n in (7, 200))
    assert few == many[:7]
    assert draw_population("mixed", 7, 5, network) == few
    assert draw_population("mixed", 7, 6, network) != few
    names = [p.name for p in many]
    assert len(set(names)) == 200
    assert draw_strategies(few, seed=5) == draw_strategies(many, seed=5)[:7]


def test_strategies_are_drawn_by_name_not_by_place_in_the_list() -> None:
    names = [f"fsp {k}" for k in range(300)]
    drawn = dict(zip(names, draw_strategies(names, seed=2), strict=True))
    backwards = draw_strategies(names[::-1], seed=2)
    assert {name: drawn[name] for name in names[::-1]} == dict(zip(names[::-1], backwards, strict=True))
    assert draw_strategies(names, seed=3) != draw_strategies(names, seed=2)
    assert draw_strategies(draw_population("ukpn", 5)) == draw_strategies([f"fsp {k + 1}" for k in range(5)])


def test_the_same_seed_gives_the_same_rank_of_size_in_every_population() -> None:
    sizes = {n: [p.rated_mw for p in draw_population(n, 50, 4)] for n in ("norflex", "gopacs")}
    assert np.argsort(sizes["norflex"]).tolist() == np.argsort(sizes["gopacs"]).tolist()


# ---- the facts -------------------------------------------------------------------------------------------------------
def test_providers_per_area_are_as_in_the_data() -> None:
    network = many_areas(1000)
    wanted = area_providers("ukpn", 1, network)
    count = sum(wanted.values())
    found = Counter(p.node for p in draw_population("ukpn", count, 1, network))
    assert found == wanted
    providers = np.array(list(found.values()))
    assert 0.42 <= (providers == 1).mean() <= 0.50  # 45 to 48 % of zones have one
    assert np.median(providers) == 2
    assert np.quantile(providers, 0.95) == 5
    twice = Counter(p.node for p in draw_population("ukpn", 2 * count, 1, network))
    assert twice == {leaf: 2 * n for leaf, n in wanted.items()}


def test_most_fsps_are_ev_fleets_in_the_ukpn_population_and_in_places_almost_all() -> None:
    network = many_areas(300)
    count = sum(area_providers("ukpn", 2, network).values()) * 10
    drawn = draw_population("ukpn", count, 2, network)
    assert np.mean([kind_of(p) == "fleet" for p in drawn]) == pytest.approx(0.56, abs=0.05)
    share = {leaf: np.mean([kind_of(p) == "fleet" for p in drawn if p.node == leaf]) for leaf in {p.node for p in drawn}}
    assert np.quantile(list(share.values()), 0.25) < 0.3
    assert np.quantile(list(share.values()), 0.75) > 0.7


@pytest.mark.parametrize(("name", "mean_mw"), [("mixed", 0.82), ("ukpn", 0.44), ("gopacs", 1.20), ("norflex", 0.40)])
def test_sizes_have_the_mean_that_the_file_says(name: str, mean_mw: float) -> None:
    sizes = [p.rated_mw for p in draw_population(name, 4000, 1)]
    assert np.mean(sizes) == pytest.approx(mean_mw, rel=0.05)
    for level, value in load_population(name).size_mw.points[1:-1]:
        first, last = (load_population(name).size_mw.points[k][0] for k in (0, -1))
        assert np.quantile(sizes, (level - first) / (last - first)) == pytest.approx(value, rel=0.12)


def test_quantiles_rise_and_end_at_the_outermost_points() -> None:
    size = load_population("gopacs").size_mw
    found = [quantile(size, u) for u in np.linspace(0, 1, 500)]
    assert found == sorted(found)
    assert (found[0], found[-1]) == (pytest.approx(0.05), pytest.approx(5.0))


def test_each_population_has_its_number_of_providers() -> None:
    assert {n: len(draw_population(n)) for n in population_names()} == {"mixed": 30, "norflex": 8, "ukpn": 31, "gopacs": 10}


def test_shares_of_strategies() -> None:
    drawn = Counter(draw_strategies([f"x{k}" for k in range(4000)], {"a": 3.0, "never": 0.0, "b": 1.0}))
    assert drawn["a"] / 4000 == pytest.approx(0.75, abs=0.03)
    assert set(drawn) == {"a", "b"}
    for shares in ({}, {"a": 0.0}, {"a": -1.0, "b": 2.0}, {"a": float("nan")}, {"a": float("inf")}):
        with pytest.raises(StackingError, match="no weights"):
            draw_strategies(["x"], shares)
    for name in population_names():
        assert set(load_population(name).strategy.weight) <= set(strategy_names())


def test_drawn_populations_stand_in_networks() -> None:
    for network in (default_network(), load_network("stockholm"), load_network("norflex")):
        drawn = draw_population("mixed", 60, 1, network)
        areas = compile_network(network, drawn)
        assert {drawn[k].node for k in areas.order} <= {network.nodes[k].name for k in network.leaves}


@pytest.mark.slow
def test_a_hundred_thousand_fsps_are_drawn_in_seconds() -> None:
    start = time.perf_counter()
    drawn = draw_population("mixed", 100_000, 1, load_network("stockholm"))
    assert len({p.name for p in drawn}) == 100_000
    assert time.perf_counter() - start < 30.0
    for portfolio in drawn[:: 100_000 // 500]:
        Portfolio.model_validate(portfolio.model_dump(), strict=True)


# ---- files -----------------------------------------------------------------------------------------------------------
def changed(tmp_path: Path, old: str, new: str) -> Path:
    text = (FOLDER / "mixed.toml").read_text("utf-8")
    assert text.count(old) >= 1, old
    path = tmp_path / "mine.toml"
    path.write_text(text.replace(old, new, 1), "utf-8")
    return path


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ("value = 30,", "value = 0,", "providers"),
        ("value = 30,", 'value = "30 or so",', "providers"),
        ("[0.5, 0.5]", "[0.5, 50.0]", "low to high"),
        ("[0.5, 0.5]", "[0.99, 0.5]", "levels must rise"),
        ("[0.5, 0.5]", "[0.5, -0.5]", "size_mw"),
        ("[0.025, 0.05]", "[0.0, 0.05]", "size_mw"),
        ("value = [1.0, 4.0]", "value = [4.0, 1.0]", "low to high"),
        ("value = [1.0, 4.0]", "value = [0.0, 4.0]", "above 0"),
        ("value = [0.85, 0.88]", "value = [0.85, 1.88]", "round_trip_frac"),
        ("home = 0.011", "home = 0.0001", "charging points"),
        ("home = 0.7", "house = 0.7", "site_weight"),
        ("cold_store = 0.7, two_shift = 0.3", "cold_store = 0.0, two_shift = 0.0", "positive sum"),
        ("[load.steel]", "[load.stone]", "load"),
        ('origin = "assumed: no grid tariff"', 'origin = ""', "without origin"),
        (', price_year = 2025, origin = "assumed: no grid tariff"', ', origin = "assumed"', "without its year"),
        ('title = "FSPs', 'seed = 1\ntitle = "FSPs', "without an origin"),
        ("providers = {", "provider = {", "provider"),
        ("providers = {", "more = { value = 1, unit = '-', origin = 'x' }\nproviders = {", "more"),
    ],
)  # fmt: skip
def test_bad_files_are_refused_by_name(tmp_path: Path, old: str, new: str, match: str) -> None:
    with pytest.raises(StackingError) as caught:
        load_population(changed(tmp_path, old, new))
    assert match in str(caught.value)
    assert "mine.toml" in caught.value.place


def test_a_file_may_start_from_a_shipped_one(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('base = "mixed"\nproviders = { value = 3, unit = "FSP", origin = "assumed" }\n', "utf-8")
    assert load_population(path).providers == 3
    assert load_population(path).model_copy(update={"providers": 30}) == load_population("mixed")
    for base in ('"nothing"', '"ukpn"', "3"):
        path = tmp_path / f"bad{len(base)}.toml"
        path.write_text(f"base = {base}\n", "utf-8")
        with pytest.raises(StackingError) as caught:
            load_population(path)
        assert caught.value.key == "base"
    with pytest.raises(StackingError, match="Unknown population") as caught:
        load_population("ukpm")
    assert "ukpn" in caught.value.allowed


def test_every_shipped_value_has_an_origin() -> None:
    for name in population_names():
        origins = population_origins(name)
        assert len(origins) > 60
        assert all(fact["origin"].strip() and fact["unit"].strip() for fact in origins.values())


@pytest.mark.parametrize(("count", "seed", "key"), [(0, 0, "count"), (2.5, 0, "count"), (True, 0, "count"), (3, -1, "seed")])
def test_bad_numbers_are_refused(count: int, seed: int, key: str) -> None:
    with pytest.raises(StackingError) as caught:
        draw_population("mixed", count, seed)
    assert caught.value.key == key
