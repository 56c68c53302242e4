"""The command `stacking system`."""

from __future__ import annotations

from typing import Annotated

import typer

from .options import (
    Backend,
    Consent,
    Days,
    Json,
    NetworkName,
    Out,
    Pooling,
    Population,
    PortfolioFile,
    Prices,
    Seed,
    Seeds,
    Settings,
    Split,
    Timezone,
    World,
)
from .terminal import command, note, print_json, progress_bar

Cases = Annotated[
    list[str] | None,
    typer.Option("--design", "--designs", help="Design, .toml file, or DESIGN@CONSENT; repeatable, first is the baseline."),
]


@command
def system(
    design: Cases = None,
    strategy: Annotated[str | None, typer.Option(help="Strategy of all [mixed with --population, else stacked].")] = None,
    seeds: Seeds = None, split: Split = None, days: Days = 7, prices: Prices = None, timezone: Timezone = None,
    world: World = None, portfolio: PortfolioFile = None, population: Population = None, network: NetworkName = None,
    consent: Consent = "own", pooling: Pooling = None, settings: Settings = None, seed: Seed = 0, backend: Backend = "serial",
    margin: Annotated[float, typer.Option(min=0.0, max=1.0, help="No-harm margin, share of the baseline's mean.")] = 0.01,
    bids: Annotated[bool, typer.Option("--bids", help="With --out, also every bid's history in the first scenario.")] = False,
    out: Out = None, width: Annotated[int | None, typer.Option(help="Columns of the text.")] = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Compare what designs do to operators, markets and society, on the same scenarios (docs/system-side.md)."""
    from .request import Request
    from .runner import ensure_compiled
    from .system import play, report, save
    from .system.missing import apart_from, missing_figures

    request = Request(
        designs=tuple(design or ()), strategies=(strategy,) if strategy else (), seeds=seeds, split=split, days=days,
        prices=tuple(prices or ()), timezone=timezone, world=world, portfolio=portfolio, population=population,
        network=network, consent=consent, pooling=pooling, overrides=tuple(settings or ()), seed=seed, backend=backend,
    )  # fmt: skip
    cases = play.cases_of(request)
    ensure_compiled(backend, note)
    with progress_bar("Running", len(cases.cases) * len(cases.library)) as advance:
        rows = play.play(cases, advance)
    told = {case.label: missing_figures(case.design) for case in cases.cases}
    apart = {case.label: apart_from(case.design, cases.cases[0].design) for case in cases.cases}
    side = report.system_side(rows, missing=told, apart=apart, margin_frac=margin, seed=seed)
    folder = save.save(side, cases, out, bids) if out else None
    if as_json:
        print_json({**report.to_json(side), "out": None if folder is None else str(folder)})
        return
    typer.echo(report.to_text(side, width))
    if folder is not None:
        typer.echo(f"\nRows, tables and manifest: {folder}")
