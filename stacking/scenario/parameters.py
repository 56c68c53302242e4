"""Parameters of the generator: what each law needs, validated once; nothing is filled in silently.

The values stand in one data file, ``generator.toml``, with unit, origin and price year (see ``parameter_files``).
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..errors import StackingError
from .parameter_files import Leaves, read_leaves, set_names, write_leaves

DEFAULT_FILE = Path(__file__).with_name("generator.toml")
"""The parameters that are shipped: a catalogue of sets, the first of which is the default."""

Frac = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0, le=1e6)]
NotNegative = Annotated[float, Field(ge=0.0, le=1e6)]
Price = Annotated[float, Field(ge=-1e5, le=1e5)]
Score = Annotated[float, Field(ge=-6.0, le=6.0)]
Correlation = Annotated[float, Field(gt=-1.0, lt=1.0)]
ByHour = Annotated[tuple[NotNegative, ...], Field(min_length=24, max_length=24)]
ByMonth = Annotated[tuple[NotNegative, ...], Field(min_length=12, max_length=12)]
ScoreByHour = Annotated[tuple[Score, ...], Field(min_length=24, max_length=24)]
ScoreByMonth = Annotated[tuple[Score, ...], Field(min_length=12, max_length=12)]
Row3 = tuple[NotNegative, NotNegative, NotNegative]
Row4 = tuple[NotNegative, NotNegative, NotNegative, NotNegative]
Level = Annotated[float, Field(gt=0.0, lt=1.0)]
Component = tuple[Frac, Positive]
"""Share of the variance of a score, and its memory."""

Mean = Annotated[float, Field(ge=1.0, le=1e5)]
Runs = tuple[Frac, Mean, Mean]
"""Lengths of runs, a mixture of two geometric laws: share of long runs, mean of short ones, mean of long ones."""


class Group(BaseModel):
    """A table of parameters: frozen, no unknown keys, no NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class PriceQuantiles(Group):
    """A distribution by quantiles (level, value) in order; between them asinh(value) is linear in normal scores."""

    points: Annotated[tuple[tuple[Level, Price], ...], Field(min_length=2)]

    @model_validator(mode="after")
    def _ordered(self) -> PriceQuantiles:
        levels, values = zip(*self.points, strict=True)
        if any(b <= a for a, b in pairwise(levels)):
            raise ValueError("levels must rise")
        if any(b < a for a, b in pairwise(values)):
            raise ValueError("values must not fall")
        return self


class Quantiles(PriceQuantiles):
    """A distribution of values that are not negative, by quantiles."""

    @model_validator(mode="after")
    def _not_negative(self) -> Quantiles:
        if self.points[0][1] < 0:
            raise ValueError("values must not be negative")
        return self


class Start(Group):
    """When scenarios start."""

    year: Annotated[int, Field(ge=1990, le=2099)]


class DayAhead(Group):
    """Day-ahead price: quantile function of a score = hour + weekend + month + spread x four remembering components."""

    price_eur_per_mwh: PriceQuantiles
    hour_score: ScoreByHour
    weekend_score: ScoreByHour
    month_score: ScoreByMonth
    hour_spread: ByHour
    slow: Component
    fast: Component
    daily: Component
    half_daily: Component

    @model_validator(mode="after")
    def _whole(self) -> DayAhead:
        total = sum(share for share, _ in (self.slow, self.fast, self.daily, self.half_daily))
        if not math.isclose(total, 1.0, abs_tol=1e-6):
            raise ValueError(f"the shares of slow, fast, daily and half_daily must sum to 1, not {total:g}")
        return self


class Balancing(Group):
    """Balancing market: runs of states (down, none, up, both), volumes, premium and discount."""

    step_mtu: Literal[1, 4]
    run_down: Runs
    run_none: Runs
    run_up: Runs
    run_both: Runs
    jump: tuple[Row4, Row4, Row4, Row4]
    volume_up: Quantiles
    volume_down: Quantiles
    volume_memory_steps: Positive
    premium: Quantiles
    discount: Quantiles
    price_memory_steps: Positive
    price_volume_correlation: Correlation
    premium_da_loading: Correlation
    discount_da_loading: Correlation
    depth_mw: Positive
    minimal_need_mw: Positive

    @model_validator(mode="after")
    def _leaves_somewhere(self) -> Balancing:
        for state, row in enumerate(self.jump):
            if row[state] != 0 or sum(row) <= 0:
                raise ValueError("each row of jump needs a zero for its own state and a positive sum")
        return self


