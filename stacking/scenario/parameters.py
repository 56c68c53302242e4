"""Parameters of the generator: one TOML file in which every value carries its unit and its origin.

A leaf is a table ``{value = ..., unit = "...", origin = "...", price_year = ...}``; ``origin`` is a source or the word
``assumed``. Values are validated once; nothing is filled in silently.
"""

from __future__ import annotations

import tomllib
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..errors import StackingError

DEFAULT_FILE = Path(__file__).with_name("generator.toml")
"""The parameters that are shipped."""

Frac = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0, le=1e6)]
NotNegative = Annotated[float, Field(ge=0.0, le=1e6)]
Price = Annotated[float, Field(ge=-1e5, le=1e5)]
ByHour = Annotated[tuple[NotNegative, ...], Field(min_length=24, max_length=24)]
ByMonth = Annotated[tuple[NotNegative, ...], Field(min_length=12, max_length=12)]
Row3 = tuple[NotNegative, NotNegative, NotNegative]
Level = Annotated[float, Field(gt=0.0, lt=1.0)]
LevelValue = tuple[Level, NotNegative]


class Group(BaseModel):
    """A table of parameters: frozen, no unknown keys, no NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Start(Group):
    """When scenarios start."""

    year: Annotated[int, Field(ge=1990, le=2099)]


class DayAhead(Group):
    """Day-ahead price: level x (month, weekend, hour) + skewed autocorrelated deviation + spikes, softly floored."""

    level_eur_per_mwh: Positive
    hour_profile_eur_per_mwh: ByHour
    month_profile_eur_per_mwh: ByMonth
    month_strength_frac: Frac
    weekend_frac: Frac
    shape_spread: NotNegative
    scale_eur_per_mwh: NotNegative
    tail: Annotated[float, Field(gt=0.0, le=2.0)]
    slow_share_frac: Frac
    slow_memory_h: Positive
    fast_memory_h: Positive
    floor_from_eur_per_mwh: Price
    floor_depth_eur_per_mwh: Positive
    spike_probability: Frac
    spike_mean_eur_per_mwh: NotNegative
    spike_memory_h: Positive
    spike_cap_eur_per_mwh: Positive


class Quantiles(Group):
    """A distribution by quantiles (level, value) in order; between them log1p(value) is linear in normal scores."""

    points: Annotated[tuple[LevelValue, ...], Field(min_length=2)]

    @model_validator(mode="after")
    def _ordered(self) -> Quantiles:
        levels, values = zip(*self.points, strict=True)
        if any(b <= a for a, b in pairwise(levels)):
            raise ValueError("levels must rise")
        if any(b < a for a, b in pairwise(values)):
            raise ValueError("values must not fall")
        return self


class Balancing(Group):
    """Balancing need: Markov chain of regimes (down, none, up) per MTU, volumes, premium and discount."""

    transition: tuple[Row3, Row3, Row3]
    volume_up: Quantiles
    volume_down: Quantiles
    volume_memory_mtu: Positive
    premium: Quantiles
    discount: Quantiles
    price_memory_mtu: Positive
    price_volume_correlation: Annotated[float, Field(ge=-1.0, le=1.0)]
    discount_da_loading: Annotated[float, Field(ge=-1.0, le=1.0)]
    depth_mw: Positive
    minimal_need_mw: Positive

    @model_validator(mode="after")
    def _leaves_somewhere(self) -> Balancing:
        if any(sum(row) <= 0 for row in self.transition):
            raise ValueError("each row of the transition matrix needs a positive sum")
        return self


class LocalSlot(Group):
    """Needs of one direction: how often, when in the year and the day, how dear."""

    hours_per_year: Annotated[float, Field(ge=0.0, le=2000.0)]
    month_weight: ByMonth
    hour_weight: ByHour
    limit: Quantiles
    other_price: Quantiles

    @model_validator(mode="after")
    def _some_weight(self) -> LocalSlot:
        if sum(self.month_weight) <= 0 or sum(self.hour_weight) <= 0:
            raise ValueError("month_weight and hour_weight need a positive sum")
        return self


class Local(Group):
    """Rare local needs of a DSO and the thin supply of others."""

    up: LocalSlot
    down: LocalSlot
    duration_weight: Annotated[tuple[NotNegative, ...], Field(min_length=1, max_length=12)]
    size_mw: tuple[Positive, Positive]
    price_coupling: NotNegative
    others_weight: Row3
    other_size: Quantiles
    other_cheapest_frac: tuple[Frac, Frac]

    @model_validator(mode="after")
    def _ordered(self) -> Local:
        if self.size_mw[0] > self.size_mw[1] or self.other_cheapest_frac[0] > self.other_cheapest_frac[1]:
            raise ValueError("ranges go from low to high")
        if sum(self.duration_weight) <= 0 or sum(self.others_weight) <= 0:
            raise ValueError("weights need a positive sum")
        return self


class Forecast(Group):
    """Errors of forecasts, drawn at their time of issue and stored."""

    da_error_frac: Row3
    da_memory_h: Positive
    need_error_frac: NotNegative
    need_memory_mtu: Positive
    local_hit_frac: tuple[Frac, Frac]
    local_false_per_true: NotNegative
    local_false_kept_frac: Frac
    local_size_error: tuple[NotNegative, NotNegative]
    local_limit_error: tuple[NotNegative, NotNegative]
    terminal_error_frac: NotNegative
    terminal_trailing_days: Annotated[int, Field(ge=1, le=28)]


class Parameters(Group):
    """All parameters of the generator."""

    start: Start
    day_ahead: DayAhead
    balancing: Balancing
    local: Local
    forecast: Forecast


def load_parameters(source: Parameters | str | Path | None = None) -> Parameters:
    """Return the parameters of a TOML file (default: the one that is shipped).

    Raises:
        StackingError: missing or broken file, unknown or missing key, value out of range, leaf without origin, or a
            value in EUR without its price year.
    """
    return source if isinstance(source, Parameters) else _load(Path(source) if source is not None else DEFAULT_FILE)


@lru_cache(maxsize=8)
def _load(path: Path) -> Parameters:
    values, _ = _read(path)
    try:
        return Parameters.model_validate(values, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise StackingError(
            "Bad parameter of the scenario generator.",
            place=str(path),
            key=key,
            value=first["input"],
            allowed=first["msg"],
            remedy=f"Correct this entry; compare {DEFAULT_FILE.name}.",
        ) from error


def origins(path: str | Path | None = None) -> dict[str, dict[str, Any]]:
    """Return unit, origin and price year of every parameter by its dotted name."""
    return _read(Path(path) if path is not None else DEFAULT_FILE)[1]


def _read(path: Path) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise StackingError("There is no such parameter file.", place=str(path), remedy="Check the path.") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise StackingError(
            "The parameter file cannot be read.",
            place=str(path),
            value=str(error),
            allowed="TOML, UTF-8",
            remedy="Correct the line named above.",
        ) from error
    facts: dict[str, dict[str, Any]] = {}
    return _strip(data, "", str(path), facts), facts


def _strip(table: dict[str, Any], prefix: str, place: str, facts: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Replace each leaf by its value and collect where it comes from."""
    out: dict[str, Any] = {}
    for name, entry in table.items():
        key = f"{prefix}{name}"
        if not isinstance(entry, dict):
            raise StackingError(
                "A parameter without an origin.",
                place=place,
                key=key,
                value=entry,
                allowed='{value = ..., unit = "...", origin = "..."}',
                remedy='Say where the value comes from, or origin = "assumed".',
            )
        if "value" not in entry:
            out[name] = _strip(entry, f"{key}.", place, facts)
            continue
        _check_origin(entry, key, place)
        facts[key] = {k: v for k, v in entry.items() if k != "value"}
        value = _frozen(entry["value"])
        out[name] = {"points": value} if entry.get("kind") == "quantiles" else value
    return out


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value


def _check_origin(entry: dict[str, Any], key: str, place: str) -> None:
    known = {"value", "unit", "origin", "price_year", "kind"}
    if unknown := sorted(set(entry) - known):
        raise StackingError(
            "Unknown entry of a parameter.",
            place=place,
            key=f"{key}.{unknown[0]}",
            allowed=", ".join(sorted(known)),
            remedy="Remove it.",
        )
    for name in ("unit", "origin"):
        if not isinstance(entry.get(name), str) or not entry[name].strip():
            raise StackingError(
                f"A parameter without {name}.",
                place=place,
                key=f"{key}.{name}",
                value=entry.get(name),
                allowed="text; for the origin a source or the word 'assumed'",
                remedy=f"Add the {name}.",
            )
    if "EUR" in entry["unit"] and not isinstance(entry.get("price_year"), int):
        raise StackingError(
            "A price without its year.",
            place=place,
            key=f"{key}.price_year",
            value=entry.get("price_year"),
            allowed="a year such as 2025",
            remedy="Add the year of the price level.",
        )
