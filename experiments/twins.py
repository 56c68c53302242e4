"""Causal twins: the same scenarios twice, with one FSP's consent flipped and everybody else's unchanged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from stacking.errors import StackingError
from stacking.units import HOURS_PER_YEAR, MTU_H

from ..agents.consent import parse_consent
from ..agents.drawn import kind_of
from .compare import figure
from .game import CHOICES, Game
from .metric import EUR, Metric
from .stats import RESAMPLES, FloatArray, Interval
from .tables import bracketed, number, render

OWN = Metric("own_eur", "own", EUR, "twins", ("own_eur",))
OTHERS = Metric("others_eur", "all others", EUR, "twins", ("others_eur",))
ALL = Metric("all_eur", "together", EUR, "twins", ("own_eur", "others_eur"))
PER_KW = Metric("own_eur_per_kw_year", "own per kW", "EUR/kW-year", "twins", ("own_eur",), ("kw_years",))
METRICS = (OWN, OTHERS, ALL, PER_KW)

WITH, WITHOUT = "always", "never"


@dataclass(frozen=True)
class Twin:
    """What the consent of one FSP does: revenue with it less revenue without it, on the same scenarios.

    Attributes:
        fsp: name; kind and rated_mw: what it is.
        plays: label of its strategy.
        own_eur, others_eur: (S,) differences of flex revenue, EUR.
        figures: metric name -> mean with its bootstrap interval.
    """

    fsp: str
    kind: str
    plays: str
    rated_mw: float
    own_eur: FloatArray
    others_eur: FloatArray
    figures: dict[str, Interval]


def twin(game: Game, row: int, others: Sequence[str], *, seed: int = 0, resamples: int = RESAMPLES) -> Twin:
    """Return the effect of one FSP's consent at every gate, against none, given what the others do.

    Args:
        game: design, strategies and at least two scenarios.
        row: of the FSP.
        others: (F,) policy of each FSP; the entry of this one does not matter.
        seed: of the bootstrap; resamples: its samples.
    """
    played = []
    for own in (WITH, WITHOUT):
        profile = list(others)
        profile[row] = own
        played.append(game.flex_eur(profile))
    difference = played[0] - played[1]
    portfolio = game.portfolios[row]
    rest = np.arange(difference.shape[1]) != row
    rows = {"own_eur": difference[:, row], "others_eur": difference[:, rest].sum(axis=1)}
    rows["kw_years"] = kw_years(portfolio.rated_mw, game.library.length)
    figures = {metric.name: figure(metric, rows, seed, resamples) for metric in METRICS}
    return Twin(
        portfolio.name, kind_of(portfolio), game.assignment[row], portfolio.rated_mw, rows["own_eur"], rows["others_eur"], figures
    )


def kw_years(rated_mw: float, length_mtu: ArrayLike) -> FloatArray:
    """Return rated kW x years of each scenario, (S,)."""
    return 1000.0 * rated_mw * np.asarray(length_mtu) * MTU_H / HOURS_PER_YEAR


def chosen_rows(game: Game, names: Sequence[str], first: int) -> list[int]:
    """Return the rows of named FSPs, or of the first ones.

    Raises:
        StackingError: for a name that is not there.
    """
    known = [portfolio.name for portfolio in game.portfolios]
    for name in names:
        if name not in known:
            raise StackingError(
                "There is no such FSP.", place="--fsp", key="fsp", value=name, allowed=", ".join(known),
                remedy="Use one of these names, or --first K.",
            )  # fmt: skip
    return [known.index(name) for name in names] or list(range(min(first, len(known))))


def twins(
    game: Game, rows: Sequence[int], others: str = "own", *, seed: int = 0, done: Callable[[int], None] = lambda _: None
) -> list[Twin]:
    """Return the twin of each row; all others follow the policy or choice `others` (own: what their strategy wants).

    Raises:
        StackingError: for an unknown name.
    """
    if others not in CHOICES:
        parse_consent(others, place="--others")
    found = []
    for row in rows:
        found.append(twin(game, row, (others,) * len(game.portfolios), seed=seed))
        done(1)
    return found


# ---- output ----------------------------------------------------------------------------------------------------------
def to_text(found: Sequence[Twin], width: int | None = None) -> str:
    """Return the table: revenue with consent less revenue without it."""
    header = ["FSP", "kind", "plays", "MW", *(f"{m.title}, {m.unit}" for m in METRICS)]
    rows = [
        [t.fsp, t.kind, t.plays, number(t.rated_mw), *(bracketed(t.figures[m.name]) for m in METRICS)] for t in found
    ]  # fmt: skip
    count = found[0].own_eur.size if found else 0
    title = f"Flex revenue with consent less without, one FSP flipped at a time, {count} paired scenarios (95 % interval)"
    return f"{title}\n\n{render(header, rows, width=width, left=3)}"


def to_data(found: Sequence[Twin]) -> list[dict[str, Any]]:
    """Return the twins as plain data for JSON."""
    return [
        {
            "fsp": t.fsp, "kind": t.kind, "plays": t.plays, "rated_mw": t.rated_mw,
            "own_eur": t.own_eur.tolist(), "others_eur": t.others_eur.tolist(),
            "figures": {name: {"mean": i.estimate, "low": i.low, "high": i.high} for name, i in t.figures.items()},
        }
        for t in found
    ]  # fmt: skip
