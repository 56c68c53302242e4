"""A cell of a study of equilibria: profiles of choices are played on demand and kept, and searched from several starts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...agents.consent import scaled
from ..equilibrium import Profile, Reached, search, starts
from ..fsp_types import FspTypes, Revenue, revenue_of, type_payoff, types_of, years_of
from ..game import Game
from ..players import Mixed
from ..strategy_input import consent_name
from .contest import Libraries, chosen_strategy, design_of, library_of, players_of
from .folder import Parts
from .record import EquilibriumStudy, Setting

FloatArray = NDArray[np.float64]
Step = Callable[[int], None]


@dataclass(frozen=True)
class Players:
    """Who chooses in a cell: the types of its FSPs, and the mean length of a scenario in years."""

    types: FspTypes
    years: float


def game_of(setting: Setting, libraries: Libraries, backend: str) -> Game:
    """Return the game of a cell: its strategies in its design; who consents answers as `consent` says."""
    players = players_of(setting)
    plays = chosen_strategy(setting.model_copy(update={"consent": "own"}), players)
    mixed = plays if isinstance(plays, Mixed) else Mixed({setting.strategy: plays}, (setting.strategy,) * len(players.portfolios))
    return Game(
        design_of(setting), mixed.strategies, mixed.assignment, players.portfolios, library_of(setting, players, libraries),
        players.network, backend, consent=consent_name(setting.consent),
    )  # fmt: skip


def played(
    study: EquilibriumStudy, setting: Setting, libraries: Libraries, backend: str, parts: Parts, step: Step
) -> pd.DataFrame:
    """Return all profiles that the searches of a cell ask for, in the order in which they do.

    Args:
        study: choices, types, starts and costs.
        setting: of the cell.
        libraries: scenarios drawn so far.
        backend: of the engine.
        parts: where profiles are kept until the cell is finished; those of a killed run are not played again.
        step: called with 1 after each search.

    Columns: ``profile`` (number of the choice of each type, as digits), ``scenario``, ``type``, ``fsps``, ``rated_mw``,
    ``years`` (mean length of a scenario), ``flex_eur``.
    """
    game = game_of(setting, libraries, backend)
    who = Players(types_of(game.portfolios, study.types), years_of(game.library))
    play, scenarios = revenue_of(game, who.types, study.choices), [str(key) for key in game.library.keys]
    kept = parts.read()
    asked: dict[Profile, pd.DataFrame] = {}

    def revenue(profile: Profile) -> FloatArray:
        if profile not in asked:
            name = code_of(profile)
            if name not in kept:
                kept[name] = _rows(name, scenarios, who, play(profile))
                parts.add(name, kept[name])
            asked[profile] = kept[name]
        return asked[profile]["flex_eur"].to_numpy().reshape(len(scenarios), -1)

    searches(study, setting.seed, revenue, who, step)
    return pd.concat(asked.values(), ignore_index=True)


def searches(
    study: EquilibriumStudy, seed: int, revenue: Revenue, who: Players, step: Step = lambda _: None
) -> dict[float, list[Reached]]:
    """Return where each start leads, by factor on the assumed costs.

    Args:
        study: choices, starts, costs, epsilon.
        seed: of the random starts.
        revenue: of the types.
        who: the types.
        step: called with 1 after each search.
    """
    begin = starts(len(who.types.names), [c.value for c in study.choices], random=study.random_starts, seed=seed)
    found = {}
    for factor in study.cost_factors:
        payoff = type_payoff(revenue, who.types, who.years, scaled(factor), study.choices)
        found[factor] = search(
            payoff, begin, epsilon=study.epsilon_eur_per_kw_year, choices=len(study.choices), weight=who.types.rated_mw, done=step
        )
    return found


def search_count(study: EquilibriumStudy) -> int:
    """Return the number of searches of a cell: starts x factors on the costs."""
    return (len(study.choices) + study.random_starts) * len(study.cost_factors)


def code_of(profile: Profile) -> str:
    """Return a profile as digits.

    >>> code_of((0, 4, 1))
    '041'
    """
    return "".join(str(k) for k in profile)


def kept_revenue(frame: pd.DataFrame) -> tuple[Revenue, Players]:
    """Return what the types earned in the profiles of a finished cell, and who they are."""
    first = frame.loc[frame["profile"] == frame["profile"].iloc[0]]
    one = first.loc[first["scenario"] == first["scenario"].iloc[0]]
    types = FspTypes(tuple(one["type"]), (), one["fsps"].to_numpy(), one["rated_mw"].to_numpy())
    by_profile = frame["flex_eur"].to_numpy().reshape(-1, len(first) // len(one), len(one))
    table: Mapping[str, FloatArray] = dict(zip(dict.fromkeys(frame["profile"]), by_profile, strict=True))
    return lambda profile: table[code_of(profile)], Players(types, float(one["years"].iloc[0]))


def _rows(name: str, scenarios: Sequence[str], who: Players, flex_eur: FloatArray) -> pd.DataFrame:
    """Return the rows of one profile, types within scenarios."""
    types, count = who.types, len(scenarios)
    return pd.DataFrame({
        "profile": name,
        "scenario": np.repeat(scenarios, len(types.names)),
        "type": np.tile(types.names, count),
        "fsps": np.tile(types.fsps, count),
        "rated_mw": np.tile(types.rated_mw, count),
        "years": who.years,
        "flex_eur": flex_eur.reshape(-1),
    })  # fmt: skip
