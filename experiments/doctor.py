"""The installation check: quick also where nothing is compiled yet, because it steps the plain-Python kernel."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stacking.errors import StackingError

NEEDED = ("stacking", "numpy", "numba", "pandas", "pyarrow", "pydantic", "mesa", "gymnasium", "typer", "rich")
EXTRAS = ("torch", "stable-baselines3", "pettingzoo", "solara", "power-grid-model", "distributed")
TICKS = 12


@dataclass(frozen=True)
class Check:
    """One line of the report."""

    name: str
    ok: bool
    detail: str


def diagnose() -> list[Check]:
    """Return all checks; none of them compiles anything."""
    checks = [Check("python", sys.version_info >= (3, 11), sys.version.split()[0] + " (3.11 or newer)")]
    checks += [_version(package) for package in NEEDED]
    found = [package for package in EXTRAS if _installed(package)]
    checks.append(Check("extras", True, ", ".join(found) or "none installed"))
    steps: tuple[tuple[str, Callable[[], str]], ...] = (
        ("data files", _data_files),
        ("environment", _tiny_world),
        ("compile cache", _cache),
    )
    for name, step in steps:
        try:
            checks.append(Check(name, True, step()))
        except (StackingError, OSError, ImportError) as error:
            checks.append(Check(name, False, str(error)))
    return checks


def _version(package: str) -> Check:
    try:
        return Check(package, True, importlib.metadata.version(package))
    except importlib.metadata.PackageNotFoundError:
        return Check(package, False, "not installed: pip install -e . in the project's folder")


def _installed(package: str) -> bool:
    try:
        return bool(importlib.metadata.version(package))
    except importlib.metadata.PackageNotFoundError:
        return False


def _data_files() -> str:
    from stacking.catalogue import default_portfolios, design_names, load_design, products
    from stacking.scenario import load_parameters

    from ..agents.strategies.loading import TEMPLATE

    names = [load_design(name).name for name in design_names()]
    if not names:
        raise StackingError("The shipped designs are missing.", remedy="Install the package again.")
    load_parameters(None)
    if not Path(TEMPLATE).is_file():
        raise StackingError("The strategy template is missing.", place=str(TEMPLATE), remedy="Install the package again.")
    return f"{len(names)} designs, {len(products())} products, {len(default_portfolios())} portfolio, generator, template"


def _tiny_world() -> str:
    """Step the default portfolio for some ticks on the plain-Python kernel, trading in every market."""
    import numpy as np

    from stacking.catalogue import default_portfolios, load_design
    from stacking.engine import Engine
    from stacking.scenario import generate, scenario_keys

    from ..agents.population import Population
    from ..agents.strategies import make_strategy

    portfolios = default_portfolios()
    library = generate(scenario_keys("train", 1), portfolios=portfolios, days=1)
    engine = Engine(load_design("norflex_eam"), portfolios, library, backend="python")
    population = Population({"stacked": make_strategy("stacked")}, ["stacked"], layout=engine.compiled.layout)
    population.start([0])
    for _ in range(TICKS):
        engine.step(np.asarray(population.act(engine.observation, engine.mask), dtype=np.float64))
        if not (np.isfinite(engine.observation).all() and np.isfinite(engine.flows).all()):
            raise StackingError("The engine returns numbers that are not finite.", remedy="Please report this.")
    return f"{TICKS} ticks stepped on the plain-Python kernel"


def _cache() -> str:
    from stacking.build import is_cached
    from stacking.kernel import advance

    warm = is_cached(advance, "serial")
    return "warm: the engine is compiled" if warm else "cold: the first run compiles the engine, once (up to a minute)"
