"""Who takes part: the network, the portfolios that stand in it, and which strategy each of them plays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from stacking.catalogue import default_portfolios, load_portfolios
from stacking.errors import StackingError
from stacking.network import Network, compile_network, default_network, load_network
from stacking.portfolio import Portfolio

from .consent import WithConsent, consenting
from .drawn import draw_consents, draw_population, draw_strategies
from .strategies import Strategy

MIXED = "mixed"
"""Name of the strategy under which each FSP of a population plays one of its own."""

MOST_PROVIDERS = 20_000


class Choice(Protocol):
    """The options that say who takes part."""

    @property
    def portfolio(self) -> str | None:
        """Return the portfolio file, None for the default portfolio."""
        ...

    @property
    def population(self) -> str | None:
        """Return NAME or FILE of a population, with :COUNT where the number of FSPs is given."""
        ...

    @property
    def network(self) -> str | None:
        """Return name or file of a network, None for one area."""
        ...

    @property
    def seed(self) -> int:
        """Return the seed of the draws."""
        ...


@dataclass(frozen=True)
class Players:
    """Portfolios in the row order of their network.

    Attributes:
        network: where they stand.
        portfolios: (F,) in the order of `compile_network`.
        population: name or file that they were drawn from, "" if they were not drawn.
        seed: of the draw.
    """

    network: Network = field(default_factory=default_network)
    portfolios: tuple[Portfolio, ...] = field(default_factory=default_portfolios)
    population: str = ""
    seed: int = 0


@dataclass(frozen=True)
class Mixed:
    """Strategies of a population whose FSPs do not all play the same.

    Attributes:
        strategies: name -> strategy.
        assignment: (F,) name of each portfolio's strategy.
    """

    strategies: dict[str, Strategy]
    assignment: tuple[str, ...]

    name = MIXED

    def __str__(self) -> str:
        """Return how many play what, the most frequent first."""
        return ", ".join(f"{count} {name}" for name, count in Counter(self.assignment).most_common())


def chosen_players(request: Choice) -> Players:
    """Return who takes part in a run.

    Raises:
        StackingError: for a file that is not there or not valid, portfolios and a population at once, or a portfolio that
            stands at no leaf of the network.
    """
    if request.portfolio and request.population:
        raise StackingError(
            "Portfolios come from a file or from a population, not from both.", place="--population", key="--portfolio",
            value=request.portfolio, allowed="one of --portfolio and --population", remedy="Leave one of them out.",
        )  # fmt: skip
    network = load_network(request.network) if request.network else default_network()
    name = ""
    if request.population:
        name, count = population_and_count(request.population)
        portfolios = draw_population(name, count, request.seed, network)
    elif request.portfolio:
        portfolios = load_portfolios(request.portfolio)
    elif len(network.leaves) > 1:
        raise StackingError(
            "The default portfolio stands at no leaf of a network of several.", place="--network", key="network",
            value=network.name, allowed=", ".join(network.nodes[k].name for k in network.leaves),
            remedy="Add --population mixed, or --portfolio FILE whose portfolios name their node.",
        )  # fmt: skip
    else:
        portfolios = default_portfolios()
    order = compile_network(network, portfolios).order
    return Players(network, tuple(portfolios[k] for k in order), name, request.seed)


def population_and_count(text: str) -> tuple[str, int | None]:
    """Return name or file of a population, and the number of FSPs if one is given.

    >>> population_and_count("mixed:12"), population_and_count("my.toml")
    (('mixed', 12), ('my.toml', None))

    Raises:
        StackingError: for a number outside 1 to 20,000.
    """
    name, colon, tail = text.rpartition(":")
    if not colon or tail.endswith(".toml"):
        return text, None
    if not (tail.isdecimal() and tail.isascii() and len(tail) < 10 and 1 <= int(tail) <= MOST_PROVIDERS):
        raise StackingError(
            "The number of FSPs is not possible.", place="--population", key="COUNT", value=tail,
            allowed=f"whole numbers 1..{MOST_PROVIDERS:,}", remedy="Write NAME:COUNT, for example mixed:30, or only NAME.",
        )  # fmt: skip
    return name, int(tail)


def mixed_strategies(players: Players, make: Callable[[str], Strategy]) -> Mixed:
    """Return the strategies of the FSPs of a population, drawn by its shares.

    Args:
        players: who takes part.
        make: strategy by name.

    Raises:
        StackingError: if the portfolios are not of a population, or its file names an unknown strategy.
    """
    if not players.population:
        raise StackingError(
            "The strategy 'mixed' takes its shares from a population.", key="strategy", value=MIXED,
            allowed="with --population only", remedy="Add --population mixed (or ukpn, norflex, gopacs, or a file).",
        )  # fmt: skip
    assignment = draw_strategies(players.portfolios, players.population, players.seed)
    made = {name: make(name) for name in dict.fromkeys(assignment)}
    if any(isinstance(strategy, WithConsent) for strategy in made.values()):  # --consent goes before the population's
        return Mixed(made, assignment)
    strategies, labels = consenting(made, assignment, draw_consents(players.portfolios, players.population, players.seed))
    return Mixed({name: strategies[name] for name in dict.fromkeys(labels)}, labels)
