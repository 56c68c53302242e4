"""Parameters of charging sites and industrial loads, ``sites.toml``: every value with unit and origin, validated once."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError, model_validator

from ..errors import StackingError
from .parameter_files import read_leaves
from .parameters import ByHour, Frac, Group, NotNegative, Positive

SITES_FILE = Path(__file__).with_name("sites.toml")
"""The parameters that are shipped."""

LONGEST_H = 120.0
"""No car is plugged in longer than this."""

Hours = Annotated[float, Field(ge=0.0, le=LONGEST_H)]
Shares = Annotated[tuple[Frac, ...], Field(min_length=24, max_length=24)]
Levels = Annotated[tuple[Frac, ...], Field(min_length=2)]
ConnectionRows = Annotated[tuple[tuple[Hours, ...], ...], Field(min_length=24, max_length=24)]


class TableLevels(Group):
    """Levels at which the tables of quantiles are given, from 0 to 1."""

    connection: Levels
    energy: Levels

    @model_validator(mode="after")
    def _from_0_to_1(self) -> TableLevels:
        for levels in (self.connection, self.energy):
            if levels[0] != 0.0 or levels[-1] != 1.0 or any(b <= a for a, b in pairwise(levels)):
                raise ValueError("levels must rise from 0 to 1")
        return self


class Cars(Group):
    """Electric cars by model: how many, battery, power."""

    registered: tuple[Positive, ...]
    battery_kwh: tuple[Positive, ...]
    ac_kw: tuple[Positive, ...]
    dc_kw: tuple[Positive, ...]
    dc_from_kw: Positive

    @model_validator(mode="after")
    def _one_row_per_model(self) -> Cars:
        if not self.registered or {len(self.battery_kwh), len(self.ac_kw), len(self.dc_kw)} != {len(self.registered)}:
            raise ValueError("registered, battery_kwh, ac_kw and dc_kw need one entry per model")
        return self


class SiteStatistics(Group):
    """What is known of one type of site: arrivals, connection times, energies (laws: ``site_tables``)."""

    sessions_per_week: Positive
    weekend_frac: Frac
    arrival_weekday: ByHour
    arrival_weekend: ByHour
    energy_class_h: tuple[Positive, ...]
    energy_kwh: tuple[tuple[NotNegative, ...], ...]
    connection_weekday_h: ConnectionRows | None = None
    connection_friday_h: ConnectionRows | None = None
    connection_weekend_h: ConnectionRows | None = None
    departure_h: tuple[Annotated[float, Field(ge=0.0, lt=24.0)], ...] | None = None

    @model_validator(mode="after")
    def _complete(self) -> SiteStatistics:
        if (self.connection_weekday_h is None) == (self.departure_h is None):
            raise ValueError("give either connection_weekday_h or departure_h")
        if sum(self.arrival_weekday) <= 0 or sum(self.arrival_weekend) <= 0:
            raise ValueError("weights of arrival need a positive sum")
        if any(b <= a for a, b in pairwise(self.energy_class_h)):
            raise ValueError("energy_class_h must rise")
        if len(self.energy_kwh) != len(self.energy_class_h) + 1:
            raise ValueError("energy_kwh needs one row per class, one more than energy_class_h has edges")
        if any(row[0] != 0.0 or row[-1] <= 0.0 for row in self.energy_kwh):
            raise ValueError("each row of energy_kwh starts at 0 and ends above it")
        tables = (self.connection_weekday_h, self.connection_friday_h, self.connection_weekend_h, self.energy_kwh)
        rows = [row for table in tables if table is not None for row in table] + [self.departure_h or ()]
        if any(b < a for row in rows for a, b in pairwise(row)):
            raise ValueError("quantiles must not fall")
        return self


class LoadStatistics(Group):
    """Consumption of a pattern of load by local hour and kind of day, and its autocorrelation (law: ``profiles``)."""

    base_frac: Annotated[float, Field(ge=0.0, lt=1.0)]
    mean_weekday_frac: Shares
    deviation_weekday_frac: Shares
    mean_saturday_frac: Shares
    deviation_saturday_frac: Shares
    mean_sunday_frac: Shares
    deviation_sunday_frac: Shares
    slow_share_frac: Frac
    slow_memory_mtu: Positive
    fast_memory_mtu: Positive

    @model_validator(mode="after")
    def _possible(self) -> LoadStatistics:
        for day in ("weekday", "saturday", "sunday"):
            pairs = zip(getattr(self, f"mean_{day}_frac"), getattr(self, f"deviation_{day}_frac"), strict=True)
            for hour, (mean, deviation) in enumerate(pairs):
                if not self.base_frac < mean < 1.0 or not 0.0 < deviation**2 < 0.9 * (mean - self.base_frac) * (1.0 - mean):
                    raise ValueError(
                        f"{day}, hour {hour}: mean {mean} must lie between base_frac and 1, deviation {deviation} "
                        "between 0 and sqrt(0.9 (mean - base_frac) (1 - mean))"
                    )
        return self


class SiteParameters(Group):
    """All parameters of sites and loads."""

    levels: TableLevels
    cars: Cars
    home: SiteStatistics
    work: SiteStatistics
    public: SiteStatistics
    depot: SiteStatistics
    steel: LoadStatistics
    two_shift: LoadStatistics
    cold_store: LoadStatistics
    continuous: LoadStatistics

    @model_validator(mode="after")
    def _rows_match(self) -> SiteParameters:
        for name in ("home", "work", "public", "depot"):
            site: SiteStatistics = getattr(self, name)
            tables = (site.connection_weekday_h, site.connection_friday_h, site.connection_weekend_h)
            widths = {len(row) for table in tables if table is not None for row in table}
            widths |= {len(site.departure_h)} if site.departure_h is not None else set()
            if widths != {len(self.levels.connection)} or {len(row) for row in site.energy_kwh} != {len(self.levels.energy)}:
                raise ValueError(f"{name}: each row of quantiles needs one value per level")
        return self

    def __hash__(self) -> int:
        """Hash by identity: parameters are loaded once, and derived tables are kept per object."""
        return id(self)

    def __eq__(self, other: object) -> bool:
        """Compare by identity."""
        return self is other


def load_site_parameters(source: SiteParameters | str | Path | None = None) -> SiteParameters:
    """Return the parameters of a TOML file (default: the one that is shipped).

    Raises:
        StackingError: missing or broken file, unknown or missing key, value out of range, leaf without unit or origin.
    """
    return source if isinstance(source, SiteParameters) else _load(Path(source) if source is not None else SITES_FILE)


def site_origins(path: str | Path | None = None) -> dict[str, dict[str, Any]]:
    """Return unit and origin of every parameter by its dotted name."""
    return dict(read_leaves(Path(path) if path is not None else SITES_FILE).facts)


@lru_cache(maxsize=8)
def _load(path: Path) -> SiteParameters:
    try:
        return SiteParameters.model_validate(read_leaves(path).values, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        raise StackingError(
            "Bad parameter of sites.",
            place=str(path),
            key=".".join(str(part) for part in first["loc"]),
            value=None if first["type"] in ("missing", "value_error") else first["input"],
            allowed=first["msg"].removeprefix("Value error, "),
            remedy=f"Correct this entry; compare {SITES_FILE.name}.",
        ) from error
