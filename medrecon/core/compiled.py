"""Loops that are compiled to machine code on first use and kept on the disk.

The loops live in files called `*_loops.py`, each with everything that it calls, for the
cache of one file knows nothing of changes in another. Slices are copied number by number
there: assigned as a whole they bring numba's text for an error message, 2 s to compile.
What several of them share (`triangle_loops`, `halfedge_loops`) is the exception: after a
change there delete the `*.nbi` files, or the old code goes on running.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

_Function = TypeVar("_Function", bound=Callable[..., Any])


def compiled(function: _Function) -> _Function:
    """The function as machine code, free of Python's lock, the same bits at every run.

    Neither reordered arithmetic nor threads: results depend on the arguments alone. The
    code is kept beside the source, or in the user's cache folder where that is
    read-only; where neither can be written it is compiled anew in each process.
    """
    import numba

    options = {"nogil": True, "error_model": "numpy"}
    try:
        made: _Function = numba.njit(cache=True, **options)(function)
    except RuntimeError:
        # numba's word for "no folder to keep it in".
        made = numba.njit(**options)(function)
    return made


def frozen(array: npt.ArrayLike, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """A read-only contiguous array of that type: one kind of argument, compiled once."""
    view = np.ascontiguousarray(array, dtype=dtype).view()
    view.flags.writeable = False
    return view


def inlined(function: _Function) -> _Function:
    """A part of compiled loops, merged into each of its callers: calls would cost more."""
    import numba

    made: _Function = numba.njit(nogil=True, error_model="numpy", forceinline=True)(function)
    return made
