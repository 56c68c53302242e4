"""Policies that learn from week to week: bandit, best response, imitation. Within a week they keep their choice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Self

import numpy as np

from stacking.errors import StackingError

from ..seeds import UintArray, uniform
from ..strategies.base import BoolArray, FloatArray, IntArray
from .base import WeekRevenue, both
from .simple import check_share

if TYPE_CHECKING:
    import networkx as nx


@dataclass(frozen=True)
class Learned:
    """State of a weekly learner; columns of the matrices are without and with consent."""

    seeds: UintArray  # (n,)
    choice: IntArray  # (n,) 0 or 1 of the coming week
    week: int
    count: IntArray  # (n, 2) weeks played
    mean_eur: FloatArray  # (n, 2) mean revenue of them, 0 before the first


@dataclass(frozen=True)
class Weekly:
    """What weekly learners have in common: the first choice is drawn with even chances."""

    weekly = True

    def start(self, seeds: UintArray) -> Learned:
        """Return nothing learned yet and a drawn first choice."""
        n = len(seeds)
        first = (drawn(seeds, 0, 0) < 0.5).astype(np.int64)
        return Learned(seeds, first, 0, np.zeros((n, 2), np.int64), np.zeros((n, 2)))

    def decide(self, observation: FloatArray, asked: BoolArray, state: Learned) -> tuple[FloatArray, Learned]:
        """Return the choice of this week, for both directions."""
        return both(state.choice.astype(np.float64)), state


@dataclass(frozen=True)
class Bandit(Weekly):
    """Two arms, judged by their mean weekly revenue.

    "greedy" plays a random arm with probability `explore_frac`, else the better one; "ucb" plays the larger of
    mean + explore_frac s sqrt(2 ln(week) / count), s = the spread between the row's means. Each arm is tried once first.
    """

    rule: Literal["greedy", "ucb"] = "greedy"
    explore_frac: float = 0.1  # assumed

    def __post_init__(self) -> None:
        """Check the numbers."""
        if self.rule not in ("greedy", "ucb"):
            raise StackingError("Unknown rule of a bandit.", key="rule", value=self.rule, allowed="greedy, ucb")
        if self.rule == "greedy":
            check_share(self.explore_frac, "0.1", key="explore_frac")
        elif not 0.0 <= self.explore_frac < float("inf"):
            raise StackingError(
                "The weight of exploration is no number of at least 0.", place="bandit:ucb", key="explore_frac",
                value=self.explore_frac, allowed="at least 0", remedy="Use for example 1.",
            )  # fmt: skip

    @property
    def name(self) -> str:
        """Return "bandit" or "bandit:ucb"."""
        return "bandit" if self.rule == "greedy" else "bandit:ucb"

    def after_week(self, state: Learned, revenue: WeekRevenue) -> Learned:
        """Return the next choice from the means, this week's revenue included."""
        state = learned(state, revenue)
        mean = state.mean_eur
        if self.rule == "ucb":
            spread = np.abs(mean[:, 1] - mean[:, 0])[:, None]
            mean = mean + self.explore_frac * spread * np.sqrt(2.0 * np.log(state.week) / np.maximum(state.count, 1))
        choice = better(mean, state.choice)
        if self.rule == "greedy":
            explores = drawn(state.seeds, state.week, 0) < self.explore_frac
            choice = np.where(explores, (drawn(state.seeds, state.week, 1) < 0.5).astype(np.int64), choice)
        untried = np.argmin(state.count, axis=1)
        return replace(state, choice=np.where(state.count.min(axis=1) == 0, untried, choice))


