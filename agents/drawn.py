"""Populations drawn from data: portfolios and strategies of any number of FSPs.

Everything about one FSP follows from the seed, its name and the network, so that it keeps its draw when others are added.
The same seed gives the same FSPs the same random numbers in every population file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from math import ceil, log, sqrt
from pathlib import Path
from statistics import NormalDist
from typing import TypeVar

import numpy as np

from stacking.errors import StackingError
from stacking.network import Network, default_network
from stacking.portfolio import Battery, Fleet, Load, Pattern, Portfolio, Site
from stacking.scenario.keys import ALL, ScenarioKey, stream, whole_number

from .consent.naming import parse_consent
from .population_file import KINDS, Kind, Place, PopulationFile, Quantiles, load_population

T = TypeVar("T")

# Columns of the random numbers of an FSP. Numbers are only ever added at the end, so that old ones keep their meaning.
SIZE, PLACE, KIND, DURATION, ROUND_TRIP, WEAR, SITE, HAS_V2G, V2G_SHARE, DELAY = range(10)
PROCESS, FLEXIBLE, STEPS, COST, BATTERY_PART, HAS_LOAD, LOAD_PART, CONNECTION = range(10, 18)
DRAWS_W = 18


@dataclass(frozen=True)
class _Spot:
    """A leaf of the network and what stands there; None where each FSP draws its own."""

    node: str
    place: Place | None


def draw_population(
    name_or_file: str | Path, count: int | None = None, seed: int = 0, network: Network | None = None
) -> tuple[Portfolio, ...]:
    """Return the portfolios "fsp 1" to "fsp COUNT" of a population file.

    An FSP's size (`rated_mw`) is exp of the quantiles' interpolation at its own even number; kind, site and process are drawn
    by the weights of its place. Each leaf has 1, 2, 3, ... slots by `area_providers_weight`; FSP k stands in slot
    (k - 1) mod (all slots), in an order drawn by the seed.

    Args:
        name_or_file: name of a shipped file, or path of one.
        count: number of FSPs; by default the file's `providers`.
        seed: seed of all draws, >= 0.
        network: whose leaves they stand at; the network of one area by default.

    Raises:
        StackingError: for an unknown or invalid file, or a count or seed that is no such number.
    """
    spec = load_population(name_or_file)
    count = spec.providers if count is None else whole_number(count, "count", least=1, place="population")
    key = _key(seed)
    spots = _spots(spec, network or default_network(), key)
    return tuple(_portfolio(spec, key, f"fsp {k + 1}", spots[k % len(spots)]) for k in range(count))


def area_providers(name_or_file: str | Path, seed: int = 0, network: Network | None = None) -> dict[str, int]:
    """Return how many providers each leaf has in a drawn population: leaf -> 1, 2, 3, ... by `area_providers_weight`.

    With `count` = their sum each leaf holds exactly so many FSPs, with twice the sum twice as many.

    Raises:
        StackingError: for an unknown or invalid file, or a seed that is no such number.
    """
    network = network or default_network()
    spots = _spots(load_population(name_or_file), network, _key(seed))
    return {network.nodes[k].name: sum(s.node == network.nodes[k].name for s in spots) for k in network.leaves}


def draw_strategies(
    names: Iterable[str | Portfolio], shares: str | Path | Mapping[str, float] = "mixed", seed: int = 0
) -> tuple[str, ...]:
    """Return the strategy of each portfolio, drawn by shares from its name and the seed.

    Args:
        names: portfolios, or their names.
        shares: strategy -> weight, or the name or path of a population file.
        seed: seed of the draw, >= 0.

    Raises:
        StackingError: for an unknown file, or weights that are negative, not finite or all zero.
    """
    weights = dict(shares) if isinstance(shares, Mapping) else dict(load_population(shares).strategy.weight)
    if not weights or not all(0.0 <= w < float("inf") for w in weights.values()) or not sum(weights.values()) > 0.0:
        raise StackingError(
            "Shares of strategies are no weights.",
            key="shares",
            value=weights,
            allowed="strategy -> number of at least 0, one of them above 0",
            remedy='Give for example {"stacked": 0.5, "rebid": 0.5}.',
        )
    key = _key(seed)
    called = (p if isinstance(p, str) else p.name for p in names)
    return tuple(_pick(weights, stream(key, f"strategy of {name}").random()) for name in called)


def draw_consents(names: Iterable[str | Portfolio], name_or_file: str | Path = "mixed", seed: int = 0) -> tuple[str, ...]:
    """Return the consent policy of each portfolio, drawn by the file's `consent_weight`; "own" for all where it has none.

    An FSP keeps its policy in every scenario, and when others are added.

    Raises:
        StackingError: for an unknown or invalid file, an unknown policy in it, or a seed that is no such number.
    """
    weights, key = load_population(name_or_file).strategy.consent_weight, _key(seed)
    for text in weights:
        parse_consent(text, place=f"{name_or_file}, strategy.consent_weight")
    called = (p if isinstance(p, str) else p.name for p in names)
    return tuple(_pick(weights, stream(key, f"consent of {name}").random()) for name in called)


def kind_of(portfolio: Portfolio) -> Kind:
    """Return what a portfolio consists of: battery, fleet, load, or mixed for more than one of them."""
    kinds: list[Kind] = [k for k in KINDS if k != "mixed" and getattr(portfolio, k) is not None]
    return kinds[0] if len(kinds) == 1 else "mixed"


# ---- places ----------------------------------------------------------------------------------------------------------
def _key(seed: int) -> ScenarioKey:
    """Return the key of all draws of a seed."""
    return ScenarioKey(ALL, "population", seed, 0)


def _spots(spec: PopulationFile, network: Network, key: ScenarioKey) -> list[_Spot]:
    """Return where FSPs stand, one entry per slot: a leaf has as many as it has providers in the data."""
    leaves = [network.nodes[k].name for k in network.leaves]
    weights = {n + 1: w for n, w in enumerate(spec.area_providers_weight)}
    places = {name: place.weight for name, place in spec.place.items()}
    spots = []
    for leaf in leaves:
        place = spec.place[_pick(places, stream(key, f"place of {leaf}").random())] if len(leaves) > 1 else None
        spots += [_Spot(leaf, place)] * _pick(weights, stream(key, f"providers of {leaf}").random())
    order = stream(key, "order of providers").permutation(len(spots))
    return [spots[k] for k in order]


def _pick(weights: Mapping[T, float], u: float) -> T:
    """Return the entry in which u x (sum of the weights) falls, for u in 0..1; never one of weight zero."""
    at = u * sum(weights.values())
    for entry, edge in zip(weights, accumulate(weights.values()), strict=True):
        if at < edge:
            return entry
    return next(entry for entry in reversed(list(weights)) if weights[entry] > 0)


# ---- one FSP ---------------------------------------------------------------------------------------------------------
# Records are made without validating them again: they follow from a validated file, and a test validates samples.
def _portfolio(spec: PopulationFile, key: ScenarioKey, name: str, spot: _Spot) -> Portfolio:
    """Return one FSP's assets behind one connection."""
    u = stream(key, f"assets of {name}").random(DRAWS_W).tolist()
    places = {label: place.weight for label, place in spec.place.items()}
    place = spot.place or spec.place[_pick(places, u[PLACE])]
    size_mw, kind = quantile(spec.size_mw, u[SIZE]), _pick(place.kind_weight, u[KIND])
    battery_mw, fleet_mw, load_mw = _divided(spec, kind, size_mw, u)
    battery = _battery(spec, battery_mw, u) if battery_mw else None
    fleet = _fleet(spec, _pick(place.site_weight, u[SITE]), fleet_mw, u) if fleet_mw else None
    load = _load(spec, _pick(place.load_weight, u[PROCESS]), load_mw, u) if load_mw else None
    peak_mw = load.peak_mw if load else 0.0
    if kind == "mixed":
        share = spec.mixed.connection_frac.at(u[CONNECTION])
        connection_mw = max(size_mw, peak_mw, share * (battery_mw + fleet_mw + peak_mw))
    else:
        connection_mw = max(size_mw, peak_mw)
    return Portfolio.model_construct(
        name=name,
        connection_mw=connection_mw,
        node=spot.node,
        charge_tariff_eur_per_mwh=spec.charge_tariff_eur_per_mwh,
        count=1,
        battery=battery,
        fleet=fleet,
        load=load,
    )


