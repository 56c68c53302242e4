"""Tuning: search a strategy's declared parameters on train scenarios, choose on validation, keep the provenance.

The search moves along one parameter after the other: first over its whole range, both ends included, since a good value is often
an end (a term that is off); then left and right of the best so far, in steps that shrink where nothing is better. All candidates
see the same scenarios, so differences are paired. The finalists and the default meet on validation. The budget is counted in
simulated portfolio-steps, as for a learner. What was found for a sister strategy may be a start: it is tried first and meets the
finalists.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stacking import __version__
from stacking.errors import StackingError
from stacking.layout import LAYOUT_VERSION
from stacking.scenario import Library

from ..agents.parameters import read_tuned
from ..agents.strategies import Parameter, parameters_of
from .candidates import Candidates, Evaluation
from .design_input import chosen_design
from .inputs import DESIGNS, scenarios
from .players import chosen_players
from .request import Request
from .runner import Progress, check_backend
from .stats import Interval, mean_interval
from .strategy_input import one_strategy

DEFAULT_BUDGET = 5_000_000
LEAST_UNITS = 60  # candidate-scenarios below which there is nothing to search
FINALISTS = 4
LEVELS = 5  # of a parameter when its whole range is looked at
LEAST_WIDTH = 0.01  # of a step, in shares of the range
SHRINKS, SHRINKS_IF_MOVED = 0.5, 0.7  # a step after a round in which nothing, or something, was better
TRIES = 16  # candidates per parameter until steps are small: as many scenarios are taken as the budget allows then
MOST_SCENARIOS = 64


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
    ranked = along_axes(state, train, state.cost(validation, finalists_of(state)))
    return _choose(state, job.strategy, ranked, train, validation)


def finalists_of(search: Candidates) -> int:
    """Return how many candidates meet on validation: the default, the starts and the best ones."""
    return FINALISTS + len(search.starts)


# ---- search ----------------------------------------------------------------------------------------------------------
def _plan(search: Candidates) -> tuple[Library, Library]:
    """Divide the budget: return train and validation scenarios.

    A unit is one candidate on one scenario in all designs. About a fifth goes to validation.
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
    finalists = finalists_of(search)
    validated = max(2, min(96, units // (5 * (finalists + 1))))
    trained = (units - validated * (finalists + 1)) // (TRIES * len(search.parameters))
    return _split(search, "train", max(2, min(MOST_SCENARIOS, trained))), _split(search, "validation", validated)


def _split(search: Candidates, split: str, count: int) -> Library:
    request = dataclasses.replace(search.request, seeds=max(2, count), split=split)
    return scenarios(request, split, search.players, max(2, count))


def along_axes(search: Candidates, train: Library, reserve: int) -> list[Evaluation]:
    """Return all candidates that were tried, best first.

    Args:
        search: evaluates candidates and counts the budget.
        train: scenarios.
        reserve: steps that must be left of the budget.
    """
    known = {e.values: e for e in search.evaluate(list(dict.fromkeys([search.default, *search.starts])), train)}
    best, width = max(known.values(), key=lambda e: e.mean_eur), None
    while width is None or width > LEAST_WIDTH:
        moved = False
        for k in search.rng.permutation(len(search.parameters)):
            candidates = _on_axis(search, best.values, int(k), width)
            if not search.affords(train, len(candidates), reserve):
                return sorted(known.values(), key=lambda e: -e.mean_eur)
            found = search.evaluate(candidates, train)
            known.update({e.values: e for e in found})
            better = max([best, *found], key=lambda e: e.mean_eur)
            moved, best = moved or better is not best, better
        if width is None:
            width = 0.5 / (LEVELS - 1)
        else:
            width *= SHRINKS_IF_MOVED if moved else SHRINKS
    return sorted(known.values(), key=lambda e: -e.mean_eur)


def _on_axis(search: Candidates, values: tuple[float, ...], k: int, width: float | None) -> list[tuple[float, ...]]:
    """Return candidates that differ from values in parameter k alone: over its whole range, or a step left and right."""
    here = search.point_of(values)
    places = np.linspace(0.0, 1.0, LEVELS) if width is None else np.clip([here[k] - width, here[k] + width], 0.0, 1.0)
    found = []
    for place in places:
        point = here.copy()
        point[k] = place
        there = search.values_at(point)
        found.append((*values[:k], there[k], *values[k + 1 :]))  # the others keep their digits
    return [there for there in dict.fromkeys(found) if there != values]


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


def _rounded(x: float) -> float:
    return round(float(x), 2)
