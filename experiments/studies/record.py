"""The record of a study: its question, what it holds fixed, and the axes that it sweeps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StrictBool, StrictFloat, StrictInt, StrictStr, model_validator

from stacking.config import Fraction, NonNegative, Positive, Product, Record, Rules, read_toml, validated
from stacking.errors import StackingError

from ...agents.consent import FspChoice
from ..compare import DIFFERENCE, HOLM, METRICS, TAIL
from ..fsp_types import TypeRule
from ..request import plays_tuned
from ..runner import REFERENCE

FOLDER = Path(__file__).parent
Scalar = StrictBool | StrictInt | StrictFloat | StrictStr
Text = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=0, le=2**31 - 1, strict=True)]

FIGURES: tuple[str, ...] = (*(m.name for m in METRICS), TAIL, DIFFERENCE, HOLM)
"""Names that `metrics` may hold."""

LEFT_OUT = "left out"
"""Value of an axis of the design that leaves its key as the design has it: TOML knows no nothing."""


class Setting(Record):
    """What one cell runs: everything that an axis can change, other than entries of the tables `set` and `parameters`."""

    design: Text = "norflex_eam"
    strategy: Text = "stacked"
    population: Text | None = None
    portfolio: Text | None = None
    network: Text | None = None
    world: Text | None = None
    consent: Text = "own"
    consent_share: Fraction | None = None  # share of the FSPs that always consent; the others never do
    depth_factor: Positive = 1.0  # of the balancing market: its need and other people's supply, at unchanged prices
    tuned: StrictBool | None = None  # None: not for populations
    split: Literal["train", "validation", "test"] = "validation"
    days: Annotated[int, Field(ge=1, le=366, strict=True)] = 2
    seeds: Annotated[int, Field(ge=2, le=10_000, strict=True)] = 30  # scenarios of a cell
    seed: Count = 0  # of population and scenarios
    settings: Mapping[str, Scalar] = Field(default_factory=dict)  # keys of the design
    parameters: Mapping[str, StrictFloat | StrictInt] = Field(default_factory=dict)  # of the strategy

    @model_validator(mode="after")
    def _consistent(self) -> Setting:
        if self.consent_share is not None and self.consent != "own":
            raise ValueError(f"consent = '{self.consent}' and consent_share = {self.consent_share} exclude each other")
        if self.strategy == REFERENCE:
            raise ValueError(f"strategy = '{REFERENCE}' is the reference that is subtracted; it always runs")
        return self

    @property
    def plays_tuned(self) -> bool:
        """Return whether strategies play the parameters that are shipped as tuned."""
        return plays_tuned(self.tuned, self.population)


AXIS_FIELDS = ("design", "strategy", "population", "network", "world", "consent", "consent_share", "depth_factor", "seed")


class Axis(Record):
    """One dimension of the sweep.

    Attributes:
        key: what is changed.
        values: one after the other.
        also: other keys that change with it, each with one value per value of the axis.
        alone: swept while all other such axes stay at their first value; else combined with every value of every other axis.
        source: where the values come from, or "assumed".
    """

    key: Text
    values: Annotated[tuple[Scalar, ...], Field(min_length=1)]
    also: Mapping[Text, tuple[Scalar, ...]] = Field(default_factory=dict)
    alone: StrictBool = False
    source: Text

    @model_validator(mode="after")
    def _whole(self) -> Axis:
        if len({(isinstance(v, bool), v) for v in self.values}) < len(self.values):
            raise ValueError(f"values = {list(self.values)} holds a value twice")
        for key, values in self.also.items():
            if len(values) != len(self.values):
                raise ValueError(f"also: '{key}' = {list(values)} needs one value for each of {list(self.values)}")
        return self

    @property
    def keys(self) -> tuple[str, ...]:
        """Return all keys that it changes."""
        return (self.key, *self.also)


class Study(Setting):
    """What a study of any kind holds."""

    kind: Literal["contest", "equilibrium"] = "contest"  # which of RECORDS it is
    title: Text
    question: Text
    assumed: tuple[Text, ...] = ()
    axis: Annotated[tuple[Axis, ...], Field(min_length=1)]

    lists: ClassVar[tuple[str, ...]] = ("assumed",)  # fields that --set fills with a list

    @property
    def choosing(self) -> tuple[FspChoice, ...]:
        """Return between what FSPs choose: nothing where each plays as the study says."""
        return ()

    @model_validator(mode="after")
    def _known(self) -> Study:
        keys = [key for axis in self.axis for key in axis.keys]
        if len(set(keys)) < len(keys):
            raise ValueError(f"axes = {keys} hold a key twice")
        fixed = {
            *self.model_fields_set.intersection(AXIS_FIELDS),
            *self.settings,
            *(f"parameters.{name}" for name in self.parameters),
        }
        both = next((key for key in keys if key in fixed), None)
        if both:
            raise ValueError(f"'{both}' is fixed and swept at once; leave it out where it is fixed, or remove its axis")
        return self


class ContestStudy(Study):
    """A strategy against doing nothing, on the same scenarios in every cell."""

    metrics: Annotated[tuple[Text, ...], Field(min_length=1)] = ("flex_eur_per_kw_year",)
    groups: tuple[Literal["size", "kind"], ...] = ()

    lists: ClassVar[tuple[str, ...]] = ("assumed", "metrics", "groups")

    @model_validator(mode="after")
    def _combined(self) -> ContestStudy:
        alone = next((axis.key for axis in self.axis if axis.alone), None)
        if alone:
            raise ValueError(f"axis '{alone}' is swept alone, but a contest pairs all its cells; allowed: kind = 'equilibrium'")
        return self


class EquilibriumStudy(Study):
    """Types of FSP that choose in turn, from several starts in every cell, until nobody gains more than epsilon.

    Attributes:
        choices: between which they choose.
        types: which FSPs choose together.
        epsilon_eur_per_kw_year: gain from which a type switches.
        random_starts: beside those in which all choose the same, one for each choice.
        cost_factors: on the assumed costs of the choices; the first is told in full, all of them are a band.
    """

    choices: Annotated[tuple[FspChoice, ...], Field(min_length=2)]
    types: TypeRule = Field(default_factory=TypeRule)
    epsilon_eur_per_kw_year: NonNegative = 0.01
    random_starts: Annotated[int, Field(ge=0, le=100, strict=True)] = 1
    cost_factors: Annotated[tuple[NonNegative, ...], Field(min_length=1)] = (1.0, 0.8, 1.2)

    lists: ClassVar[tuple[str, ...]] = ("assumed", "choices", "cost_factors", "types.kinds", "types.size_edges_mw")

    @property
    def choosing(self) -> tuple[FspChoice, ...]:
        """Return the choices."""
        return self.choices

    @model_validator(mode="after")
    def _players(self) -> EquilibriumStudy:
        for name, values in (("choices", [c.value for c in self.choices]), ("cost_factors", list(self.cost_factors))):
            if len(set(values)) < len(values):
                raise ValueError(f"{name} = {values} holds a value twice")
        if self.consent_share is not None or any("consent_share" in axis.keys for axis in self.axis):
            raise ValueError("consent_share has no meaning where FSPs choose; allowed: consent, how those answer who consent")
        return self


RECORDS: dict[str, type[Study]] = {"contest": ContestStudy, "equilibrium": EquilibriumStudy}
"""Kind of a study -> what its file holds; what the kinds do stands in `kinds.KINDS`."""


def study_names() -> tuple[str, ...]:
    """Return the names of the studies that are shipped."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def study_path(name: str) -> Path:
    """Return the file of a study by name or path.

    Raises:
        StackingError: for a name that is not shipped.
    """
    path = Path(name).expanduser()
    if path.suffix == ".toml":
        return path
    if name not in study_names():
        raise StackingError(
            "Unknown study.", place="stacking run", key="FILE", value=name, allowed=", ".join(study_names()),
            remedy="Use one of these names (stacking run --list), or the path of a .toml file.",
        )  # fmt: skip
    return FOLDER / f"{name}.toml"


