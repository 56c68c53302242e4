"""The command `stacking run`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

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
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the cells and how much is run only.")] = False,
    list_all: Annotated[bool, typer.Option("--list", help="List the shipped studies.")] = False,
    out: Annotated[str | None, typer.Option("--out", help="Folder; a killed run continues there. [results/NAME]")] = None,
    backend: Backend = "serial",
    width: Annotated[int | None, typer.Option(help="Columns of the text.")] = None,
    as_json: Json = False,
) -> None:
    """Run a study from a file: every cell of its axes, kept one by one; then tables and figures."""
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
    from .kinds import KINDS
    from .run import run_study

    kind = KINDS[record.kind]
    ensure_compiled(backend, note)
    with progress_bar(f"{name}, {kind.unit}", kind.steps(record, len(cells))) as advance:
        done = run_study(record, name, cells, out, backend=backend, advance=advance, say=note)
    if as_json:
        files = sorted(done.report.files())
        print_json(
            {"study": name, "out": str(done.folder), "found_cells": done.found, "files": files, "table": done.report.rows()}
        )
        return
    typer.echo(done.report.text(width))
    typer.echo(f"\nCells, tables and figures: {done.folder}")


def _dry(name: str, record: Study, cells: tuple[Cell, ...], as_json: bool) -> None:
    from .kinds import KINDS

    kind = KINDS[record.kind]
    if as_json:
        print_json({"study": name, "cells": [dict(c.point) for c in cells], kind.unit: kind.steps(record, len(cells))})
        return
    for cell in cells:
        typer.echo(f"{cell.number:4d}  {kind.label(record, cell)}")
    typer.echo(kind.told(record, len(cells)))


def _list(as_json: bool, width: int | None) -> None:
    from ..tables import wrapped
    from .cells import cells_of
    from .kinds import KINDS
    from .record import read_study, study_names

    studies = {name: read_study(name) for name in study_names()}
    sizes = {name: len(cells_of(record, name)) for name, record in studies.items()}
    if as_json:
        print_json([{"name": n, "title": s.title, "question": s.question.strip(), "cells": sizes[n]} for n, s in studies.items()])
        return
    for name, record in studies.items():
        kind = KINDS[record.kind]
        typer.echo(f"{name:22}{record.title}; {sizes[name]} cells, {kind.steps(record, sizes[name])} {kind.unit}")
        typer.echo("    " + wrapped(record.question.strip(), indent="    ", width=width))
