"""Kernels called by other kernels are compiled as parts of these, and not for themselves.

Numba turns every function into machine code that Python can call, and copies the functions that it calls into it: one that
is five calls deep is optimised and translated five times, and four of the results are never run. Here a kernel that another
one calls is only translated to LLVM's language; optimised and made machine code it is with the kernel that Python calls.
That takes a third off the time to compile them all. Called from Python, as in tests, it is compiled as ever.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler

__all__ = ["call_as_part"]


class _Part(JITCodeLibrary):
    """Code to be copied into that of callers."""

    def _optimize_functions(self, ll_module: Any) -> None:
        ll_module.data_layout = self._codegen._data_layout

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True


class _PartCompiler(Compiler):
    """Numba's own compiler, up to the point where machine code would be made."""

    def define_pipelines(self) -> Any:
        state = self.state
        state.flags.no_compile = True
        state.library = _Part(state.targetctx.codegen(), state.func_id.func_qualname)
        return super().define_pipelines()


def call_as_part(kernel: Any, function: Callable[..., object], options: dict[str, Any]) -> None:
    """Let other kernels find a version of ``kernel`` that is a part of theirs.

    One version serves all constants of a type. (Numba takes a constant argument for a type of its own; the constant reaches
    the machine code anyhow, by inlining.)

    Parameters
    ----------
    kernel
        The compiled function.
    function
        What it was made of.
    options
        With which options.
    """
    part = numba.njit(
        function, pipeline_class=_PartCompiler, **{**options, "cache": False, "no_cpython_wrapper": True}
    )
    find, unliteral = kernel.get_call_template, numba.core.types.unliteral

    def add_overload(compiled: Any) -> None:
        # what callers know it by, in place of the address that it has not
        compiled = compiled._replace(entry_point=object())
        part.overloads[tuple(compiled.signature.args)] = compiled
        part.targetctx.insert_user_function(compiled.entry_point, compiled.fndesc, [compiled.library])

    def get_call_template(args: Any, kws: Any) -> Any:
        args = tuple(unliteral(a) for a in args)
        kws = {name: unliteral(a) for name, a in kws.items()}
        if not kws and args in kernel.overloads:
            return find(args, kws)
        return part.get_call_template(args, kws)

    def get_overload(signature: Any) -> Any:
        args, _ = numba.core.sigutils.normalize_signature(signature)
        found = part.overloads.get(tuple(args)) or kernel.overloads[tuple(args)]
        return found.entry_point

    part.add_overload = add_overload
    kernel.get_call_template = get_call_template
    kernel.get_overload = get_overload
