"""Options of the command line that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Designs = Annotated[list[str] | None, typer.Option("--design", help="Design or .toml file; may be repeated.")]
Strategies = Annotated[
    list[str] | None,
    typer.Option(
        "--strategy", help="Strategy, FILE.py:Class or policy FILE.npz; may be repeated. do_nothing and rebid always run."
    ),
]
Seeds = Annotated[int | None, typer.Option("--seeds", help="Number of paired scenarios (30; of price files: all).")]
Split = Annotated[
    str | None, typer.Option(help="train, validation or test; of price files also all. [test; of price files: all]")
]
Days = Annotated[int, typer.Option(help="Delivery days of a scenario.")]
Prices = Annotated[list[str] | None, typer.Option("--prices", help="CSV or Parquet price file; may be repeated.")]
Timezone = Annotated[str | None, typer.Option(help="Zone of the delivery days, such as Europe/Copenhagen.")]
World = Annotated[
    str | None,
    typer.Option("--world", help="Parameters of what is drawn: a set such as dk1_2024:eon, or a file by `stacking calibrate`."),
]
PortfolioFile = Annotated[str | None, typer.Option("--portfolio", help="default, battery, fleet, load, or a TOML file.")]
Population = Annotated[
    str | None,
    typer.Option("--population", help="Drawn FSPs instead: NAME or FILE, with :COUNT (mixed:30); allows --strategy mixed."),
]
NetworkName = Annotated[str | None, typer.Option("--network", help="Network or .toml file; by default one area.")]
Consent = Annotated[str, typer.Option(help="own (the strategy decides), always, never, a random share 0..1, break_even, ...")]
Pooling = Annotated[bool | None, typer.Option("--pooling/--no-pooling", help="Pool bids that are forwarded.")]
Settings = Annotated[list[str] | None, typer.Option("--set", help="Override a value: rules.KEY=VALUE; may be repeated.")]
Parameters = Annotated[list[str] | None, typer.Option("--parameters", help="File written by `stacking tune`; may be repeated.")]
Tuned = Annotated[
    bool | None,
    typer.Option("--tuned/--defaults", help="Use the parameters that are shipped as tuned. [tuned; defaults with --population]"),
]
Seed = Annotated[int, typer.Option(min=0, help="Seed of scenarios, search and bootstrap.")]
Backend = Annotated[str, typer.Option(help="serial, parallel or python.")]
Out = Annotated[str | None, typer.Option("--out", help="Folder for rows, table and manifest.")]
TimeLimit = Annotated[float, typer.Option(min=0.01, help="Longest time of one call of a strategy, s.")]
