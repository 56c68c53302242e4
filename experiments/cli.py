"""The command line. This module imports nothing heavy: every command fetches what it needs when it runs."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from .bench_cli import bench
from .consent_cli import equilibrium, twins
from .export_cli import export
from .options import (
    Backend,
    Consent,
    Days,
    Designs,
    Json,
    NetworkName,
    Out,
    Parameters,
    Pooling,
    Population,
    PortfolioFile,
    Prices,
    Seed,
    Seeds,
    Settings,
    Split,
    Strategies,
    TimeLimit,
    Timezone,
    Tuned,
    World,
)
from .studies.cli import run
from .suites.cli import suite, suite_enter, suite_table
from .system_cli import system
from .terminal import command, note, print_json, progress_bar
from .training.cli import curves, import_policy, train
from .training.league_cli import cross_play, exploit, league

Starts = Annotated[list[str] | None, typer.Option("--start", help="Tuned file of a sister strategy, tried first; repeatable.")]

app = typer.Typer(
    name="stacking",
    help="What flexibility earns when local, balancing and wholesale markets are coordinated, or not. Start with "
    "`stacking demo`.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.add_typer(bench, name="bench")
app.command("run")(run)
app.command()(system)
app.command()(train)
app.command()(import_policy)
app.command()(export)
app.command()(suite)
app.command()(suite_enter)
app.command()(suite_table)
app.command()(curves)
app.command()(league)
app.command()(exploit)
app.command("cross-play")(cross_play)


def main() -> None:
    """Run the command line."""
    app()


def _version(wanted: bool) -> None:
    if wanted:
        from stacking import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Set up nothing; `--version` is the only option of the whole."""


@app.command()
@command
def doctor(as_json: Json = False) -> None:
    """Check the installation (takes seconds, compiles nothing)."""
    from .doctor import diagnose

    checks = diagnose()
    healthy = all(check.ok for check in checks)
    if as_json:
        print_json({"ok": healthy, "checks": [{"name": c.name, "ok": c.ok, "detail": c.detail} for c in checks]})
    else:
        for check in checks:
            typer.echo(f"{'ok  ' if check.ok else 'FAIL'}  {check.name:14} {check.detail}")
        typer.echo("All well. Next: stacking demo" if healthy else "Something is missing, see FAIL above.")
    if not healthy:
        raise typer.Exit(1)


