"""The commands below `stacking bench`."""

from __future__ import annotations

from typing import Annotated

import typer

from .options import Json
from .terminal import command, note, print_json, progress_bar

bench = typer.Typer(help="Measure speed and realism.", no_args_is_help=True, rich_markup_mode=None)


@bench.command("realism")
@command
def bench_realism(
    data: Annotated[str | None, typer.Option("--data", help="Folder of the real series (docs/realism.md).")] = None,
    draws: Annotated[int, typer.Option(help="Series drawn per real one.")] = 80,
    as_json: Json = False,
) -> None:
    """Print real and generated series side by side, and what is off."""
    from .benchmarks import realism, realism_report

    with progress_bar("Comparing", len(realism.CASES)) as advance:
        result = realism.run(data, draws=draws, advance=advance)
    if as_json:
        print_json(realism_report.to_data(result))
    else:
        typer.echo(realism_report.to_text(result))


@bench.command("engine")
@command
def bench_engine(
    name: Annotated[list[str] | None, typer.Option("--only", help="Name of a benchmark; may be repeated.")] = None,
    repetitions: Annotated[int | None, typer.Option(min=1, help="Episodes per benchmark.")] = None,
    design: Annotated[list[str] | None, typer.Option("--design", help="Design or .toml file (norflex_eam); repeatable.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A short look: fewer episodes, not the largest sizes.")] = False,
    as_json: Json = False,
) -> None:
    """Measure the engine and its Mesa face on one pinned core, beside a bare state-of-charge update (some five minutes)."""
    from .benchmarks import engine, engine_report, registry
    from .runner import ensure_compiled

    specs = [registry.bench_spec(each) for each in name] if name else [s for s in registry.SPECS if s.quick or not quick]
    designs = design or [engine.DESIGN]
    ensure_compiled("serial", note)
    with progress_bar("Measuring", len(specs) * len(designs)) as advance:
        speeds = engine.measure(specs, repetitions, designs, quick, advance)
    if as_json:
        print_json(engine_report.to_data(speeds))
    else:
        typer.echo(engine_report.to_text(speeds))


@bench.command("env")
@command
def bench_env(
    name: Annotated[list[str] | None, typer.Option("--only", help="Name of a benchmark; may be repeated.")] = None,
    repetitions: Annotated[int, typer.Option(min=1, help="Repetitions per benchmark; the median counts.")] = 5,
    as_json: Json = False,
) -> None:
    """Measure the environments on one pinned core, beside the engine below them (a minute)."""
    from importlib.util import find_spec

    from .benchmarks import envs, registry
    from .runner import ensure_compiled

    specs = [registry.env_bench_spec(each) for each in name] if name else list(registry.ENV_SPECS)
    if find_spec("stable_baselines3") is None:
        specs = [spec for spec in specs if spec.face != "sb3"]
        note("The adapter is left out: stable-baselines3 is not installed (extra [rl]).")
    ensure_compiled("serial", note)
    with progress_bar("Measuring", len(specs)) as advance:
        speeds = envs.measure(specs, repetitions, advance)
    if as_json:
        print_json(envs.to_data(speeds))
    else:
        typer.echo(envs.to_text(speeds))


@bench.command("peers")
@command
def bench_peers(
    name: Annotated[list[str] | None, typer.Option("--only", help="Name of a peer; may be repeated. Ours always run.")] = None,
    folder: Annotated[
        str | None, typer.Option("--folder", help="Where their virtual environments lie. [~/.cache/stacking/peers]")
    ] = None,
    repetitions: Annotated[int, typer.Option(min=1, help="Repetitions of each; the median counts.")] = 5,
    seconds: Annotated[float, typer.Option(min=0.01, help="Seconds of a repetition.")] = 2.0,
    as_json: Json = False,
) -> None:
    """Install environments of others, each on its own (3 GB in all), and measure their steps beside ours."""
    from .benchmarks import peers
    from .runner import ensure_compiled

    known = peers.peers()
    which = peers.chosen(name or (), known)
    place = peers.cache_folder(folder)
    ensure_compiled("serial", note)
    with progress_bar("Installing and measuring", len(which)) as advance:
        speeds = peers.measure(which, place, seconds=seconds, repetitions=repetitions, advance=advance)
    if as_json:
        print_json(peers.to_data(speeds))
    else:
        typer.echo(peers.to_text(speeds, known))


@bench.command("learning")
@command
def bench_learning(as_json: Json = False) -> None:
    """Measure PPO on 256 rows beside the same PPO on rows that do nothing (extra [rl])."""
    from dataclasses import asdict

    from .runner import ensure_compiled
    from .training.algorithms import class_of

    class_of("PPO")
    from .benchmarks import learning

    ensure_compiled("serial", note)
    speeds = learning.measure()
    if as_json:
        print_json([{**asdict(speed), "frac": speed.frac} for speed in speeds])
    else:
        typer.echo(learning.to_text(speeds))
