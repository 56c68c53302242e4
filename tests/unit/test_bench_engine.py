"""The speed benchmarks measure what they say: trades, occupied charging points, rows, bytes; no test asserts a time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from stacking import layout as v
from stacking import state as s
from stacking.engine import STATE_ARRAYS, Engine
from stacking.experiments.benchmarks import engine as bench
from stacking.experiments.benchmarks import engine_report
from stacking.experiments.benchmarks.counts import Counts
from stacking.experiments.benchmarks.plays import EnginePlay, spread_clocks
from stacking.experiments.benchmarks.registry import SPECS, BenchSpec, Target, bench_spec
from stacking.experiments.benchmarks.scripts import SPREAD_EUR_PER_MWH, offsets, scripted
from stacking.experiments.design_input import chosen_design
from stacking.scenario import Library, generate, scenario_keys


def small(name: str, **changes: Any) -> BenchSpec:
    return replace(bench_spec(name), days=2, repetitions=1, **changes)


@pytest.fixture(scope="module")
def site() -> bench.Speed:
    """Eight rows of the site on four scenarios."""
    (speed,) = bench.measure([small("site-rows-1024-v0", worlds=8, scenarios=4)])
    return speed


def built(name: str, **changes: Any) -> tuple[BenchSpec, Engine, Library]:
    spec = small(name, **changes)
    portfolios = bench.portfolios_of(spec)
    library = generate(scenario_keys("train", spec.scenarios), portfolios=portfolios, days=spec.days)
    return spec, Engine(chosen_design(bench.DESIGN, spec.settings), portfolios, library, worlds=spec.worlds), library


# ---- what is timed happens -------------------------------------------------------------------------------------------
def test_site_rows_trade_in_every_market_with_occupied_charging_points(site: bench.Speed) -> None:
    assert (site.worlds, site.fsps, site.assets) == (8, 1, 12)
    assert site.accepted_mfrr_mw > 0.05
    assert site.accepted_mw == pytest.approx(site.accepted_lfm_mw + site.accepted_mfrr_mw)
    assert site.trading_frac > 0.1
    assert site.da_frac > 0.5
    assert site.id_frac > 0.5
    assert site.bidding_lfm_frac == 1.0
    assert site.bidding_mfrr_frac > 0.5
    assert site.occupied_frac is not None
    assert 0.3 <= site.occupied_frac < 1.0
    assert site.cars_left > 0.0
    assert site.load_starts > 0.0
    assert site.moving_frac > 0.3


def test_local_sales_happen_where_the_dso_buys() -> None:
    (speed,) = bench.measure([small("site-rows-1024-v0", worlds=32, scenarios=32)])
    assert speed.accepted_lfm_mw > 0.0
    assert speed.forwarded_mw > 0.0


def test_figures_follow_from_the_time_of_a_step(site: bench.Speed) -> None:
    assert site.step_us_lowest <= site.step_us <= site.step_us_highest
    assert site.world_steps_per_s == pytest.approx(8e6 / site.step_us)
    assert site.asset_steps_per_s == pytest.approx(12 * site.world_steps_per_s)
    assert site.fsp_step_ns == pytest.approx(1e3 * site.step_us / 8)
    assert site.ratio == pytest.approx(site.step_us / site.bare_step_us)
    assert site.ratio > 1.0


@pytest.mark.parametrize("name", ["world-1000-v0", "mesa-1000-v0", "mesa-1000-drawn-v0"])
def test_worlds_of_many_fsps_trade_and_their_charging_points_are_occupied(name: str) -> None:
    (speed,) = bench.measure([small(name, fsps=60)])
    portfolios = bench.portfolios_of(small(name, fsps=60))
    assert (speed.worlds, speed.fsps, speed.assets) == (1, 60, bench.assets_of(portfolios))
    assert speed.accepted_mfrr_mw > 0.0
    assert speed.trading_frac > 0.1
    assert speed.bidding_mfrr_frac > 0.2
    assert speed.occupied_frac is not None
    assert speed.occupied_frac >= 0.3


def test_counts_of_an_idle_engine_are_zero() -> None:
    _spec, engine, library = built("site-rows-1024-v0", worlds=2, scenarios=2)
    idle, counts = scripted(library, engine), Counts(engine)
    idle.base[:] = 0.0
    EnginePlay(engine, idle, np.arange(2), 40).episode(counts.add)
    figures = counts.figures()
    assert figures["accepted_mw"] == figures["trading_frac"] == figures["bidding_mfrr_frac"] == figures["id_frac"] == 0.0
    assert figures["occupied_frac"] == pytest.approx(occupied(engine, library, 40))


def occupied(engine: Engine, library: Library, ticks: int) -> float:
    """Return the share of point-ticks 1..ticks with a car, from the sessions themselves."""
    sites, total = library.sites, 0
    assert sites is not None
    for k in range(2):
        for point in range(10):
            for each in sites.sessions[sites.first[k, point] : sites.first[k, point + 1]]:
                total += max(0, min(int(each[1]), ticks + 1) - max(1, int(each[0])))
    return total / (2 * 10 * ticks)


def test_no_charging_points_no_share() -> None:
    (speed,) = bench.measure([small("row-1-v0", scenarios=4)])
    assert speed.occupied_frac is None
    assert speed.charger_bytes == 0.0
    assert speed.moving_frac > 0.3


# ---- clocks ----------------------------------------------------------------------------------------------------------
def test_spread_clocks_lie_evenly_over_the_episode() -> None:
    spec, engine, library = built("site-rows-1024-spread-v0", worlds=8, scenarios=4)
    assert spec.spread
    engine.reset(np.arange(8) % 4)
    spread_clocks(engine, scripted(library, engine), 80)
    assert engine.clock.tolist() == [0, 10, 20, 30, 40, 50, 60, 70]


def test_spread_worlds_are_reset_when_they_end() -> None:
    _, engine, library = built("site-rows-1024-spread-v0", worlds=8, scenarios=4)
    ticks, seen = int(library.length.min()), []
    play = EnginePlay(engine, scripted(library, engine), np.arange(8) % 4, ticks, spread=True)
    play.episode(lambda each: seen.append(each.clock.copy()))
    clocks = np.array(seen)
    assert clocks.shape == (ticks, 8)
    assert (np.diff(clocks, axis=0) <= 1).all()
    assert (np.diff(clocks, axis=0) != 0).all()  # nobody ever waits
    assert ((np.diff(clocks, axis=0) < 0).sum(axis=0) >= 1)[1:].all()


# ---- actions ---------------------------------------------------------------------------------------------------------
def test_scripted_actions_stay_inside_the_bounds_and_differ_between_fsps() -> None:
    _spec, engine, library = built("world-1000-v0", fsps=12)
    action = scripted(library, engine).action(np.array([5]), np.array([0]))
    low, high = engine.compiled.bounds
    assert action.shape == (1, 12, v.ACTIONS_W)
    assert ((action >= low) & (action <= high)).all()
    assert len(set(action[0, :, v.MFRR_PRICE_UP])) == 12
    assert (np.abs(offsets(1000)) <= SPREAD_EUR_PER_MWH).all()
    assert offsets(1).tolist() == [0.0]


# ---- memory, size, targets -------------------------------------------------------------------------------------------
def test_state_bytes_are_those_of_all_state_arrays() -> None:
    _, engine, _ = built("site-rows-1024-v0", worlds=3, scenarios=1)
    found = bench.memory(engine)
    assert found["state_bytes"] == sum(getattr(engine, name).nbytes for name in STATE_ARRAYS) / 3
    assert found["charger_bytes"] == 10 * s.CHARGER_W * 4
    assert found["engine_mb"] * 1e6 > 3 * (found["state_bytes"] + v.OBSERVATIONS_W * 4)
    assert found["library_mb"] > 0.0


def test_ratio_to_n_log_n_starts_beyond_the_caches(site: bench.Speed) -> None:
    def sized(fsps: int, step_us: float, engine_mb: float) -> bench.Speed:
        return replace(site, name=f"fsps-{fsps}-v0", fsps=fsps, step_us=step_us, engine_mb=engine_mb)

    speeds = [sized(100, 10.0, 1.0), sized(10_000, 1000.0, 50.0), sized(100_000, 10_000.0, 500.0), site]
    ratios = [x.nlogn_ratio for x in bench.with_ratios(speeds, 32 * 2**20)]
    assert ratios == [None, 1.0, pytest.approx(0.8), None]
    assert [x.nlogn_ratio for x in bench.with_ratios(speeds, 10**12)] == [None] * 4


def test_targets_that_are_missed_are_named(site: bench.Speed) -> None:
    bad = replace(site, world_steps_per_s=5e5, asset_steps_per_s=6e6, occupied_frac=0.2)
    lines = [line for _, line in engine_report.missed(bad)]
    assert lines == [
        "site-rows-1024-v0 (norflex_eam): 500,000 world-steps/s, asked at least 1,000,000",
        "site-rows-1024-v0 (norflex_eam): 6,000,000 asset-steps/s, asked at least 12,000,000",
        "site-rows-1024-v0 (norflex_eam): 20.0 % of charging points occupied, asked at least 30.0",
    ]
    assert "not met: " + lines[0] in engine_report.to_text([bad])
    good = replace(site, world_steps_per_s=1e6, asset_steps_per_s=1.2e7, occupied_frac=0.3)
    assert engine_report.missed(good) == []
    assert "Targets met: 3 of 3" in engine_report.to_text([good])
    assert "not met" not in engine_report.to_text([good])
    assert engine_report.to_data([bad])[0]["not_met"] == lines


def test_report_prints_accepted_mw_and_occupied_points(site: bench.Speed) -> None:
    text = engine_report.to_text([site, replace(site, name="fsps-100-v0")], width=200)
    for word in ("accepted MW", "occupied", "us/step", "asset-steps/s", "state B per FSP", "engine MB"):
        assert word in text


def test_report_says_when_others_took_the_core(site: bench.Speed) -> None:
    assert 0.0 < site.running_frac <= 1.0
    assert "site-rows-1024-v0 50.0 %" in engine_report.to_text([replace(site, running_frac=0.5)], width=200)
    assert "Others took the core" not in engine_report.to_text([replace(site, running_frac=1.0)])


# ---- the list itself -------------------------------------------------------------------------------------------------
def test_every_question_of_speed_has_a_benchmark() -> None:
    names = [spec.name for spec in SPECS]
    assert len(set(names)) == len(names)
    sizes = [spec.fsps for spec in SPECS if spec.by_size]
    assert sizes[0] == 10
    assert sizes[-1] == 100_000
    assert sizes == sorted(sizes)
    assert {spec.spread for spec in SPECS if spec.worlds == 4096} == {False, True}
    assert {spec.face for spec in SPECS if spec.fsps == 1000} == {"engine", "mesa", "mesa_drawn"}
    asked = {(spec.name, target.measure, target.least, target.most) for spec in SPECS for target in spec.targets}
    assert ("site-rows-1024-v0", "world_steps_per_s", 1e6, None) in asked
    assert ("site-row-1-v0", "step_us", None, 12.0) in asked
    assert ("world-1000-v0", "world_steps_per_s", 1000.0, None) in asked
    assert ("mesa-1000-v0", "world_steps_per_s", 300.0, None) in asked


def test_targets_hold_at_their_limit() -> None:
    assert Target("x", least=1.0).met(1.0)
    assert not Target("x", least=1.0).met(0.9)
    assert Target("x", most=1.0).met(1.0)
    assert not Target("x", most=1.0).met(1.1)


def test_a_site_has_twelve_assets_and_drawn_fleets_are_depots() -> None:
    assert bench.assets_of(bench.portfolios_of(bench_spec("site-row-1-v0"))) == 12
    drawn = bench.portfolios_of(replace(bench_spec("world-1000-v0"), fsps=40))
    assert len(drawn) == 40
    assert {p.fleet.site for p in drawn if p.fleet} == {"depot"}
