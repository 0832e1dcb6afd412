"""A random walker with a prior: an even field that changes where the image does.

Between neighbouring voxels the field may differ the more the more the image does;
towards the prior it is drawn the more the further from the prior's boundary. Solving
one linear system gives both at once.

References
----------
Grady L. Multilabel random walker image segmentation using prior models. CVPR 2005,
DOI 10.1109/CVPR.2005.239.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

EDGE_DEVIATIONS = 2.5
"""Difference, in deviations of the noise, at which neighbours are a third as tied."""
LEAST_TIE = 0.005
MOST_ROUNDS = 80
TOLERANCE = 1e-3


def ties(image: Floats, noise: float, spacing: Sequence[float]) -> tuple[Floats, ...]:
    """How strongly neighbours along each axis are tied; the finest axis has weight 1."""
    finest = min(spacing)
    found = []
    for axis in range(3):
        off = np.diff(image, axis=axis) / np.float32(EDGE_DEVIATIONS * noise)
        tie = (np.exp(-(off**2)) + LEAST_TIE) * (finest / spacing[axis]) ** 2
        found.append(tie.astype(np.float32))
    return tuple(found)


def settled(
    tie: tuple[Floats, ...],
    prior: Floats,
    trust: Floats,
    *,
    rounds: int = MOST_ROUNDS,
    tolerance: float = TOLERANCE,
) -> Floats:
    """The field that minimises Σ tie·(difference)² + Σ trust·(field − prior)².

    Parameters
    ----------
    tie : tuple of three ndarrays
        As `ties` makes them.
    prior : ndarray of float32
        0 outside, 1 inside, in between where it is not sure.
    trust : ndarray of float32
        Above 0.
    rounds, tolerance
        When to stop: after so many rounds, or at that part of the right side's norm.

    Solved by conjugate gradients with the diagonal as preconditioner, started at the
    prior; the result does not depend on threads.
    """
    diagonal = trust.copy()
    for axis, t in enumerate(tie):
        diagonal[_low(axis)] += t
        diagonal[_high(axis)] += t
    wanted = trust * prior
    field = prior.copy()
    rest = wanted - _applied(tie, trust, field)
    step = rest / diagonal
    way = step.copy()
    gain = _dot(rest, step)
    enough = tolerance**2 * _dot(wanted, wanted / diagonal)
    for _ in range(rounds):
        if gain <= enough:
            break
        image = _applied(tie, trust, way)
        length = np.float32(gain / _dot(way, image))
        field += length * way
        rest -= length * image
        step = rest / diagonal
        gain, before = _dot(rest, step), gain
        way *= np.float32(gain / before)
        way += step
    return field


def _applied(tie: tuple[Floats, ...], trust: Floats, field: Floats) -> Floats:
    result = trust * field
    for axis, t in enumerate(tie):
        flow = t * np.diff(field, axis=axis)
        result[_low(axis)] -= flow
        result[_high(axis)] += flow
    return result


def _dot(a: Floats, b: Floats) -> float:
    return float(np.sum(a * b, dtype=np.float64))


def _low(axis: int) -> tuple[slice, ...]:
    return (*(slice(None),) * axis, slice(None, -1))


def _high(axis: int) -> tuple[slice, ...]:
    return (*(slice(None),) * axis, slice(1, None))