def quantile(size: Quantiles, u: float) -> float:
    """Return the size at an even number u in 0..1, between the outermost points of the quantiles.

    level = first + u (last - first); log(size) is linear in the normal score of the level between two points.

    >>> round(quantile(Quantiles(points=((0.025, 0.05), (0.5, 0.5), (0.975, 5.0))), 0.5), 12)
    0.5
    """
    levels, values = zip(*size.points, strict=True)
    score = NormalDist().inv_cdf
    level = levels[0] + u * (levels[-1] - levels[0])
    k = next((k for k, edge in enumerate(levels[1:-1]) if level < edge), len(levels) - 2)
    low, high = score(levels[k]), score(levels[k + 1])
    t = (score(level) - low) / (high - low)
    return float(np.exp((1.0 - t) * log(values[k]) + t * log(values[k + 1])))


def _divided(spec: PopulationFile, kind: Kind, size_mw: float, u: list[float]) -> tuple[float, float, float]:
    """Return the MW of battery, fleet and load that an FSP's size consists of."""
    if kind != "mixed":
        return tuple(size_mw if kind == k else 0.0 for k in KINDS[:3])  # type: ignore[return-value]
    battery_mw = size_mw * spec.mixed.battery_frac.at(u[BATTERY_PART])
    rest_mw = size_mw - battery_mw
    load_mw = rest_mw * spec.mixed.load_frac.at(u[LOAD_PART]) if u[HAS_LOAD] < spec.mixed.with_load_frac else 0.0
    return battery_mw, rest_mw - load_mw, load_mw


