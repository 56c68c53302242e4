"""Strategies by name or file, with their parameters and consent, and where each came from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stacking.errors import StackingError

from ..agents.consent import with_consent
from ..agents.parameters import read_tuned, shipped_parameters
from ..agents.strategies import Strategy, load_strategy, make_strategy, strategy_names, values_of
from ..envs.learned import Learned
from ..envs.policy import load_policy, policy_path, shipped_policies
from .compare import BASELINE
from .players import MIXED, Mixed, Players, mixed_strategies
from .request import Request
from .runner import REFERENCE


def chosen_strategies(
    request: Request, players: Players | None = None
) -> tuple[dict[str, Strategy | Mixed], list[dict[str, Any]]]:
    """Return label -> strategy, and where each came from; reference and baseline are always there.

    Raises:
        StackingError: for an unknown strategy, one that occurs twice, or a parameter file that does not fit.
    """
    own = [spec for spec in request.strategies if spec not in (REFERENCE, BASELINE)]
    specs = [REFERENCE, BASELINE, *own] if request.strategies else list(strategy_names())
    given = _parameter_files(request.parameters)
    consent = consent_name(request.consent)

    def make(name: str) -> Strategy:
        strategy = one_strategy(name, given, tuned=request.plays_tuned)[0]
        return strategy if strategy.name == REFERENCE else with_consent(strategy, consent)

    strategies: dict[str, Strategy | Mixed] = {}
    origins: list[dict[str, Any]] = []
    plain: set[str] = set()
    for spec in specs:
        if spec == MIXED:
            strategy = mixed_strategies(players or Players(), make)
            origin, values, names = (
                f"shares of the population: {strategy}",
                {},
                [own.partition("[")[0] for own in strategy.strategies],
            )
        else:
            bare, origin = one_strategy(spec, given, tuned=request.plays_tuned)
            strategy, values, names = bare, values_of(bare), [bare.name]
            strategy = bare if bare.name == REFERENCE else with_consent(bare, consent)
        label = MIXED if spec == MIXED else names[0]
        if label in strategies:
            raise StackingError(
                "Two strategies have the same name.", key="strategy", value=label,
                remedy="Name each strategy once, or change the `name` of your class.",
            )  # fmt: skip
        strategies[label] = strategy
        origins.append({"name": label, "from": origin, "parameters": values})
        plain.update(names)
    for name in given:
        if name not in plain:
            raise StackingError(
                "A parameter file is for a strategy that does not take part.", key="--parameters", value=name,
                allowed=", ".join(strategies), remedy=f"Add --strategy {name}, or leave the file out.",
            )  # fmt: skip
    return strategies, origins


def _parameter_files(paths: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return strategy -> parameters of the files that were given."""
    given: dict[str, dict[str, float]] = {}
    for path in paths:
        name, parameters = read_tuned(path)
        if name in given:
            raise StackingError(
                "Two parameter files are for the same strategy.", place=path, key="--parameters", value=name,
                remedy="Give one file per strategy.",
            )  # fmt: skip
        given[name] = parameters
    return given


def one_strategy(
    spec: str,
    given: Mapping[str, Mapping[str, float]] | None = None,
    *,
    tuned: bool = True,
    values: Mapping[str, float] | None = None,
) -> tuple[Strategy, str]:
    """Return a strategy by name or "FILE:Class", and where it came from.

    Args:
        spec: name or "FILE:Class".
        given: strategy -> parameters, from parameter files.
        tuned: whether the parameters that are shipped as tuned replace the defaults.
        values: parameters that go before all others.
    """
    path = policy_path(spec)
    if path is not None:
        _no_values(spec, values)
        return Learned(load_policy(path)), f"policy {path.name} sha256:{file_hash(path)}"
    if ":" not in spec and spec in strategy_names():
        if values:
            return make_strategy(spec, **values), "given parameters"
        if given and spec in given:
            return make_strategy(spec, **given[spec]), "parameter file"
        shipped = shipped_parameters(spec) if tuned else {}
        return make_strategy(spec, **shipped), "tuned" if shipped else "defaults"
    if ":" not in spec:
        raise StackingError(
            "Unknown strategy.", key="strategy", value=spec, allowed=", ".join((*strategy_names(), *shipped_policies())),
            remedy="Use one of these names, FILE.py:Class for your own, or FILE.npz for a policy that `stacking train` wrote.",
        )  # fmt: skip
    strategy = load_strategy(spec, **(values or {}))
    if given and strategy.name in given and not values:
        strategy = load_strategy(spec, **given[strategy.name])
    file = spec.rpartition(":")[0]
    return strategy, f"{Path(file).name} sha256:{file_hash(file)}"


def _no_values(spec: str, values: Mapping[str, float] | None) -> None:
    if values:
        raise StackingError("A learned policy takes no parameters.", key="parameters", value=dict(values), place=spec,
                            remedy="Leave them out, or train another policy.")  # fmt: skip


def consent_name(text: str) -> str:
    """Return a consent option as the policies are named: a bare number is a random share."""
    try:
        share = float(text)
    except ValueError:
        return text
    return f"random:{share!r}"


def file_hash(path: str | Path) -> str:
    """Return the SHA-256 of a file's content."""
    return hashlib.sha256(Path(path).expanduser().read_bytes()).hexdigest()
