"""What a cell comes to, so that an axis whose values come to the same is refused, and a changed input is noticed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from stacking.config import Design
from stacking.errors import StackingError

from ...agents.parameters import shipped_parameters
from ..players import Players
from ..store import sha256_of
from ..strategy_input import file_hash
from .contest import consenting
from .record import Scalar, Setting, Study

Point = tuple[tuple[str, Scalar], ...]
"""(key, value) of each axis."""

SHARING = frozenset({
    "consent", "consent_revocable_until_min", "verified_by", "collateral_eur_per_mw", "location", "transparency",
    "change_forwarded", "residual", "forward_fee_eur_per_mwh", "forward_fee_payer", "forward_price", "pooling", "pool_members",
    "pool_failure",
})  # fmt: skip
"""Rules without effect in a design that shares nothing."""

MATCHING = frozenset({"lock_latency_s", "conflict_rule"})
"""Rules without effect in a design without a book that several buyers share."""


def content_of(setting: Setting, design: Design, players: Players) -> str:
    """Return a hash of all that the result of a cell depends on: files by their content, no names of designs or axes.

    Rules of sharing and consent count only where something is shared and somebody is asked; a strategy from a file sees
    the rules and may heed them anywhere.

    Args:
        setting: of the cell.
        design: of the cell, with its settings.
        players: of the cell.
    """
    free = ":" in setting.strategy
    shares = design.shares or design.shared_book
    dropped = frozenset() if free else (frozenset() if shares else SHARING) | (frozenset() if design.shared_book else MATCHING)
    asked = free or design.asks
    names = [p.name for p in players.portfolios]
    share = None if setting.consent_share is None else consenting(names, setting.consent_share, setting.seed)
    parts = (
        design.rules.model_dump(exclude=set(dropped)),
        {market: design.products[market].model_dump(exclude={"title", "sources"}) for market in ("lfm", "mfrr")},
        [gate.model_dump() for gate in design.gates],
        (setting.consent, share) if asked else None,
        (setting.strategy, _bytes_of(setting.strategy.rpartition(":")[0]), _parameters(setting)),
        (players.portfolios, players.network, _bytes_of(players.population)),
        (setting.world, _bytes_of(setting.world or "")),
        (setting.split, setting.days, setting.seeds, setting.seed, setting.depth_factor),
    )
    return sha256_of(repr(parts).encode())


def check_effect(study: Study, points: Sequence[Point], contents: Sequence[str], place: str) -> None:
    """Check that no two values of an axis come to the same in every cell.

    Args:
        study: what is swept.
        points: values on the axes, cell by cell.
        contents: of the cells, by `content_of`.
        place: file of the study, for messages.

    Raises:
        StackingError: naming the axis and the value that changes nothing.
    """
    for number, value, twin in equal_values(len(study.axis), points, contents):
        raise StackingError(
            "A value of an axis changes nothing: all its cells are those of another value.", place=place,
            key=f"axis.{number} ({study.axis[number].key})", value=value, allowed=f"values that differ in effect from {twin!r}",
            remedy="Remove the value or the axis, or choose a design in which it matters (rules of sharing and "
            "consent: one that shares, such as norflex_eam).",
        )  # fmt: skip


def equal_values(axes: int, points: Sequence[Point], marks: Sequence[str]) -> Iterator[tuple[int, Scalar, Scalar]]:
    """Return (axis, value, earlier value) wherever two values have the same marks at equal values of all other axes.

    Args:
        axes: how many.
        points: values on the axes, cell by cell.
        marks: of the cells.
    """
    for number in range(axes):
        lines: dict[Scalar, dict[Point, str]] = {}
        for point, mark in zip(points, marks, strict=True):
            lines.setdefault(point[number][1], {})[point[:number] + point[number + 1 :]] = mark
        values = list(lines)
        for k, value in enumerate(values):
            for twin in values[:k]:
                common = lines[value].keys() & lines[twin].keys()
                if all(lines[value][other] == lines[twin][other] for other in common):
                    yield number, value, twin
                    break


def _parameters(setting: Setting) -> list[tuple[str, float]]:
    """Return the parameters that differ from the defaults, tuned ones where they are used."""
    tuned = shipped_parameters(setting.strategy) if setting.plays_tuned and ":" not in setting.strategy else {}
    return sorted({**tuned, **{name: float(value) for name, value in setting.parameters.items()}}.items())


def _bytes_of(text: str) -> str:
    """Return the hash of a file's content, "" for what is no file."""
    return file_hash(text) if text and Path(text).expanduser().is_file() else ""
