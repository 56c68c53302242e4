"""From settings to what an environment runs: design, who takes part, who learns, what the others play, which scenarios."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stacking.catalogue import PARTS, changed_design, default_portfolios, load_portfolios
from stacking.config import Design, validated
from stacking.errors import StackingError
from stacking.network import Network, compile_network, default_network, load_network
from stacking.portfolio import Portfolio
from stacking.scenario import Library

from ..agents.drawn import draw_population
from ..agents.players import Players, mixed_strategies, population_and_count
from ..agents.strategies import Strategy
from ..agents.strategies.loading import check_methods
from .config import EnvConfig
from .learned import named_strategy
from .scenarios import scenario_library


@dataclass(frozen=True)
class Scene:
    """Everything but the worlds themselves.

    Attributes:
        design: with its overrides.
        network: where the portfolios stand.
        portfolios: (F,) in row order.
        learners: rows that learn.
        others: row -> strategy of all other rows.
        library: scenarios.
    """

    design: Design
    network: Network
    portfolios: tuple[Portfolio, ...]
    learners: tuple[int, ...]
    others: dict[int, Strategy]
    library: Library


def build_scene(config: EnvConfig, everybody: bool = False) -> Scene:
    """Return what settings describe.

    Args:
        config: validated settings.
        everybody: whether all FSPs learn that no co-player decides for; else the first one does.

    Raises:
        StackingError: for anything that is not there or does not fit together.
    """
    design = changed_design(
        _known_design(config.design), config.overrides, config.pooling, "overrides" if config.overrides else ""
    )
    network = _network(config.network)
    given, drawn, copies = _fsps(config, network)
    everyone = [*given, *drawn, *copies]
    order = compile_network(network, everyone).order
    portfolios = tuple(everyone[k] for k in order)
    row = {p.name: k for k, p in enumerate(portfolios)}
    if len(row) < len(portfolios):
        twice = next(p.name for k, p in enumerate(portfolios) if row[p.name] != k)
        raise StackingError("Two FSPs have the same name.", place="environment", key="portfolio", value=twice,
                            remedy="Give each portfolio its own name.")  # fmt: skip
    learners = _learners(config, given, drawn, row, everybody)
    others = [k for k in range(len(portfolios)) if k not in learners]
    strategies = _co_players(config, network, portfolios, others, {row[p.name] for p in drawn})
    return Scene(design, network, portfolios, learners, strategies, scenario_library(config, portfolios, network))


def _known_design(design: Any) -> Any:
    if not isinstance(design, str | Path | Mapping):
        raise StackingError("The design is no name and no table.", place="environment", key="design", value=design,
                            allowed="a shipped name, a .toml file, or a table", remedy="See `stacking designs`.")  # fmt: skip
    return design


def _network(given: Any) -> Network:
    """Return a network by name or file, or the one that was given."""
    if given is None or isinstance(given, Network):
        return given or default_network()
    if not isinstance(given, str | Path):
        raise StackingError("The network is no name.", place="environment", key="network", value=given,
                            allowed="a shipped name, a .toml file, or a Network", remedy="See docs/networks.md.")  # fmt: skip
    return load_network(given)


# ---- who takes part --------------------------------------------------------------------------------------------------
def _fsps(config: EnvConfig, network: Network) -> tuple[list[Portfolio], list[Portfolio], list[Portfolio]]:
    """Return the portfolios that were given, those that are drawn, and copies for co-players."""
    given = [] if config.portfolio is None and config.population else list(chosen_portfolios(config.portfolio))
    drawn: list[Portfolio] = []
    copies: list[Portfolio] = []
    if config.population:
        name, count = population_and_count(config.population)
        drawn = list(draw_population(name, count, config.population_seed, network))
    elif isinstance(config.co_players, Mapping):
        for name, count in _counts(config.co_players).items():
            copies += [given[0].model_copy(update={"name": f"{_label(name)} {k + 1}"}) for k in range(count)]
    return given, drawn, copies


def chosen_portfolios(given: Any) -> Sequence[Portfolio]:
    """Return the portfolios of a preset, a file or records.

    Raises:
        StackingError: for anything else.
    """
    if given is None:
        return default_portfolios()
    if isinstance(given, str) and given in ("default", *PARTS):
        return load_portfolios(given)
    if isinstance(given, str | Path) and Path(given).suffix == ".toml":
        return load_portfolios(given)
    if isinstance(given, Portfolio):
        return (given,)
    if isinstance(given, Sequence) and not isinstance(given, str) and given:
        return [p if isinstance(p, Portfolio) else validated(Portfolio, p, f"portfolio {k + 1}") for k, p in enumerate(given)]
    raise StackingError("The portfolio is none that is known.", place="environment", key="portfolio", value=given,
                        allowed=f"default, {', '.join(PARTS)}, a .toml file, or records",
                        remedy="See docs/portfolios.md for files and records.")  # fmt: skip


def _learners(
    config: EnvConfig, given: Sequence[Portfolio], drawn: Sequence[Portfolio], row: Mapping[str, int], everybody: bool
) -> tuple[int, ...]:
    """Return the rows that learn, in row order."""
    for name in config.learners or ():
        if name not in row:
            raise StackingError("There is no such FSP.", place="environment", key="learners", value=name,
                                allowed=", ".join(list(row)[:20]), remedy="Name FSPs that take part.")  # fmt: skip
    names = list(config.learners or ()) or [p.name for p in given or drawn]
    if everybody:
        return tuple(sorted(row[name] for name in names))
    if config.learners is not None and len(names) > 1:
        raise StackingError("One FSP learns in this environment.", place="environment", key="learners",
                            value=list(config.learners), allowed="one name",
                            remedy="Use stacking.envs.parallel_env for several.")  # fmt: skip
    return (row[names[0]],)


# ---- what the others play --------------------------------------------------------------------------------------------
def _co_players(
    config: EnvConfig, network: Network, portfolios: tuple[Portfolio, ...], others: list[int], drawn: set[int]
) -> dict[int, Strategy]:
    """Return row -> strategy of all that do not learn."""
    chosen = config.co_players
    if chosen is None and config.population and set(others) <= drawn:
        own = tuple(p for k, p in enumerate(portfolios) if k in drawn)
        mixed = mixed_strategies(
            Players(network, own, population_and_count(config.population)[0], config.population_seed), named_strategy
        )
        played = dict(zip(sorted(drawn), mixed.assignment, strict=True))
        return {k: mixed.strategies[played[k]] for k in others}
    if chosen is None and not others:
        return {}
    if isinstance(chosen, str):
        chosen = [chosen] * len(others)
    elif isinstance(chosen, Mapping):
        chosen = [name for name, count in _counts(chosen).items() for _ in range(count)]
    if not isinstance(chosen, Sequence) or len(chosen) != len(others):
        raise StackingError(
            "What the others play is not said for each.", place="environment", key="co_players", value=config.co_players,
            allowed=f'a strategy for each of {len(others)}: "rebid", {{"rebid": {len(others)}}} or a list',
            remedy="Name their strategies, or let them learn too (stacking.envs.parallel_env).",
        )  # fmt: skip
    made: dict[str, Strategy] = {}
    out: dict[int, Strategy] = {}
    for k, each in zip(others, chosen, strict=True):
        if isinstance(each, str):
            out[k] = made.setdefault(each, made.get(each) or named_strategy(each))
        else:
            check_methods(each, "co_players")
            out[k] = each
    return out


def _counts(chosen: Mapping[Any, Any]) -> dict[str, int]:
    """Return strategy -> number of co-players, checked."""
    for name, count in chosen.items():
        if not isinstance(name, str) or isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise StackingError("Co-players are no numbers of strategies.", place="environment", key=f"co_players.{name}",
                                value=count, allowed="strategy -> whole number of 1 or more",
                                remedy='For example co_players={"rebid": 9}.')  # fmt: skip
    return dict(chosen)


def _label(spec: str) -> str:
    """Return how a co-player of a strategy is called."""
    return spec.rpartition(":")[2]
