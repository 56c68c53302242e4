"""From a cell to a contest: design, players, strategy and scenarios, all made by what `stacking compare` uses too."""

from __future__ import annotations

import json
from collections.abc import Sequence

from stacking.config import Design
from stacking.errors import StackingError
from stacking.scenario import Library

from ...agents.consent import with_consent
from ...agents.parameters import shipped_parameters
from ...agents.seeds import seed_of
from ...agents.strategies import Strategy, parameters_of
from ..depth import with_depth
from ..design_input import chosen_design
from ..inputs import scenarios
from ..players import MIXED, Mixed, Players, chosen_players, mixed_strategies
from ..request import Request
from ..runner import REFERENCE, Contest
from ..strategy_input import consent_name, one_strategy
from .record import Setting

Libraries = dict[tuple[object, ...], Library]
"""Scenarios that several cells share."""


def contest_of(setting: Setting, libraries: Libraries, backend: str = "serial") -> Contest:
    """Return the contest of a cell: its strategy in its design, beside the reference.

    Args:
        setting: of the cell.
        libraries: scenarios made so far; the cell's are added.
        backend: of the engine.

    Raises:
        StackingError: for anything that is not there or not valid.
    """
    players = players_of(setting)
    library = library_of(setting, players, libraries)
    strategies = {setting.strategy: chosen_strategy(setting, players)}
    return Contest((design_of(setting),), strategies, players.portfolios, library, backend, network=players.network)


def library_of(setting: Setting, players: Players, libraries: Libraries) -> Library:
    """Return the scenarios of a cell; drawn once for all cells that differ in nothing but depth or rules.

    Args:
        setting: of the cell.
        players: of the cell.
        libraries: drawn so far; the cell's are added.
    """
    key = (setting.population, setting.portfolio, setting.network, setting.world, setting.seed)
    if key not in libraries:
        libraries[key] = scenarios(_request(setting), setting.split, players, setting.seeds)
    return with_depth(libraries[key], setting.depth_factor)


def players_of(setting: Setting) -> Players:
    """Return who takes part in a cell."""
    return chosen_players(_request(setting))


def design_of(setting: Setting) -> Design:
    """Return the design of a cell with its settings."""
    return chosen_design(setting.design, [f"{key}={json.dumps(value)}" for key, value in setting.settings.items()])


def chosen_strategy(setting: Setting, players: Players) -> Strategy | Mixed:
    """Return the strategy of a cell, with its parameters and consent.

    Raises:
        StackingError: for an unknown strategy, a parameter that none of its strategies has, or a value out of range.
    """
    consent = consent_name(setting.consent)

    def make(name: str) -> Strategy:
        strategy = _with_parameters(setting, name)
        return strategy if strategy.name == REFERENCE else with_consent(strategy, consent)

    if setting.strategy == MIXED:
        chosen: Strategy | Mixed = mixed_strategies(players, make)
        bare = [_with_parameters(setting, name) for name in chosen.strategies]
    else:
        chosen = make(setting.strategy)
        bare = [_with_parameters(setting, setting.strategy)]
    known = sorted({p.name for strategy in bare for p in parameters_of(strategy)})
    for name, value in setting.parameters.items():
        if name not in known:
            raise StackingError(
                "The strategy has no such parameter.", place=f"strategy {setting.strategy}", key=f"parameters.{name}",
                value=value, allowed=", ".join(known) or "none", remedy="Leave it out or correct its name.",
            )  # fmt: skip
    return chosen if setting.consent_share is None else _split(chosen, players, setting)


def consenting(names: Sequence[str], share_frac: float, seed: int) -> tuple[bool, ...]:
    """Return who consents: the first round(share x n) FSPs in an order drawn from their names and the seed.

    Who consents at a share also consents at every larger one.

    >>> [sum(consenting([f"fsp {k}" for k in range(10)], share, 1)) for share in (0.0, 0.5, 1.0)]
    [0, 5, 10]
    """
    order = sorted(range(len(names)), key=lambda k: seed_of("study: share of consent", seed, names[k]))
    first = set(order[: round(share_frac * len(names))])
    return tuple(k in first for k in range(len(names)))


def _split(chosen: Strategy | Mixed, players: Players, setting: Setting) -> Mixed:
    """Return the strategies with a share of the FSPs that always consents, and a rest that never does."""
    names = [p.name for p in players.portfolios]
    plays = chosen.assignment if isinstance(chosen, Mixed) else (setting.strategy,) * len(names)
    bare = chosen.strategies if isinstance(chosen, Mixed) else {setting.strategy: chosen}
    strategies: dict[str, Strategy] = {}
    assignment = []
    for play, agrees in zip(plays, consenting(names, setting.consent_share or 0.0, setting.seed), strict=True):
        policy = "always" if agrees else "never"
        label = play if play == REFERENCE else f"{play}[{policy}]"
        strategies.setdefault(label, bare[play] if play == REFERENCE else with_consent(bare[play], policy))
        assignment.append(label)
    return Mixed(strategies, tuple(assignment))


def _with_parameters(setting: Setting, name: str) -> Strategy:
    """Return a strategy whose given parameters replace the tuned ones or the defaults."""
    strategy, _ = one_strategy(name, tuned=setting.plays_tuned)
    known = {p.name for p in parameters_of(strategy)}
    given = {key: float(value) for key, value in setting.parameters.items() if key in known}
    if not given:
        return strategy
    base = shipped_parameters(name) if setting.plays_tuned and ":" not in name else {}
    return one_strategy(name, values={**base, **given})[0]


def _request(setting: Setting) -> Request:
    return Request(
        seeds=setting.seeds, split=setting.split, days=setting.days, world=setting.world, portfolio=setting.portfolio,
        population=setting.population, network=setting.network, seed=setting.seed,
    )  # fmt: skip
