"""Benchmarks as data: a specification is frozen, and gets a new version when what it measures changes."""

from __future__ import annotations

from dataclasses import dataclass

from stacking.errors import StackingError


@dataclass(frozen=True)
class BenchSpec:
    """One measurement of speed.

    Args:
        name: with its version.
        title: what is measured.
        design: market design.
        worlds: worlds stepped at once, each with one FSP that owns the default battery.
        scenarios: different scenarios in the library; worlds share them in turn, each offset in nothing but its index.
        days: delivery days of an episode.
        repetitions: whole episodes; the median counts.
    """

    name: str
    title: str
    design: str
    worlds: int
    scenarios: int
    days: int
    repetitions: int


SPECS: tuple[BenchSpec, ...] = (
    BenchSpec("rows-1024-v0", "1,024 rows of one battery FSP", "norflex_eam", 1024, 64, 7, 5),
    BenchSpec("rows-1024-parallel-design-v0", "the same without forwarding", "parallel", 1024, 64, 7, 5),
    BenchSpec("row-1-v0", "one row of one battery FSP", "norflex_eam", 1, 64, 7, 15),
)


def bench_spec(name: str) -> BenchSpec:
    """Return a specification by name.

    Raises:
        StackingError: if there is none.
    """
    for spec in SPECS:
        if spec.name == name:
            return spec
    raise StackingError("Unknown benchmark.", key="bench", value=name, allowed=", ".join(spec.name for spec in SPECS))
