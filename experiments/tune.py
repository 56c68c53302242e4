"""Tuning: search a strategy's declared parameters on train scenarios, choose on validation, keep the provenance.

Random candidates go through successive halving (few scenarios for many, more for the better ones), then a local search
draws around the best and narrows where the better half lies; the finalists and the default meet on validation. All
candidates see the same scenarios. The budget is counted in simulated portfolio-steps, as for a learner. What was found for a
sister strategy may be a start: it is a candidate of the first rung and meets the finalists.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stacking import __version__
from stacking.errors import StackingError
from stacking.layout import LAYOUT_VERSION
from stacking.scenario import Library

from ..agents.parameters import read_tuned
from ..agents.strategies import Parameter, parameters_of
from .candidates import Candidates, Evaluation, first
from .design_input import chosen_design
from .inputs import DESIGNS, scenarios
from .players import chosen_players
from .request import Request
from .runner import Progress, check_backend
from .stats import Interval, mean_interval
from .strategy_input import one_strategy

FloatArray = NDArray[np.float64]

DEFAULT_BUDGET = 5_000_000
KEEP_FRAC = 1.0 / 3.0  # of the candidates from rung to rung
RUNGS = 3
LEAST_UNITS = 60  # candidate-scenarios below which there is nothing to search
FINALISTS = 4
FIRST_WIDTH, LEAST_WIDTH = 0.15, 0.01  # of the local search, in shares of the ranges


@dataclass(frozen=True)
class Tuned:
    """The outcome of a search."""

    strategy: str
    parameters: dict[str, float]
    defaults: dict[str, float]
    train_eur: float
    validation_eur: float
    validation_default_eur: float
    gain: Interval  # validation, chosen - default, paired
    provenance: dict[str, Any]


@dataclass(frozen=True)
class Job:
    """A search that was checked and is ready to start."""

    search: Candidates
    strategy: str
    train: Library
    validation: Library
    shortlist: int


def tune(
    spec: str,
    *,
    designs: Sequence[str] = (),
    budget: int = DEFAULT_BUDGET,
    request: Request | None = None,
    starts: Sequence[str | Path] = (),
    progress: Progress | None = None,
) -> Tuned:
    """Search the parameters of a strategy: `prepare`, then `search`."""
    return search(prepare(spec, designs=designs, budget=budget, request=request, starts=starts), progress)


def prepare(
    spec: str,
    *,
    designs: Sequence[str] = (),
    budget: int = DEFAULT_BUDGET,
    request: Request | None = None,
    starts: Sequence[str | Path] = (),
) -> Job:
    """Return a search that is ready to start.

    The figure that is made large is the mean flex revenue per episode over the designs and scenarios.

    Args:
        spec: name, or "FILE:Class".
        designs: names or files; those of the default comparison if none.
        budget: portfolio-steps that may be simulated, both splits together.
        request: scenario source, days, overrides, portfolios, seed, back end.
        starts: parameter files of sister strategies, from which values of equal names are taken (`start_values`).

    Raises:
        StackingError: if the strategy declares nothing to tune, a start does not fit, or the budget is too small.
    """
    request = request or Request()
    chosen = tuple(chosen_design(name, request.overrides, request.pooling) for name in designs or DESIGNS)
    strategy, _ = one_strategy(spec, tuned=False)
    parameters = parameters_of(strategy)
    if not parameters:
        raise StackingError(
            "The strategy declares no tunable parameters.", key="STRATEGY", value=spec,
            remedy="Declare them with `tunable(...)` in a dataclass, as `stacking new-strategy FILE` writes it.",
        )  # fmt: skip
    check_backend(request.backend)
    rng = np.random.default_rng(np.random.SeedSequence(request.seed))
    known = tuple(dict.fromkeys(values for file in starts for values in start_values(parameters, file)))
    state = Candidates(spec, parameters, chosen, chosen_players(request), request, rng, budget, starts=known)
    return Job(state, strategy.name, *_plan(state))


def start_values(parameters: Sequence[Parameter], file: str | Path) -> list[tuple[float, ...]]:
    """Return what a parameter file of a sister strategy says about these parameters.

    Values of equal names are taken. The others are once their defaults, and once the lower end of their range: where that is 0
    the term that the sister does not have is off.

    Raises:
        StackingError: if no name is equal, or a value lies outside its range here.
    """
    _, found = read_tuned(file)
    if not any(p.name in found for p in parameters):
        raise StackingError("A start has no parameter of this strategy.", place=str(file), key="--start", value=", ".join(found),
                            allowed=", ".join(p.name for p in parameters))  # fmt: skip
    for p in parameters:
        if not p.low <= found.get(p.name, p.low) <= p.high:
            raise StackingError("A start lies outside the range.", place=str(file), key=p.name, value=found[p.name],
                                allowed=f"{p.low:g}..{p.high:g}")  # fmt: skip
    both = (tuple(found.get(p.name, other) for p, other in zip(parameters, others, strict=True))
            for others in ([p.default for p in parameters], [p.low for p in parameters]))  # fmt: skip
    return list(dict.fromkeys(both))


def search(job: Job, progress: Progress | None = None) -> Tuned:
    """Run a search; each job can be run once.

    Args:
        job: what `prepare` returned.
        progress: called with the steps done since the last call.
    """
    state, train, validation = job.search, job.train, job.validation
    state.progress = progress or state.progress
    ranked = _halving(state, train, job.shortlist)
    finalists = _local(state, ranked, train, state.cost(validation, finalists_of(state)) + state.cost(train, 2))
    return _choose(state, job.strategy, finalists, train, validation)


def finalists_of(search: Candidates) -> int:
    """Return how many candidates meet on validation: the default, the starts and the best ones."""
    return FINALISTS + len(search.starts)


# ---- search ----------------------------------------------------------------------------------------------------------
def _plan(search: Candidates) -> tuple[Library, Library, int]:
    """Divide the budget: return train and validation scenarios, and the number of random candidates.

    A unit is one candidate on one scenario in all designs. About a fifth goes to validation, the rest half to halving
    and half to the local search; what is left of one goes to the next.
    """
    # an episode has 48 ticks of the day before and 96 a day, one hour more where the clock goes back
    unit = (48 + 96 * search.request.days + 4) * len(search.designs) * len(search.players.portfolios)
    units = search.budget // unit
    if units < LEAST_UNITS:
        raise StackingError(
            "The budget is too small for a search.", key="--budget", value=search.budget,
            allowed=f">= {LEAST_UNITS * unit:,} steps for {len(search.designs)} design(s), {len(search.players.portfolios)} "
            f"portfolio(s) and {search.request.days} day(s)",
            remedy="Give more steps, fewer designs or shorter episodes.",
        )  # fmt: skip
    least = max(2, min(6, units // 120))
    finalists = finalists_of(search)
    validated = max(2, min(96, units // (5 * (finalists + 1))))
    train = _split(search, "train", least * 2 ** (RUNGS - 1))
    validation = _split(search, "validation", validated)
    weight = sum((2 * KEEP_FRAC) ** rung for rung in range(RUNGS))
    reference = least * (2**RUNGS - 1)
    half = (units - validated * (finalists + 1)) // 2
    return train, validation, max(3, int((half - reference) / (least * weight)))


def _split(search: Candidates, split: str, count: int) -> Library:
    request = dataclasses.replace(search.request, seeds=max(2, count), split=split)
    return scenarios(request, split, search.players, max(2, count))


def _halving(search: Candidates, train: Library, count: int) -> list[Evaluation]:
    """Return the best candidates of successive halving, best first; the default and the starts are among the first."""
    points = _spread(search.rng, count, len(search.parameters))
    given = [search.default, *search.starts]
    candidates = list(dict.fromkeys([*given, *(search.values_at(point) for point in points)]))[: max(count, len(given))]
    ranked: list[Evaluation] = []
    for rung in range(RUNGS):
        library = first(train, max(2, len(train) // 2 ** (RUNGS - 1 - rung)))
        if not search.affords(library, len(candidates)):
            break
        ranked = sorted(search.evaluate(candidates, library), key=lambda e: -e.mean_eur)
        candidates = [e.values for e in ranked[: max(2, round(len(ranked) * KEEP_FRAC))]]
    return ranked


def _local(search: Candidates, ranked: list[Evaluation], train: Library, reserve: int) -> list[Evaluation]:
    """Return the best candidates after a local search with a diagonal normal distribution, best first."""
    known = {e.values: e for e in ranked}
    n = len(search.parameters)
    size = 4 + n
    centre, width = search.point_of(ranked[0].values), np.full(n, FIRST_WIDTH)
    while search.affords(train, size, reserve) and width.max() > LEAST_WIDTH:
        points = np.clip(centre + width * search.rng.standard_normal((size, n)), 0.0, 1.0)
        found = search.evaluate([search.values_at(point) for point in points], train)
        known.update({e.values: e for e in found})
        best = sorted(known.values(), key=lambda e: -e.mean_eur)[: max(2, size // 2)]
        weight = np.log(len(best) + 0.5) - np.log(np.arange(1, len(best) + 1))
        weight /= weight.sum()
        where = np.array([search.point_of(e.values) for e in best])
        moved = weight @ where
        spread = np.sqrt(weight @ (where - moved) ** 2)
        centre, width = moved, np.maximum(0.5 * width + 0.5 * spread, 0.5 * LEAST_WIDTH)
    return sorted(known.values(), key=lambda e: -e.mean_eur)


def _choose(search: Candidates, name: str, ranked: list[Evaluation], train: Library, validation: Library) -> Tuned:
    """Let the finalists, the starts and the default meet on validation and return the best, with its provenance."""
    finalists = list(dict.fromkeys([search.default, *search.starts, *(e.values for e in ranked)]))[: finalists_of(search)]
    results = search.evaluate(finalists, validation)
    best = max(results, key=lambda e: e.mean_eur)
    trained = search.evaluate([best.values, search.default], train)
    gain = mean_interval(best.per_scenario - results[0].per_scenario, seed=search.request.seed)
    names = [p.name for p in search.parameters]
    provenance = {
        "objective": "mean flex revenue over designs and scenarios, EUR per episode",
        "designs": [design.name for design in search.designs],
        "overrides": list(search.request.overrides),
        "seed": search.request.seed,
        "days": search.request.days,
        "train_scenarios": [str(train.keys[0]), str(train.keys[-1]), len(train)],
        "validation_scenarios": [str(validation.keys[0]), str(validation.keys[-1]), len(validation)],
        "source": train.source,
        "portfolios": [p.name for p in search.players.portfolios],
        "budget_steps": search.budget,
        "used_steps": search.used,
        "candidates": len(search.tried),
        "starts": [list(values) for values in search.starts],
        "train_eur": _rounded(trained[0].mean_eur),
        "train_default_eur": _rounded(trained[1].mean_eur),
        "validation_eur": _rounded(best.mean_eur),
        "validation_default_eur": _rounded(results[0].mean_eur),
        "validation_gain_eur": [_rounded(x) for x in (gain.estimate, gain.low, gain.high)],
        "version": __version__,
        "layout_version": LAYOUT_VERSION,
    }
    return Tuned(
        name, dict(zip(names, best.values, strict=True)), dict(zip(names, search.default, strict=True)),
        trained[0].mean_eur, best.mean_eur, results[0].mean_eur, gain, provenance,
    )  # fmt: skip


def _spread(rng: np.random.Generator, count: int, dimensions: int) -> FloatArray:
    """Return points of a Latin hypercube, (count, dimensions)."""
    cells = np.stack([rng.permutation(count) for _ in range(dimensions)], axis=1)
    return (cells + rng.random((count, dimensions))) / count


def _rounded(x: float) -> float:
    return round(float(x), 2)
