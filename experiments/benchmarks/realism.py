"""Realism: real series beside generated ones, measure by measure, with what is off at the end.

The last quarter of each real series is held out. The generator is fitted to the rest by `stacking calibrate`'s code,
draws the held-out hours many times, and each measure of the real quarter is looked up in the interval of the drawn ones.
The part that was fitted is compared in the same way: what is off there is the law's fault, what is off only in the
held-out part is a market that moved.
Closed series are compared with their published figures, drawn from the sets that are shipped.
"""

from __future__ import annotations

import datetime as dt
import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stacking.errors import StackingError
from stacking.scenario.balancing import draw_balancing
from stacking.scenario.calibrate import LocalTime, balancing_prices, calibrate, hourly
from stacking.scenario.keys import ScenarioKey, scenario_keys
from stacking.scenario.parameters import Parameters, load_parameters
from stacking.scenario.prices import day_ahead
from stacking.scenario.table import PriceTable
from stacking.units import MTU_PER_HOUR

from .measures import Market, measure, parts
from .realism_data import CASES, HELD_OUT_FRAC, PUBLISHED, read_cases

Floats = NDArray[np.float64]

__all__ = ["CASES", "Distance", "Realism", "Row", "compare", "published_rows", "run"]

DRAWS = 80
LEVEL_FRAC = 0.95
RESAMPLES = 300
BLOCK_DAYS = 7
SEEN, HELD_OUT = "the part that was fitted", "the part held out"
FAR_FRAC = 0.2
GRID = (np.arange(400) + 0.5) / 400
"""Levels at which the quantiles of two distributions are compared."""


@dataclass(frozen=True)
class Row:
    """One measure: the real value, the mean of the drawn ones and their interval (NaN: not known)."""

    case: str
    measure: str
    real: float
    generated: float
    low: float
    high: float

    @property
    def off(self) -> bool:
        """Return whether the real value lies outside the interval of the generated one."""
        return self.has_interval and not self.low <= self.real <= self.high

    @property
    def has_interval(self) -> bool:
        """Return whether the interval is known."""
        return not np.isnan(self.low)

    @property
    def far(self) -> bool:
        """Return whether, without an interval, the generated value is off by over a fifth of the real one."""
        return not self.has_interval and abs(self.generated - self.real) > FAR_FRAC * abs(self.real)


@dataclass(frozen=True)
class Distance:
    """Mean absolute difference of quantiles (EUR/MWh) between real and all drawn values, with its interval over days."""

    case: str
    values: str
    estimate: float
    low: float
    high: float
    by_chance: float  # 95 % of the drawn series lie no further from all of them
    of_the_past: float  # distance of the real values from those that calibration saw: how far the market moved


@dataclass(frozen=True)
class Realism:
    """All rows and distances, and what a reader must know."""

    rows: tuple[Row, ...]
    distances: tuple[Distance, ...]
    notes: tuple[str, ...]

    @property
    def off(self) -> tuple[Row, ...]:
        """Return the rows whose real value lies outside the interval of the generated one."""
        return tuple(row for row in self.rows if row.off)


