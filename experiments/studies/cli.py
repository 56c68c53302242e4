"""The command `stacking run`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..options import Backend, Json
from ..terminal import command, note, print_json, progress_bar

if TYPE_CHECKING:
    from .cells import Cell
    from .record import Study


@command
def run(
    study: Annotated[str | None, typer.Argument(metavar="FILE", help="Shipped study, or a .toml file.")] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE of the study or its design; repeatable.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the cells and the number of episodes only.")] = False,
    list_all: Annotated[bool, typer.Option("--list", help="List the shipped studies.")] = False,
    out: Annotated[str | None, typer.Option("--out", help="Folder; a killed run continues there. [results/NAME]")] = None,
    backend: Backend = "serial",
    width: Annotated[int | None, typer.Option(help="Columns of the text.")] = None,
    as_json: Json = False,
) -> None:
    """Run a study from a file: every combination of its axes, kept cell by cell; then tables and figures."""
    if list_all:
        _list(as_json, width)
        return
    from pathlib import Path

    from stacking.errors import StackingError

    from .cells import cells_of
    from .changes import changed_study
    from .record import study_names, study_path

    if study is None:
        raise StackingError(
            "No study is named.", place="stacking run", key="FILE", allowed=", ".join(study_names()),
            remedy="Name one of these or a .toml file; stacking run --list says what they ask.",
        )  # fmt: skip
    record = changed_study(study, tuple(settings or ()))
    cells, name = cells_of(record, study), study_path(study).stem
    if dry_run:
        _dry(name, record, cells, as_json)
        return
    _run(record, name, cells, out or str(Path("results") / name), backend, width, as_json)


def _run(record: Study, name: str, cells: tuple[Cell, ...], out: str, backend: str, width: int | None, as_json: bool) -> None:
    from ..runner import ensure_compiled
    from .cells import episodes
    from .run import run_study

    ensure_compiled(backend, note)
    with progress_bar(f"{name}, episodes", episodes(record, len(cells))) as advance:
        done = run_study(record, name, cells, out, backend=backend, advance=advance, say=note)
    if as_json:
        files = sorted(done.report.files())
        print_json({"study": name, "out": str(done.folder), "found_cells": done.found, "files": files, "table": _table(done)})
        return
    typer.echo(done.report.text(width))
    typer.echo(f"\nCells, tables and figures: {done.folder}")


def _table(done: Any) -> list[dict[str, Any]]:
    """Return the study's own figures; what is no number becomes null."""
    table = done.report.table
    rows = table.loc[table["metric"].isin(done.report.study.metrics)].to_dict("records")
    return [{str(k): None if isinstance(v, float) and v != v else v for k, v in row.items()} for row in rows]


def _dry(name: str, record: Study, cells: tuple[Cell, ...], as_json: bool) -> None:
    from .cells import episodes

    count = episodes(record, len(cells))
    if as_json:
        print_json({"study": name, "cells": [dict(c.point) for c in cells], "episodes": count})
        return
    for cell in cells:
        typer.echo(f"{cell.number:4d}  {cell.label}")
    typer.echo(f"{len(cells)} cells, {count} episodes of {record.days} days ({record.seeds} scenarios, strategy and do_nothing).")


def _list(as_json: bool, width: int | None) -> None:
    from ..tables import wrapped
    from .cells import cells_of, episodes
    from .record import read_study, study_names

    studies = {name: read_study(name) for name in study_names()}
    sizes = {name: len(cells_of(record, name)) for name, record in studies.items()}
    if as_json:
        print_json([{"name": n, "title": s.title, "question": s.question.strip(), "cells": sizes[n]} for n, s in studies.items()])
        return
    for name, record in studies.items():
        typer.echo(f"{name:22}{record.title}; {sizes[name]} cells, {episodes(record, sizes[name])} episodes")
        typer.echo("    " + wrapped(record.question.strip(), indent="    ", width=width))
