"""The commands `stacking league`, `stacking exploit` and `stacking cross-play`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from ..options import Json
from ..terminal import command, note, print_json, progress_bar

Fsps = Annotated[list[str] | None, typer.Option("--fsp", help="Name of an FSP; repeatable. [all]")]
Scenarios = Annotated[int, typer.Option(min=2, help="Validation scenarios on which figures are measured.")]
Days = Annotated[int, typer.Option(min=1, help="Delivery days of each.")]
NONE_FOUND = "A lower bound: a response that was trained longer or otherwise may gain more."


@command
def league(
    file: Annotated[str, typer.Argument(metavar="FILE", help="League (.toml), see docs/many-learners.md.")],
    out: Annotated[str | None, typer.Option("--out", help="Folder; what is done there is kept. [results/league/NAME]")] = None,
    as_json: Json = False,
) -> None:
    """Let the FSPs of a world learn in turn: shared or independent policies, or best responses until nobody gains."""
    from .league import load_league, run_league

    record, folder = load_league(file), Path(out or f"results/league/{Path(file).stem}")
    _compile()
    done = run_league(record, folder, made_by=_made_by(), tell=lambda step: note(_step(step)))
    if as_json:
        print_json({"profile": str(done.file), "plays": dict(done.profile.plays), "settled": done.settled,
                    "steps": [asdict(step) for step in done.steps]})  # fmt: skip
        return
    rounds = done.steps[-1].round
    end = "in the last one nobody gained enough" if done.settled else "all that were asked for"
    typer.echo("\n".join(_step(step) for step in done.steps))
    typer.echo(f"{rounds} rounds, {end}. Gains are those at the time, not what is left to gain now.\n{done.file}\n"
               f"Next: stacking exploit {done.file}")  # fmt: skip


@command
def exploit(
    profile: Annotated[str, typer.Argument(metavar="PROFILE", help="profile.json or start.json of a league.")],
    fsp: Fsps = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Budget of each best response. [as in the league]")] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE of the training; repeatable.")] = None,
    scenarios: Scenarios = 64,
    days: Days = 2,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the trainings.")] = 0,
    out: Annotated[str | None, typer.Option("--out", help="Folder; trainings there are kept. [beside the profile]")] = None,
    as_json: Json = False,
) -> None:
    """Train a fresh best response of each FSP against a profile: what it gains shows how far from an equilibrium that is."""
    from ..tables import bracketed
    from .exploit import exploit as exploited
    from .profile import load_profile

    known = load_profile(profile)
    folder = Path(out) if out else Path(profile).parent / f"exploit-{Path(profile).stem}-{seed}"
    changes = (*(settings or ()), *((f"steps={steps}",) if steps else ()))
    _compile()
    found = exploited(known, folder, fsps=tuple(fsp or ()), changes=changes, scenarios=scenarios, days=days, seed=seed,
                      made_by=_made_by(), tell=lambda row: note(_gain(row)))  # fmt: skip
    if as_json:
        each = [{**asdict(row), "bound_eur": row.bound_eur} for row in found.fsps]
        print_json({"profile": profile, "days": days, "at_least_eur": found.bound_eur, "total": asdict(found.total),
                    "fsps": each})  # fmt: skip
        return
    typer.echo("\n".join(_gain(row) for row in found.fsps))
    typer.echo(f"Sum of the gains: {bracketed(found.total)} EUR per episode of {days} days, so the exploitability is at least "
               f"{found.bound_eur:,.1f} EUR. {NONE_FOUND}")  # fmt: skip


@command
def cross_play(
    players: Annotated[list[str], typer.Argument(metavar="WHO...", help="Strategies, policies (.npz) or profiles (.json).")],
    env: Annotated[
        str | None, typer.Option("--env", help="Id of the environment. [the world of the first profile, else NorFlexEam-v0]")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="KEY=VALUE of the world, such as population=mixed:3; repeatable.")
    ] = None,
    fsp: Fsps = None,
    scenarios: Scenarios = 64,
    days: Days = 2,
    as_json: Json = False,
) -> None:
    """Tabulate what each strategy (row) earns when all others play another one (column)."""
    from .cross_play import Side
    from .cross_play import cross_play as crossed
    from .profile import REPORT_SEED, Arena, load_profile

    profiles = {text: load_profile(text) for text in players if text.endswith(".json")}
    arena = Arena(_world(list(profiles.values()), env, settings or ()), scenarios, days, REPORT_SEED)
    sides = []
    for text in players:
        plays = profiles[text].plays if text in profiles else dict.fromkeys(arena.names, text)
        arena.check(plays)
        sides.append(Side(text, plays))
    _compile()
    with progress_bar("Playing", len(sides) ** 2) as advance:
        cells = crossed(arena, sides, tuple(fsp or ()), advance)
    if as_json:
        print_json({"scenarios": len(arena.scene.library), "days": days, "fsps": list(fsp or arena.names),
                    "cells": [asdict(cell) for cell in cells]})  # fmt: skip
        return
    typer.echo(_matrix([side.label for side in sides], cells))


def _world(profiles: Sequence[Any], env: str | None, settings: Sequence[str]) -> dict[str, Any]:
    """Return the settings of the world in which strategies meet."""
    from ...envs.ids import settings_of
    from ..describe import settings_from

    first = dict(profiles[0].env) if profiles and env is None else settings_of(env or "NorFlexEam-v0")
    return {**first, **settings_from(settings)}


def _compile() -> None:
    from ..runner import ensure_compiled

    ensure_compiled("serial", note)


def _made_by() -> str:
    import shlex
    import sys

    return "stacking " + shlex.join(sys.argv[1:])


# ---- text ------------------------------------------------------------------------------------------------------------
def _step(step: Any) -> str:
    from ..tables import bracketed

    told = "plays it" if step.kept else "stays"
    return (f"round {step.round}  {step.group:12} {step.before_eur:9,.0f} EUR, policy {bracketed(step.gain)} more: {told}"
            f"   ({step.steps:,} steps, {step.seconds:.0f} s)")  # fmt: skip


def _gain(row: Any) -> str:
    from ..tables import bracketed

    share = 100.0 * row.gain.estimate / abs(row.own.estimate) if row.own.estimate else float("nan")
    return (f"{row.fsp:12} plays {row.plays}: {bracketed(row.own)} EUR; a fresh best response gains {bracketed(row.gain)} EUR, "
            f"{share:+.1f} % ({row.steps:,} steps)")  # fmt: skip


def _matrix(labels: Sequence[str], cells: Sequence[Any]) -> str:
    """Return the table of a cross-play."""
    from ..tables import bracketed

    short = [f"({k + 1})" for k in range(len(labels))]
    body = {(cell.learner, cell.others): bracketed(cell.flex) for cell in cells}
    width = max(len(text) for text in body.values()) + 3
    rows = [f"{mark} {label}" for mark, label in zip(short, labels, strict=True)]
    first = max(map(len, rows)) + 2
    lines = ["One FSP plays the row, all others the column: mean flex revenue of an FSP, EUR per episode [95 %]",
             " " * first + "".join(mark.rjust(width) for mark in short)]  # fmt: skip
    for row, a in zip(rows, labels, strict=True):
        lines.append(row.ljust(first) + "".join(body[a, b].rjust(width) for b in labels))
    return "\n".join(lines)
