"""Frozen, validated configuration: products, rules and designs; the base of all records. Built from TOML, compiled once.

Every error names the file, the key, the value, what is allowed and the remedy.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from itertools import pairwise
from math import ceil, floor
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StrictBool, ValidationError, model_validator

from .errors import StackingError
from .gate_checks import check_gates, check_sharing
from .units import MTU_MIN

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False, strict=True)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False, strict=True)]
Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False, strict=True)]
Efficiency = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False, strict=True)]
Quantity = Annotated[float, Field(ge=1e-6, le=1e6, allow_inf_nan=False, strict=True)]
Price = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False, strict=True)]
Direction = Literal["up", "dn"]
M = TypeVar("M", bound=BaseModel)


class Record(BaseModel):
    """Base of all configuration records: frozen, unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Product(Record):
    """One market product; times in minutes before the start of delivery."""

    title: str
    buyer: Literal["DSO", "TSO"]
    directions: Annotated[tuple[Direction, ...], Field(min_length=1)]
    duration_min: Literal[15, 60]
    gate_closure_min: Annotated[float, Field(ge=0, le=180, allow_inf_nan=False, strict=True)]
    clearing_min: Annotated[float, Field(ge=0, le=180, allow_inf_nan=False, strict=True)]
    publication_min: Annotated[float, Field(ge=-15, le=180, allow_inf_nan=False, strict=True)]
    clears: Literal["block", "mtu"]
    min_mw: Quantity
    granularity_mw: Quantity
    price_rule: Literal["pay_as_bid", "marginal"]
    price_floor: Price
    price_cap: Price
    full_activation_min: NonNegative
    min_run_min: NonNegative
    delivery_threshold_frac: Fraction
    availability_eur_per_mw_h: NonNegative = 0.0
    gate_clock: Literal["06:00 D-1"] | None = None  # all hours of the next local day at once, instead of the lead times above
    most_hours_per_day: Annotated[int, Field(ge=1, le=24, strict=True)] = 24  # called per bid and direction; with gate_clock
    curve_volume_frac: Annotated[tuple[Positive, ...], Field(min_length=1, max_length=32)]
    curve_price_frac: Annotated[tuple[NonNegative, ...], Field(min_length=1, max_length=32)]
    sources: Mapping[str, str]

    @model_validator(mode="after")
    def _consistent(self) -> Product:
        if self.clearing_min > self.gate_closure_min:
            raise ValueError(
                f"clearing_min = {self.clearing_min} lies before the gate, gate_closure_min = {self.gate_closure_min}: "
                "a market clears at or after its gate"
            )
        if floor(self.publication_min / MTU_MIN) >= ceil(self.clearing_min / MTU_MIN):
            raise ValueError(
                f"publication_min = {self.publication_min} lies before or in the tick of the clearing, "
                f"clearing_min = {self.clearing_min}: a tick publishes before it clears"
            )
        if self.price_floor >= self.price_cap:
            raise ValueError(f"price_floor = {self.price_floor} must lie below price_cap = {self.price_cap}")
        if len(self.curve_volume_frac) != len(self.curve_price_frac):
            raise ValueError("curve_volume_frac and curve_price_frac must have the same length")
        for name in ("curve_volume_frac", "curve_price_frac"):
            steps = getattr(self, name)
            if any(b <= a for a, b in pairwise(steps)):
                raise ValueError(f"{name} = {list(steps)} must rise from step to step")
        return self


class Rules(Record):
    """Rules of sharing, responsibility and payment of a design; the letters are those of Article 34 (docs/rules.md).

    Attributes:
        membership: (a) who must be a member of the receiving market: nobody, each FSP, or the operator of its pool instead.
        verified_by: (a) who checks membership and collateral: the local operator before a bid is passed on, or the receiving one
            when it clears (until then the bid is locked).
        collateral_eur_per_mw: (a) what must be deposited for each MW that is forwarded.
        consent: (b) asked at each local gate, once for a local day, once for an episode (`standing`), or never (`mandatory`).
        consent_revocable_until_min: (b) minutes before the block until which it can be withdrawn; by default until the gate.
        location: (c) whether a forwarded bid keeps its place, so that the grid check sees it and pools form by area.
        transparency: (d) what is told of forwarded bids: to each owner its own, or the volume and best price of all (`market`).
        change_forwarded: (e) whether the balancing decisions at its gate change a forwarded bid's price, or price and volume.
        residual: (f) whether the rest of a bid that the DSO bought in part is passed on, or returned to its owner.
        pool_failure: (f) who bears the penalty for what a member of a pool does not deliver: itself, or all by ordered MW.
        forward_price, forward_fee_eur_per_mwh, forward_fee_payer: (g) price of an activated forwarded bid, fee, who pays it.
        lock_latency_s, conflict_rule: (h) of a shared book.
        validation: (i) whether metered energy counts for one order only (`allotted`) or each operator measures by itself.
        tso_tolerance_frac: (i) share of a balancing order that may be missing without a penalty.
    """

    position: Literal["none", "corrected", "dso_counterbuys", "paired"] = "none"
    delivery_priority: Literal["dso_first", "tso_first", "pro_rata"] = "dso_first"
    tso_shortfall: Literal["keep_and_penalise", "no_pay_no_correction"] = "keep_and_penalise"
    tso_penalty_factor: NonNegative = 1.0
    block_opposite_balancing: StrictBool = False
    block_opposite_intraday: StrictBool = True
    membership: Literal["none", "each", "pool"] = "none"
    verified_by: Literal["local_operator", "receiving_operator"] = "local_operator"
    collateral_eur_per_mw: NonNegative = 0.0
    consent: Literal["per_bid", "per_day", "standing", "mandatory"] = "per_bid"
    consent_revocable_until_min: Annotated[float, Field(ge=0, le=180, allow_inf_nan=False, strict=True)] | None = None
    location: Literal["kept", "stripped"] = "kept"
    transparency: Literal["own", "market"] = "own"
    change_forwarded: Literal["none", "price", "price_and_volume"] = "none"
    residual: Literal["passed_on", "returned"] = "passed_on"
    forward_fee_eur_per_mwh: NonNegative = 0.0
    forward_fee_payer: Literal["fsp", "tso"] = "fsp"
    forward_price: Literal["marginal", "as_bid", "better"] = "marginal"
    pooling: StrictBool = False
    pool_members: Literal["all", "fsp"] = "all"
    pool_failure: Literal["own", "shared"] = "own"
    validation: Literal["allotted", "separate"] = "allotted"
    tso_tolerance_frac: Fraction = 0.0
    grid_check: Literal["none", "limit", "reject"] = "none"
    lock_latency_s: Annotated[float, Field(ge=0, le=900, allow_inf_nan=False, strict=True)] = 0.0
    conflict_rule: Literal["first_match", "both_stand"] = "first_match"
    baseline: Literal["schedule", "nomination", "mean", "quiet_mean"] = "schedule"
    id_half_spread_eur_per_mwh: NonNegative = 8.0
    terminal_factor: NonNegative = 1.0


