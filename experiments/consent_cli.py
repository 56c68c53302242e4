"""The commands about consent: `stacking twins` and `stacking equilibrium`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from .options import (
    Backend,
    Days,
    Json,
    NetworkName,
    Pooling,
    Population,
    PortfolioFile,
    Seed,
    Settings,
    Tuned,
)
from .terminal import command, note, print_json, progress_bar

Design = Annotated[str, typer.Option("--design", help="Design or .toml file.")]
Plays = Annotated[str | None, typer.Option("--strategy", help="Strategy of all; of a population mixed, else stacked.")]
SEEDS = 10
Seeds = Annotated[int | None, typer.Option(help=f"Number of paired scenarios ({SEEDS}; of price files: all).")]
Split = Annotated[str | None, typer.Option(help="train, validation (as it stands) or test.")]


@command
def twins(
    design: Design = "norflex_eam",
    fsp: Annotated[list[str] | None, typer.Option("--fsp", help="Name of an FSP; may be repeated.")] = None,
    first: Annotated[int, typer.Option(min=1, help="Without --fsp: the first K of them.")] = 3,
    others: Annotated[str, typer.Option(help="Consent of all others: own, always, never, break_even, ...")] = "own",
    strategy: Plays = None, seeds: Seeds = None, split: Split = None, days: Days = 7, portfolio: PortfolioFile = None,
    population: Population = None, network: NetworkName = None, pooling: Pooling = None, settings: Settings = None,
    tuned: Tuned = None, seed: Seed = 0, backend: Backend = "serial",
    width: Annotated[int | None, typer.Option(help="Columns of the text.")] = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Flip the consent of one FSP at a time on the same scenarios: what it earns, and what the others earn."""
    from . import twins as pairs
    from .game import check_asks

    game = _game(
        design, strategy, seeds=seeds, split=split, days=days, portfolio=portfolio, population=population, network=network,
        pooling=pooling, overrides=tuple(settings or ()), tuned=tuned, seed=seed, backend=backend,
    )  # fmt: skip
    check_asks(game.design)
    rows = pairs.chosen_rows(game, fsp or (), first)
    with progress_bar("Twins", len(rows)) as advance:
        found = pairs.twins(game, rows, others, seed=seed, done=advance)
    if as_json:
        print_json(pairs.to_data(found))
    else:
        typer.echo(pairs.to_text(found, width))


@command
def equilibrium(
    design: Design = "norflex_eam",
    epsilon: Annotated[float, typer.Option(min=0.0, help="Gain from which a type switches, EUR/kW-year.")] = 0.05,
    starts: Annotated[int, typer.Option(min=0, help="Random starts besides those where all choose the same.")] = 1,
    choice: Annotated[
        list[str] | None, typer.Option("--choice", help="consent, bid_itself, both, local_only, leave; repeat; default all.")
    ] = None,
    cost_factor: Annotated[float, typer.Option(min=0.0, help="Factor on the assumed costs of both sides; 0: no costs.")] = 1.0,
    consent: Annotated[str, typer.Option(help="How those answer who consent: always, own, break_even, ...")] = "always",
    strategy: Plays = None, seeds: Seeds = None, split: Split = None, days: Days = 7, portfolio: PortfolioFile = None,
    population: Population = None, network: NetworkName = None, pooling: Pooling = None, settings: Settings = None,
    tuned: Tuned = None, seed: Seed = 0, backend: Backend = "serial", as_json: Json = False,
) -> None:  # fmt: skip
    """Let types of FSP choose consent, own bids, both or neither in turn until nobody gains more than epsilon."""
    from ..agents.consent import scaled
    from . import equilibrium as search
    from . import fsp_types as view
    from .game import check_choices

    choices = view.checked_choices(choice or ())
    costs = scaled(cost_factor) if cost_factor else ()
    game = _game(
        design, strategy, seeds=seeds, split=split, days=days, portfolio=portfolio, population=population, network=network,
        pooling=pooling, overrides=tuple(settings or ()), tuned=tuned, seed=seed, backend=backend, consent=consent,
    )  # fmt: skip
    check_choices(game.design, choices)
    types = view.types_of(game.portfolios, view.TypeRule())
    revenue = view.revenue_of(game, types, choices)
    payoff = view.type_payoff(revenue, types, view.years_of(game.library), costs, choices)
    begin = search.starts(len(types.names), [c.value for c in choices], random=starts, seed=seed)
    with progress_bar("Starts", len(begin)) as advance:
        found = search.search(payoff, begin, epsilon=epsilon, choices=len(choices), weight=types.fsps, done=advance)
    if as_json:
        print_json(view.to_data(found, types, choices, costs, game))
    else:
        typer.echo(view.to_text(found, types, choices, costs, game))


def _game(design: str, strategy: str | None, **options: Any) -> Any:
    """Return the game that was asked for; scenarios of the validation split by default, so that the test split stays shut."""
    from . import inputs
    from .design_input import chosen_design
    from .game import Game
    from .players import MIXED, chosen_players, mixed_strategies
    from .runner import ensure_compiled
    from .strategy_input import one_strategy

    request = inputs.Request(**{**options, "split": options["split"] or "validation"})
    inputs.check_scenario_count(request.seeds, request.days)
    chosen = chosen_design(design, request.overrides, request.pooling)
    players = chosen_players(request)
    name = strategy or (MIXED if players.population else "stacked")
    if name == MIXED:
        mixed = mixed_strategies(players, lambda own: one_strategy(own, tuned=request.plays_tuned)[0])
        strategies, assignment = mixed.strategies, mixed.assignment
    else:
        strategies = {name: one_strategy(name, tuned=request.plays_tuned)[0]}
        assignment = (name,) * len(players.portfolios)
    library = inputs.scenarios(request, request.split or "", players, SEEDS)
    ensure_compiled(request.backend, note)
    return Game(
        chosen, strategies, assignment, players.portfolios, library, players.network, request.backend, consent=request.consent
    )
