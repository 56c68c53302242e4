"""Kinds of studies: how the cells of each are played and told; `record.RECORDS` says what their files hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import pandas as pd

from ..runner import REFERENCE, Progress, run
from .cells import Cell, episodes
from .contest import Libraries, contest_of
from .ends_report import label_of
from .ends_report import report_of as ends_of
from .equilibria import played, search_count
from .folder import Parts
from .record import ContestStudy, EquilibriumStudy
from .report import report_of as figures_of


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
        unit: what its progress counts.
        steps: (study, number of cells) -> how many of them.
        told: (study, number of cells) -> how much is run, as a sentence.
        label: (study, cell) -> what distinguishes the cell.
        play: (study, cell, ground, parts kept so far) -> the result of the cell; may tell its steps, else they count when
            the result is kept.
        report: (study, name, cell -> result) -> tables and figures.
    """

    unit: str
    steps: Callable[[Any, int], int]
    told: Callable[[Any, int], str]
    label: Callable[[Any, Cell], str]
    play: Callable[[Any, Cell, Ground, Parts], pd.DataFrame]
    report: Callable[[Any, str, Mapping[Cell, pd.DataFrame]], StudyReport]


# ---- a strategy against doing nothing --------------------------------------------------------------------------------
def _told_contest(study: ContestStudy, cells: int) -> str:
    both = f"{study.seeds} scenarios, strategy and do_nothing"
    return f"{cells} cells, {episodes(study, cells)} episodes of {study.days} days ({both})."


def _play_contest(study: ContestStudy, cell: Cell, ground: Ground, parts: Parts) -> pd.DataFrame:
    """Return the strategy's episodes; a contest is short, so nothing is kept before it is done."""
    found = run(contest_of(cell.setting, ground.libraries, ground.backend)).episodes
    return found.loc[found["strategy"] != REFERENCE].reset_index(drop=True)


# ---- equilibria ------------------------------------------------------------------------------------------------------
def _told_equilibrium(study: EquilibriumStudy, cells: int) -> str:
    count = search_count(study)
    return (
        f"{cells} cells of {count} searches ({count // len(study.cost_factors)} starts, {len(study.cost_factors)} factors on "
        f"assumed costs); a profile of choices is played once a cell: {study.seeds} episodes of {study.days} days."
    )


def _play_equilibrium(study: EquilibriumStudy, cell: Cell, ground: Ground, parts: Parts) -> pd.DataFrame:
    return played(study, cell.setting, ground.libraries, ground.backend, parts, ground.step)


KINDS: dict[str, Kind] = {
    "contest": Kind("episodes", episodes, _told_contest, lambda study, cell: cell.label, _play_contest, figures_of),
    "equilibrium": Kind(
        "searches", lambda study, cells: cells * search_count(study), _told_equilibrium, label_of, _play_equilibrium, ends_of
    ),
}
"""Kind by name."""
