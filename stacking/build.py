"""The only module that knows numba: turns plain Python kernels and laws into compiled ones.

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

from .errors import StackingError

F = TypeVar("F", bound=Callable[..., Any])

BACKENDS = ("serial", "parallel", "python")
prange = range  # in plain Python and serial builds; the parallel build replaces it by numba's


def index(position: int) -> int:
    """Return a position that is never negative; compiled, an unsigned one, which spares the test for counting from the end."""
    return position


def touch(array: Any, position: int) -> None:
    """Compiled, ask for the memory of a contiguous array at a position (counted in items), so that it is there when needed."""


_LAW = "__stacking_law__"
_PART = "__stacking_part__"
_BUILT: dict[tuple[str, str], Callable[..., Any]] = {}
_SEALED: set[str] = set()  # names of kernels whose laws nobody else calls


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
    digest = hashlib.sha256(repr((_is_sealed(), sorted(_options(backend).items()))).encode())
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
    swapped = {"prange": numba.prange if backend == "parallel" else range, "index": numba.uint64, "touch": _prefetch()}

    def inline(function: FunctionType) -> Any:
        if function not in laws:
            copied = not hasattr(function, _PART)
            laws[function] = numba.njit(forceinline=copied, **_options("serial"))(_with_globals(function, inline, swapped))
        return laws[function]

    named = _with_globals(kernel, inline, swapped, name)
    if _is_sealed():
        _seal(name)
    return numba.njit(cache=True, **_options(backend))(named)


def _seal(kernel: str) -> None:
    """Let the compiler know that only this kernel calls its laws.

    numba links each function as one that others may call, so each call hands over all of every array: 100 numbers and more,
    most of which nobody reads. Sealed, they go, and what is called once is copied to its place: a third of the time.
    This is private to numba, like `_nrt`; if a release changes it, kernels are slower and right. STACKING_UNSEALED=1 is the
    way back.
    """
    from llvmlite.binding import Linkage
    from numba.core.codegen import CPUCodeLibrary

    _SEALED.add(kernel)
    original = getattr(CPUCodeLibrary, "_optimize_final_module", None)
    if original is None or hasattr(original, _LAW):
        return

    def optimize(self: Any) -> None:
        functions = list(self._final_module.functions)
        of_loop = self.name.startswith(_PARALLEL_LOOP) and any(_OWN in function.name for function in functions)
        if of_loop or any(name in self.name for name in _SEALED):
            for function in functions:
                if not function.is_declaration and function.linkage == Linkage.linkonce_odr:
                    function.linkage = "internal"
        original(self)

    CPUCodeLibrary._optimize_final_module = law(optimize)


def _is_sealed() -> bool:
    return os.environ.get("STACKING_UNSEALED", "0") != "1"


_PARALLEL_LOOP = "__numba_parfor_gufunc"  # what numba calls the body of a parallel loop, which it compiles apart
_OWN = "stacking"  # in the name of every law


def _prefetch() -> Any:
    """Return `touch` for compiled code: the processor's prefetch instruction, into its second-level cache."""
    from llvmlite import ir
    from numba.core import types
    from numba.extending import intrinsic
    from numba.np.arrayobj import make_array

    @intrinsic
    def touch(typing_context: Any, array: Any, position: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            data = make_array(signature.args[0])(context, builder, arguments[0]).data
            place = builder.bitcast(builder.gep(data, [arguments[1]]), ir.IntType(8).as_pointer())
            number = ir.IntType(32)
            kind = ir.FunctionType(ir.VoidType(), [place.type, number, number, number])
            prefetch = builder.module.declare_intrinsic("llvm.prefetch", [place.type], kind)
            builder.call(prefetch, [place, number(_FOR_WRITING), number(_KEEP_NEAR), number(_DATA)])
            return context.get_dummy_value()

        return types.void(array, types.int64), generate

    return touch


_FOR_WRITING, _KEEP_NEAR, _DATA = 1, 2, 1  # arguments of llvm.prefetch


def _options(backend: str) -> dict[str, Any]:
    # `_nrt=False` is private to numba: it takes reference counting out of the kernel (three times faster) and makes
    # an allocation a compile error. STACKING_NRT=1 is the way back should a numba release drop it.
    options: dict[str, Any] = {"error_model": "numpy"}
    if os.environ.get("STACKING_NRT", "0") != "1":
        options["_nrt"] = False
    if backend == "parallel":
        options["parallel"] = True
    return options


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
