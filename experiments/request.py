"""What was asked for on the command line or from Python."""

from __future__ import annotations

from dataclasses import dataclass

from ..agents.guard import TIME_LIMIT_S


@dataclass(frozen=True)
class Request:
    """What was asked for, as on the command line; None means the default."""

    designs: tuple[str, ...] = ()
    strategies: tuple[str, ...] = ()
    seeds: int | None = None  # scenarios
    split: str | None = None
    days: int = 7
    prices: tuple[str, ...] = ()
    timezone: str | None = None
    world: str | None = None  # parameters of what is drawn: set, set:local regime, or file
    portfolio: str | None = None
    population: str | None = None  # NAME or FILE, with :COUNT
    network: str | None = None
    consent: str = "own"
    pooling: bool | None = None
    overrides: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()  # files written by `stacking tune`
    tuned: bool = True
    seed: int = 0
    backend: str = "serial"
    time_limit_s: float = TIME_LIMIT_S
