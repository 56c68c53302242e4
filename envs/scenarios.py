"""The scenarios of environments: a set of a stated size, made once in a process, and who plays which of them when."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stacking.network import Network
from stacking.portfolio import Portfolio
from stacking.scenario import Library, generate, replay, scenario_keys
from stacking.scenario.keys import whole_number

from ..agents.seeds import uniform
from .config import EnvConfig

SCENARIOS = 64
"""Different generated scenarios of an environment where nothing else is said."""

KEPT_LIBRARIES = 8
"""Sets of scenarios that a process keeps, so that environments with the same ones share them."""

GENERATED_ZONE, PRICES_ZONE = "Europe/Oslo", "Europe/Copenhagen"

_KEPT: OrderedDict[str, Library] = OrderedDict()


def scenario_library(config: EnvConfig, portfolios: tuple[Portfolio, ...], network: Network) -> Library:
    """Return the scenarios of an environment; equal wishes get the same object.

    A scenario hangs on its key (split, source, seed, episode) alone: the scenarios of two splits have none in common, however
    many environments draw from them.

    Raises:
        StackingError: for bad files or settings.
    """
    if config.library is not None:
        return config.library
    stamps = [Path(path).stat().st_mtime_ns for path in config.prices if Path(path).is_file()]
    wish = (
        config.days, config.split, config.scenarios, config.scenario_seed, config.prices, stamps, config.timezone, config.world,
        network.nodes, portfolios,
    )  # fmt: skip
    name = repr(wish)
    if name not in _KEPT:
        _KEPT[name] = _made(config, portfolios, network)
        while len(_KEPT) > KEPT_LIBRARIES:
            _KEPT.popitem(last=False)
    _KEPT.move_to_end(name)
    return _KEPT[name]


def _made(config: EnvConfig, portfolios: tuple[Portfolio, ...], network: Network) -> Library:
    """Return scenarios, replayed from price files or generated."""
    if config.prices:
        return replay(
            list(config.prices), split=config.split, seed=config.scenario_seed, portfolios=portfolios, network=network,
            days=config.days, timezone=config.timezone or PRICES_ZONE, count=config.scenarios, parameters=config.world,
        )  # fmt: skip
    keys = scenario_keys(config.split, config.scenarios or SCENARIOS, seed=config.scenario_seed)
    return generate(
        keys, portfolios=portfolios, network=network, days=config.days, timezone=config.timezone or GENERATED_ZONE,
        parameters=config.world,
    )  # fmt: skip


class ScenarioStreams:
    """Which scenario each world plays next: number n of a world is a pure function of its seed and n.

    Attributes:
        seeds: (B,) of the worlds.
        drawn: (B,) how many scenarios each has drawn.
    """

    def __init__(self, worlds: int, scenarios: int) -> None:
        self.seeds, self.drawn = np.zeros(worlds, np.uint64), np.zeros(worlds, np.uint64)
        self._scenarios = scenarios

    def seed(self, worlds: NDArray[np.int64], seeds: NDArray[np.uint64]) -> None:
        """Begin the streams of some worlds anew."""
        self.seeds[worlds], self.drawn[worlds] = seeds, 0

    def draw(self, worlds: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the next scenario of some worlds, each of the library equally likely."""
        self.drawn[worlds] += np.uint64(1)
        share = uniform(self.seeds[worlds], self.drawn[worlds])
        return np.minimum((share * self._scenarios).astype(np.int64), self._scenarios - 1)


def stream_seeds(seeds: Sequence[int | None], random: np.random.Generator) -> NDArray[np.uint64]:
    """Return the seeds of streams; where none is given it is drawn.

    Raises:
        StackingError: for a seed that is no whole number of at least 0.
    """
    drawn = [int(random.integers(2**63)) if s is None else whole_number(s, "seed", least=0, place="reset") for s in seeds]
    return np.array([seed % 2**64 for seed in drawn], dtype=np.uint64)
