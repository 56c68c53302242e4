"""Population files: which FSPs there are, as data; every value with unit and origin.

A leaf is a table ``{value = ..., unit = "...", origin = "..."}``; ``origin`` is a source or begins with the word ``assumed``.
A file with `base` starts from a shipped one and says what differs.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from stacking.config import Efficiency, Fraction, NonNegative, Positive, Record, read_toml, validated
from stacking.errors import StackingError
from stacking.portfolio import Pattern, Site

FOLDER = Path(__file__).with_name("populations")

Kind = Literal["battery", "fleet", "load", "mixed"]
KINDS: tuple[Kind, ...] = ("battery", "fleet", "load", "mixed")
Level = Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)]
MOST_CHARGERS = 5000
LEAF = ("value", "unit", "origin", "price_year")


def _rising(values: tuple[float, ...]) -> tuple[float, ...]:
    if any(b < a for a, b in pairwise(values)):
        raise ValueError(f"{list(values)} must go from low to high")
    return values


class Quantiles(Record):
    """A positive size by quantiles (level, value): between them log(value) is linear in normal scores.

    Two points are a log-normal distribution. Nothing is drawn beyond the outermost points.
    """

    points: Annotated[tuple[tuple[Level, Positive], ...], Field(min_length=2)]

    @model_validator(mode="before")
    @classmethod
    def _from_list(cls, data: Any) -> Any:
        return {"points": data} if isinstance(data, list) else data

    @model_validator(mode="after")
    def _ordered(self) -> Quantiles:
        levels, values = zip(*self.points, strict=True)
        if any(b <= a for a, b in pairwise(levels)):
            raise ValueError("levels must rise")
        _rising(values)
        return self


class Interval(Record):
    """Lower and upper end of an even draw; equal ends are a constant."""

    ends: tuple[NonNegative, NonNegative]

    @model_validator(mode="before")
    @classmethod
    def _from_list(cls, data: Any) -> Any:
        return {"ends": data} if isinstance(data, list) else data

    @model_validator(mode="after")
    def _ordered(self) -> Interval:
        _rising(self.ends)
        return self

    def at(self, u: float) -> float:
        """Return low + u (high - low) for u in 0..1."""
        low, high = self.ends
        return low + u * (high - low)


class FracInterval(Interval):
    """An interval of shares above 0 and at most 1."""

    ends: tuple[Efficiency, Efficiency]


class Place(Record):
    """What stands in one kind of area."""

    weight: NonNegative
    kind_weight: Mapping[Kind, NonNegative]
    site_weight: Mapping[Site, NonNegative]
    load_weight: Mapping[Pattern, NonNegative]


class BatteryDraw(Record):
    """How batteries are drawn."""

    duration_h: Interval
    round_trip_frac: FracInterval
    content_frac: tuple[Fraction, Fraction]
    wear_eur_per_mwh: Interval


class FleetDraw(Record):
    """How EV fleets are drawn."""

    charger_mw: Mapping[Site, Annotated[float, Field(gt=0, le=1)]]
    v2g_fleets_frac: Fraction
    v2g_share_frac: FracInterval
    v2g_depth_frac: Fraction
    v2g_round_trip_frac: Efficiency
    delay_eur_per_mwh: Interval
    v2g_wear_eur_per_mwh: NonNegative
    unmet_eur_per_mwh: NonNegative


class LoadDraw(Record):
    """How industrial loads of one process are drawn."""

    flexible_frac: FracInterval
    steps: tuple[Annotated[int, Field(ge=1, le=100)], Annotated[int, Field(ge=1, le=100)]]
    notice_min: NonNegative
    duration_min: tuple[Positive, Positive]
    rest_min: NonNegative
    activations_per_day: Annotated[int, Field(ge=1, le=96)]
    rebound_frac: Annotated[float, Field(ge=0, le=2)]
    rebound_min: Positive
    cost_eur_per_mwh: Interval

    @model_validator(mode="after")
    def _ordered(self) -> LoadDraw:
        _rising(self.steps)
        _rising(self.duration_min)
        return self


class MixedDraw(Record):
    """How sites with several assets are divided."""

    battery_frac: FracInterval
    with_load_frac: Fraction
    load_frac: FracInterval
    connection_frac: FracInterval


class StrategyDraw(Record):
    """Which strategies the FSPs play, and under which consent policies; by default each strategy decides itself."""

    weight: Mapping[str, NonNegative]
    consent_weight: Mapping[str, NonNegative] = Field(default={"own": 1.0})


class PopulationFile(Record):
    """Everything that a population is drawn from."""

    title: str
    providers: Annotated[int, Field(ge=1, le=1_000_000)]
    size_mw: Quantiles
    area_providers_weight: Annotated[tuple[NonNegative, ...], Field(min_length=1, max_length=1000)]
    charge_tariff_eur_per_mwh: NonNegative
    place: Annotated[Mapping[str, Place], Field(min_length=1)]
    battery: BatteryDraw
    fleet: FleetDraw
    load: Mapping[Pattern, LoadDraw]
    mixed: MixedDraw
    strategy: StrategyDraw

    @model_validator(mode="after")
    def _drawable(self) -> PopulationFile:
        weights = {"area_providers_weight": list(self.area_providers_weight)}
        weights["place"] = [place.weight for place in self.place.values()]
        weights["strategy.weight"] = list(self.strategy.weight.values())
        weights["strategy.consent_weight"] = list(self.strategy.consent_weight.values())
        for name, place in self.place.items():
            for key in ("kind_weight", "site_weight", "load_weight"):
                weights[f"place.{name}.{key}"] = list(getattr(place, key).values())
            for site in place.site_weight:
                if site not in self.fleet.charger_mw:
                    raise ValueError(f"fleet.charger_mw has no entry for site '{site}' of place '{name}'")
            for pattern in place.load_weight:
                if pattern not in self.load:
                    raise ValueError(f"there is no [load.{pattern}] for a load of place '{name}'")
        for key, numbers in weights.items():
            if not sum(numbers) > 0:
                raise ValueError(f"{key} needs a positive sum")
        most = self.size_mw.points[-1][1] / min(self.fleet.charger_mw.values(), default=1.0)
        if most > MOST_CHARGERS:
            raise ValueError(f"the largest size_mw needs {most:.0f} charging points of the smallest charger_mw: at most 5000")
        if self.battery.duration_h.ends[0] <= 0:
            raise ValueError("battery.duration_h must lie above 0")
        low, high = self.battery.content_frac
        if low >= high:
            raise ValueError(f"battery.content_frac = [{low}, {high}] must go from low to high")
        return self


def population_names() -> tuple[str, ...]:
    """Return the names of the shipped population files."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def load_population(name_or_path: str | Path) -> PopulationFile:
    """Return a shipped population file by name, or one by its path (ending in .toml).

    Raises:
        StackingError: unknown name, missing or broken file, unknown or missing key, value out of range, leaf without unit or
            origin, price without its year.
    """
    return _load(str(name_or_path))[0]