def study_from(data: Mapping[str, Any], place: str) -> Study:
    """Return the study of plain data.

    Raises:
        StackingError: for an unknown key, an empty axis, or a value that is not allowed.
    """
    kind = data.get("kind", "contest")
    if not isinstance(kind, str) or kind not in RECORDS:
        raise _unknown("The study is of an unknown kind.", place, "kind", kind, tuple(RECORDS))
    study = validated(RECORDS[kind], data, place)
    if isinstance(study, ContestStudy):
        for number, name in enumerate(study.metrics):
            if name not in FIGURES:
                raise _unknown("The study asks for an unknown figure.", place, f"metrics.{number}", name, FIGURES)
    for number, axis in enumerate(study.axis):
        for key in axis.keys:
            check_key(key, f"axis.{number}.{'key' if key == axis.key else 'also'}", place, AXIS_FIELDS)
    for key in study.settings:
        check_key(key, "settings", place, ())
    return study


def read_study(name: str) -> Study:
    """Return a study by name or file.

    Raises:
        StackingError: if it is not there or not valid.
    """
    path = study_path(name)
    return study_from(read_toml(path), str(path))


def check_key(key: str, at: str, place: str, fields: tuple[str, ...]) -> None:
    """Check a key that an axis or the table `settings` names.

    Raises:
        StackingError: naming what is allowed.
    """
    parts = key.split(".")
    if parts[0] == "rules" and len(parts) == 2:
        known: tuple[str, ...] = tuple(f"rules.{name}" for name in Rules.model_fields)
    elif parts[0] == "products" and len(parts) == 3:
        names = [name for name in Product.model_fields if name != "sources"]
        known = tuple(f"products.{market}.{name}" for market in ("lfm", "mfrr") for name in names)
    elif parts[0] == "parameters" and len(parts) == 2 and fields:
        return  # the strategy knows its parameters; checked with each cell
    else:
        known = (*fields, "rules.KEY", "products.MARKET.KEY", *(("parameters.NAME",) if fields else ()))
    if key not in known or "KEY" in key:
        raise _unknown("The study names an unknown key.", place, at, key, known)


def _unknown(problem: str, place: str, key: str, value: object, allowed: tuple[str, ...]) -> StackingError:
    return StackingError(
        problem, place=place, key=key, value=value, allowed=", ".join(allowed),
        remedy="Mend its spelling, or remove it (keys of a design: stacking designs NAME).",
    )  # fmt: skip