class LocalSlot(Group):
    """Needs of one direction: how often, when in the year and the day, what the DSO pays at most."""

    hours_per_year: Annotated[float, Field(ge=0.0, le=2000.0)]
    month_weight: ByMonth
    hour_weight: ByHour
    limit: Quantiles

    @model_validator(mode="after")
    def _some_weight(self) -> LocalSlot:
        if sum(self.month_weight) <= 0 or sum(self.hour_weight) <= 0:
            raise ValueError("month_weight and hour_weight need a positive sum")
        return self


class Local(Group):
    """Rare local needs of a DSO, the thin supply of others, and the room below the limit in all other hours."""

    up: LocalSlot
    down: LocalSlot
    duration_weight: Annotated[tuple[NotNegative, ...], Field(min_length=1, max_length=12)]
    size_mw: tuple[Positive, Positive]
    price_coupling: NotNegative
    others_weight: Row3
    other_size: Quantiles
    other_dearest_frac: tuple[Positive, Positive]
    other_cheapest_frac: tuple[Frac, Frac]
    headroom: Quantiles
    headroom_memory_h: Positive
    headroom_offseason_factor: Annotated[float, Field(ge=1.0, le=100.0)]

    @model_validator(mode="after")
    def _ordered(self) -> Local:
        if any(low > high for low, high in (self.size_mw, self.other_dearest_frac, self.other_cheapest_frac)):
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
    """Return parameters of the generator.

    Args:
        source: a set that is shipped (``parameter_sets``), such as "no2_2025" or, with another local price regime,
            "no2_2025:sthlmflex"; a TOML file; loaded parameters; or None for the default set.

    Raises:
        StackingError: unknown set, missing or broken file, unknown or missing key, value out of range, leaf without
            origin, or a value in EUR without its price year.
    """
    return source if isinstance(source, Parameters) else _load(*_where(source))


def parameter_sets() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of the sets that are shipped, the default first, and of the local price regimes."""
    return set_names(DEFAULT_FILE)


def origins(source: str | Path | None = None) -> dict[str, dict[str, Any]]:
    """Return unit, origin and price year of every parameter of a set or file by its dotted name."""
    return read_leaves(*_where(source)).facts


def save_parameters(path: str | Path, parameters: Parameters, facts: dict[str, dict[str, Any]], heading: str = "") -> None:
    """Write parameters as a file that ``load_parameters`` reads; ``facts`` as ``origins`` gives them.

    Raises:
        StackingError: if the file cannot be written.
    """
    values = _plain(parameters.model_dump())
    write_leaves(Path(path), values, facts, heading)


def _plain(values: Any) -> Any:
    """Replace tables of quantiles by their points."""
    if not isinstance(values, dict):
        return values
    return values["points"] if set(values) == {"points"} else {key: _plain(value) for key, value in values.items()}


def _where(source: str | Path | None) -> tuple[Path, str | None, str | None]:
    """Return file, set and local price regime."""
    if source is None:
        return DEFAULT_FILE, None, None
    if isinstance(source, str):
        sets, locals_ = parameter_sets()
        name, _, local = source.partition(":")
        if name in sets or (name and not Path(source).suffix and not Path(source).exists()):
            if name not in sets or (":" in source and local not in locals_):
                raise StackingError(
                    "There is no such parameter file, and no set of this name.",
                    place="parameters",
                    key="parameters",
                    value=source,
                    allowed=f"{', '.join(sets)}; with another local regime NAME:{{{', '.join(locals_)}}}; or a .toml file",
                    remedy="Use one of the names above, or check the path.",
                )
            return DEFAULT_FILE, name, local or None
    return Path(source).expanduser(), None, None


@lru_cache(maxsize=16)
def _load(path: Path, name: str | None, local: str | None) -> Parameters:
    return checked(read_leaves(path, name, local))


def checked(leaves: Leaves) -> Parameters:
    """Return validated parameters.

    Raises:
        StackingError: naming the entry.
    """
    try:
        return Parameters.model_validate(leaves.values, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        raise StackingError(
            "Bad parameter of the scenario generator.",
            place=leaves.place,
            key=".".join(str(part) for part in first["loc"]),
            value=first["input"],
            allowed=first["msg"],
            remedy=f"Correct this entry; compare {DEFAULT_FILE.name}.",
        ) from error