def _battery(spec: PopulationFile, power_mw: float, u: list[float]) -> Battery:
    """Return a battery; each way loses the square root of the round trip."""
    draw, one_way = spec.battery, sqrt(spec.battery.round_trip_frac.at(u[ROUND_TRIP]))
    return Battery.model_construct(
        power_mw=power_mw,
        capacity_mwh=power_mw * draw.duration_h.at(u[DURATION]),
        charge_efficiency_frac=one_way,
        discharge_efficiency_frac=one_way,
        min_content_frac=draw.content_frac[0],
        max_content_frac=draw.content_frac[1],
        start_content_frac=None,
        wear_eur_per_mwh=draw.wear_eur_per_mwh.at(u[WEAR]),
    )


def _fleet(spec: PopulationFile, site: Site, power_mw: float, u: list[float]) -> Fleet:
    """Return a fleet of at least that power, in whole charging points."""
    draw = spec.fleet
    two_way = u[HAS_V2G] < draw.v2g_fleets_frac
    return Fleet.model_construct(
        chargers=max(1, ceil(power_mw / draw.charger_mw[site] - 1e-9)),
        site=site,
        sessions_file=None,
        charger_mw=draw.charger_mw[site],
        v2g_share_frac=draw.v2g_share_frac.at(u[V2G_SHARE]) if two_way else 0.0,
        v2g_depth_frac=draw.v2g_depth_frac,
        v2g_round_trip_frac=draw.v2g_round_trip_frac,
        delay_eur_per_mwh=draw.delay_eur_per_mwh.at(u[DELAY]),
        v2g_wear_eur_per_mwh=draw.v2g_wear_eur_per_mwh,
        unmet_eur_per_mwh=draw.unmet_eur_per_mwh,
    )


def _load(spec: PopulationFile, process: Pattern, flexible_mw: float, u: list[float]) -> Load:
    """Return a load of which that power may be interrupted, in equal steps."""
    draw = spec.load[process]
    share, (low, high) = draw.flexible_frac.at(u[FLEXIBLE]), draw.steps
    return Load.model_construct(
        peak_mw=flexible_mw / share,
        profile=process,
        profile_file=None,
        flexible_frac=share,
        step_mw=flexible_mw / min(high, low + int(u[STEPS] * (high - low + 1))),
        notice_min=draw.notice_min,
        min_duration_min=draw.duration_min[0],
        max_duration_min=draw.duration_min[1],
        rest_min=draw.rest_min,
        activations_per_day=draw.activations_per_day,
        rebound_frac=draw.rebound_frac,
        rebound_min=draw.rebound_min,
        cost_eur_per_mwh=draw.cost_eur_per_mwh.at(u[COST]),
    )
