"""The stacking matrix: which two services may share the same MW, different MW or different times, and why.

The shipped matrix is that of Great Britain (`pairs.toml`); a file with the same keys gives another one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

from .config import read_toml, validated
from .errors import StackingError
from .pair_table import MODES, VERDICTS, Mode, PairRule, PairTable, Verdict, unknown_service

PAIRS_FILE = Path(__file__).with_name("pairs.toml")
ITSELF = "a service is not paired with itself"


class Cell(NamedTuple):
    """One cell: verdict, reason, source, and whether a yes holds for the same direction only."""

    verdict: Verdict
    reason: str
    source: str
    same_direction: bool


@dataclass(frozen=True)
class Matrix:
    """A complete, symmetric matrix of services x services x modes.

    Args:
        place: file it comes from.
        table: what the file says.
        cells: (service, service, mode) -> cell, both orders of every pair, without the diagonal.
    """

    place: str
    table: PairTable
    cells: Mapping[tuple[str, str, Mode], Cell]

    @property
    def services(self) -> tuple[str, ...]:
        """Return the names of the services, in the order of the file."""
        return tuple(self.table.services)

    def service(self, name: str) -> str:
        """Return a service by its name, whatever the case of its letters.

        Raises:
            StackingError: for an unknown service.
        """
        wanted = name.casefold() if isinstance(name, str) else name
        for known in self.table.services:
            if known.casefold() == wanted:
                return known
        raise unknown_service(name, self.table, self.place, groups=False)

    def cell(self, service_a: str, service_b: str, mode: str) -> Cell:
        """Return verdict, reason, source and condition of a pair; the order of the two does not matter.

        Raises:
            StackingError: for an unknown service or mode.
        """
        first, second, key = self.service(service_a), self.service(service_b), mode_named(mode)
        return Cell("-", ITSELF, "", False) if first == second else self.cells[first, second, key]

    def verdict(self, service_a: str, service_b: str, mode: str) -> tuple[Verdict, str]:
        """Return (verdict, reason) of a pair of services in a mode.

        Raises:
            StackingError: for an unknown service or mode.
        """
        return self.cell(service_a, service_b, mode)[:2]

    def counts(self, mode: str) -> dict[Verdict, int]:
        """Return how many of the services x services cells of a mode have each verdict, the diagonal included."""
        found = Counter[Verdict](self.cell(a, b, mode).verdict for a in self.services for b in self.services)
        return {verdict: found[verdict] for verdict in VERDICTS}


def mode_named(name: str) -> Mode:
    """Return a mode by its name, written with a hyphen or an underscore.

    >>> mode_named("co-delivery")
    'co_delivery'

    Raises:
        StackingError: for an unknown mode.
    """
    for mode in MODES:
        if isinstance(name, str) and mode == name.replace("-", "_"):
            return mode
    raise StackingError("Unknown mode.", key="mode", value=name, allowed=", ".join(MODES), remedy="Use one of these modes.")


def verdict(service_a: str, service_b: str, mode: str) -> tuple[Verdict, str]:
    """Return (verdict, reason) of a pair of services of Great Britain in a mode.

    >>> verdict("BM", "SU", "splitting")[0], verdict("DC", "CM", "co-delivery")[0]
    ('y', 'Y')

    Raises:
        StackingError: for an unknown service or mode.
    """
    return load_matrix().verdict(service_a, service_b, mode)


def load_matrix(path: str | Path | None = None, reading: str | None = None) -> Matrix:
    """Return the matrix of a TOML file, by default that of Great Britain, optionally with another reading of some cells.

    Raises:
        StackingError: for a file that is no table of pairs, an unknown name, a pair without rule, a pair with two rules
            or with two different ones (not symmetric), or an unknown reading.
    """
    return _shipped(reading) if path is None else matrix_from(read_toml(path), str(path), reading)


@cache
def _shipped(reading: str | None) -> Matrix:
    return matrix_from(read_toml(PAIRS_FILE), PAIRS_FILE.name, reading)


def matrix_from(data: Any, place: str, reading: str | None = None) -> Matrix:
    """Return the matrix described by plain data; errors as `load_matrix`."""
    table = validated(PairTable, data, place)
    table.check(place)
    rules = _rules_by_pair(table, place)
    missing = [pair for pair in combinations(table.services, 2) if pair not in rules]
    if missing:
        raise StackingError(
            f"The matrix is not complete: {len(missing)} pairs have no rule.", place=place, key="pairs",
            value=", ".join(f"{a} x {b}" for a, b in missing), allowed="one rule for every pair of services",
            remedy='Add [[pairs]] for them; the verdict "?" says that nothing is known.',
        )  # fmt: skip
    cells = {}
    for (a, b), (_, _, rule) in rules.items():
        for mode, found in rule.verdicts.items():
            cells[a, b, mode] = Cell(found, rule.why(mode), table.sources[rule.source], rule.one_way(mode))
    if reading is not None:
        cells.update(_reread(table, reading, place))
    cells.update({(b, a, mode): cell for (a, b, mode), cell in cells.items()})
    return Matrix(place, table, cells)


def _rules_by_pair(table: PairTable, place: str) -> dict[tuple[str, str], tuple[int, tuple[str, str], PairRule]]:
    """Return (number, pair as written, rule) by pair in the order of the services."""
    order = {name: k for k, name in enumerate(table.services)}
    found: dict[tuple[str, str], tuple[int, tuple[str, str], PairRule]] = {}
    for number, rule in enumerate(table.pairs, start=1):
        where = f"{place} [[pairs]] {number}"
        written = _pairs(table.members(rule.a, where), table.members(rule.b, where))
        if not written:
            raise StackingError("A rule names no pair of two services.", place=where, key="b", value=", ".join(rule.b),
                                remedy="Name another service; a service is not paired with itself.")  # fmt: skip
        for a, b in written:
            pair = (a, b) if order[a] < order[b] else (b, a)
            if pair in found:
                raise _named_twice(pair, found[pair], (number, (a, b), rule), place)
            found[pair] = number, (a, b), rule
    return found


def _pairs(first: tuple[str, ...], second: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return the pairs of two different services between two sets, each pair once."""
    found = {frozenset((a, b)): (a, b) for a in first for b in second if a != b}
    return list(found.values())