@dataclass(frozen=True)
class BestResponse(Weekly):
    """Takes the choice that earned more on training scenarios given what all others do; keeps it with `inertia_frac`.

    Without inertia all switch at once, which may go round in circles.
    """

    epsilon_eur: float = 0.0  # gain from which a switch is worth it
    inertia_frac: float = 0.0

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_share(self.inertia_frac, "0.5", key="inertia_frac")
        if not 0.0 <= self.epsilon_eur < float("inf"):
            raise StackingError(
                "The gain from which a switch is worth it is no amount.", place="best_response", key="epsilon_eur",
                value=self.epsilon_eur, allowed="at least 0 EUR",
            )  # fmt: skip

    @property
    def name(self) -> str:
        """Return "best_response"."""
        return "best_response"

    def after_week(self, state: Learned, revenue: WeekRevenue) -> Learned:
        """Return the next choice; needs `other_choice_eur`."""
        if revenue.other_choice_eur is None:
            raise StackingError(
                "A best response needs to know what the other choice would have earned.", place="best_response",
                key="other_choice_eur", value=None, remedy="Play the training scenarios with the choice of each FSP flipped.",
            )  # fmt: skip
        gains = revenue.other_choice_eur - revenue.earned_eur > self.epsilon_eur
        moves = gains & ~(drawn(state.seeds, state.week + 1, 0) < self.inertia_frac)
        return replace(learned(state, revenue), choice=np.where(moves, 1 - state.choice, state.choice))


@dataclass(frozen=True)
class Imitation(Weekly):
    """Copies, with probability `copy_frac`, the neighbour that earned most per MW, if that is more than the own.

    Args:
        neighbours: (n,) rows that each row sees; ties go to the lower row.
        copy_frac: probability per week, assumed.
    """

    neighbours: tuple[tuple[int, ...], ...] = ()
    copy_frac: float = 0.3

    def __post_init__(self) -> None:
        """Check the probability."""
        check_share(self.copy_frac, "imitation:0.3")

    @classmethod
    def on(cls, graph: nx.Graph, names: Sequence[str], copy_frac: float = 0.3) -> Self:
        """Return the policy on a graph of portfolio names (`neighbour_graph`), rows in the order of `names`.

        Raises:
            StackingError: if graph and rows do not have the same names.
        """
        if odd := sorted(set(graph.nodes) ^ set(names)):
            raise StackingError(
                "Neighbourhood graph and portfolios do not have the same names.", place="imitation", key="neighbours",
                value=odd[0], remedy="Make the graph with neighbour_graph from the names of these portfolios.",
            )  # fmt: skip
        row = {name: k for k, name in enumerate(names)}
        return cls(tuple(tuple(sorted(row[other] for other in graph.neighbors(name))) for name in names), copy_frac)

    @property
    def name(self) -> str:
        """Return "imitation:PROBABILITY"."""
        return f"imitation:{self.copy_frac:g}"

    def after_week(self, state: Learned, revenue: WeekRevenue) -> Learned:
        """Return the next choice; all look at the same past week."""
        n = len(state.choice)
        if len(self.neighbours) != n:
            raise StackingError(
                "The neighbourhood does not match the rows.", place="imitation", key="neighbours",
                value=len(self.neighbours), allowed=f"{n} rows", remedy="Make the policy with Imitation.on(graph, names).",
            )  # fmt: skip
        earned = revenue.earned_eur / revenue.rated_mw
        best = np.array([max(seen, key=lambda k: (earned[k], -k)) if seen else i for i, seen in enumerate(self.neighbours)])
        copies = (drawn(state.seeds, state.week + 1, 0) < self.copy_frac) & (earned[best] > earned)
        return replace(learned(state, revenue), choice=np.where(copies, state.choice[best], state.choice))


def learned(state: Learned, revenue: WeekRevenue) -> Learned:
    """Return the state with a week's revenue in the mean of the arm that was played."""
    n = np.arange(len(state.choice))
    count, mean = state.count.copy(), state.mean_eur.copy()
    count[n, state.choice] += 1
    mean[n, state.choice] += (revenue.earned_eur - mean[n, state.choice]) / count[n, state.choice]
    return replace(state, week=state.week + 1, count=count, mean_eur=mean)


def better(value: FloatArray, choice: IntArray) -> IntArray:
    """Return the column with the larger value, (n,); the present choice where they are equal."""
    return np.where(value[:, 1] > value[:, 0], 1, np.where(value[:, 1] < value[:, 0], 0, choice))


def drawn(seeds: UintArray, week: int, purpose: int) -> FloatArray:
    """Return one number in [0, 1) per row for a week and purpose, (n,)."""
    return uniform(seeds, np.full(len(seeds), 16 * week + purpose, np.uint64))
