"""From options to a run: designs with overrides, strategies, portfolios, scenarios; each checked before anything runs."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stacking.catalogue import DESIGNS_FOLDER, design_from, design_names
from stacking.config import Design, read_toml
from stacking.errors import StackingError
from stacking.scenario import Library, generate, replay, scenario_keys
from stacking.scenario.keys import whole_number

from ..agents.consent import with_consent
from ..agents.guard import TIME_LIMIT_S
from ..agents.parameters import read_tuned, shipped_parameters
from ..agents.strategies import Strategy, load_strategy, make_strategy, strategy_names, values_of
from .compare import BASELINE
from .players import MIXED, Mixed, Players, chosen_players, mixed_strategies
from .runner import REFERENCE, Contest, check_backend, check_memory

DESIGNS = ("exclusive", "parallel", "parallel_late", "parallel_adjusted", "norflex_eam")
"""The designs of the default comparison: all with the mFRR market of today."""

SCENARIOS = 30
MOST_SCENARIO_DAYS = 50_000
GENERATED_ZONE, PRICES_ZONE = "Europe/Oslo", "Europe/Copenhagen"


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


@dataclass(frozen=True)
class Setup:
    """A run that is ready to start, and what its manifest says about it."""

    contest: Contest
    split: str
    seed: int
    described: dict[str, Any] = field(default_factory=dict)

    @property
    def opens_test(self) -> bool:
        """Return whether the run looks at scenarios of the test split."""
        return self.split in ("test", "all")


def prepare(request: Request) -> Setup:
    """Return the run that was asked for.

    Raises:
        StackingError: for anything that is not there or not valid.
    """
    check_backend(request.backend)
    designs = tuple(chosen_design(name, request.overrides, request.pooling) for name in request.designs or DESIGNS)
    check_scenario_count(request.seeds, request.days)
    players = chosen_players(request)
    strategies, origins = chosen_strategies(request, players)
    split = request.split or ("all" if request.prices else "test")
    if not request.prices:
        check_memory(len(designs), request.seeds or SCENARIOS, len(players.portfolios), 96 * request.days)
    library = scenarios(request, split, players, SCENARIOS)
    contest = Contest(designs, strategies, players.portfolios, library, request.backend, request.time_limit_s, players.network)
    described = {
        "designs": [design.model_dump(mode="json") for design in designs],
        "overrides": list(request.overrides),
        "strategies": origins,
        "consent": request.consent,
        "network": {"name": players.network.name, "nodes": [n.model_dump(mode="json") for n in players.network.nodes]},
        "population": request.population,
        "portfolios": [p.model_dump(mode="json") for p in players.portfolios],
        "source": library.source,
        "split": split,
        "days": request.days,
        "timezone": library.timezone,
        "world": request.world or "default",
        "price_files": {Path(path).name: file_hash(path) for path in request.prices},
    }
    return Setup(contest, split, request.seed, described)


# ---- designs ---------------------------------------------------------------------------------------------------------
def chosen_design(name: str, overrides: Sequence[str] = (), pooling: bool | None = None) -> Design:
    """Return a design by name or file, with values overridden.

    Args:
        name: shipped name or path of a TOML file.
        overrides: "table.key=value", for example "rules.tso_penalty_factor=2" or "products.mfrr.min_mw=5".
        pooling: switch of the pooling rule, None to leave it.

    Raises:
        StackingError: for an unknown design, key, or a value that is not allowed.
    """
    path = Path(name)
    if path.suffix != ".toml":
        if name not in design_names():
            raise StackingError(
                "Unknown design.", key="design", value=name, allowed=", ".join(design_names()),
                remedy="Use one of these names or the path of a .toml file (see `stacking designs`).",
            )  # fmt: skip
        path = DESIGNS_FOLDER / f"{name}.toml"
    data = read_toml(path)
    if pooling is not None:
        data.setdefault("rules", {})["pooling"] = pooling
    for text in overrides:
        _override(data, text, name)
    return design_from(data, str(path) + (" with --set" if overrides else ""))


def _override(data: dict[str, Any], text: str, name: str) -> None:
    """Write one "table.key=value" into the plain data of a design."""
    key, separator, value = text.partition("=")
    parts = [part.strip() for part in key.split(".")]
    if not separator or parts[0] not in ("rules", "products") or len(parts) != {"rules": 2, "products": 3}[parts[0]]:
        raise StackingError(
            "A setting is given as table.key=value.", place="--set", key="--set", value=text,
            allowed="rules.KEY=VALUE or products.MARKET.KEY=VALUE",
            remedy=f"For example --set rules.tso_penalty_factor=2 (keys: stacking designs {name}).",
        )  # fmt: skip
    table = data.setdefault(parts[0], {})
    if parts[0] == "products":
        chosen = table.get(parts[1])
        if chosen is None:
            raise StackingError(
                "The design has no such market.", place="--set", key=f"products.{parts[1]}", value=text,
                allowed=", ".join(table),
            )  # fmt: skip
        table[parts[1]] = {"base": chosen} if isinstance(chosen, str) else dict(chosen)
        table = table[parts[1]]
    table[parts[-1]] = _value(value.strip())


def _value(text: str) -> Any:
    """Return a value as TOML reads it, else as text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


