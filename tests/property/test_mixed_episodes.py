"""Invariants at every step of a thousand episodes of mixed populations: batteries, fleets and loads under adversarial actions."""

from __future__ import annotations

from collections import Counter
from functools import cache

import numpy as np
import pytest

from stacking import flows as f
from stacking import state as s
from stacking.engine import Engine
from stacking.invariants import check_step, counts, sees_everything
from stacking.network import Network, compile_network, load_network
from stacking.portfolio import Battery, Fleet, Load, Portfolio
from stacking.presets import load_preset, preset_names
from stacking.scenario import Library, generate, scenario_keys

from ..toy import DESIGNS, busy, design
from .test_engine_episodes import decide

SITES = ("home", "work", "public", "depot")
ANY_SIZE = {"min_mw": 0.01, "granularity_mw": 0.01}
VARIANTS: tuple[tuple[str, dict], ...] = (
    *((name, {"mfrr": ANY_SIZE}) for name in DESIGNS),
    ("parallel", {"delivery_priority": "tso_first", "tso_shortfall": "no_pay_no_correction"}),
    ("parallel_late", {"mfrr": ANY_SIZE, "delivery_priority": "pro_rata", "position": "corrected", "tso_penalty_factor": 2.0}),
    ("norflex_eam", {"pooling": True, "forward_fee_eur_per_mwh": 5.0, "forward_price": "better"}),
    ("norflex_eam", {"mfrr": ANY_SIZE, "consent": "mandatory", "baseline": "mean"}),
    ("norflex", {"mfrr": ANY_SIZE, "pooling": True, "block_opposite_intraday": False, "baseline": "quiet_mean"}),
)
POPULATIONS = ("fleets", "loads", "mixtures", "extremes", "network")
WORLDS = 16  # per variant and population: 13 x 5 x 16 = 1,040 episodes
TOTAL: Counter[str] = Counter()


def cars(site: str, chargers: int = 8, **more: float) -> Fleet:
    """Return a fleet of large charging points."""
    return Fleet(chargers=chargers, site=site, charger_mw=0.15, **more)  # type: ignore[arg-type]


def battery(power_mw: float = 1.0, hours: float = 2.0) -> Battery:
    """Return a battery."""
    return Battery(power_mw=power_mw, capacity_mwh=power_mw * hours)


def load(name: str, **more: float) -> Load:
    """Return a preset with some keys changed."""
    return Load(**{**load_preset(name), **more})


def jumpy(**more: float) -> Load:
    """Return a load that may be called at any time for any time."""
    keys = {"peak_mw": 3.0, "flexible_frac": 1.0, "step_mw": 0.01, "notice_min": 0.0, "min_duration_min": 15.0,
            "max_duration_min": 1440.0, "rest_min": 0.0, "activations_per_day": 96, "rebound_frac": 2.0, "rebound_min": 15.0,
            "cost_eur_per_mwh": 0.0}  # fmt: skip
    return Load(**{**keys, **more})  # type: ignore[arg-type]


def population(name: str) -> tuple[Portfolio, ...]:
    """Return portfolios of one kind of population."""
    if name == "fleets":
        one_way = [Portfolio(name=site, connection_mw=2.0, fleet=cars(site)) for site in SITES]
        return (*one_way, *(Portfolio(name=f"{x} v2g", connection_mw=2.0, fleet=cars(x, v2g_share_frac=1.0)) for x in SITES))
    if name == "loads":
        presets = [Portfolio(name=x, connection_mw=6.0, load=load(x)) for x in preset_names()]
        short = load("cold_store", peak_mw=3.0, rest_min=15.0, activations_per_day=3)
        return (*presets, Portfolio(name="short", connection_mw=3.0, load=short))
    if name == "mixtures":
        return (
            Portfolio(name="bf", connection_mw=2.5, battery=battery(), fleet=cars("depot", v2g_share_frac=0.5)),
            Portfolio(name="bl", connection_mw=2.0, battery=battery(), load=load("cold_store", peak_mw=2.0)),
            Portfolio(name="fl", connection_mw=2.0, fleet=cars("home"), load=load("batch_process")),
            Portfolio(
                name="all", connection_mw=4.0, battery=battery(2.0, 1.0), fleet=cars("work"), load=load("cold_store", peak_mw=3.0)
            ),
        )
    if name == "extremes":
        return (
            Portfolio(name="tight", connection_mw=0.3, battery=battery(5.0, 0.2), fleet=cars("depot", 12, v2g_share_frac=1.0)),
            Portfolio(name="jumpy", connection_mw=3.0, battery=battery(0.01), load=jumpy()),
            Portfolio(name="coarse", connection_mw=3.0, load=jumpy(step_mw=3.0, activations_per_day=1, rebound_frac=0.0)),
            Portfolio(
                name="deep",
                connection_mw=9.0,
                fleet=cars("home", v2g_share_frac=1.0, v2g_depth_frac=1.0, v2g_round_trip_frac=0.5, delay_eur_per_mwh=0.0),
            ),
            Portfolio(name="one", connection_mw=0.01, fleet=Fleet(chargers=1, site="public")),
        )
    leaves = ("Agder feeder 1", "Agder feeder 2", "Agder feeder 3", "Glitre", "More")
    kinds = (
        {"battery": battery(2.0)}, {"fleet": cars("depot", v2g_share_frac=0.5)}, {"load": jumpy(rest_min=15.0)},
        {"battery": battery(), "fleet": cars("work")}, {"load": load("batch_process")},
    )  # fmt: skip
    pairs = zip(leaves, kinds, strict=True)
    return tuple(Portfolio(name=leaf, node=leaf, connection_mw=4.0, **kind) for leaf, kind in pairs)  # type: ignore[arg-type]


