"""Everything public has a docstring, and every example in one runs."""

from __future__ import annotations

import ast
import doctest
import importlib

import pytest

from .tree import sources

OPTIONAL = {
    "stable_baselines3", "sb3_contrib", "torch", "pettingzoo", "solara", "plotly", "jinja2",
    "power_grid_model", "distributed", "dask", "highspy", "openpyxl",
}  # fmt: skip
"""Packages of extras: a module that needs one is skipped where it is not installed."""


def undocumented(source: str, module: str) -> list[str]:
    """Return the public module, classes, functions and methods of a source without a docstring."""
    tree = ast.parse(source)
    found = [] if ast.get_docstring(tree) else [module]

    def look(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) or node.name.startswith("_"):
                continue
            repeats = any(ast.unparse(d).split(".")[-1] in ("overload", "setter") for d in node.decorator_list)
            if not ast.get_docstring(node) and not repeats:
                found.append(f"{prefix}.{node.name}")
            if isinstance(node, ast.ClassDef):
                look(node.body, f"{prefix}.{node.name}")

    look(tree.body, module)
    return found


def test_the_check_sees_what_it_should() -> None:
    source = "class A:\n    def b(self): ...\n    def _c(self): ...\ndef d():\n    'Say.'\n    def inner(): ...\n"
    assert undocumented(source, "m") == ["m", "m.A", "m.A.b"]


def test_everything_public_has_a_docstring() -> None:
    found = [name for module, path in sources().items() for name in undocumented(path.read_text("utf-8"), module)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("module", sorted(sources()))
def test_examples_in_docstrings(module: str) -> None:
    try:
        loaded = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in OPTIONAL:
            pytest.skip(f"needs {error.name}")
        raise
    assert doctest.testmod(loaded).failed == 0


def test_examples_are_found_at_all() -> None:
    loaded = importlib.import_module("stacking.experiments.stats")
    assert doctest.testmod(loaded).attempted >= 3