def run(folder: str | None, *, draws: int = DRAWS, advance: Callable[[int], None] | None = None) -> Realism:
    """Compare real and generated series.

    Args:
        folder: folder of the real series (docs/realism.md).
        draws: series drawn per case.
        advance: called with 1 after each case.

    Raises:
        StackingError: without a folder, if a file is missing, or for fewer than 20 draws.
    """
    if folder is None:
        raise StackingError(
            "No folder with real series was given.",
            place="bench realism",
            key="--data",
            allowed="a folder with the files that docs/realism.md lists",
            remedy="Use `stacking bench realism --data FOLDER`; without real series there is nothing to compare with.",
        )
    if draws < 20:
        raise StackingError(
            "Too few draws for an interval.", place="bench realism", key="draws", value=draws, allowed=">= 20", remedy="Use 80."
        )
    rows: list[Row] = []
    distances: list[Distance] = []
    notes = [f"held out: the last {100 * HELD_OUT_FRAC:g} % of each series; {draws} series drawn for the same hours"]
    for case, seen, held in read_cases(folder):
        fit = calibrate(seen, timezone=case.timezone, base=case.base)
        notes += [f"{case.name}: {kept}" for kept in fit.kept if "month_score" in kept or "volume" in kept]
        past = _real(seen, case.timezone)
        fewer = [_drawn(key, seen, case.timezone, fit.parameters, past) for key in _keys(max(20, draws // 3))]
        rows += compare(f"{case.name}: {SEEN}", measure(past), [measure(market) for market in fewer])
        real = _real(held, case.timezone)
        drawn = [_drawn(key, held, case.timezone, fit.parameters, real) for key in _keys(draws)]
        rows += compare(f"{case.name}: {HELD_OUT}", measure(real), [measure(market) for market in drawn])
        distances += _distances(case.name, real, drawn, past)
        if advance:
            advance(1)
    for name, published in PUBLISHED.items():
        rows += published_rows(name, published, max(20, draws // 4))
    site, note = _sites(Path(folder).expanduser())
    return Realism((*rows, *site), tuple(distances), (*notes, *note))


def compare(case: str, real: dict[str, float], drawn: Sequence[dict[str, float]]) -> list[Row]:
    """Return one row per measure that the real series and at least half of the drawn ones have."""
    rows = []
    for name, value in real.items():
        values = [measures[name] for measures in drawn if name in measures]
        if 2 * len(values) >= len(drawn):
            low, high = np.quantile(values, [0.5 - LEVEL_FRAC / 2, 0.5 + LEVEL_FRAC / 2])
            rows.append(Row(case, name, value, float(np.mean(values)), float(low), float(high)))
    return rows


def published_rows(name: str, published: dict[str, float], draws: int) -> list[Row]:
    """Return rows of a shipped set against published figures; each draw is one year of its own calendar."""
    p = load_parameters(name)
    first = int(dt.datetime(p.start.year, 1, 1, tzinfo=dt.UTC).timestamp())
    empty = np.zeros(365 * 96)
    table = PriceTable(first, {"da_price": empty, "mfrr_up_price": empty, "mfrr_dn_price": empty}, name, ())
    drawn = [measure(_drawn(key, table, "Europe/Oslo", p, None)) for key in _keys(draws)]
    return compare(f"NO2, set {name}", published, drawn)


def _keys(draws: int) -> tuple[ScenarioKey, ...]:
    return scenario_keys("validation", draws, source="realism")


def _days(time: LocalTime) -> NDArray[np.int64]:
    return (time.date - time.date[0]).astype(np.int64)


def _real(table: PriceTable, timezone: str) -> Market:
    first, da_hour = hourly(table)
    time = LocalTime.of(first, len(da_hour), timezone)
    found, da = balancing_prices(table), table.columns["da_price"]
    if found is None:
        return Market(time.hour, _days(time), da_hour, da_hour)
    up, down, need, step, _ = found
    at = slice((first - table.first_s) // 900, (first - table.first_s) // 900 + len(da_hour) * MTU_PER_HOUR, step)
    imbalance = table.columns.get("imb_price")
    return Market(
        time.hour, _days(time), da_hour, da[at], up[at], down[at],
        None if imbalance is None else imbalance[at], None if need is None else need[:, at],
    )  # fmt: skip


def _drawn(key: ScenarioKey, table: PriceTable, timezone: str, p: Parameters, real: Market | None) -> Market:
    """Return a generated market for the hours of a table, with the gaps of the real one."""
    first, da_hour = hourly(table)
    time = LocalTime.of(first, len(da_hour), timezone)
    price, score, _ = day_ahead(key, time, p.day_ahead)
    gap_hour = np.where(np.isnan(da_hour), np.nan, 0.0)
    if real is not None and real.up is None:
        return Market(time.hour, _days(time), price + gap_hour, price + gap_hour)
    da = np.repeat(price, MTU_PER_HOUR)
    drawn = draw_balancing(key, da, np.repeat(score, MTU_PER_HOUR), p.balancing)
    step = p.balancing.step_mtu if real is None else MTU_PER_HOUR // real.steps_per_hour
    gap: Floats | float = 0.0 if real is None or real.up is None or real.down is None else 0.0 * (real.up + real.down + real.da)
    up, down, imbalance = (values[::step] + gap for values in (*drawn.price, drawn.imbalance_price))
    has_imbalance = real is None or real.imbalance is not None
    has_need = real is None or real.need_mw is not None
    return Market(
        time.hour, _days(time), price + gap_hour, da[::step] + gap, up, down,
        imbalance if has_imbalance else None, drawn.need_mw[:, ::step] if has_need else None,
    )  # fmt: skip


def _distances(case: str, real: Market, drawn: Sequence[Market], past: Market) -> list[Distance]:
    out = []
    pooled, before = [parts(market) for market in drawn], parts(past)
    random = np.random.default_rng(np.random.SeedSequence(0))
    for name, (values, day) in parts(real).items():
        everything = _quantiles(np.concatenate([each[name][0] for each in pooled]))
        apart = [_distance(_quantiles(each[name][0]), everything) for each in pooled]
        resampled = [_distance(_quantiles(sample), everything) for sample in _blocks(values, day, random)]
        low, high = np.nanquantile(resampled, [0.5 - LEVEL_FRAC / 2, 0.5 + LEVEL_FRAC / 2])
        estimate, moved = (_distance(_quantiles(values), other) for other in (everything, _quantiles(before[name][0])))
        out.append(Distance(case, name, estimate, float(low), float(high), float(np.nanquantile(apart, LEVEL_FRAC)), moved))
    return out


def _quantiles(values: Floats) -> Floats:
    there = values[~np.isnan(values)]
    return np.quantile(there, GRID) if len(there) else np.full(len(GRID), np.nan)


def _distance(a: Floats, b: Floats) -> float:
    return float(np.abs(a - b).mean())


def _blocks(values: Floats, day: int, random: np.random.Generator) -> list[Floats]:
    """Return resampled series: blocks of 7 days drawn with replacement from the days in a ring."""
    count = len(values) // day
    days = values[: count * day].reshape(count, day)
    block = min(BLOCK_DAYS, count)
    starts = random.integers(0, count, size=(RESAMPLES, -(-count // block)))
    at = (starts[:, :, None] + np.arange(block)).reshape(RESAMPLES, -1)[:, :count] % count
    return [days[chosen].ravel() for chosen in at]


def _sites(folder: Path) -> tuple[list[Row], list[str]]:
    """Return rows of charging sites and loads, if that comparison is installed."""
    if importlib.util.find_spec(f"{__package__}.realism_sites") is None:
        return [], ["charging sites and loads: not compared in this version"]
    from . import realism_sites

    rows = realism_sites.site_rows(folder)
    return [Row(series, name, real, made, np.nan, np.nan) for series, name, real, made in rows], []
