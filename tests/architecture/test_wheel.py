"""The wheel holds the whole tree and lives next to a user's own agents/ and envs/ folders."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from .tree import FOLDERS, ROOT

BUILT_FROM = ("pyproject.toml", "README.md", "LICENSE")


def expected(root: Path) -> set[str]:
    """Return the paths that a wheel of this tree must hold: every file in the four folders, data and templates too."""
    files = set()
    for folder, package in FOLDERS.items():
        for path in (root / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                files.add("/".join([*package.split("."), *path.relative_to(root / folder).parts]))
    return files


def copy_tree(root: Path, to: Path) -> Path:
    """Return a copy of the sources: a build folder left from earlier must not fill gaps in the wheel."""
    to.mkdir(parents=True)
    for name in BUILT_FROM:
        shutil.copy(root / name, to / name)
    for folder in FOLDERS:
        shutil.copytree(root / folder, to / folder, ignore=shutil.ignore_patterns("__pycache__"))
    return to


def build(tree: Path, into: Path) -> Path:
    """Return the wheel of a tree."""
    _pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(into), str(tree))
    return next(into.glob("stacking-*.whl"))


def contents(wheel: Path) -> set[str]:
    """Return the paths in a wheel other than its own records."""
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name and not name.endswith("/")}


def _pip(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", *arguments, "--disable-pip-version-check"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_tree(ROOT, tmp_path_factory.mktemp("source") / "tree")


@pytest.fixture(scope="module")
def wheel(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tree, tmp_path_factory.mktemp("wheel"))


def test_wheel_holds_the_tree(tree: Path, wheel: Path) -> None:
    want, have = expected(tree), contents(wheel)
    assert len(want) > 10
    assert have == want, f"missing: {sorted(want - have)}; too many: {sorted(have - want)}"


def test_a_package_that_is_not_listed_is_noticed(tmp_path: Path) -> None:
    """Leave one sub-package out of the list: it would import here and be missing at the user's."""
    short = copy_tree(ROOT, tmp_path / "tree")
    listed = (short / "pyproject.toml").read_text("utf-8")
    line = '    "stacking.agents.strategies",\n'
    assert line in listed
    (short / "pyproject.toml").write_text(listed.replace(line, ""), "utf-8")
    missing = expected(short) - contents(build(short, tmp_path / "out"))
    assert "stacking/agents/strategies/__init__.py" in missing


def test_wheel_works_next_to_own_folders_of_the_same_names(wheel: Path, tmp_path: Path) -> None:
    site, work = tmp_path / "site", tmp_path / "work"
    _pip("install", "--no-deps", "--no-index", "--target", str(site), str(wheel))
    for folder in ("agents", "envs", "experiments"):
        (work / folder).mkdir(parents=True)
        (work / folder / "__init__.py").write_text("MINE = True\n", "utf-8")
    code = """
import json
import agents, envs, experiments
import stacking, stacking.agents, stacking.agents.strategies, stacking.envs, stacking.experiments.benchmarks
import stacking.experiments.stats
print(json.dumps({m.__name__: m.__file__ for m in (agents, envs, experiments, stacking, stacking.agents,
    stacking.agents.strategies, stacking.envs, stacking.experiments.benchmarks, stacking.experiments.stats)}))
"""
    # -S leaves out the editable install, which would fill any gap in the wheel; the dependencies come by path.
    path = os.pathsep.join([str(site), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")])
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        cwd=work,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found) == 9
    for name, file in found.items():
        home = site if name.startswith("stacking") else work
        assert Path(file).is_relative_to(home), f"{name} came from {file}"
    assert not [name for name in ("agents", "envs", "experiments") if (site / name).exists()]
