"""Kinds of studies: how the cells of each are played and told; `record.RECORDS` says what their files hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..runner import REFERENCE, Progress, run
from .cells import Cell, episodes
from .contest import Libraries, contest_of
from .ends_report import label_of
from .ends_report import report_of as ends_of
from .equilibria import played, search_count
from .folder import CELLS, Parts, Tables
from .record import ContestStudy, EquilibriumStudy
from .report import report_of as figures_of
from .tables import Played

WORLDS = "worlds"
"""Folder of what the engine sums per world in a contest."""


class StudyReport(Protocol):
    """What is written and printed of a finished study."""

    def files(self) -> dict[str, bytes]:
        """Return the files by name."""
        ...

    def rows(self) -> list[dict[str, Any]]:
        """Return what --json prints."""
        ...

    def text(self, width: int | None = None) -> str:
        """Return the study as it is printed."""
        ...


@dataclass
class Ground:
    """What the cells of a run share: back end, progress and what was told of it, and the scenarios drawn so far."""

    backend: str
    progress: Progress
    told: int = 0
    libraries: Libraries = field(default_factory=dict)

    def step(self, count: int) -> None:
        """Tell that some steps are done."""
        self.told += count
        self.progress(count)


@dataclass(frozen=True)
class Kind:
    """One kind of study.

    Attributes:
        tables: of which the result of a cell consists, in the order in which they are written.
        unit: what its progress counts.
        steps: (study, number of cells) -> how many of them.
        told: (study, number of cells) -> how much is run, as a sentence.
        label: (study, cell) -> what distinguishes the cell.
        play: (study, cell, ground, parts kept so far) -> the result of the cell; may tell its steps, else they count when
            the result is kept.
        report: (study, name, cell -> result) -> tables and figures.
    """

    tables: tuple[str, ...]
    unit: str
    steps: Callable[[Any, int], int]
    told: Callable[[Any, int], str]
    label: Callable[[Any, Cell], str]
    play: Callable[[Any, Cell, Ground, Parts], Tables]
    report: Callable[[Any, str, Mapping[Cell, Tables]], StudyReport]


# ---- a strategy against doing nothing --------------------------------------------------------------------------------
def _told_contest(study: ContestStudy, cells: int) -> str:
    both = f"{study.seeds} scenarios, strategy and do_nothing"
    return f"{cells} cells, {episodes(study, cells)} episodes of {study.days} days ({both})."


def _play_contest(study: ContestStudy, cell: Cell, ground: Ground, parts: Parts) -> Tables:
    """Return the strategy's episodes and worlds; a contest is short, so nothing is kept before it is done."""
    done = run(contest_of(cell.setting, ground.libraries, ground.backend))
    tables = {CELLS: done.episodes, WORLDS: done.worlds}
    return {name: frame.loc[frame["strategy"] != REFERENCE].reset_index(drop=True) for name, frame in tables.items()}


def _report_contest(study: ContestStudy, name: str, found: Mapping[Cell, Tables]) -> StudyReport:
    return figures_of(study, name, {cell: Played(tables[CELLS], tables[WORLDS]) for cell, tables in found.items()})


# ---- equilibria ------------------------------------------------------------------------------------------------------
def _told_equilibrium(study: EquilibriumStudy, cells: int) -> str:
    count = search_count(study)
    return (
        f"{cells} cells of {count} searches ({count // len(study.cost_factors)} starts, {len(study.cost_factors)} factors on "
        f"assumed costs); a profile of choices is played once a cell: {study.seeds} episodes of {study.days} days."
    )


def _play_equilibrium(study: EquilibriumStudy, cell: Cell, ground: Ground, parts: Parts) -> Tables:
    return {CELLS: played(study, cell.setting, ground.libraries, ground.backend, parts, ground.step)}


def _report_equilibrium(study: EquilibriumStudy, name: str, found: Mapping[Cell, Tables]) -> StudyReport:
    return ends_of(study, name, {cell: tables[CELLS] for cell, tables in found.items()})


KINDS: dict[str, Kind] = {
    "contest": Kind(
        (WORLDS, CELLS), "episodes", episodes, _told_contest, lambda study, cell: cell.label, _play_contest, _report_contest
    ),
    "equilibrium": Kind(
        (CELLS,), "searches", lambda study, cells: cells * search_count(study), _told_equilibrium, label_of, _play_equilibrium,
        _report_equilibrium,
    ),
}  # fmt: skip
"""Kind by name."""
