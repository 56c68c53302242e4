"""Run a study: the cells that are missing one after the other, then tables and figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..runner import Progress
from .cells import Cell
from .folder import StudyFolder
from .kinds import KINDS, Ground, StudyReport
from .record import Study


@dataclass(frozen=True)
class Done:
    """What a run leaves.

    Attributes:
        folder: of the results.
        found: number of cells that were there already.
        report: tables, text and figures.
    """

    folder: Path
    found: int
    report: StudyReport


def run_study(
    study: Study,
    name: str,
    cells: tuple[Cell, ...],
    out: str | Path,
    *,
    backend: str = "serial",
    advance: Progress | None = None,
    say: Callable[[str], None] | None = None,
) -> Done:
    """Run the cells that the folder lacks, then write tables and figures.

    Args:
        study: what is run.
        name: of the study, for titles.
        cells: all of them.
        out: folder; one of a killed run of the same study is continued.
        backend: of the engine; all give the same results.
        advance: called with the number of steps done since the last call, in the unit of the kind of study.
        say: told what was there already.

    Raises:
        StackingError: for a folder that holds something else, a damaged cell, or bad input.
    """
    tell, step = say or (lambda text: None), advance or (lambda count: None)
    kind = KINDS[study.kind]
    folder = StudyFolder(out, study, cells, kind.tables)
    missing = [cell for cell in cells if not folder.has(cell)]
    found = len(cells) - len(missing)
    if found:
        tell(f"{found} of {len(cells)} cells are there already.")
        step(kind.steps(study, found))
    ground = Ground(backend, step)
    for number, cell in enumerate(missing, start=1):
        folder.write(cell, kind.play(study, cell, ground, folder.parts(cell)))
        ground.step(kind.steps(study, number) - ground.told)
    report = kind.report(study, name, {cell: folder.read(cell) for cell in cells})
    folder.finish(report.files(), cells)
    return Done(folder.path, found, report)
