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
    tuned: bool | None = None  # None: not for populations
    seed: int = 0
    backend: str = "serial"
    time_limit_s: float = TIME_LIMIT_S

    @property
    def plays_tuned(self) -> bool:
        """Return whether strategies play the parameters that are shipped as tuned (`plays_tuned`)."""
        return plays_tuned(self.tuned, self.population)


def plays_tuned(asked: bool | None, population: str | None) -> bool:
    """Return whether the parameters that are shipped as tuned are played: as asked; if nothing is asked, not by populations.

    They are tuned for one portfolio of 7 MW. An FSP that the balancing market does not take would trade intraday for balancing
    energy that never comes.
    """
    return not population if asked is None else asked
