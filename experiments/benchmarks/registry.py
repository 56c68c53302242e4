"""Benchmarks of speed as data: a specification is frozen, and gets a new version when what it measures changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from stacking.errors import StackingError

Owner = Literal["battery", "site", "mixed"]
Face = Literal["engine", "mesa", "mesa_drawn"]

SMALL_BIDS = ("products.mfrr.min_mw=0.01", "products.mfrr.granularity_mw=0.01")
"""With the 1 MW of the Nordic market most drawn FSPs could not bid there at all: the load would be lighter than asked for."""

KILOBYTE = 1000.0


@dataclass(frozen=True)
class Target:
    """What a measure should reach: at least `least`, or at most `most`."""

    measure: str  # field of `Speed`
    least: float | None = None
    most: float | None = None

    def met(self, value: float) -> bool:
        """Return whether a value reaches it.

        >>> Target("step_us", most=12.0).met(13.0)
        False
        """
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)


@dataclass(frozen=True)
class BenchSpec:
    """One measurement of speed.

    Args:
        name: with its version.
        title: what is measured.
        worlds: worlds stepped at once.
        owner: `battery` (the battery of 5 MW, 10 MWh), `site` (battery, ten charging points of a depot, industrial load) or
            `mixed` (FSPs drawn from that population).
        fsps: FSPs in every world.
        scenarios: different scenarios in the library; worlds share them in turn.
        days: delivery days of an episode.
        repetitions: episodes; the median counts.
        ticks: MTU of an episode that are played, from its start; all by default.
        spread: worlds are reset at different times, evenly over the episode, and anew when they end (resets are timed).
        face: who steps: the `engine`, or the `mesa` model with a cheap strategy (`mesa_drawn`: with those of the population).
        settings: values of the design that are changed.
        targets: what should be reached.
        quick: also part of a short look.
    """

    name: str
    title: str
    worlds: int
    owner: Owner
    fsps: int = 1
    scenarios: int = 1
    days: int = 7
    repetitions: int = 5
    ticks: int | None = None
    spread: bool = False
    face: Face = "engine"
    settings: tuple[str, ...] = ()
    targets: tuple[Target, ...] = ()
    quick: bool = True

    @property
    def by_size(self) -> bool:
        """Return whether it belongs to the table of cost by number of FSPs."""
        return self.name.startswith("fsps-")


OCCUPIED = Target("occupied_frac", least=0.3)
BY_SIZE = (Target("nlogn_ratio", most=1.0), Target("state_bytes", most=3 * KILOBYTE))


def _by_size(fsps: int, repetitions: int, quick: bool) -> BenchSpec:
    """Return a world of some drawn FSPs; 96 MTU from noon to noon hold one day-ahead gate and 24 local ones."""
    return BenchSpec(
        f"fsps-{fsps}-v0", f"one world of {fsps:,} FSPs", 1, "mixed", fsps, days=1, ticks=96, repetitions=repetitions,
        settings=SMALL_BIDS, targets=BY_SIZE, quick=quick,
    )  # fmt: skip


def _population(name: str, title: str, face: Face, repetitions: int, least: float | None) -> BenchSpec:
    targets = () if least is None else (Target("world_steps_per_s", least=least), OCCUPIED)
    return BenchSpec(
        name, title, 1, "mixed", 1000, days=2, repetitions=repetitions, face=face, settings=SMALL_BIDS, targets=targets
    )


FAST_ROWS = (Target("world_steps_per_s", least=1e6), Target("asset_steps_per_s", least=12e6), OCCUPIED)

SPECS: tuple[BenchSpec, ...] = (
    BenchSpec("rows-1024-v0", "1,024 rows of one battery FSP", 1024, "battery", scenarios=64),
    BenchSpec("row-1-v0", "one row of one battery FSP", 1, "battery", scenarios=16, repetitions=15),
    BenchSpec("site-rows-1024-v0", "1,024 rows of battery, ten points, load", 1024, "site", scenarios=64, targets=FAST_ROWS),
    BenchSpec("site-row-1-v0", "one such row", 1, "site", scenarios=16, repetitions=15,
              targets=(Target("step_us", most=12.0), OCCUPIED)),
    BenchSpec("site-rows-1024-spread-v0", "1,024 such rows, clocks spread", 1024, "site", scenarios=64, days=2, spread=True,
              targets=(OCCUPIED,), quick=False),
    BenchSpec("site-rows-4096-v0", "4,096 such rows, clocks aligned", 4096, "site", scenarios=64, days=2, repetitions=3,
              targets=(OCCUPIED,)),
    BenchSpec("site-rows-4096-spread-v0", "4,096 such rows, clocks spread", 4096, "site", scenarios=64, days=2, spread=True,
              repetitions=3, targets=(OCCUPIED,), quick=False),
    _population("world-1000-v0", "one world of 1,000 FSPs", "engine", 5, 1000.0),
    _population("mesa-1000-v0", "the same as a Mesa model, cheap strategies", "mesa", 5, 300.0),
    _population("mesa-1000-drawn-v0", "the same, strategies of the population", "mesa_drawn", 3, None),
    _by_size(10, 15, True),
    _by_size(100, 15, True),
    _by_size(1_000, 5, True),
    _by_size(10_000, 3, True),
    _by_size(30_000, 2, False),
    _by_size(100_000, 2, False),
)  # fmt: skip


@dataclass(frozen=True)
class EnvBenchSpec:
    """One measurement of the speed of an environment.

    Args:
        name: with its version.
        title: what is measured.
        face: `make` (a single environment with Gymnasium's wrappers), `vector` (the native one) or `sb3` (its adapter).
        portfolio: preset of the learner.
        rows: worlds stepped at once.
        spread: worlds begin at different times, evenly over the episode, and anew when they end.
        steps: timed in one repetition.
        targets: what should be reached.
    """

    name: str
    title: str
    face: Literal["make", "vector", "sb3"]
    portfolio: str
    rows: int = 1
    spread: bool = False
    steps: int = 600
    targets: tuple[Target, ...] = ()


MAKE, VECTOR = (Target("env_steps_per_s", least=5e4),), (Target("env_steps_per_s", least=1e6),)
SPREAD = (Target("env_steps_per_s", least=6e5),)

ENV_SPECS: tuple[EnvBenchSpec, ...] = (
    EnvBenchSpec("env-make-v0", "gymnasium.make, battery, cars and load", "make", "default", steps=3000, targets=MAKE),
    EnvBenchSpec("env-make-battery-v0", "gymnasium.make, battery", "make", "battery", steps=3000, targets=MAKE),
    EnvBenchSpec("env-vector-1024-v0", "1,024 rows, battery, cars and load", "vector", "default", 1024),
    EnvBenchSpec("env-vector-1024-battery-v0", "1,024 rows, battery", "vector", "battery", 1024, targets=VECTOR),
    EnvBenchSpec("env-vector-1024-battery-spread-v0", "the same, clocks spread", "vector", "battery", 1024, True, targets=SPREAD),
    EnvBenchSpec("env-sb3-256-v0", "256 rows through the adapter, battery, cars and load", "sb3", "default", 256),
)


def env_bench_spec(name: str) -> EnvBenchSpec:
    """Return a specification by name.

    Raises:
        StackingError: if there is none.
    """
    for spec in ENV_SPECS:
        if spec.name == name:
            return spec
    raise StackingError("Unknown benchmark.", key="bench", value=name, allowed=", ".join(spec.name for spec in ENV_SPECS))


def bench_spec(name: str) -> BenchSpec:
    """Return a specification by name.

    Raises:
        StackingError: if there is none.
    """
    for spec in SPECS:
        if spec.name == name:
            return spec
    raise StackingError("Unknown benchmark.", key="bench", value=name, allowed=", ".join(spec.name for spec in SPECS))