def _named_twice(pair: tuple[str, str], old: Any, new: Any, place: str) -> StackingError:
    (number, as_written, rule), (other, again, other_rule) = old, new
    problem = "A pair is named by two rules."
    if as_written != again and rule.verdicts != other_rule.verdicts:
        problem = "The matrix is not symmetric: the two orders of a pair have different verdicts."
    told = [f"[[pairs]] {n}: {'/'.join(r.verdicts.values())}" for n, r in ((number, rule), (other, other_rule))]
    return StackingError(problem, place=f"{place} [[pairs]] {number} and {other}", key=" x ".join(pair), value=", ".join(told),
                         allowed="one rule for both orders of a pair", remedy="Remove the pair from one of the two.")  # fmt: skip


def _reread(table: PairTable, name: str, place: str) -> dict[tuple[str, str, Mode], Cell]:
    chosen = [reading for reading in table.readings if reading.name == name]
    if not chosen:
        known = ", ".join(sorted({reading.name for reading in table.readings})) or "none in this file"
        raise StackingError("Unknown reading.", place=place, key="reading", value=name, allowed=known,
                            remedy="Use one of these names, or none.")  # fmt: skip
    order = {service: k for k, service in enumerate(table.services)}
    cells = {}
    for reading in chosen:
        for written in _pairs(table.members(reading.a, place), table.members(reading.b, place)):
            a, b = sorted(written, key=order.__getitem__)
            cells[a, b, reading.mode] = Cell(reading.verdict, reading.reason, table.sources[reading.source], False)
    return cells
