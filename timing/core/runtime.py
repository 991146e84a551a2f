"""How kernels are declared, cached, warmed and frozen: nothing is compiled while a race runs (DESIGN §6).

    prepare_cache(state_folder / "numba")   # before any kernel module is imported
    warm()                                  # imports every kernel module, calls every signature once
    freeze()                                # from here on an unforeseen argument type is a TypeError

Importing this module loads neither numpy nor numba. Errors: `KernelCacheError` is the only one of its own.
"""

import importlib
import os
import pickle
import pkgutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

KERNELS: dict[str, Any] = {}
"""Every kernel's numba dispatcher under `module.function`."""

TINY_AXIS = 8
"""Length of every axis in a trial call: more than any kernel's small fixed-size work array."""

CACHE_VARIABLE = "NUMBA_CACHE_DIR"


class KernelCacheError(OSError):
    """The folder for compiled kernels cannot be used; the message says which, why and how to mend it."""


def prepare_cache(folder: Path) -> None:
    """Keep compiled kernels in `folder` (made if absent). Call it before any kernel module is imported.

    Raises KernelCacheError when the folder cannot be written, or when kernels are loaded from another.
    """
    chosen = str(folder.resolve())
    if KERNELS and os.environ.get(CACHE_VARIABLE) != chosen:
        raise KernelCacheError(
            f"kernel cache {chosen}: kernels are already loaded from another folder; "
            "call prepare_cache before importing any module of timing.core"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise KernelCacheError(
            f"kernel cache {chosen} cannot be written ({error.strerror}): "
            "give a folder that belongs to the user of the service"
        ) from error
    os.environ[CACHE_VARIABLE] = chosen
    if "numba" in sys.modules:
        # numba reads its environment once, at its own import.
        sys.modules["numba"].config.CACHE_DIR = chosen


def kernel(signature: str | Sequence[str]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Declare a numba kernel with eager signatures (`"void(int64[::1], float64)"`, one or several).

    The kernel is compiled at import or taken from the cache, releases the GIL, follows numpy for a division
    by zero (inf or NaN, no exception), and does not use fast-math. It must stay inside its arrays when `warm`
    calls it (arrays of TINY_AXIS zeros per axis, scalars of 1). A helper that a kernel calls belongs in the
    same file, because numba notices a change of its own file only.

    Raises KernelCacheError when the cache folder cannot be written or holds a damaged file.
    """

    def register(function: Callable[P, R]) -> Callable[P, R]:
        from numba import njit

        signatures = signature if isinstance(signature, str) else list(signature)
        try:
            dispatcher = njit(signatures, cache=True, nogil=True, error_model="numpy")(function)
        except RuntimeError as error:
            # numba has no class of its own for this; anything else that it raises is a fault of the kernel.
            if "no locator available" not in str(error):
                raise
            raise KernelCacheError(
                f"kernel cache {_cache_name()} cannot be written: give a folder that belongs to the "
                f"user of the service, with prepare_cache or in the variable {CACHE_VARIABLE}"
            ) from error
        except (EOFError, pickle.UnpicklingError) as error:
            # A power cut can leave an empty or torn file behind: numba does not fsync.
            raise KernelCacheError(
                f"kernel cache {_cache_name()} is damaged ({error}): delete that folder and start again"
            ) from error
        KERNELS[f"{function.__module__}.{function.__qualname__}"] = dispatcher
        compiled: Callable[P, R] = dispatcher
        return compiled

    return register


def warm() -> int:
    """Import every kernel module and call every signature of every kernel once; returns the number of calls.

    The calls are real, with tiny arrays of zeros, so that the first call of a race costs what all others do.
    """
    package = importlib.import_module(__package__ or "timing.core")
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)
    calls = 0
    for dispatcher in KERNELS.values():
        for argument_types in dispatcher.signatures:
            dispatcher(*tiny_arguments(argument_types))
            calls += 1
    return calls


def freeze() -> None:
    """Forbid further compiles: a call with unforeseen argument types becomes a TypeError."""
    for dispatcher in KERNELS.values():
        dispatcher.disable_compile()


def tiny_arguments(argument_types: Sequence[Any]) -> list[Any]:
    """Arguments for a trial call of a compiled signature: TINY_AXIS zeros per array axis, scalars of 1."""
    import numpy as np
    from numba import types
    from numba.np.numpy_support import as_dtype

    return [
        np.zeros((TINY_AXIS,) * argument.ndim, dtype=as_dtype(argument.dtype))
        if isinstance(argument, types.Array)
        else as_dtype(argument).type(1)
        for argument in argument_types
    ]


@contextmanager
def compile_recorder() -> Iterator[list[str]]:
    """Record numba's compiles: the list gets `module.function(argument types)` for each one begun inside."""
    from numba.core import event

    compiled: list[str] = []

    class Recorder(event.Listener):
        def on_start(self, event: Any) -> None:
            function = event.data["dispatcher"].py_func
            compiled.append(f"{function.__module__}.{function.__qualname__}{event.data['args']}")

        def on_end(self, event: Any) -> None:
            """A compile is counted where it begins."""

    with event.install_listener("numba:compile", Recorder()):
        yield compiled


def _cache_name() -> str:
    return os.environ.get(CACHE_VARIABLE) or "beside the program's own files"
