"""Best responses in turn from several starts, until no player gains more than epsilon by another choice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

from stacking.errors import StackingError
from stacking.scenario.keys import ALL, ScenarioKey, stream, whole_number

FloatArray = NDArray[np.float64]
Profile = tuple[int, ...]
Payoff = Callable[[Profile], FloatArray]
"""Profile of n players, the number of the choice of each -> what each earns, (n,)."""

MOST_ROUNDS = 20


@dataclass(frozen=True)
class Reached:
    """Where best responses from one start ended.

    Attributes:
        start: its name.
        profile: the last choices.
        share_frac: share of the weight that made each choice, in their order.
        rounds: full rounds played, the last one without a switch if settled.
        settled: whether nobody gains more than epsilon; otherwise choices went in a circle, or the rounds ran out.
        payoff: (n,) what each player earns there.
        gains: (n,) what the best other choice would bring each player (below 0: a loss).
    """

    start: str
    profile: Profile
    share_frac: tuple[float, ...]
    rounds: int
    settled: bool
    payoff: tuple[float, ...]
    gains: tuple[float, ...]

    @property
    def most_gain(self) -> float:
        """Return the largest gain that is left, in the unit of the payoff."""
        return max(self.gains)


def starts(players: int, choices: Sequence[str], *, random: int = 1, seed: int = 0) -> dict[str, Profile]:
    """Return the starts: everybody with the same choice, for each of them, and random ones.

    Args:
        players: how many.
        choices: names of the choices.
        random: number of starts drawn with even chances from a keyed seed.
        seed: of the draws.

    Raises:
        StackingError: for a number of random starts or a seed that is no such number.
    """
    count = whole_number(random, "starts", least=0, place="equilibrium")
    found: dict[str, Profile] = {f"all {name}": (k,) * players for k, name in enumerate(choices)}
    for k in range(count):
        draws = stream(ScenarioKey(ALL, "equilibrium", seed, k), "start").random(players)
        found[f"random {k + 1}"] = tuple(int(u * len(choices)) for u in draws)
    return found


def switch(profile: Profile, player: int, to: int) -> Profile:
    """Return the profile with one player's choice replaced."""
    return (*profile[:player], to, *profile[player + 1 :])


def shares(profile: Profile, choices: int, weight: Sequence[float] | FloatArray) -> tuple[float, ...]:
    """Return the share of the weight (n,) that made each choice.

    >>> shares((0, 2, 2), 3, [1.0, 1.0, 2.0])
    (0.25, 0.0, 0.75)
    """
    weights = np.asarray(weight, dtype=np.float64)
    return tuple(float(x) for x in np.bincount(profile, weights=weights, minlength=choices) / weights.sum())


def best_other(payoff: Payoff, profile: Profile, player: int, choices: int) -> tuple[float, int]:
    """Return what the best other choice brings a player, all others unchanged, and its number (the first of equals)."""
    now = float(payoff(profile)[player])
    gains = [(float(payoff(switch(profile, player, to))[player]) - now, -to) for to in range(choices) if to != profile[player]]
    gain, to = max(gains)
    return gain, -to


def search(
    payoff: Payoff,
    begin: Mapping[str, Profile],
    *,
    epsilon: float,
    choices: int = 2,
    weight: Sequence[float] | FloatArray | None = None,
    most_rounds: int = MOST_ROUNDS,
    done: Callable[[int], None] = lambda _: None,
) -> list[Reached]:
    """Let the players switch in turn, in their order, to their best choice wherever it gains more than epsilon.

    Args:
        payoff: without noise, so that the same profile always earns the same.
        begin: name -> profile.
        epsilon: in the unit of the payoff, >= 0.
        choices: of each player, 2 or more.
        weight: (n,) of the players in the share, by default equal.
        most_rounds: after which a start is given up.
        done: called with 1 after each start.

    Raises:
        StackingError: for an epsilon below 0 or not finite, no start, fewer than two choices, or a start that names
            another choice.
    """
    _check(begin, epsilon, choices)
    found = []
    for name, profile in begin.items():
        found.append(_reach(payoff, name, profile, epsilon, choices, weight, most_rounds))
        done(1)
    return found


def _check(begin: Mapping[str, Profile], epsilon: float, choices: int) -> None:
    """Check what a search begins with."""
    if not 0.0 <= epsilon < inf:
        raise StackingError(
            "Epsilon is no gain.", place="equilibrium", key="epsilon", value=epsilon, allowed="a number of at least 0"
        )
    whole_number(choices, "choices", least=2, place="equilibrium")
    if not begin:
        raise StackingError("Best responses need a start.", place="equilibrium", key="begin", value=0, allowed="1 or more")
    for name, profile in begin.items():
        if not profile or not all(0 <= k < choices for k in profile):
            raise StackingError(
                "A start has no players, or one with a choice that does not exist.", place="equilibrium", key=name,
                value=profile, allowed=f"numbers 0..{choices - 1}",
            )  # fmt: skip


def _reach(
    payoff: Payoff,
    name: str,
    profile: Profile,
    epsilon: float,
    choices: int,
    weight: Sequence[float] | FloatArray | None,
    most_rounds: int,
) -> Reached:
    """Return where one start leads."""
    seen, rounds, settled = {profile}, 0, False
    while rounds < most_rounds and not settled:
        before, rounds = profile, rounds + 1
        for player in range(len(profile)):
            gain, to = best_other(payoff, profile, player, choices)
            if gain > epsilon:
                profile = switch(profile, player, to)
        settled = profile == before
        if not settled and profile in seen:
            break  # the same round would follow again
        seen.add(profile)
    share = shares(profile, choices, np.ones(len(profile)) if weight is None else weight)
    gains = tuple(best_other(payoff, profile, player, choices)[0] for player in range(len(profile)))
    earned = tuple(float(x) for x in payoff(profile))
    return Reached(name, profile, share, rounds, settled, earned, gains)