Ledger = Literal["lfm", "mfrr"]
Receiver = Literal["redispatch", "id", "mfrr"]


class Gate(Record):
    """One row of the gate table: who looks at which book when, seeing which ledgers."""

    kind: Literal["publish", "auction", "trade", "offer", "award", "clear", "forward", "joint", "match"]
    book: Literal["lfm", "mfrr", "forwarded", "da", "id"]
    to: Receiver | None = None
    sees: tuple[Ledger, ...] = ()
    refuses_offered: tuple[Ledger, ...] = ()
    lead_min: Annotated[float, Field(ge=0, le=180, allow_inf_nan=False, strict=True)] | None = None
    by: Literal["block", "mtu"] = "block"
    need: Literal["realised", "forecast"] = "realised"


class Design(Record):
    """A coordination design as data: products, rules of sharing and a gate table."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
    title: str
    story: str
    assumed: tuple[str, ...] = ()
    products: Mapping[Literal["lfm", "mfrr"], Product]
    rules: Rules
    gates: Annotated[tuple[Gate, ...], Field(min_length=1, max_length=64)]

    @property
    def shares(self) -> bool:
        """Return whether the design shares anything, so that consent exists."""
        return bool(self.receiving_markets)

    @property
    def receiving_markets(self) -> tuple[str, ...]:
        """Return the markets to which unsold local bids are passed on, in the order in which they are tried."""
        return tuple(str(g.to) for g in self.gates if g.kind == "forward")

    @property
    def asks(self) -> bool:
        """Return whether the owner of a bid is asked before it is shared."""
        return self.shares and self.rules.consent != "mandatory"

    @property
    def shared_book(self) -> bool:
        """Return whether the TSO buys from the local book."""
        return any(g.kind == "match" for g in self.gates)

    @property
    def joint(self) -> bool:
        """Return whether one optimisation serves the needs of all operators."""
        return any(g.kind == "joint" for g in self.gates)

    @model_validator(mode="after")
    def _complete(self) -> Design:
        if set(self.products) != {"lfm", "mfrr"}:
            raise ValueError("products must name lfm and mfrr")
        for market, product in self.products.items():
            price_rule, clears = ("pay_as_bid", "block") if market == "lfm" else ("marginal", "mtu")
            if (product.price_rule, product.clears) != (price_rule, clears):
                raise ValueError(
                    f"products.{market}: price_rule = '{product.price_rule}' with clears = '{product.clears}' is not built; "
                    f"allowed: price_rule = '{price_rule}' with clears = '{clears}'"
                )
        check_gates(self.gates, self.products)
        check_sharing(self)
        return self


def read_toml(path: str | Path) -> dict[str, Any]:
    """Return the content of a TOML file.

    Raises:
        StackingError: if the file is missing or no TOML.
    """
    path = Path(path)
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise StackingError("Cannot read the file.", place=str(path), remedy="Check the path.", value=error.strerror) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StackingError(
            "The file is not valid TOML.", place=str(path), value=str(error), remedy="Mend the line named above."
        ) from None


def validated(model: type[M], data: Any, place: str) -> M:
    """Return the record built from plain data.

    Raises:
        StackingError: naming the place, the key, the value and what is allowed (the first error; the number of others is told).
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"]) or model.__name__
        more = f" ({error.error_count() - 1} more)" if error.error_count() > 1 else ""
        known = ", ".join(model.model_fields) if first["type"] == "extra_forbidden" and len(first["loc"]) == 1 else ""
        raise StackingError(
            f"{model.__name__} is not valid{more}.",
            place=place,
            key=key,
            value=None if first["type"] in ("missing", "value_error") else first["input"],
            allowed=known or first["msg"].removeprefix("Value error, "),
            remedy="Remove the unknown key or mend its spelling."
            if known or first["type"] == "extra_forbidden"
            else "Mend this entry.",
        ) from None
