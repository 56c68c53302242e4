"""Portfolios and their assets as frozen, validated records: battery, EV fleet, industrial load behind one grid connection."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool, model_validator

from .config import Efficiency, Fraction, NonNegative, Positive, Record

Site = Literal["home", "work", "public", "depot"]
Pattern = Literal["steel", "cold_store", "continuous", "two_shift"]
NAME = r"^[A-Za-z0-9_.\- ]+$"


class Battery(Record):
    """A battery behind one meter; defaults as in the list of market facts (1C-0.5C LFP, AC side)."""

    power_mw: Positive
    capacity_mwh: Positive
    charge_efficiency_frac: Efficiency = 0.93
    discharge_efficiency_frac: Efficiency = 0.93
    min_content_frac: Fraction = 0.05
    max_content_frac: Fraction = 0.95
    start_content_frac: Fraction | None = None
    wear_eur_per_mwh: NonNegative = 10.0

    @model_validator(mode="after")
    def _window(self) -> Battery:
        if self.min_content_frac >= self.max_content_frac:
            raise ValueError(
                f"min_content_frac = {self.min_content_frac} must lie below max_content_frac = {self.max_content_frac}"
            )
        start = self.start_content_frac
        if start is not None and not self.min_content_frac <= start <= self.max_content_frac:
            raise ValueError(
                f"start_content_frac = {start} lies outside the content window [{self.min_content_frac}, {self.max_content_frac}]"
            )
        return self


class Fleet(Record):
    """Charging points at one site; the sessions come from the statistics of a site type or from a session file.

    Energies are counted at the meter of the charging point. `v2g_share_frac` of the drivers let their car inject down to
    `v2g_depth_frac` of its usable battery; they get `v2g_wear_eur_per_mwh` for it, and every driver is paid
    `delay_eur_per_mwh` for charging that is moved by an order.
    """

    chargers: Annotated[int, Field(ge=1, le=5000, strict=True)]
    site: Site = "home"
    sessions_file: str | None = None
    charger_mw: Annotated[float, Field(gt=0, le=1.0, allow_inf_nan=False, strict=True)] = 0.011
    v2g_share_frac: Fraction = 0.0
    v2g_depth_frac: Fraction = 0.3
    v2g_round_trip_frac: Efficiency = 0.85
    delay_eur_per_mwh: NonNegative = 15.0
    v2g_wear_eur_per_mwh: NonNegative = 60.0
    unmet_eur_per_mwh: NonNegative = 1000.0

    @property
    def power_mw(self) -> float:
        """Return the power of all charging points together, MW."""
        return self.chargers * self.charger_mw


class Load(Record):
    """An industrial load that may be interrupted for orders, in whole steps.

    An activation needs `notice_min` from order to start, runs for `min_duration_min` to `max_duration_min`, is followed by
    `rest_min` without another one, and occurs at most `activations_per_day` times a local day. `rebound_frac` of the energy
    not consumed is consumed within `rebound_min` after it ends (0: shed, not shifted).
    """

    peak_mw: Positive
    profile: Pattern = "two_shift"
    profile_file: str | None = None
    flexible_frac: Fraction = 0.5
    step_mw: Positive
    notice_min: NonNegative = 30.0
    min_duration_min: Positive = 60.0
    max_duration_min: Positive = 120.0
    rest_min: NonNegative = 240.0
    activations_per_day: Annotated[int, Field(ge=1, le=96, strict=True)] = 2
    rebound_frac: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False, strict=True)] = 0.0
    rebound_min: Positive = 240.0
    cost_eur_per_mwh: NonNegative = 200.0

    @model_validator(mode="after")
    def _possible(self) -> Load:
        if self.min_duration_min > self.max_duration_min:
            raise ValueError(
                f"min_duration_min = {self.min_duration_min} must not exceed max_duration_min = {self.max_duration_min}"
            )
        if self.step_mw > self.peak_mw * self.flexible_frac + 1e-12:
            raise ValueError(
                f"step_mw = {self.step_mw} exceeds what may be interrupted, peak_mw * flexible_frac = "
                f"{self.peak_mw * self.flexible_frac}"
            )
        return self


class Portfolio(Record):
    """The assets of one FSP at one network node, at most one of each kind; bids are made per portfolio.

    `fsp` names the owner of several portfolios (by default each is an FSP of its own); `member` says whether it is a registered
    and prequalified member of the receiving market, `collateral_eur` what it has deposited there (by default enough for
    everything). All three matter only where the rules of a design ask (pool_members, membership, collateral_eur_per_mw).
    """

    name: Annotated[str, Field(min_length=1, max_length=80, pattern=NAME)]
    connection_mw: Positive
    node: Annotated[str, Field(min_length=1, max_length=80, pattern=NAME)] | None = None
    charge_tariff_eur_per_mwh: NonNegative = 0.0
    fsp: Annotated[str, Field(min_length=1, max_length=80, pattern=NAME)] | None = None
    member: StrictBool = True
    collateral_eur: NonNegative | None = None
    count: Annotated[int, Field(ge=1, le=100_000, strict=True)] = 1
    battery: Battery | None = None
    fleet: Fleet | None = None
    load: Load | None = None

    @model_validator(mode="before")
    @classmethod
    def _some_asset(cls, data: Any) -> Any:
        if isinstance(data, dict) and not any(data.get(kind) is not None for kind in ("battery", "fleet", "load")):
            raise ValueError("a portfolio needs an asset: add [portfolio.battery], [portfolio.fleet] or [portfolio.load]")
        return data

    @model_validator(mode="after")
    def _connected(self) -> Portfolio:
        if self.load is not None and self.load.peak_mw > self.connection_mw:
            raise ValueError(f"load.peak_mw = {self.load.peak_mw} exceeds connection_mw = {self.connection_mw}")
        return self

    @property
    def owner(self) -> str:
        """Return the name of the FSP."""
        return self.fsp or self.name

    @property
    def rated_mw(self) -> float:
        """Return the power that battery, charging points and flexible load can move together, cut by the connection, MW."""
        battery = self.battery.power_mw if self.battery else 0.0
        fleet = self.fleet.power_mw if self.fleet else 0.0
        load = self.load.peak_mw * self.load.flexible_frac if self.load else 0.0
        return min(battery + fleet + load, self.connection_mw)
