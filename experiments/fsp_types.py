"""Types of FSP as players: what each type earns for the choice of each, and tables of the equilibria they reach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stacking.errors import StackingError
from stacking.units import HOURS_PER_YEAR, MTU_H

from ..agents.consent import Cost, FspChoice, yearly_eur
from ..agents.drawn import kind_of
from .equilibrium import Payoff, Profile, Reached
from .game import CHOICES, Game
from .tables import number, percent, render

FloatArray = NDArray[np.float64]
SIZE_EDGES_MW = (0.0, 0.2, 1.0, float("inf"))
UNIT = "EUR/kW-year"


def type_names(game: Game, edges_mw: Sequence[float] = SIZE_EDGES_MW) -> list[str]:
    """Return the type of each FSP, (F,): what it consists of, and its size class.

    Args:
        game: its FSPs.
        edges_mw: rising from 0 to infinity; a class holds its lower edge.

    Raises:
        StackingError: for edges that leave out a size.
    """
    if edges_mw[0] != 0.0 or edges_mw[-1] != float("inf") or any(a >= b for a, b in pairwise(edges_mw)):
        raise StackingError(
            "The size classes leave out a size.", place="equilibrium", key="edges_mw", value=tuple(edges_mw),
            allowed="rising from 0 to inf",
        )  # fmt: skip
    names = []
    for portfolio in game.portfolios:
        low, high = next((a, b) for a, b in pairwise(edges_mw) if a <= portfolio.rated_mw < b)
        names.append(f"{kind_of(portfolio)} {low:g}-{high:g} MW" if np.isfinite(high) else f"{kind_of(portfolio)} {low:g}+ MW")
    return names


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


def type_payoff(
    game: Game,
    types: Sequence[str],
    costs: Sequence[Cost] = (),
    choices: Sequence[FspChoice] = (FspChoice.BID_ITSELF, FspChoice.CONSENT),
) -> tuple[list[str], Payoff]:
    """Return the types in order and what each earns, EUR/kW-year, for the choice of each.

    A type switches as a whole. Payoff = mean flex revenue over the scenarios / (rated kW x years) - costs of the choice
    of each member / rated kW.

    Args:
        game: its FSPs.
        types: (F,) type of each FSP.
        costs: of the choices, per FSP.
        choices: that a number in a profile stands for.
    """
    names = list(dict.fromkeys(types))
    member = np.array([[own == name for own in types] for name in names], dtype=np.float64)
    rated_kw = member @ np.array([1000.0 * p.rated_mw for p in game.portfolios])
    years = float(np.mean(game.library.length)) * MTU_H / HOURS_PER_YEAR
    price = np.array([yearly_eur(choice, costs) for choice in choices])

    def payoff(profile: Profile) -> FloatArray:
        choice = dict(zip(names, profile, strict=True))
        entries = [choices[choice[own]].value for own in types]
        earned = member @ game.flex_eur(entries).mean(axis=0) / (rated_kw * years)
        return earned - member.sum(axis=1) * price[list(profile)] / rated_kw

    return names, payoff


# ---- output ----------------------------------------------------------------------------------------------------------
def to_text(
    found: Sequence[Reached], names: Sequence[str], choices: Sequence[FspChoice], costs: Sequence[Cost], game: Game
) -> str:
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
            for name, c, earned, gain in zip(names, profile, one.payoff, one.gains, strict=True)
        ]
        from_starts = ", ".join(r.start for r in found if r.profile == profile)
        title = f"End {k + 1} of {len(ends)} (from {from_starts})"
        parts.append(f"{title}\n{render(['type', 'choice', UNIT, 'gain of the best other choice'], lines, left=2)}")
    parts.append(_costs_text(choices, costs))
    parts.append(f"{len(names)} types, {len(game.portfolios)} FSPs, {len(game.library)} scenarios, {game.played} profiles played")
    return "\n\n".join(parts)


def _costs_text(choices: Sequence[FspChoice], costs: Sequence[Cost]) -> str:
    """Return one line on the costs of each choice."""
    sourced = [cost for cost in costs if not cost.assumed]
    sums = [f"{c.value} {yearly_eur(c, costs):,.0f} ({yearly_eur(c, sourced):,.0f} of it sourced)" for c in choices]
    return f"Costs, EUR a year and FSP, the rest assumed: {', '.join(sums)}"


def to_data(
    found: Sequence[Reached], names: Sequence[str], choices: Sequence[FspChoice], costs: Sequence[Cost], game: Game
) -> dict[str, Any]:
    """Return the same as plain data for JSON, with each cost and its source."""
    return {
        "types": list(names), "choices": [c.value for c in choices], "unit": UNIT, "played": game.played,
        "costs": [{**asdict(cost), "choice": cost.choice.value, "assumed": cost.assumed} for cost in costs],
        "starts": [{**asdict(r), "most_gain": r.most_gain} for r in found],
    }  # fmt: skip
