"""How numba compiles laws here, with what is private to it; if a release of it changes that, kernels are slower and right.

`STACKING_UNSEALED=1` and `STACKING_NRT=1` are the ways back. Only `stacking.build` uses this module.
"""

from __future__ import annotations

import os
from typing import Any

_CHANGED = "__stacking_changed__"
_SEALED: dict[str, bool] = {}  # names of kernels whose laws nobody else calls, and whether their arrays lie apart
_PARALLEL_LOOP = "__numba_parfor_gufunc"  # what numba calls the body of a parallel loop, which it compiles apart
_OWN = "stacking"  # in the name of every law
_OURS = f"_ZN{len(_OWN)}{_OWN}"  # how the compiled names of this package begin
_VECTORS = '"prefer-vector-width"="256"'
_FOR_WRITING, _KEEP_NEAR, _DATA = 1, 2, 1  # arguments of llvm.prefetch
_FIRST_ARGUMENT = 2  # of a compiled function: behind the places for what it returns and raises


def is_sealed() -> bool:
    """Return whether numba's habits are changed as below."""
    return os.environ.get("STACKING_UNSEALED", "0") != "1"


def habits() -> str:
    """Return what sets a build apart from one with other habits."""
    return f"sealed, from the start, {_VECTORS}" if is_sealed() else ""


def options(backend: str) -> dict[str, Any]:
    """Return the options of `numba.njit` for a back end."""
    # `_nrt=False` is private to numba: it takes reference counting out of the kernel (three times faster) and makes
    # an allocation a compile error. STACKING_NRT=1 is the way back should a numba release drop it.
    chosen: dict[str, Any] = {"error_model": "numpy"}
    if os.environ.get("STACKING_NRT", "0") != "1":
        chosen["_nrt"] = False
    if backend == "parallel":
        chosen["parallel"] = True
    return chosen


def seal(kernel: str, apart: bool) -> None:
    """Let the compiler know that only this kernel calls its laws, and how this package's code may be compiled.

    Args:
        kernel: name of its build.
        apart: whether none of the arrays that it is given overlap.
    """
    _SEALED[kernel] = apart
    _hide_laws()
    _count_from_start()
    _describe_functions()


def _hide_laws() -> None:
    """Let nobody but a kernel call its laws.

    numba links each function as one that others may call, so each call hands over all of every array: 100 numbers and more,
    most of which nobody reads. Sealed, they go, and what is called once is copied to its place: a third of the time.
    """
    from llvmlite.binding import Linkage
    from numba.core.codegen import CPUCodeLibrary

    original = getattr(CPUCodeLibrary, "_optimize_final_module", None)
    if original is None or hasattr(original, _CHANGED):
        return

    def optimize(self: Any) -> None:
        functions = list(self._final_module.functions)
        of_loop = self.name.startswith(_PARALLEL_LOOP) and any(_OWN in function.name for function in functions)
        if of_loop or any(name in self.name for name in _SEALED):
            for function in functions:
                if not function.is_declaration and function.linkage == Linkage.linkonce_odr:
                    function.linkage = "internal"
        original(self)

    CPUCodeLibrary._optimize_final_module = _changed(optimize)


def _count_from_start() -> None:
    """Let laws read array[k] without asking whether k < 0 counts from the end: a tenth of the time; no law counts from there.

    The question stands before each access to an array and keeps the array's length in a register.
    """
    from numba.core import types
    from numba.np import arrayobj

    original = getattr(arrayobj, "fix_integer_index", None)
    if original is None or hasattr(original, _CHANGED):
        return

    def fix_integer_index(context: Any, builder: Any, index: Any, position: Any, size: Any) -> Any:
        if _is_ours(builder.function.name):
            return context.cast(builder, position, index, types.intp if index.signed else types.uintp)
        return original(context, builder, index, position, size)

    arrayobj.fix_integer_index = _changed(fix_integer_index)


def _describe_functions() -> None:
    """Let laws use vectors of 256 bits where the processor has longer ones: a twentieth of the time.

    What a law reads at once was often written one number at a time just before, which long vectors have to wait for.
    """
    from llvmlite import ir
    from numba.core.cpu import CPUContext

    original = getattr(CPUContext, "apply_target_attributes", None)
    if original is None or hasattr(original, _CHANGED):
        return

    def apply_target_attributes(self: Any, function: Any, *types: Any, **named: Any) -> None:
        original(self, function, *types, **named)
        if not _is_ours(function.name):
            return
        set.add(function.attributes, _VECTORS)  # llvmlite's own `add` knows attributes of one word only
        if any(apart and name in function.name for name, apart in _SEALED.items()):
            for argument in function.args[_FIRST_ARGUMENT:]:
                if isinstance(argument.type, ir.PointerType):
                    argument.add_attribute("noalias")

    CPUContext.apply_target_attributes = _changed(apply_target_attributes)


def _is_ours(function: str) -> bool:
    return function.startswith(_OURS) and is_sealed()


def _changed(function: Any) -> Any:
    setattr(function, _CHANGED, True)
    return function


def prefetch() -> Any:
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