# ---- strategies ------------------------------------------------------------------------------------------------------
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
        strategy = one_strategy(name, given, tuned=request.tuned)[0]
        return strategy if strategy.name == REFERENCE else with_consent(strategy, consent)

    strategies: dict[str, Strategy | Mixed] = {}
    origins: list[dict[str, Any]] = []
    plain: set[str] = set()
    for spec in specs:
        if spec == MIXED:
            strategy = mixed_strategies(players or Players(), make)
            origin, values, names = f"shares of the population: {strategy}", {}, list(strategy.strategies)
        else:
            bare, origin = one_strategy(spec, given, tuned=request.tuned)
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
    if ":" not in spec and spec in strategy_names():
        if values:
            return make_strategy(spec, **values), "given parameters"
        if given and spec in given:
            return make_strategy(spec, **given[spec]), "parameter file"
        shipped = shipped_parameters(spec) if tuned else {}
        return make_strategy(spec, **shipped), "tuned" if shipped else "defaults"
    if ":" not in spec:
        raise StackingError(
            "Unknown strategy.", key="strategy", value=spec, allowed=", ".join(strategy_names()),
            remedy="Use one of these names, or FILE.py:Class for your own.",
        )  # fmt: skip
    strategy = load_strategy(spec, **(values or {}))
    if given and strategy.name in given and not values:
        strategy = load_strategy(spec, **given[strategy.name])
    file = spec.rpartition(":")[0]
    return strategy, f"{Path(file).name} sha256:{file_hash(file)}"


def consent_name(text: str) -> str:
    """Return a consent option as the policies are named: a bare number is a random share."""
    try:
        share = float(text)
    except ValueError:
        return text
    return f"random:{share!r}"


# ---- scenarios -------------------------------------------------------------------------------------------------------
def check_scenario_count(seeds: int | None, days: int) -> None:
    """Check that a paired comparison can be made, and that it fits a computer.

    Raises:
        StackingError: naming the range.
    """
    whole_number(days, "days", least=1, place="--days")
    if seeds is not None and seeds < 2:
        raise StackingError(
            "A paired comparison needs at least two scenarios: one has no interval.", place="--seeds", key="seeds",
            value=seeds, allowed=">= 2", remedy="Use --seeds 30 (the default) or more.",
        )  # fmt: skip
    if seeds is not None and seeds * days > MOST_SCENARIO_DAYS:
        raise StackingError(
            "So many scenarios do not fit into memory.", place="--seeds", key="seeds", value=seeds,
            allowed=f"seeds x days up to {MOST_SCENARIO_DAYS:,}", remedy="Use fewer scenarios or fewer days, and several runs.",
        )  # fmt: skip


def scenarios(request: Request, split: str, players: Players, default_count: int) -> Library:
    """Return the scenarios that were asked for: generated, or replayed from price files (all windows by default).

    Raises:
        StackingError: for bad files, a split that is not there, or fewer than two scenarios.
    """
    if not request.prices:
        keys = scenario_keys(split, request.seeds or default_count, seed=request.seed)
        return generate(
            keys, portfolios=players.portfolios, network=players.network, days=request.days,
            timezone=request.timezone or GENERATED_ZONE, parameters=request.world,
        )  # fmt: skip
    library = replay(
        list(request.prices), split=split, seed=request.seed, portfolios=players.portfolios, network=players.network,
        days=request.days, timezone=request.timezone or PRICES_ZONE, count=request.seeds, parameters=request.world,
    )  # fmt: skip
    if len(library) < 2:
        raise StackingError(
            "A paired comparison needs at least two scenarios; the price files hold one.", place=library.source,
            key="--split", value=split, allowed=">= 2 windows",
            remedy="Use fewer --days, more data, or --split all.",
        )  # fmt: skip
    return library


def file_hash(path: str | Path) -> str:
    """Return the SHA-256 of a file's content."""
    return hashlib.sha256(Path(path).expanduser().read_bytes()).hexdigest()
