"""A hand-made world without randomness: constant series, a battery with round numbers, decisions as a small table.

The local gate closes eight MTU before its hourly block, so the smallest honest world has eight MTU of warm-up, in which
nothing can be delivered, and then four MTU of delivery: ticks 8 to 11 of 12.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stacking import columns as c
from stacking import flows as f
from stacking import layout as v
from stacking.catalogue import DESIGNS_FOLDER, design_from
from stacking.codes import CODES
from stacking.columns import background_column
from stacking.config import Design, read_toml
from stacking.engine import Engine
from stacking.invariants import check_step
from stacking.portfolio import Battery, Portfolio
from stacking.scenario import Library, ScenarioKey

UP, DN = c.UP, c.DN
LFM, MFRR = c.LFM, c.MFRR
BLOCK = 8  # first MTU of the local block
BLOCK_GATE = 0  # local gate of that block, T-120
TICKS = 12
DESIGNS = (
    "exclusive",
    "parallel",
    "parallel_late",
    "parallel_adjusted",
    "norflex",
    "norflex_eam",
    "mandatory",
    "sthlmflex",
    "sthlmflex_eam",
    "onenet",
    "finflex",
    "opentunity",
    "gopacs",
    "redispatch",
    "onenet_pl",
    "onenet_cy",
    "onenet_hu",
    "gb_stacking",
)
SHARING: tuple[dict[str, Any], ...] = (
    {"membership": "each", "verified_by": "receiving_operator", "collateral_eur_per_mw": 1e3, "residual": "returned"},
    {"consent": "per_day", "change_forwarded": "price_and_volume", "consent_revocable_until_min": 75.0,
     "transparency": "market", "forward_price": "as_bid"},
    {"consent": "standing", "pooling": True, "pool_members": "fsp", "pool_failure": "shared", "membership": "pool",
     "verified_by": "receiving_operator", "change_forwarded": "price", "validation": "separate", "tso_tolerance_frac": 0.1,
     "forward_fee_eur_per_mwh": 3.0, "forward_fee_payer": "tso", "location": "stripped"},
    {"receivers": ("redispatch", "id", "mfrr"), "pooling": True, "consent_revocable_until_min": 105.0},
)  # fmt: skip
"""Rules of forwarding that differ from the defaults, each of Article 34 a to i at least once."""
Decisions = Mapping[int, Mapping[str, float]]


def portfolio(
    name: str = "a",
    power: float = 4.0,
    capacity: float = 8.0,
    *,
    efficiency: float = 1.0,
    start: float | None = 0.5,
    wear: float = 0.0,
    tariff: float = 0.0,
    low: float = 0.0,
    high: float = 1.0,
    connection: float = 100.0,
) -> Portfolio:
    """Return a battery portfolio; by default 4 MW / 8 MWh, loss-free, half full, at no cost."""
    battery = Battery(
        power_mw=power,
        capacity_mwh=capacity,
        charge_efficiency_frac=efficiency,
        discharge_efficiency_frac=efficiency,
        min_content_frac=low,
        max_content_frac=high,
        start_content_frac=start,
        wear_eur_per_mwh=wear,
    )
    return Portfolio(name=name, connection_mw=connection, charge_tariff_eur_per_mwh=tariff, battery=battery)


def design(
    name: str,
    *,
    lfm: dict[str, Any] | None = None,
    mfrr: dict[str, Any] | None = None,
    receivers: Any = (),
    **rules: Any,
) -> Design:
    """Return a shipped design with some rules, receiving markets and product fields changed, and a round intraday spread."""
    data = read_toml(DESIGNS_FOLDER / f"{name}.toml")
    if receivers:
        kept = [gate for gate in data["gates"] if gate["kind"] != "forward"]
        at = next(k for k, gate in enumerate(kept) if (gate["kind"], gate["book"]) == ("clear", "lfm")) + 1
        data["gates"] = kept[:at] + [{"kind": "forward", "book": "lfm", "to": to} for to in receivers] + kept[at:]
    data["rules"] = {"id_half_spread_eur_per_mwh": 5.0, **data["rules"], **rules}
    for market, changes in (("lfm", lfm), ("mfrr", mfrr)):
        if changes:
            data["products"][market] = {"base": data["products"][market], **changes}
    return design_from(data, f"toy {name}")


def library(
    ticks: int = TICKS,
    rows: int = 1,
    scenarios: int = 1,
    *,
    areas: int = 1,
    da: float = 50.0,
    imbalance: float = 50.0,
    terminal: float = 0.0,
    priority: tuple[float, ...] | None = None,
) -> Library:
    """Return scenarios in which every price is constant and nobody needs anything; nobody else offers locally."""
    hours = -(-ticks // 4) + 48
    lib = Library(
        series=np.zeros((scenarios, ticks, c.SERIES_W)),
        hourly=np.zeros((scenarios, hours, c.HOURLY_W)),
        local=np.zeros((scenarios, areas, ticks, c.LOCAL_W)),
        local_hourly=np.zeros((scenarios, areas, c.LOCAL_HOURLY_W, hours)),
        calendar=np.zeros((scenarios, ticks, c.CALENDAR_W), np.int64),
        scalars=np.zeros((scenarios, c.SCALARS_W)),
        length=np.full(scenarios, ticks, np.int64),
        start_frac=np.full((scenarios, rows), 0.5),
        priority=np.tile(np.array(priority or [0.1 * (row + 1) for row in range(rows)], float), (scenarios, 1)),
        start_utc=np.full(scenarios, np.datetime64("2025-01-01T11:00:00", "s")),
        keys=tuple(ScenarioKey("train", "toy", 0, k) for k in range(scenarios)),
        synthetic=("everything",),
        source="toy",
        timezone="Europe/Oslo",
    )
    lib.series[:, :, c.DA_PRICE] = da
    lib.series[:, :, c.IMBALANCE_PRICE] = imbalance
    lib.hourly[:, :, [c.DA_MEAN, c.DA_TWO_DAYS, c.DA_MIDNIGHT, c.DA_NOON]] = da
    lib.calendar[:, :, c.QUARTER] = np.arange(ticks) % 4
    lib.calendar[:, :, c.DA_FIRST] = -1
    lib.calendar[:, :, c.KNOWN_HOURS] = lib.calendar[:, :, c.NEXT_DAY_HOURS] = 24
    lib.calendar[:, :, c.NEXT_DAY_FORECAST] = c.DA_NOON
    lib.calendar[:, :, c.DAY_LEFT] = 96
    lib.scalars[:, c.TERMINAL_PRICE] = lib.scalars[:, c.TERMINAL_FORECAST] = terminal
    lib.scalars[:, c.BACKGROUND_PRIORITY] = 0.9
    for direction in (UP, DN):
        for area in range(areas):
            need(lib, LFM, direction, 0.0, area=area)
        need(lib, MFRR, direction, 0.0, volume=100.0, reference=da, anchor=da)
    return lib


def need(
    lib: Library,
    market: int,
    direction: int,
    mw: float,
    *,
    volume: float = 0.0,
    reference: float = 0.0,
    anchor: float = 0.0,
    limit: float | None = None,
    first: int = 0,
    last: int | None = None,
    area: int = 0,
) -> None:
    """Set what a buyer needs in the MTU first..last (all by default) and what other people offer."""
    unlimited = np.inf if direction == UP else -np.inf
    at = slice(first, None if last is None else last + 1)
    base = background_column(direction)
    series = lib.series if market == MFRR else lib.local[:, area]
    series[:, at, base + c.NEED] = c.ROOMY_MW if market == LFM and mw == 0.0 else mw  # no schedule causes a need
    series[:, at, base + c.VOLUME] = volume
    series[:, at, base + c.REF] = reference
    series[:, at, base + c.ANCHOR] = anchor
    series[:, at, base + c.LIMIT] = unlimited if limit is None else limit


def tso_needs_up(lib: Library, mw: float, price: float, reference: float, **where: int) -> None:
    """Set a balancing need of up-regulation that other people would serve at exactly `price`; the area is short."""
    need(lib, MFRR, UP, mw, volume=mw, reference=reference, anchor=price, **where)
    lib.series[:, slice(where.get("first", 0), where.get("last", TICKS * 99) + 1), c.DOMINANT] = 1.0


@dataclass
class Record:
    """What happened in a played world, by tick."""

    flows: NDArray[np.float64]  # (tick, portfolio, FLOWS_W)
    market: NDArray[np.float64]  # (tick, MARKET_W)
    reward: NDArray[np.float64]  # (tick, portfolio)
    observation: NDArray[np.float32]  # (tick + 1, portfolio, OBSERVATIONS_W)
    mask: NDArray[np.bool_]  # (tick + 1, portfolio, ACTIONS_W)

    def cash(self, row: int = 0) -> dict[str, float]:
        """Return the cash labels that are not zero, summed over the world, EUR."""
        sums = self.flows[:, row, : f.CASH_W].sum(axis=0)
        shown = [label for label in f.CASH_LABELS if abs(sums[label.column]) > 1e-4]
        return {label.name: round(float(sums[label.column]), 4) + 0.0 for label in shown}

    def energy(self, row: int = 0) -> dict[str, float]:
        """Return the energies and counts that are not zero, MWh, without what only repeats them."""
        sums = self.flows[:, row].sum(axis=0)
        return {
            name: round(float(sums[column]), 5)
            for column, name in f.ENERGY_LABELS
            if abs(sums[column]) > 1e-6 and column != f.VALIDATED_LFM
        }

    def refused(self, row: int = 0) -> dict[str, float]:
        """Return the refused energies that are not zero by code, MWh."""
        sums = self.flows[:, row, f.REFUSED :].sum(axis=0)
        return {code.name: round(float(sums[code.number]), 5) for code in CODES if abs(sums[code.number]) > 1e-6}

    def power(self, row: int = 0) -> list[float]:
        """Return the metered power of the last four MTU, MW."""
        return [round(float(x), 5) for x in self.flows[-4:, row, f.POWER_MW]]


def play(
    design: Design,
    lib: Library,
    decisions: Decisions | Mapping[tuple[int, int], Mapping[str, float]],
    portfolios: tuple[Portfolio, ...] = (),
    backend: str = "python",
) -> Record:
    """Play scenario 0 to its end with decisions by tick (portfolio 0) or by (tick, portfolio), checking invariants."""
    engine = Engine(design, portfolios or (portfolio(),), lib, backend=backend)
    names = engine.compiled.layout.names
    table = {key if isinstance(key, tuple) else (key, 0): columns for key, columns in decisions.items()}
    seen: dict[str, list[Any]] = {name: [] for name in ("flows", "market", "reward", "observation", "mask")}
    seen["observation"].append(engine.observation[0].copy())
    seen["mask"].append(engine.mask[0].copy())
    for tick in range(int(lib.length[0])):
        action = np.zeros((1, engine.rows, len(names)))
        for row in range(engine.rows):
            for name, value in table.get((tick, row), {}).items():
                column = names.index(name)
                assert engine.mask[0, row, column], f"{name} is closed at tick {tick}"
                action[0, row, column] = value
        before = engine.snapshot()
        engine.step(action)
        check_step(engine, before, action)
        for name, values in seen.items():
            values.append(getattr(engine, name)[0].copy())
    assert engine.ended[0]
    return Record(**{name: np.array(values) for name, values in seen.items()})


def consents(yes: float) -> dict[str, float]:
    """Return the same answer for both directions."""
    return {"consent_up": yes, "consent_dn": yes}


def local(direction: str, share: float, price: float, consent: float | None = None) -> dict[int, dict[str, float]]:
    """Return the decision at the local gate of the block; without an answer, consent is not given."""
    answer = {} if consent is None else consents(consent)
    return {BLOCK_GATE: {f"lfm_{direction}_share_frac": share, f"lfm_{direction}_price": price, **answer}}


def balancing(direction: str, share: float, price: float, ticks: tuple[int, ...] = (8, 9, 10, 11)) -> dict[int, dict[str, float]]:
    """Return the decisions at the balancing gates of some MTU, T-45."""
    return {t - 3: {f"mfrr_{direction}_share_frac": share, f"mfrr_{direction}_price": price} for t in ticks}


def merged(*tables: Decisions) -> dict[int, dict[str, float]]:
    """Return several decision tables as one."""
    out: dict[int, dict[str, float]] = {}
    for table in tables:
        for tick, columns in table.items():
            out.setdefault(tick, {}).update(columns)
    return out


def by_row(**rows: Decisions) -> dict[tuple[int, int], dict[str, float]]:
    """Return decision tables of several portfolios, given as r0=..., r1=..., as one."""
    return {(tick, int(row[1:])): dict(columns) for row, table in rows.items() for tick, columns in table.items()}


def busy(lib: Library, seed: int = 0) -> Library:
    """Return a generated library whose local market needs something in half of the hours, now and then in both directions.

    Balancing needs are made small and frequent, so that many bids meet, are cut and set prices.
    """
    random = np.random.default_rng(seed)
    series, local = lib.series.copy(), lib.local.copy()
    count, ticks = series.shape[:2]
    hours = -(-ticks // 4)
    for direction in (UP, DN):
        sign = 1.0 if direction == UP else -1.0
        needed = np.where(random.random((count, hours)) < 0.5, random.uniform(0.05, 12.0, (count, hours)), 0.0)
        base = background_column(direction)
        columns = (
            (c.NEED, np.where(needed > 0.0, needed, -random.uniform(0.0, 20.0, (count, hours)))),
            (c.VOLUME, random.choice([0.0, 0.0, 1.0, 6.0], (count, hours))),
            (c.REF, 50.0 + sign * random.uniform(0, 30, (count, hours))),
            (c.ANCHOR, 50.0 + sign * random.uniform(30, 300, (count, hours))),
            (c.LIMIT, 50.0 + sign * random.choice([100.0, 400.0, 3000.0], (count, hours))),
        )
        for column, values in columns:
            local[:, 0, :, base + column] = np.repeat(values, 4, axis=1)[:, :ticks]
        balancing = background_column(direction)
        small = np.where(random.random((count, ticks)) < 0.4, random.integers(1, 15, (count, ticks)), 0.0)
        series[:, :, balancing + c.NEED] = small
        series[:, :, balancing + c.VOLUME] = np.where(small > 0, small, 10.0)
        anchor = series[:, :, balancing + c.ANCHOR]
        reference = (
            np.minimum(series[:, :, c.DA_PRICE], anchor) if direction == UP else np.maximum(series[:, :, c.DA_PRICE], anchor)
        )
        series[:, :, balancing + c.REF] = np.where(small > 0, reference, anchor)
    inside = np.arange(ticks) < lib.length[:, None]
    series[~inside] = 0.0
    local[np.broadcast_to(~inside[:, None], local.shape[:3])] = 0.0
    return replace(lib, series=series, local=local)


def joined(*parts: Library) -> Library:
    """Return the scenarios of several libraries of one width as one, padded to the longest."""

    def padded(name: str, part: Library) -> NDArray[Any]:
        array = getattr(part, name)
        axis = {"local": 2, "local_hourly": 3}.get(name, 1)
        missing = max(getattr(p, name).shape[axis] for p in parts) - array.shape[axis]
        out = np.pad(array, [(0, missing if k == axis else 0) for k in range(array.ndim)])
        if name == "calendar":
            out[:, array.shape[1] :, c.DA_FIRST] = -1
        return out

    return replace(
        parts[0],
        **{
            name: np.concatenate([padded(name, part) for part in parts])
            for name in ("series", "hourly", "calendar", "local", "local_hourly")
        },
        **{
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in ("scalars", "length", "start_frac", "priority", "start_utc")
        },
        keys=tuple(key for part in parts for key in part.keys),
    )


FLEET = (
    portfolio("even", 5.0, 10.0, efficiency=0.93, start=None, wear=10.0, low=0.05, high=0.95, connection=5.0),
    portfolio("fast", 10.0, 5.0, efficiency=0.8, start=0.9, tariff=20.0),
    portfolio("tiny", 0.05, 0.1, efficiency=0.9, start=None),
    portfolio("slow", 3.0, 30.0, start=0.1, low=0.1, high=0.8, connection=1.5),
    portfolio("full", 6.0, 12.0, efficiency=0.95, start=1.0, wear=5.0),
)
"""Five unlike batteries."""


def lively(bounds: NDArray[np.float64], shape: tuple[int, ...], random: np.random.Generator) -> NDArray[np.float64]:
    """Return random legal actions that trade a lot: prices near the market, every share, consent half of the time."""
    low, high = bounds
    action = random.uniform(low, high, (*shape, low.size))
    for column in (v.LFM_PRICE_UP, v.LFM_PRICE_DN, v.MFRR_PRICE_UP, v.MFRR_PRICE_DN):
        action[..., column] = random.normal(60.0, 40.0, shape)
    action[..., v.DA_MIN_SPREAD] *= 0.2
    action[..., v.ID_POWER_FRAC] *= random.random(shape) < 0.3
    return action


STATE = ("control", "state", "ring", "early", "chargers", "world", "prices", "history")
RESULTS = ("flows", "market", "reward", "observation", "mask", "ended")


def same_bytes(a: Engine, b: Engine, names: tuple[str, ...] = STATE + RESULTS) -> None:
    """Assert that two engines hold the same bytes."""
    for name in names:
        left, right = getattr(a, name), getattr(b, name)
        assert left.tobytes() == right.tobytes(), (name, a.clock.tolist(), np.argwhere(left != right)[:3].tolist())
