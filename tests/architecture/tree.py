"""The source tree as the architecture tests see it: files, module names and imports."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

FOLDERS = {
    "stacking": "stacking",
    "agents": "stacking.agents",
    "envs": "stacking.envs",
    "experiments": "stacking.experiments",
}
"""Top-level folder -> package, in the order of the import arrows: each may import itself and those before it."""


def module_name(path: Path, root: Path = ROOT) -> str:
    """Return the name under which a source file is imported once installed."""
    folder, *rest = path.relative_to(root).with_suffix("").parts
    return ".".join([FOLDERS[folder], *(part for part in rest if part != "__init__")])


def sources(root: Path = ROOT) -> dict[str, Path]:
    """Return all source files of the four packages by module name."""
    paths = [p for folder in FOLDERS for p in sorted((root / folder).rglob("*.py")) if "templates" not in p.parts]
    return {module_name(path, root): path for path in paths}


def layer(module: str) -> int:
    """Return how far along the arrows a module of ours stands: 0 for the core."""
    parts = module.split(".")
    return list(FOLDERS).index(parts[1]) if len(parts) > 1 and parts[1] in FOLDERS else 0


def imports(source: str, module: str, *, is_package: bool = False) -> list[tuple[int, str]]:
    """Return (line, absolute name) of everything that a source imports anywhere in it, also inside functions."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parts = module.split(".")
            base = parts[: len(parts) - node.level + is_package] if node.level else []
            name = ".".join(base + ([node.module] if node.module else []))
            found += [(node.lineno, f"{name}.{alias.name}") for alias in node.names]
    return found
