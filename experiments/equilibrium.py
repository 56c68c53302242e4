"""Opt-in equilibria: best responses in turn from several starts, until no type of FSP gains more than epsilon."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stacking.errors import StackingError
from stacking.scenario.keys import ALL, ScenarioKey, stream
from stacking.units import HOURS_PER_YEAR, MTU_H

from ..agents.consent import Cost, FspChoice, yearly_eur
from ..agents.drawn import kind_of
from .game import Game
from .tables import percent, render

FloatArray = NDArray[np.float64]
Profile = tuple[int, ...]
Payoff = Callable[[Profile], FloatArray]
"""Profile of n players, 0 or 1 (consent) each -> what each earns, (n,)."""

SIZE_EDGES_MW = (0.0, 0.2, 1.0, float("inf"))
MOST_ROUNDS = 20


@dataclass(frozen=True)
class Reached:
    """Where best responses from one start ended.

    Attributes:
        start: its name.
        profile: the last choices.
        share_frac: share of the weight that consents.
        rounds: full rounds played, the last one without a switch if settled.
        settled: whether nobody gains more than epsilon; otherwise choices went in a circle, or the rounds ran out.
        most_gain: largest gain of a switch by one player that is left, in the unit of the payoff (below 0: a loss).
    """

    start: str
    profile: Profile
    share_frac: float
    rounds: int
    settled: bool
    most_gain: float


def starts(players: int, *, random: int = 1, seed: int = 0) -> dict[str, Profile]:
    """Return the starts: all in, all out, and random ones drawn with even chances from a keyed seed."""
    found: dict[str, Profile] = {"all in": (1,) * players, "all out": (0,) * players}
    for k in range(random):
        draws = stream(ScenarioKey(ALL, "equilibrium", seed, k), "start").random(players)
        found[f"random {k + 1}"] = tuple(int(u < 0.5) for u in draws)
    return found


def switch(profile: Profile, player: int) -> Profile:
    """Return the profile with one player's choice flipped."""
    return (*profile[:player], 1 - profile[player], *profile[player + 1 :])


def gain(payoff: Payoff, profile: Profile, player: int) -> float:
    """Return what a player gains by a switch, all others unchanged."""
    return float(payoff(switch(profile, player))[player] - payoff(profile)[player])


def search(
    payoff: Payoff,
    begin: Mapping[str, Profile],
    *,
    epsilon: float,
    weight: Sequence[float] | None = None,
    most_rounds: int = MOST_ROUNDS,
) -> list[Reached]:
    """Let the players switch in turn, in their order, wherever that gains more than epsilon, from each start.

    Args:
        payoff: without noise, so that the same profile always earns the same.
        begin: name -> profile.
        epsilon: in the unit of the payoff, >= 0.
        weight: (n,) of the players in the share, by default equal.
        most_rounds: after which a start is given up.

    Raises:
        StackingError: for a negative epsilon or no start.
    """
    if not epsilon >= 0.0 or not begin:
        raise StackingError("Best responses need a start and an epsilon of at least 0.", place="equilibrium", value=epsilon)
    return [_reach(payoff, name, profile, epsilon, weight, most_rounds) for name, profile in begin.items()]


def _reach(
    payoff: Payoff, name: str, profile: Profile, epsilon: float, weight: Sequence[float] | None, most_rounds: int
) -> Reached:
    """Return where one start leads."""
    seen, rounds, settled = {profile}, 0, False
    while rounds < most_rounds and not settled:
        before, rounds = profile, rounds + 1
        for player in range(len(profile)):
            if gain(payoff, profile, player) > epsilon:
                profile = switch(profile, player)
        settled = profile == before
        if not settled and profile in seen:
            break  # the same round would follow again
        seen.add(profile)
    weights = np.ones(len(profile)) if weight is None else np.asarray(weight, dtype=np.float64)
    share = float(weights @ np.array(profile) / weights.sum())
    left = max(gain(payoff, profile, player) for player in range(len(profile)))
    return Reached(name, profile, share, rounds, settled, left)


# ---- types of FSP ----------------------------------------------------------------------------------------------------
def type_names(game: Game, edges_mw: Sequence[float] = SIZE_EDGES_MW) -> list[str]:
    """Return the type of each FSP, (F,): what it consists of, and its size class."""
    names = []
    for portfolio in game.portfolios:
        low, high = next((a, b) for a, b in pairwise(edges_mw) if a <= portfolio.rated_mw < b)
        names.append(f"{kind_of(portfolio)} {low:g}-{high:g} MW" if np.isfinite(high) else f"{kind_of(portfolio)} {low:g}+ MW")
    return names


def type_payoff(game: Game, types: Sequence[str], costs: Sequence[Cost] = ()) -> tuple[list[str], Payoff]:
    """Return the types in order and what each earns, EUR/kW-year, if all its members consent (1) or bid themselves (0).

    A type switches as a whole. Payoff = mean flex revenue over the scenarios / (rated kW x years) - costs of the choice
    of each member / rated kW.

    Args:
        game: its FSPs.
        types: (F,) type of each FSP.
        costs: of the choices, per FSP.
    """
    names = list(dict.fromkeys(types))
    member = np.array([[own == name for own in types] for name in names], dtype=np.float64)
    rated_kw = member @ np.array([1000.0 * p.rated_mw for p in game.portfolios])
    years = float(np.mean(game.library.length)) * MTU_H / HOURS_PER_YEAR
    price = np.array([yearly_eur(FspChoice.BID_ITSELF, costs), yearly_eur(FspChoice.CONSENT, costs)])

    def payoff(profile: Profile) -> FloatArray:
        choice = dict(zip(names, profile, strict=True))
        entries = [(FspChoice.CONSENT if choice[own] else FspChoice.BID_ITSELF).value for own in types]
        earned = member @ game.flex_eur(entries).mean(axis=0) / (rated_kw * years)
        return earned - member.sum(axis=1) * price[list(profile)] / rated_kw

    return names, payoff


# ---- output ----------------------------------------------------------------------------------------------------------
def to_text(found: Sequence[Reached], names: Sequence[str], played: int) -> str:
    """Return the reached share of each start, and who consents."""
    rows = [
        [
            r.start, percent(r.share_frac), str(r.rounds), "yes" if r.settled else "no", f"{r.most_gain:.3f}",
            ", ".join(name for name, c in zip(names, r.profile, strict=True) if c) or "nobody",
        ]
        for r in found
    ]  # fmt: skip
    header = ["start", "FSPs that consent", "rounds", "settled", "largest gain left, EUR/kW-year", "who consents"]
    return f"{render(header, rows)}\n\n{len(names)} types, {played} profiles played"


def to_data(found: Sequence[Reached], names: Sequence[str], played: int) -> dict[str, Any]:
    """Return the same as plain data for JSON."""
    return {"types": list(names), "played": played, "starts": [asdict(r) for r in found]}
