"""Users' own strategies: load them from "FILE:Class", and write the file from which to start."""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from stacking.errors import StackingError

from .base import Strategy

TEMPLATE = Path(__file__).with_name("template.py.txt")


def load_strategy(spec: str, **parameters: float) -> Strategy:
    """Return a strategy from a user's file, given as "FILE:Class".

    Args:
        spec: path of a Python file, a colon, the name of a class in it.
        parameters: keywords for the class.

    Raises:
        StackingError: missing file or class, error at import, wrong constructor, missing method.
    """
    path, _, class_name = spec.rpartition(":")
    if not path or not class_name.isidentifier():
        raise StackingError(
            "A strategy of your own is given as FILE:Class.",
            key="strategy",
            value=spec,
            remedy="For example my_strategy.py:MyStrategy; `stacking new-strategy my_strategy.py` writes one.",
        )
    file = Path(path).expanduser()
    if not file.is_file():
        raise StackingError(
            "There is no such strategy file.",
            key="strategy",
            value=str(file),
            remedy=f"Check the path (it starts at the folder in which you are), or: stacking new-strategy {file}",
        )
    strategy = _construct(_class_of(_import_file(file), file, class_name), file, parameters)
    check_methods(strategy, f"{file}:{class_name}")
    return strategy


def check_methods(strategy: Any, place: str) -> None:
    """Check that an object has the name and the methods of a strategy.

    Raises:
        StackingError: naming what is missing or has the wrong arguments.
    """
    name = getattr(strategy, "name", None)
    if not isinstance(name, str) or not name:
        remedy = 'Add a line such as   name = "mine"   to the class.'
        raise StackingError("The strategy has no name.", place=place, key="name", value=name, allowed="text", remedy=remedy)
    for method, arguments in (("start", ("n", "seed")), ("act", ("observation", "mask", "state"))):
        wanted = ", ".join(arguments)
        remedy = f"Define   def {method}(self, {wanted}):   as `stacking new-strategy FILE` writes it."
        function = getattr(strategy, method, None)
        if not callable(function):
            raise StackingError(f"The strategy has no {method} method.", place=place, key=method, remedy=remedy)
        error = _cannot_bind(function, arguments, {})
        if error:
            problem = f"The {method} method cannot be called with these arguments: {error}."
            raise StackingError(problem, place=place, key=method, allowed=wanted, remedy=remedy)


def write_template(path: str | Path) -> Path:
    """Write the commented strategy template to a new file and return its path.

    Raises:
        StackingError: if the file exists, has no .py ending, or its folder is missing.
    """
    file = Path(path).expanduser()
    problem, remedy = "", ""
    if file.suffix != ".py":
        problem, remedy = "A strategy file ends in .py.", f"Use {file.with_suffix('.py')}"
    elif file.exists():
        problem, remedy = "The file exists; it is not overwritten.", "Choose another name."
    elif not file.parent.is_dir():
        problem, remedy = "The folder of the file does not exist.", f"Make {file.parent} first."
    if problem:
        raise StackingError(problem, key="FILE", value=str(file), remedy=remedy)
    file.write_text(TEMPLATE.read_text(encoding="utf-8"), encoding="utf-8")
    return file


def last_line_in(error: BaseException, file: str | Path | None) -> str:
    """Return "file:line: source" of the last traceback entry inside a file, else of the last entry."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}: {(error.text or '').strip()}"
    entries = traceback.extract_tb(error.__traceback__)
    inside = [e for e in entries if file is not None and Path(e.filename) == Path(file)]
    chosen = (inside or entries)[-1:]
    return f"{chosen[0].filename}:{chosen[0].lineno}: {chosen[0].line}" if chosen else ""


def _cannot_bind(function: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> str:
    """Return why a callable does not take these arguments, "" if it does (or shows no signature)."""
    try:
        signature = inspect.signature(function)
    except ValueError:
        return ""
    try:
        signature.bind(*arguments, **keywords)
    except TypeError as error:
        return str(error)
    return ""


def _import_file(file: Path) -> ModuleType:
    """Import a user's file under a name of its own, so that it can shadow nothing."""
    resolved = file.resolve()
    # dataclasses look their module up in sys.modules; the hash keeps two files of one name apart
    name = f"_stacking_user_{resolved.stem}_{hashlib.sha256(str(resolved).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, resolved)
    if spec is None or spec.loader is None:
        remedy = "Give a file that ends in .py."
        raise StackingError("The strategy file is no Python file.", key="strategy", value=str(file), remedy=remedy)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise StackingError(
            f"The strategy file raises at import: {type(error).__name__}: {error}",
            place=last_line_in(error, resolved),
            key="strategy",
            value=str(file),
            remedy="Run the file with python alone to see the whole error.",
        ) from error
    return module


def _class_of(module: ModuleType, file: Path, class_name: str) -> type:
    """Return a class of a module by name."""
    chosen = getattr(module, class_name, None)
    if not isinstance(chosen, type):
        own = [k for k, v in vars(module).items() if isinstance(v, type) and v.__module__ == module.__name__]
        raise StackingError(
            "There is no such class in the strategy file.",
            place=str(file),
            key="class",
            value=class_name,
            allowed=", ".join(own) or "none: the file defines no class",
            remedy="Name one of its classes after the colon.",
        )
    return chosen


def _construct(chosen: type, file: Path, parameters: dict[str, float]) -> Any:
    """Call a user's class with its parameters."""
    place = f"{file}:{chosen.__name__}"
    error = _cannot_bind(chosen, (), parameters)
    if error:
        raise StackingError(
            f"The class cannot be made with these parameters: {error}.",
            place=place,
            key="parameters",
            value=parameters or "none",
            allowed=str(inspect.signature(chosen)),
            remedy="Give every argument of __init__ a default, and pass only names that it has.",
        )
    try:
        return chosen(**parameters)
    except StackingError:
        raise
    except (Exception, SystemExit) as raised:
        raise StackingError(
            f"The class raises when it is made: {type(raised).__name__}: {raised}",
            place=place,
            key="__init__",
            value=last_line_in(raised, file.resolve()),
            remedy="Mend the line above.",
        ) from raised
