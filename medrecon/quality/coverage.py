"""How much of each voxel of another grid a structure fills."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.quality.volume import inside_fraction


def coverage(samples: npt.NDArray[Any], parts: tuple[int, int, int]) -> npt.NDArray[np.float32]:
    """Part of each voxel that is inside, from 0 to 1.

    Parameters
    ----------
    samples : ndarray, shape (i·a + 1, j·b + 1, k·c + 1)
        A field at the corners of the a×b×c cells that each voxel is divided into, its
        own corners among them; positive inside.
    parts : (a, b, c)

    Returns
    -------
    ndarray of float32, shape (i, j, k)
        The mean over its cells; in each cell the field is taken as linear, and the part
        on the positive side of that plane is exact.

    Examples
    --------
    A plane through a third of the first voxel's width:

    >>> x = np.linspace(0, 2, 5)[:, None, None] - np.full((5, 3, 3), 2 / 3)
    >>> [round(float(c), 3) for c in coverage(x.astype(np.float32), (2, 2, 2)).ravel()]
    [0.333, 1.0]
    """
    fraction = inside_fraction(samples.T)
    k, j, i = (n // p for n, p in zip(fraction.shape, parts[::-1], strict=True))
    a, b, c = parts
    whole = fraction.reshape(k, c, j, b, i, a)
    result: npt.NDArray[np.float32] = whole.mean(axis=(1, 3, 5), dtype=np.float32)
    return result.T
