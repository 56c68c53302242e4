"""Cases of a system-side run: designs, each with a policy of consent, on the same scenarios."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stacking.config import Design
from stacking.engine import Engine
from stacking.errors import StackingError
from stacking.network import Network
from stacking.portfolio import Portfolio
from stacking.scenario import Library

from ...agents.population import Population
from ...agents.strategies import Strategy
from ..design_input import chosen_design
from ..inputs import check_scenario_count, scenarios
from ..players import Mixed, Players, chosen_players
from ..request import Request
from ..runner import MAX_ROWS, MAX_WORLDS
from ..strategy_input import chosen_strategies
from .clearings import check_known
from .history import BidHistory
from .tally import Tally

DESIGNS = ("parallel_adjusted", "norflex_eam@never", "norflex_eam", "norflex_eam@always", "parallel")
"""Cases of the default run; the first is what the others are compared with."""

SCENARIOS = 30


@dataclass(frozen=True)
class Case:
    """One design with its strategies: `label` is DESIGN or DESIGN@CONSENT."""

    label: str
    design: Design
    strategies: Mixed


@dataclass(frozen=True)
class Cases:
    """What is run: every case on every scenario."""

    cases: tuple[Case, ...]
    portfolios: tuple[Portfolio, ...]
    library: Library
    network: Network
    request: Request


def cases_of(request: Request) -> Cases:
    """Return the cases that were asked for; `request.designs` may hold DESIGN@CONSENT.

    Raises:
        StackingError: for anything unknown, a case that occurs twice, several strategies, or fewer than two scenarios.
    """
    labels = request.designs or DESIGNS
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice:
        raise StackingError("A case occurs twice.", place="--design", key="design", value=twice, remedy="Name it once.")
    if len(request.strategies) > 1:
        raise StackingError(
            "All cases are played by one strategy.", place="--strategy", key="strategy", value=", ".join(request.strategies),
            allowed="one of them, or mixed", remedy="Leave the others out, or use --strategy mixed with --population.",
        )  # fmt: skip
    check_scenario_count(request.seeds, request.days)
    players = chosen_players(request)
    name = request.strategies[0] if request.strategies else "mixed" if players.population else "stacked"
    library = scenarios(request, request.split or ("all" if request.prices else "validation"), players, SCENARIOS)
    cases = tuple(_case(label, name, request, players) for label in labels)
    return Cases(cases, players.portfolios, library, players.network, request)


def _case(label: str, strategy: str, request: Request, players: Players) -> Case:
    name, at, consent = label.partition("@")
    design = chosen_design(name, request.overrides, request.pooling)
    check_known(design)
    asked = replace(request, strategies=(strategy,), consent=consent if at else request.consent)
    chosen: Strategy | Mixed = list(chosen_strategies(asked, players)[0].values())[-1]
    if not isinstance(chosen, Mixed):
        chosen = Mixed({chosen.name: chosen}, (chosen.name,) * len(players.portfolios))
    return Case(label, design, chosen)


def play(cases: Cases, progress: Callable[[int], None] | None = None) -> pd.DataFrame:
    """Run every case on every scenario and return one row per case and scenario (`stacking.experiments.system.tally`).

    Args:
        cases: what is run.
        progress: called with the number of scenarios done since the last call.

    Raises:
        StackingError: for a strategy that breaks its contract, or a design that clears in a way that is not known here.
    """
    found = []
    count = len(cases.library)
    size = max(1, min(count, MAX_WORLDS, MAX_ROWS // len(cases.portfolios)))
    for case in cases.cases:
        for first in range(0, count, size):
            chosen = np.arange(first, min(first + size, count))
            tally = Tally(engine := _engine(case, cases, chosen))
            _run(engine, case, cases, chosen, tally.record)
            identity = [{"design": case.label, "scenario": str(cases.library.keys[k])} for k in chosen]
            found += [{**name, **row} for name, row in zip(identity, tally.rows(), strict=True)]
            if progress:
                progress(len(chosen))
    return pd.DataFrame(found)


def bid_history(case: Case, cases: Cases, scenarios_: Sequence[int] = (0,)) -> pd.DataFrame:
    """Return every bid's history of a case on some scenarios of its library (`stacking.experiments.system.history`)."""
    chosen = np.asarray(scenarios_, dtype=np.int64)
    engine = _engine(case, cases, chosen)
    history = BidHistory(engine)
    _run(engine, case, cases, chosen, history.record)
    return history.frame()


def _engine(case: Case, cases: Cases, chosen: NDArray[np.int64]) -> Engine:
    """Return an engine at the start of some scenarios."""
    engine = Engine(case.design, cases.portfolios, cases.library, len(chosen), cases.request.backend, cases.network)
    engine.reset(chosen)
    return engine


def _run(
    engine: Engine, case: Case, cases: Cases, chosen: NDArray[np.int64], watch: Callable[[NDArray[np.float64]], None]
) -> None:
    """Let the strategies decide to the end of the scenarios; `watch` is called with the decisions after each step."""
    population = Population(
        case.strategies.strategies, case.strategies.assignment, portfolio_names=[p.name for p in cases.portfolios],
        layout=engine.compiled.layout, time_limit_s=cases.request.time_limit_s,
    )  # fmt: skip
    population.start([str(cases.library.keys[k]) for k in chosen])
    while not engine.ended.all():
        action = np.asarray(population.act(engine.observation, engine.mask), dtype=np.float64)
        engine.step(action)
        watch(action)