def population_origins(name_or_path: str | Path) -> Mapping[str, Mapping[str, Any]]:
    """Return unit, origin and price year of every value of a population file by its dotted name."""
    return _load(str(name_or_path))[1]


@lru_cache(maxsize=16)
def _load(name_or_path: str) -> tuple[PopulationFile, dict[str, dict[str, Any]]]:
    path = _path(name_or_path, "population", "")
    facts: dict[str, dict[str, Any]] = {}
    return validated(PopulationFile, _strip(_inherited(path), "", str(path), facts), str(path)), facts


def _path(name_or_path: str, key: str, place: str) -> Path:
    """Return the file behind a name or path."""
    if Path(name_or_path).suffix == ".toml":
        return Path(name_or_path)
    if name_or_path not in population_names():
        raise StackingError(
            "Unknown population.", place=place, key=key, value=name_or_path, allowed=", ".join(population_names()),
            remedy="Use one of these names or the path of a .toml file (see docs/populations.md).",
        )  # fmt: skip
    return FOLDER / f"{name_or_path}.toml"


def _inherited(path: Path) -> dict[str, Any]:
    """Return the data of a file on top of its shipped base."""
    data = read_toml(path)
    base = data.pop("base", None)
    if base is None:
        return data
    below = read_toml(_path(base, "base", str(path))) if isinstance(base, str) else {}
    if not isinstance(base, str) or Path(base).suffix or "base" in below:
        raise StackingError(
            "A population file starts from a shipped one that stands by itself.", place=str(path), key="base", value=base,
            allowed=", ".join(name for name in population_names() if "base" not in read_toml(FOLDER / f"{name}.toml")),
            remedy="Name one of these, or leave out `base` and give every value.",
        )  # fmt: skip
    return _merged(below, data)


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return a table in which the upper one's leaves replace the lower one's."""
    out = dict(below)
    for key, entry in above.items():
        tables = isinstance(entry, dict) and isinstance(out.get(key), dict)
        out[key] = _merged(out[key], entry) if tables and "value" not in entry and "value" not in out[key] else entry
    return out


def _strip(table: Mapping[str, Any], prefix: str, place: str, facts: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Replace each leaf by its value and collect where it comes from."""
    out: dict[str, Any] = {}
    for name, entry in table.items():
        key = f"{prefix}{name}"
        if key == "title":
            out[name] = entry
        elif isinstance(entry, dict) and "value" not in entry:
            out[name] = _strip(entry, f"{key}.", place, facts)
        else:
            _check_leaf(entry, key, place)
            facts[key] = {k: v for k, v in entry.items() if k != "value"}
            out[name] = entry["value"]
    return out


def _check_leaf(entry: Any, key: str, place: str) -> None:
    """Check that a leaf says its unit and where it comes from."""
    wanted = '{value = ..., unit = "...", origin = "..."}'
    problem, where, value = "", key, None
    if not isinstance(entry, dict):
        problem, value = "A value without an origin.", entry
    elif unknown := sorted(set(entry) - set(LEAF)):
        problem, where, wanted = "Unknown entry of a value.", f"{key}.{unknown[0]}", ", ".join(LEAF)
    else:
        for name in ("unit", "origin"):
            if not isinstance(entry.get(name), str) or not entry[name].strip():
                problem, where, value = f"A value without {name}.", f"{key}.{name}", entry.get(name)
        if not problem and "EUR" in entry["unit"] and not isinstance(entry.get("price_year"), int):
            problem, where, wanted = "A price without its year.", f"{key}.price_year", "a year such as 2025"
    if problem:
        raise StackingError(
            problem,
            place=place,
            key=where,
            value=value,
            allowed=wanted,
            remedy='Say where the value comes from, or origin = "assumed".',
        )