def crowded(lib: Library) -> Library:
    """Return a busy library in which every area needs something now and then, or has little room."""
    local, random = busy(lib, seed=3).local.copy(), np.random.default_rng(5)
    for area in range(1, local.shape[1]):
        local[:, area] = np.roll(local[:, 0], 4 * int(random.integers(1, 30)), axis=1)
    return Library(**{**busy(lib, seed=3).__dict__, "local": local})


@cache
def world(name: str, days: int) -> tuple[tuple[Portfolio, ...], Library, Network | None]:
    """Return portfolios, library and network of a population."""
    portfolios, network = population(name), load_network("norflex") if name == "network" else None
    if network is not None:
        portfolios = tuple(portfolios[i] for i in compile_network(network, portfolios).order)
    k = POPULATIONS.index(name)
    keys = scenario_keys("train", len(POPULATIONS) * WORLDS, seed=13)[k * WORLDS : (k + 1) * WORLDS]
    return portfolios, crowded(generate(keys, portfolios=portfolios, network=network, days=days)), network


@pytest.mark.parametrize(
    "number", range(len(VARIANTS)), ids=lambda i: "-".join([VARIANTS[i][0], *(k for k in VARIANTS[i][1] if k != "mfrr")])
)
def test_invariants_hold_whatever_is_decided(number: int):
    name, rules = VARIANTS[number]
    setting = design(name, **rules)
    happened: Counter[str] = Counter()
    for k, kind in enumerate(POPULATIONS):
        portfolios, lib, network = world(kind, 1 if setting.products["lfm"].gate_clock is None else 2)
        engine = Engine(setting, portfolios, lib, worlds=WORLDS, network=network)
        engine.reset(np.arange(WORLDS))
        random, tick = np.random.default_rng([number, k]), 0
        while not engine.ended.all():
            before = engine.snapshot()
            action = decide(engine, tick, random)
            engine.step(action)
            check_step(engine, before, action)
            happened.update(counts(engine))
            happened.update(asset_counts(engine))
            tick += 1
        happened["episodes"] += WORLDS
    for what in ("balancing", "refusals", "fleet orders", "load starts", *(() if setting.joint else ("local",))):
        assert happened[what] > 0.0, what
    TOTAL.update(happened)
    assert sees_everything(setting) or happened["double_selected"] > 0.0


def asset_counts(engine: Engine) -> dict[str, float]:
    """Return what fleets and loads did in the last step."""
    flows, p = engine.flows, engine.params
    only_cars = (p[:, s.FLEET_ROW] >= 0) & (p[:, s.LOAD_ROW] < 0) & (p[:, s.RATED_MW] == 0.0)
    orders = flows[..., [f.ACTIVATED_LFM, f.ACTIVATED_MFRR, f.ACTIVATED_FORWARDED]].sum(axis=-1)
    return {
        "fleet orders": float(orders[:, only_cars].sum()),
        "injected": float(flows[..., f.EV_INJECTED].sum()),
        "cars left": float(flows[..., f.EV_LEFT_COUNT].sum()),
        "short cars": float(flows[..., f.EV_SHORT_COUNT].sum()),
        "load starts": float(flows[..., f.LOAD_STARTS].sum()),
        "recovered": float(flows[..., f.LOAD_RECOVERED].sum()),
        "moved by drivers' pay": float(-flows[..., f.CASH_DELAY].sum()),
    }


def test_a_thousand_episodes_were_played_and_things_happened():
    if TOTAL["episodes"] == 0:
        pytest.skip("runs after the episodes")
    print(dict(TOTAL))
    assert TOTAL["episodes"] >= 1000
    for what in (
        "local", "balancing", "forwards", "refusals", "undelivered", "double_selected", "fleet orders", "injected", "cars left",
        "short cars", "load starts", "recovered",
    ):  # fmt: skip
        assert TOTAL[what] > 10.0, what
