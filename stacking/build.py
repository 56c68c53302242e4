"""The only module, with `stacking.compiler`, that knows numba: turns plain Python kernels and laws into compiled ones.

Laws and kernels are written and kept as plain Python. ``build(kernel, backend)`` walks the functions that a kernel
reaches through its globals, compiles each, and gives the kernel a name that carries the back end and a hash of all code
and constants reached: numba's disk cache would otherwise share one entry between serial and parallel builds and would
not notice an edited law in another module.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from types import CodeType, FunctionType, ModuleType
from typing import Any, TypeVar

from . import compiler
from .errors import StackingError

F = TypeVar("F", bound=Callable[..., Any])

BACKENDS = ("serial", "parallel", "python")
prange = range  # in plain Python and serial builds; the parallel build replaces it by numba's


def touch(array: Any, position: int) -> None:
    """Compiled, ask for the memory of a contiguous array at a position (counted in items), so that it is there when needed."""


_LAW = "__stacking_law__"
_PART = "__stacking_part__"
_APART = "__stacking_apart__"
_BUILT: dict[tuple[str, str], Callable[..., Any]] = {}


def law(function: F) -> F:
    """Mark a scalar formula or row function as one that a kernel may call; it stays plain Python."""
    setattr(function, _LAW, True)
    return function


def part(function: F) -> F:
    """Mark a larger law that is compiled once and called, instead of being copied to each place that uses it.

    Code that is copied everywhere no longer fits into the instruction cache, which cost a third of the speed.
    """
    setattr(function, _LAW, True)
    setattr(function, _PART, True)
    return function


def apart(kernel: F) -> F:
    """Mark a kernel that is never given two arrays that overlap: compiled, it need not read again what it has read."""
    setattr(kernel, _APART, True)
    return kernel


def build(kernel: Callable[..., Any], backend: str = "serial") -> Callable[..., Any]:
    """Return the kernel for a back end: compiled serially, compiled over worlds in parallel, or plain Python.

    Raises:
        StackingError: if the back end is unknown.
    """
    if backend not in BACKENDS:
        raise StackingError("Unknown back end.", key="backend", value=backend, allowed=", ".join(BACKENDS))
    if backend == "python":
        return kernel
    assert isinstance(kernel, FunctionType)
    name = variant_name(kernel, backend)
    key = (kernel.__module__, name)
    if key not in _BUILT:
        _BUILT[key] = _compile(kernel, backend, name)
    return _BUILT[key]


def variant_name(kernel: FunctionType, backend: str) -> str:
    """Return the name of a build: kernel, back end and a hash of everything that it reaches."""
    ways = compiler.habits(), hasattr(kernel, _APART), sorted(compiler.options(backend).items())
    digest = hashlib.sha256(repr(ways).encode())
    _feed(kernel, digest, set())
    return f"{kernel.__name__}_{backend}_{digest.hexdigest()[:16]}"


def is_cached(kernel: Callable[..., Any], backend: str = "serial") -> bool:
    """Return whether a compiled build of the kernel lies in numba's disk cache (without importing numba)."""
    assert isinstance(kernel, FunctionType)
    name = variant_name(kernel, backend)
    return any(name in entry for folder in _cache_folders(kernel) for entry in _listing(folder))


def _compile(kernel: FunctionType, backend: str, name: str) -> Callable[..., Any]:
    import numba

    laws: dict[FunctionType, Any] = {}
    common = compiler.options("serial")
    swapped = {"prange": numba.prange if backend == "parallel" else range, "touch": compiler.prefetch()}

    def inline(function: FunctionType) -> Any:
        if function not in laws:
            copied = not hasattr(function, _PART)
            laws[function] = numba.njit(forceinline=copied, **common)(_with_globals(function, inline, swapped))
        return laws[function]

    named = _with_globals(kernel, inline, swapped, name)
    if compiler.is_sealed():
        compiler.seal(name, hasattr(kernel, _APART))
    return numba.njit(cache=True, **compiler.options(backend))(named)


def _with_globals(
    function: FunctionType, inline: Callable[[FunctionType], Any], swapped: dict[str, Any], name: str = ""
) -> FunctionType:
    """Return a copy of the function whose laws are compiled ones, under another name if given."""
    scope = dict(function.__globals__)
    for key in _names(function.__code__):
        value = scope.get(key)
        if isinstance(value, FunctionType) and hasattr(value, _LAW):
            scope[key] = inline(value)
        elif key in swapped:
            scope[key] = swapped[key]
    code = function.__code__.replace(co_name=name, co_qualname=name) if name else function.__code__
    copy = FunctionType(code, scope, name or function.__name__, function.__defaults__, function.__closure__)
    copy.__qualname__, copy.__module__ = name or function.__qualname__, function.__module__
    return copy


def _names(code: CodeType) -> list[str]:
    inner = [name for constant in code.co_consts if isinstance(constant, CodeType) for name in _names(constant)]
    return sorted({*code.co_names, *inner})


def _feed(function: FunctionType, digest: Any, seen: set[FunctionType]) -> None:
    """Hash the code of a function and of all laws and constants that it reaches."""
    if function in seen:
        return
    seen.add(function)
    digest.update(f"{function.__module__}.{function.__qualname__}".encode())
    _feed_code(function.__code__, digest)
    for name in _names(function.__code__):
        value = function.__globals__.get(name)
        if isinstance(value, FunctionType) and hasattr(value, _LAW):
            _feed(value, digest, seen)
        elif isinstance(value, int | float | str):
            digest.update(f"{name}={value!r}".encode())
        elif isinstance(value, ModuleType):
            constants = {k: v for k, v in vars(value).items() if isinstance(v, int | float) and k.isupper()}
            digest.update(f"{name}={sorted(constants.items())!r}".encode())


def _feed_code(code: CodeType, digest: Any) -> None:
    digest.update(code.co_code)
    digest.update(repr(code.co_names).encode())
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            _feed_code(constant, digest)
        else:
            digest.update(repr(constant).encode())


def _cache_folders(kernel: FunctionType) -> list[str]:
    configured = os.environ.get("NUMBA_CACHE_DIR")
    if configured:  # numba then looks nowhere else
        return [configured]
    local = os.path.join(os.path.dirname(kernel.__code__.co_filename), "__pycache__")
    user = os.path.join(os.path.expanduser("~"), ".cache", "numba")
    return [local, user]


def _listing(folder: str) -> list[str]:
    return [entry for _, _, files in os.walk(folder) for entry in files if entry.endswith((".nbi", ".nbc"))]
