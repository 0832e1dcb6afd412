"""Which brightness each tissue gets, and the image that makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from medrecon.train.spatial import smooth_noise

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]
Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Contrast:
    """The brightnesses from which one is drawn for each tissue.

    Parameters
    ----------
    tissues : int
        How many there are, air (0) included.
    ct : mapping of int to (lowest, highest)
        HU of tissues in CT; empty: never CT.
    ct_share : float
        Share of images that are CT.
    mixed : frozenset of int
        Tissues that are several at once (fat and muscle under one number): they get two
        brightnesses in patches.
    twins : tuple of tuple of int
        Tissues that look alike in half of the images.
    """

    tissues: int
    ct: Mapping[int, Range] = field(default_factory=dict)
    ct_share: float = 0.3
    mixed: frozenset[int] = frozenset()
    twins: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """One image's brightnesses, in 0–255 for MR and HU for CT.

    Parameters
    ----------
    mean, other : ndarray of float32, shape (tissue,)
        Of each tissue; `other` of a mixed tissue's second kind.
    spread : ndarray of float32, shape (tissue,)
        Standard deviation from voxel to voxel.
    is_ct : bool
    """

    mean: Floats
    other: Floats
    spread: Floats
    is_ct: bool


def draw_contrast(how: Contrast, rng: np.random.Generator) -> Drawn:
    """Brightnesses of one image."""
    n = how.tissues
    if how.ct and rng.random() < how.ct_share:
        low, high = (np.array([how.ct[t][end] for t in range(n)]) for end in (0, 1))
        mean, other = (rng.uniform(low, high).astype(np.float32) for _ in range(2))
        spread = np.full(n, rng.uniform(2, 15), np.float32)
        return Drawn(mean, _mixed(mean, other, how), spread, is_ct=True)
    mean, other = (rng.uniform(10, 255, n).astype(np.float32) for _ in range(2))
    # Air is dark, unless the image was inverted or scaled to hide it.
    mean[0] = rng.uniform(0, 12) if rng.random() < 0.9 else mean[0]
    for group in how.twins:
        if rng.random() < 0.5:
            mean[list(group)] = mean[group[0]] + rng.normal(0, 8, len(group))
    spread = rng.uniform(1, 20, n).astype(np.float32)
    spread[0] = min(spread[0], 6.0)
    other = mean + (other - mean) * rng.random()
    return Drawn(mean.astype(np.float32), _mixed(mean, other, how), spread, is_ct=False)


def _mixed(mean: Floats, other: Floats, how: Contrast) -> Floats:
    """The second brightness of mixed tissues; of all others the first again."""
    is_mixed = np.isin(np.arange(how.tissues), list(how.mixed))
    return np.where(is_mixed, other, mean).astype(np.float32)


def paint(
    tissues: Sequence[Bytes], drawn: Drawn, spacing_mm: float, rng: np.random.Generator
) -> Floats:
    """The image: each voxel the mean of what it holds, and a little different from its like.

    Parameters
    ----------
    tissues : sequence of ndarray of uint8, shape (i, j, k)
        The tissue at several places inside each voxel.
    """
    shape = tissues[0].shape
    kind = smooth_noise(shape, rng.uniform(8, 25) / spacing_mm, rng) > rng.uniform(-0.8, 0.8)
    image = np.zeros(shape, np.float32)
    for tissue in tissues:
        image += np.where(kind, drawn.other[tissue], drawn.mean[tissue])
    image /= np.float32(len(tissues))
    grain = rng.standard_normal(shape, dtype=np.float32)
    image += grain * drawn.spread[tissues[0]]
    return image