@app.command()
@command
def demo(
    population: Population = None, network: NetworkName = None, out: Out = None, backend: Backend = "serial",
    width: Annotated[int | None, typer.Option(help="Columns of the text.")] = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Compare seven strategies in five market designs on 30 generated weeks."""
    from .inputs import Request

    _compare(Request(seeds=30, population=population, network=network, backend=backend), out, as_json, width)
    if not as_json:
        typer.echo(NEXT)


NEXT = """
What next
  README.md                             why a 0.05 MW bid is hardly ever forwarded, where double activation comes from
  stacking designs                      the market designs; `stacking designs norflex_eam` shows one with its sources
  stacking explain BELOW_MINIMUM        what a refusal code or a cash label means
  stacking new-strategy my.py           a strategy of your own: stacking compare --strategy my.py:MyStrategy
  stacking compare --prices FILE.csv    the same on real prices (docs/price-files.md)
"""


@app.command()
@command
def compare(
    design: Designs = None, strategy: Strategies = None, seeds: Seeds = None, split: Split = None, days: Days = 7,
    prices: Prices = None, timezone: Timezone = None, world: World = None, portfolio: PortfolioFile = None,
    population: Population = None, network: NetworkName = None, consent: Consent = "own", pooling: Pooling = None,
    settings: Settings = None, parameters: Parameters = None,
    tuned: Tuned = None, seed: Seed = 0, backend: Backend = "serial", time_limit: TimeLimit = 10.0, out: Out = None,
    width: Annotated[int | None, typer.Option(help="Columns of the text.")] = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Compare strategies across market designs on the same scenarios, with intervals."""
    from .inputs import Request

    request = Request(
        designs=tuple(design or ()), strategies=tuple(strategy or ()), seeds=seeds, split=split, days=days,
        prices=tuple(prices or ()), timezone=timezone, world=world, portfolio=portfolio,
        population=population, network=network, consent=consent, pooling=pooling, overrides=tuple(settings or ()),
        parameters=tuple(parameters or ()), tuned=tuned, seed=seed, backend=backend, time_limit_s=time_limit,
    )  # fmt: skip
    _compare(request, out, as_json, width)


def _compare(request: Any, out: str | None, as_json: bool, width: int | None) -> None:
    from . import report
    from .inputs import prepare
    from .runner import ensure_compiled

    setup = prepare(request)
    ensure_compiled(request.backend, note)
    with progress_bar("Running", setup.contest.steps) as advance:
        comparison = report.compare(setup, advance)
    folder = report.save(comparison, out) if out else None
    if as_json:
        print_json({**report.to_json(comparison), "out": None if folder is None else str(folder)})
        return
    typer.echo(report.to_text(comparison, width))
    if folder is not None:
        typer.echo(f"\nRows, table and manifest: {folder}")


@app.command()
@command
def designs(
    names: Annotated[list[str] | None, typer.Argument(help="One design, with sources; with --pairs two services.")] = None,
    pairs: Annotated[bool, typer.Option("--pairs", help="Which services may share MW, split or alternate instead.")] = False,
    matrix: Annotated[str | None, typer.Option(help="With --pairs: TOML file of your own (docs/stacking-matrix.md).")] = None,
    reading: Annotated[str | None, typer.Option(help="With --pairs: where sources disagree, such as enwl.")] = None,
    as_json: Json = False,
) -> None:
    """List the market designs: products, gates, rules, and what is assumed."""
    from . import pairs_view

    names = names or []
    pairs_view.check_names(names, pairs=pairs, matrix=matrix, reading=reading)
    if pairs and as_json:
        print_json(pairs_view.pairs_data(names, matrix, reading))
    elif pairs:
        typer.echo(pairs_view.pairs_text(names, matrix, reading))
    else:
        _designs(names[0] if names else None, as_json)


def _designs(name: str | None, as_json: bool) -> None:
    from stacking.catalogue import load_design

    from . import catalogue_view as view

    if as_json:
        print_json(view.designs_data(name))
    else:
        typer.echo(view.designs_text() if name is None else view.design_text(load_design(name)))


@app.command()
@command
def describe(
    env: Annotated[str, typer.Argument(help="Id of an environment, such as stacking/NorFlexEam-v0, or a design.")],
    config: Annotated[str | None, typer.Option(help="TOML file of settings (docs/environments.md).")] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE of a setting; may be repeated.")] = None,
    as_json: Json = False,
) -> None:
    """Show what the actions and observations of an environment stand for."""
    from ..envs.describe import describe as described
    from . import describe as view

    found = described(env, config, **view.settings_from(settings or ()))
    if as_json:
        print_json(found)
    else:
        typer.echo(view.describe_text(found))


@app.command()
@command
def explain(
    code: Annotated[str | None, typer.Argument(help="Refusal code or cash label; all of them by default.")] = None,
    as_json: Json = False,
) -> None:
    """Explain a refusal code or a cash label."""
    from . import catalogue_view as view

    records = view.codes_data(code)
    if as_json:
        print_json(records if code is None else records[0])
    else:
        typer.echo(view.codes_text(records))


@app.command("new-strategy")
@command
def new_strategy(file: Annotated[str, typer.Argument(help="Python file to write; it must not exist.")]) -> None:
    """Write a commented strategy that runs at once."""
    from ..agents.strategies import write_template

    path = write_template(file)
    typer.echo(f"Written: {path}\nTry it:  stacking compare --strategy {path}:MyStrategy")


@app.command()
@command
def tune(
    strategy: Annotated[str, typer.Argument(help="Strategy, or FILE.py:Class.")],
    design: Designs = None, budget: Annotated[int, typer.Option(help="Portfolio-steps to simulate.")] = 5_000_000,
    days: Days = 7, prices: Prices = None, timezone: Timezone = None, world: World = None, portfolio: PortfolioFile = None,
    pooling: Pooling = None, settings: Settings = None, seed: Seed = 0, backend: Backend = "serial",
    start: Starts = None,
    out: Annotated[str | None, typer.Option("--out", help="TOML file; by default that of the shipped parameters.")] = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Search a strategy's parameters on train scenarios, choose on validation, store them with their provenance."""
    from . import tune as search
    from . import tuned_file
    from .inputs import Request
    from .runner import ensure_compiled

    request = Request(
        days=days, prices=tuple(prices or ()), timezone=timezone, world=world, portfolio=portfolio, pooling=pooling,
        overrides=tuple(settings or ()), seed=seed, backend=backend,
    )  # fmt: skip
    job = search.prepare(strategy, designs=tuple(design or ()), budget=budget, request=request, starts=tuple(start or ()))
    ensure_compiled(backend, note)
    with progress_bar(f"Tuning {strategy}", budget) as advance:
        tuned = search.search(job, advance)
    path = tuned_file.write_tuned(tuned, out)
    if as_json:
        print_json({**tuned_file.to_data(tuned), "file": str(path)})
    else:
        typer.echo(f"{tuned_file.to_text(tuned)}\n\nWritten: {path}")


@app.command()
@command
def calibrate(
    files: Annotated[list[str], typer.Argument(help="CSV or Parquet price files (docs/price-files.md), merged.")],
    out: Annotated[str, typer.Option("--out", help="TOML file to write.")] = "parameters.toml",
    timezone: Annotated[str, typer.Option(help="Zone of the local days.")] = "Europe/Copenhagen",
    base: Annotated[str | None, typer.Option(help="Set or file for what the price files do not hold.")] = None,
    share: Annotated[float, typer.Option(help="Use the first share of the series only, above 0, up to 1.")] = 1.0,
    as_json: Json = False,
) -> None:
    """Fit the scenario generator to price files of at least 28 days."""
    from . import calibrate as fitting

    done = fitting.run(files, timezone=timezone, base=base, share=share, out=out)
    if as_json:
        print_json(fitting.to_data(done))
    else:
        typer.echo(fitting.to_text(done))


app.command()(twins)
app.command()(equilibrium)


if __name__ == "__main__":
    main()
