"""Imports run one way: stacking <- agents <- envs <- experiments; the core knows no framework."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec

import pytest

from .tree import FOLDERS, imports, layer, sources

FRAMEWORKS = {"mesa", "gymnasium", "pettingzoo", "torch", "stable_baselines3", "sb3_contrib", "typer", "rich"}
FORBIDDEN = {0: FRAMEWORKS, 1: {"gymnasium", "pettingzoo", "typer"}, 2: {"mesa", "typer"}, 3: set()}
"""Packages that a layer must not import, not even inside a function."""

HEAVY = ("mesa", "pandas", "numba", "torch")


def violations(source: str, module: str, *, is_package: bool = False) -> list[str]:
    """Return what a source imports against the arrows, one line each."""
    found = []
    for line, name in imports(source, module, is_package=is_package):
        top = name.split(".")[0]
        if top in FOLDERS and top != "stacking":
            found.append(f"{module}:{line} imports {name}: once installed that is the user's own folder")
        elif top == "stacking" and layer(name) > layer(module):
            found.append(f"{module}:{line} imports {name} against the arrows")
        elif top in FORBIDDEN[layer(module)]:
            found.append(f"{module}:{line} imports {name}, which this layer must not know")
        elif top == "numba" and module not in ("stacking.build", "stacking.compiler"):
            found.append(f"{module}:{line} imports numba, which only stacking.build and stacking.compiler know")
    return found


@pytest.mark.parametrize(
    ("module", "source", "count"),
    [
        ("stacking.engine", "from stacking.agents import fsp", 1),
        ("stacking.engine", "from . import agents", 1),
        ("stacking.markets.order", "from ..envs.single import Env", 1),
        ("stacking.engine", "def f():\n    import mesa, torch", 2),
        ("stacking.engine", "import numba", 1),
        ("stacking.build", "import numba", 0),
        ("stacking.engine", "from .columns import UP\nfrom stacking.units import MTU_H", 0),
        ("stacking.agents.fsp", "import mesa\nfrom stacking.engine import Engine\nfrom .strategies import base", 0),
        ("stacking.agents.fsp", "from ..experiments import cli", 1),
        ("stacking.agents.fsp", "from agents.strategies import base", 1),
        ("stacking.agents.strategies.base", "import gymnasium", 1),
        ("stacking.envs.single", "from ..agents.strategies import base\nimport gymnasium", 0),
        ("stacking.envs.single", "from ..experiments.store import read_results", 1),
        ("stacking.experiments.cli", "from ..envs import single\nimport typer, torch, mesa", 0),
    ],
)
def test_the_check_sees_what_it_should(module: str, source: str, count: int) -> None:
    assert len(violations(source, module)) == count


def test_a_package_counts_its_dots_from_itself() -> None:
    assert violations("from ..experiments import cli", "stacking.agents", is_package=True)
    assert not violations("from .fsp import FspAgent", "stacking.agents", is_package=True)
    assert imports("from .fsp import A", "stacking.agents", is_package=True) == [(1, "stacking.agents.fsp.A")]


def test_arrows() -> None:
    files = sources()
    assert {layer(module) for module in files} == {0, 1, 2, 3}
    found = [
        line
        for module, path in files.items()
        for line in violations(path.read_text(encoding="utf-8"), module, is_package=path.name == "__init__.py")
    ]
    assert not found, "\n".join(found)


@pytest.mark.skipif(find_spec("stacking.experiments.cli") is None, reason="no command line yet")
@pytest.mark.parametrize("arguments", [None, ["--help"], ["--version"], ["compare", "--help"]])
def test_command_line_starts_without_heavy_packages(arguments: list[str] | None) -> None:
    code = f"""
import json, sys
from stacking.experiments.cli import main
arguments = {arguments!r}
if arguments is not None:
    sys.argv = ["stacking", *arguments]
    try:
        main()
    except SystemExit:
        pass
print()
print(json.dumps(sorted(set({HEAVY!r}) & set(sys.modules))))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == []
