"""On which side of a plane a point lies, without a doubt."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float32]
Signs = npt.NDArray[np.int8]
Floats = npt.NDArray[np.float64]
Vector = list[Floats]

_CYCLES = ((0, 1, 2), (1, 2, 0), (2, 0, 1))

# Differences of float32 coordinates of one patient are exact in float64. Each of the
# six triple products and the five sums rounds once more: 16 units of the last place of
# the sum of their sizes is more than all of it together.
_DOUBT = 16 * np.finfo(np.float64).eps


def side_of_plane(a: Points, b: Points, c: Points, d: Points) -> Signs:
    """1 where d lies on the side to which a, b, c turn counter-clockwise, −1 below, 0 on it.

    Parameters
    ----------
    a, b, c, d : ndarray of float32, shape (n, 3)

    Returns
    -------
    ndarray of int8, shape (n,)
        Exact: where float64 cannot tell, it is worked out without rounding.

    References
    ----------
    Shewchuk J. Adaptive precision floating-point arithmetic and fast robust geometric
    predicates. Discrete Comput Geom 1997, DOI 10.1007/PL00009321 (the filter's idea).
    """
    p, q, r = ([x[:, n].astype(np.float64) - a[:, n] for n in range(3)] for x in (b, c, d))
    value = np.zeros(len(a))
    size = np.zeros(len(a))
    for i, j, k in _CYCLES:
        plus, minus = q[j] * r[k], q[k] * r[j]
        value += p[i] * (plus - minus)
        size += np.abs(p[i]) * (np.abs(plus) + np.abs(minus))
    sign = np.sign(value).astype(np.int8)
    doubt = np.flatnonzero((np.abs(value) <= _DOUBT * size) & (size > 0))
    if len(doubt):
        sign[doubt] = _exact_sign(*([x[doubt] for x in y] for y in (p, q, r)))
    return sign


def _exact_sign(p: Vector, q: Vector, r: Vector) -> Signs:
    """Sign of the determinant of p, q, r: all its terms without rounding, then `fsum`."""
    terms = []
    for i, j, k in _CYCLES:
        for first, second, sign in ((q[j], r[k], 1.0), (q[k], r[j], -1.0)):
            for part in _product(first, second):
                terms += [sign * term for term in _product(p[i], part)]
    rows = np.stack(terms, axis=1).tolist()
    return np.sign([math.fsum(row) for row in rows]).astype(np.int8)


def _product(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """The rounded product and what rounding took away (Dekker's)."""
    rounded = x * y
    (x_high, x_low), (y_high, y_low) = _halves(x), _halves(y)
    rest = x_low * y_low - (((rounded - x_high * y_high) - x_low * y_high) - x_high * y_low)
    return rounded, rest


def _halves(x: Floats) -> tuple[Floats, Floats]:
    """Two numbers of 26 bits each that add up to x (Veltkamp's split)."""
    scaled = x * 134217729.0  # 2**27 + 1
    high = scaled - (scaled - x)
    return high, x - high


def side_of_line(a: Points, b: Points, c: Points) -> Signs:
    """1 where the plane points a, b, c turn counter-clockwise, −1 clockwise, 0 in line.

    Parameters
    ----------
    a, b, c : ndarray of float32, shape (n, 2)

    Returns
    -------
    ndarray of int8, shape (n,)
        Exact.
    """
    # Products of differences of float32 (25 bits each) fit in float64: only their
    # difference rounds, and that never changes its sign.
    p, q = b.astype(np.float64) - a, c.astype(np.float64) - a
    return np.sign(p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]).astype(np.int8)
