"""From options to a run: designs with overrides, strategies, portfolios, scenarios; each checked before anything runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stacking.errors import StackingError
from stacking.scenario import Library, generate, replay, scenario_keys
from stacking.scenario.keys import whole_number

from .design_input import chosen_design
from .players import Players, chosen_players
from .request import Request as Request
from .runner import Contest, check_backend, check_memory
from .strategy_input import chosen_strategies, file_hash

DESIGNS = ("exclusive", "parallel", "parallel_late", "parallel_adjusted", "norflex_eam")
"""The designs of the default comparison: all with the mFRR market of today."""

SCENARIOS = 30
MOST_SCENARIO_DAYS = 50_000
GENERATED_ZONE, PRICES_ZONE = "Europe/Oslo", "Europe/Copenhagen"


@dataclass(frozen=True)
class Setup:
    """A run that is ready to start, and what its manifest says about it."""

    contest: Contest
    split: str
    seed: int
    described: dict[str, Any] = field(default_factory=dict)

    @property
    def opens_test(self) -> bool:
        """Return whether the run looks at scenarios of the test split."""
        return self.split in ("test", "all")


def prepare(request: Request) -> Setup:
    """Return the run that was asked for.

    Raises:
        StackingError: for anything that is not there or not valid.
    """
    check_backend(request.backend)
    designs = tuple(chosen_design(name, request.overrides, request.pooling) for name in request.designs or DESIGNS)
    check_scenario_count(request.seeds, request.days)
    players = chosen_players(request)
    strategies, origins = chosen_strategies(request, players)
    split = request.split or ("all" if request.prices else "test")
    if not request.prices:
        check_memory(len(designs), request.seeds or SCENARIOS, len(players.portfolios), 96 * request.days)
    library = scenarios(request, split, players, SCENARIOS)
    contest = Contest(designs, strategies, players.portfolios, library, request.backend, request.time_limit_s, players.network)
    described = {
        "designs": [design.model_dump(mode="json") for design in designs],
        "overrides": list(request.overrides),
        "strategies": origins,
        "consent": request.consent,
        "network": {"name": players.network.name, "nodes": [n.model_dump(mode="json") for n in players.network.nodes]},
        "population": request.population,
        "portfolios": [p.model_dump(mode="json") for p in players.portfolios],
        "source": library.source,
        "split": split,
        "days": request.days,
        "timezone": library.timezone,
        "world": request.world or "default",
        "price_files": {Path(path).name: file_hash(path) for path in request.prices},
    }
    return Setup(contest, split, request.seed, described)


# ---- scenarios -------------------------------------------------------------------------------------------------------
def check_scenario_count(seeds: int | None, days: int) -> None:
    """Check that a paired comparison can be made, and that it fits a computer.

    Raises:
        StackingError: naming the range.
    """
    whole_number(days, "days", least=1, place="--days")
    if seeds is not None and seeds < 2:
        raise StackingError(
            "A paired comparison needs at least two scenarios: one has no interval.", place="--seeds", key="seeds",
            value=seeds, allowed=">= 2", remedy="Use --seeds 30 (the default) or more.",
        )  # fmt: skip
    if seeds is not None and seeds * days > MOST_SCENARIO_DAYS:
        raise StackingError(
            "So many scenarios do not fit into memory.", place="--seeds", key="seeds", value=seeds,
            allowed=f"seeds x days up to {MOST_SCENARIO_DAYS:,}", remedy="Use fewer scenarios or fewer days, and several runs.",
        )  # fmt: skip


def scenarios(request: Request, split: str, players: Players, default_count: int) -> Library:
    """Return the scenarios that were asked for: generated, or replayed from price files (all windows by default).

    Raises:
        StackingError: for bad files, a split that is not there, or fewer than two scenarios.
    """
    if not request.prices:
        keys = scenario_keys(split, request.seeds or default_count, seed=request.seed)
        return generate(
            keys, portfolios=players.portfolios, network=players.network, days=request.days,
            timezone=request.timezone or GENERATED_ZONE, parameters=request.world,
        )  # fmt: skip
    library = replay(
        list(request.prices), split=split, seed=request.seed, portfolios=players.portfolios, network=players.network,
        days=request.days, timezone=request.timezone or PRICES_ZONE, count=request.seeds, parameters=request.world,
    )  # fmt: skip
    if len(library) < 2:
        raise StackingError(
            "A paired comparison needs at least two scenarios; the price files hold one.", place=library.source,
            key="--split", value=split, allowed=">= 2 windows",
            remedy="Use fewer --days, more data, or --split all.",
        )  # fmt: skip
    return library
