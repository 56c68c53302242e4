"""The cells of a study: every combination of the values on its axes, each checked before anything runs."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

from stacking.config import validated
from stacking.errors import StackingError

from ..game import check_choices
from ..players import Players
from .contest import chosen_strategy, design_of, players_of
from .effect import check_effect, content_of
from .record import LEFT_OUT, Axis, Scalar, Setting, Study

MOST_CELLS = 9_999
RUNS = 2
"""Strategies that play a cell: the one asked for and the reference that is subtracted."""


@dataclass(frozen=True, eq=False)
class Cell:
    """One combination.

    Attributes:
        number: from 0, the last axis changes fastest.
        point: (key, value) of each axis.
        setting: what runs.
        content: hash of all that its result depends on.
    """

    number: int
    point: tuple[tuple[str, Scalar], ...]
    setting: Setting
    content: str = ""

    @property
    def label(self) -> str:
        """Return "key=value, key=value" as tables show it."""
        return ", ".join(f"{key.split('.')[-1]}={value_text(value)}" for key, value in self.point)


def value_text(value: Scalar) -> str:
    """Return a value as tables show it.

    >>> value_text(True), value_text(5.0), value_text("norflex_eam")
    ('true', '5', 'norflex_eam')
    """
    return value if isinstance(value, str) else json.dumps(value) if isinstance(value, bool) else f"{value:g}"


def cells_of(study: Study, place: str) -> tuple[Cell, ...]:
    """Return all cells of a study.

    Args:
        study: what is swept.
        place: its file, for messages.

    Raises:
        StackingError: for more cells than can be numbered, a cell whose design, players or strategy is not valid, or a
            value of an axis that changes nothing.
    """
    count = prod(len(axis.values) for axis in study.axis if not axis.alone)
    count *= 1 + sum(len(axis.values) - 1 for axis in study.axis if axis.alone)
    if count > MOST_CELLS:
        raise StackingError(
            "The study has too many cells.", place=place, key="axis", value=count, allowed=f"1..{MOST_CELLS:,}",
            remedy="Give fewer values on its axes.",
        )  # fmt: skip
    fixed = study.model_dump(include=set(Setting.model_fields))
    found = []
    for number, at in enumerate(_places(study.axis)):
        point = tuple((axis.key, axis.values[k]) for axis, k in zip(study.axis, at, strict=True))
        linked = tuple((key, values[k]) for axis, k in zip(study.axis, at, strict=True) for key, values in axis.also.items())
        found.append(Cell(number, point, _setting(fixed, (*point, *linked), place)))
    checked = _checked(study, found, place)
    check_effect(study, [cell.point for cell in checked], [cell.content for cell in checked], place)
    return checked


def _places(axes: Sequence[Axis]) -> Iterator[tuple[int, ...]]:
    """Return for each cell the number of the value on each axis.

    Of the axes that are swept alone at most one is away from its first value, first none and then one after the other;
    with each of these, the others take all combinations, the last changing fastest.
    """
    alone = [(axis, k) for axis in axes if axis.alone for k in range(1, len(axis.values))]
    for away in (None, *alone):
        yield from itertools.product(
            *((away[1] if away and away[0] is axis else 0,) if axis.alone else range(len(axis.values)) for axis in axes)
        )


def episodes(study: Study, cells: int) -> int:
    """Return the number of episodes: scenarios x (strategy and reference) x cells."""
    return study.seeds * RUNS * cells


def _setting(fixed: Mapping[str, Any], point: tuple[tuple[str, Scalar], ...], place: str) -> Setting:
    data = {**fixed, "settings": dict(fixed["settings"]), "parameters": dict(fixed["parameters"])}
    for key, value in point:
        head, _, tail = key.partition(".")
        if head == "parameters":
            data["parameters"][tail] = value
        elif head in ("rules", "products") and value != LEFT_OUT:
            data["settings"][key] = value
        elif head not in ("rules", "products"):
            data[key] = value
    return validated(Setting, data, f"{place}, cell {', '.join(f'{k} = {v}' for k, v in point)}")


def _checked(study: Study, cells: list[Cell], place: str) -> tuple[Cell, ...]:
    """Build what is cheap to build of every cell, so that nothing fails in the middle of a run, and note its content."""
    players: dict[tuple[object, ...], Players] = {}
    seen: set[str] = set()
    found = []
    for cell in cells:
        setting = cell.setting
        where = (setting.population, setting.portfolio, setting.network, setting.seed)
        who = repr((where, setting.strategy, setting.tuned, setting.consent, setting.consent_share, setting.parameters))
        try:
            design = design_of(setting)
            check_choices(design, study.choosing)
            if where not in players:
                players[where] = players_of(setting)
            if who not in seen:
                chosen_strategy(setting, players[where])
        except StackingError as error:
            raise _located(error, cell, place) from None
        seen.add(who)
        found.append(replace(cell, content=content_of(setting, design, players[where])))
    return tuple(found)


def _located(error: StackingError, cell: Cell, place: str) -> StackingError:
    """Return an error of a cell with the study's file and the axis or entry that is to blame, where that can be told."""
    tail = error.key.split(".")[-1]
    known = {**cell.setting.settings, **dict(cell.point)}
    key = next((k for k in known if k.split(".")[-1] == tail), error.key)
    return StackingError(
        error.problem, place=f"{place}, cell {cell.number} ({cell.label})", key=key, value=known.get(key, error.value),
        allowed=error.allowed, remedy=error.remedy or "Mend this value.",
    )  # fmt: skip
