"""Types of FSP as players: what each type earns for the choice of each, and tables of the equilibria they reach."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from math import inf
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from stacking.config import NonNegative, Record
from stacking.errors import StackingError
from stacking.portfolio import Portfolio
from stacking.scenario import Library
from stacking.units import HOURS_PER_YEAR, MTU_H

from ..agents.consent import Cost, FspChoice, yearly_eur
from ..agents.drawn import kind_of
from ..agents.population_file import KINDS, Kind
from .equilibrium import Payoff, Profile, Reached
from .game import CHOICES, Game
from .tables import number, percent, render

FloatArray = NDArray[np.float64]
Revenue = Callable[[Profile], FloatArray]
"""Choices of n types -> flex revenue of each scenario and type, (S, n) EUR."""

UNIT = "EUR/kW-year"


class TypeRule(Record):
    """Which FSPs are of one type: kinds that count as one, and the lower edges of size classes, MW."""

    kinds: tuple[tuple[Kind, ...], ...] = (("battery",), ("fleet",), ("load",), ("mixed",))
    size_edges_mw: Annotated[tuple[NonNegative, ...], Field(min_length=1)] = (0.0, 0.2, 1.0)

    @model_validator(mode="after")
    def _whole(self) -> TypeRule:
        named = sorted(kind for group in self.kinds for kind in group)
        if named != sorted(KINDS) or not all(self.kinds):
            raise ValueError(f"kinds = {self.kinds} must hold each of {', '.join(KINDS)} once, in groups that are not empty")
        if self.size_edges_mw[0] != 0.0 or any(a >= b for a, b in pairwise(self.size_edges_mw)):
            raise ValueError(f"size_edges_mw = {self.size_edges_mw} must rise from 0, so that no size is left out")
        return self

    def names(self) -> tuple[str, ...]:
        """Return all types, by kind and then by size."""
        classes = pairwise((*self.size_edges_mw, inf))
        sizes = [f"{low:g}+ MW" if high == inf else f"{low:g}-{high:g} MW" for low, high in classes]
        return tuple(f"{' or '.join(group)} {size}" for group in self.kinds for size in sizes)

    def name_of(self, portfolio: Portfolio) -> str:
        """Return the type of an FSP; a size class holds its lower edge."""
        group = next(k for k, kinds in enumerate(self.kinds) if kind_of(portfolio) in kinds)
        size = sum(portfolio.rated_mw >= edge for edge in self.size_edges_mw) - 1
        return self.names()[group * len(self.size_edges_mw) + size]


@dataclass(frozen=True)
class FspTypes:
    """The n types that there are, and the FSPs of each.

    Attributes:
        names: (n,) of the types.
        own: (F,) type of each FSP.
        fsps: (n,) how many FSPs are of the type.
        rated_mw: (n,) their size together.
    """

    names: tuple[str, ...]
    own: tuple[str, ...]
    fsps: FloatArray
    rated_mw: FloatArray

    def together(self, flex_eur: FloatArray) -> FloatArray:
        """Return what the FSPs of each type earn together, (..., n), from what each earns, (..., F)."""
        own = np.array(self.own)
        return np.stack([flex_eur[..., own == name].sum(axis=-1) for name in self.names], axis=-1)


def types_as(own: Sequence[str], portfolios: Sequence[Portfolio]) -> FspTypes:
    """Return the types of FSPs whose own type, (F,), is given, in order of appearance."""
    names = tuple(dict.fromkeys(own))
    rows = [[k for k, text in enumerate(own) if text == name] for name in names]
    mw = np.array([sum(portfolios[k].rated_mw for k in of) for of in rows])
    return FspTypes(names, tuple(own), np.array([len(of) for of in rows], dtype=np.float64), mw)


def types_of(portfolios: Sequence[Portfolio], rule: TypeRule) -> FspTypes:
    """Return the types of FSPs by kind and size, those that nobody is of left out."""
    found = types_as([rule.name_of(p) for p in portfolios], portfolios)
    order = [found.names.index(name) for name in rule.names() if name in found.names]
    return FspTypes(tuple(found.names[k] for k in order), found.own, found.fsps[order], found.rated_mw[order])


def checked_choices(names: Sequence[str]) -> tuple[FspChoice, ...]:
    """Return the choices of these names, all of them for none.

    Raises:
        StackingError: for an unknown name, one that is named twice, or only one.
    """
    for name in names:
        if name not in CHOICES or list(names).count(name) > 1:
            raise StackingError(
                "Unknown choice of an FSP, or one named twice.", place="--choice", key="choice", value=name,
                allowed=", ".join(CHOICES), remedy="Name each once, for example --choice consent --choice bid_itself.",
            )  # fmt: skip
    if len(names) == 1:
        raise StackingError(
            "With one choice there is nothing to choose.", place="--choice", key="choice", value=names[0],
            allowed=", ".join(CHOICES), remedy="Add another --choice.",
        )  # fmt: skip
    return tuple(FspChoice(name) for name in names or CHOICES)


def revenue_of(game: Game, types: FspTypes, choices: Sequence[FspChoice]) -> Revenue:
    """Return what the types of a game earn in each scenario; a type chooses as a whole.

    Args:
        game: its FSPs.
        types: of them.
        choices: that a number in a profile stands for.
    """

    def revenue(profile: Profile) -> FloatArray:
        choice = dict(zip(types.names, profile, strict=True))
        return types.together(game.flex_eur([choices[choice[own]].value for own in types.own]))

    return revenue


def years_of(library: Library) -> float:
    """Return the mean length of a scenario, years."""
    return float(np.mean(library.length)) * MTU_H / HOURS_PER_YEAR


def per_kw_year(revenue_eur: FloatArray, types: FspTypes, years: float) -> FloatArray:
    """Return revenue (..., n) over rated kW x years, EUR/kW-year."""
    return revenue_eur / (1000.0 * types.rated_mw * years)


def type_payoff(revenue: Revenue, types: FspTypes, years: float, costs: Sequence[Cost], choices: Sequence[FspChoice]) -> Payoff:
    """Return what each type earns for the choice of each, EUR/kW-year.

    Payoff = mean flex revenue over the scenarios / (rated kW x years) - costs of the choice of each member / rated kW.

    Args:
        revenue: of the types.
        types: how many FSPs and MW they are.
        years: mean length of a scenario.
        costs: of the choices, per FSP.
        choices: that a number in a profile stands for.
    """
    price = np.array([yearly_eur(choice, costs) for choice in choices])

    def payoff(profile: Profile) -> FloatArray:
        earned = per_kw_year(revenue(profile).mean(axis=0), types, years)
        return earned - types.fsps * price[list(profile)] / (1000.0 * types.rated_mw)

    return payoff


# ---- output ----------------------------------------------------------------------------------------------------------
def to_text(found: Sequence[Reached], types: FspTypes, choices: Sequence[FspChoice], costs: Sequence[Cost], game: Game) -> str:
    """Return what each start reached, who chose what there, and which costs were charged."""
    header = ["start", "rounds", "settled", *(f"{c.value}, FSPs" for c in choices), f"largest gain left, {UNIT}"]
    rows = [
        [r.start, str(r.rounds), "yes" if r.settled else "no", *map(percent, r.share_frac), f"{r.most_gain:.3f}"] for r in found
    ]
    parts = [render(header, rows)]
    ends = list(dict.fromkeys(r.profile for r in found))
    for k, profile in enumerate(ends):
        one = next(r for r in found if r.profile == profile)
        lines = [
            [name, choices[c].value, number(earned), f"{gain:.3f}"]
            for name, c, earned, gain in zip(types.names, profile, one.payoff, one.gains, strict=True)
        ]
        from_starts = ", ".join(r.start for r in found if r.profile == profile)
        title = f"End {k + 1} of {len(ends)} (from {from_starts})"
        parts.append(f"{title}\n{render(['type', 'choice', UNIT, 'gain of the best other choice'], lines, left=2)}")
    parts.append(_costs_text(choices, costs))
    parts.append(
        f"{len(types.names)} types, {len(game.portfolios)} FSPs, {len(game.library)} scenarios, {game.played} profiles played"
    )
    return "\n\n".join(parts)


def _costs_text(choices: Sequence[FspChoice], costs: Sequence[Cost]) -> str:
    """Return one line on the costs of each choice."""
    sourced = [cost for cost in costs if not cost.assumed]
    sums = [f"{c.value} {yearly_eur(c, costs):,.0f} ({yearly_eur(c, sourced):,.0f} of it sourced)" for c in choices]
    return f"Costs, EUR a year and FSP, the rest assumed: {', '.join(sums)}"


def to_data(
    found: Sequence[Reached], types: FspTypes, choices: Sequence[FspChoice], costs: Sequence[Cost], game: Game
) -> dict[str, Any]:
    """Return the same as plain data for JSON, with each cost and its source."""
    return {
        "types": list(types.names), "choices": [c.value for c in choices], "unit": UNIT, "played": game.played,
        "costs": [{**asdict(cost), "choice": cost.choice.value, "assumed": cost.assumed} for cost in costs],
        "starts": [{**asdict(r), "most_gain": r.most_gain} for r in found],
    }  # fmt: skip
