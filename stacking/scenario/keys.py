"""Names of scenarios, and the random streams that hang on them.

A key is (split, source, seed, episode). Every random number of a scenario comes from ``stream(key, purpose)``, so a
scenario does not depend on which others were drawn with it, nor on the order.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import StackingError

SPLITS = ("train", "validation", "test")
"""Disjoint parts of a source, in the order of their dates where the source is real data."""

ALL = "all"
"""The whole of a real source; generated sources have no such split."""


@dataclass(frozen=True)
class ScenarioKey:
    """The name of one scenario; ``str(key)`` is ``split/source/seed/episode``.

    Args:
        split: train, validation, test, or all (real data only).
        source: "generated", or the names of the price files.
        seed: seed of everything that is drawn, >= 0.
        episode: number of the scenario; of real data the first delivery day as YYYYMMDD.

    Raises:
        StackingError: for an unknown split, an empty source or one with a slash, or a negative number.
    """

    split: str
    source: str
    seed: int
    episode: int

    def __post_init__(self) -> None:
        """Check the four parts."""
        if self.split not in (*SPLITS, ALL):
            raise StackingError(
                "Unknown split.",
                place="scenario key",
                key="split",
                value=self.split,
                allowed=", ".join((*SPLITS, ALL)),
                remedy="Use one of the names above.",
            )
        if not isinstance(self.source, str) or not self.source or "/" in self.source:
            raise StackingError(
                "Bad scenario source.",
                place="scenario key",
                key="source",
                value=self.source,
                allowed="a name without '/'",
                remedy="Name the source, for example 'generated'.",
            )
        for name in ("seed", "episode"):
            object.__setattr__(self, name, whole_number(getattr(self, name), name, least=0, place="scenario key"))

    def __str__(self) -> str:
        """Return split/source/seed/episode."""
        return f"{self.split}/{self.source}/{self.seed}/{self.episode}"


def scenario_keys(split: str, count: int, *, seed: int = 0, source: str = "generated") -> tuple[ScenarioKey, ...]:
    """Return the first ``count`` keys of a split of a generated source.

    Raises:
        StackingError: for a split other than train, validation, test, or ``count`` < 1.
    """
    if split not in SPLITS:
        raise StackingError(
            "Unknown split of a generated source.",
            key="split",
            value=split,
            allowed=", ".join(SPLITS),
            remedy="Use one of the names above; 'all' is for price files.",
        )
    count = whole_number(count, "count", least=1)
    return tuple(ScenarioKey(split, source, seed, episode) for episode in range(count))


def stream(key: ScenarioKey, purpose: str) -> np.random.Generator:
    """Return the generator of random numbers of one scenario for one purpose.

    Seed = SHA-256 of ``str(key)`` and the purpose; different keys or purposes give independent streams.
    """
    digest = hashlib.sha256(f"{key}\n{purpose}".encode()).digest()
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(int.from_bytes(digest, "big"))))


def whole_number(value: Any, name: str, *, least: int, place: str = "scenario") -> int:
    """Return ``value`` as an int of at least ``least``.

    Raises:
        StackingError: if it is not a whole number or too small.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise StackingError(
            f"{name} must be a whole number of at least {least}.",
            place=place,
            key=name,
            value=value,
            allowed=f">= {least}",
            remedy=f"Give a whole number, {least} or more.",
        )
    return int(value)
