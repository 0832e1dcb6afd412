"""Thin plates and narrow gaps: where their true edges lie on their blurred image.

A sheet of thickness t and contrast C, seen through a Gaussian of standard deviation σ,
has a profile whose area is C·t and whose variance is σ² + t²/12. With the blur known
both follow from the profile, also where the sheet is so thin that its peak no longer
shows C. Its edges then lie where the image is C·(Φ(t/σ) − ½) above what is around it:
half of C for a thick sheet, more than half of what the peak shows for a thin one.

References
----------
Treece G. M., Gee A. H., Mayhew P. M., Poole K. E. S., "High resolution cortical bone
thickness measurement from clinical CT data", Med. Image Anal. 2010,
doi:10.1016/j.media.2010.01.003.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates
from scipy.special import ndtr

from medrecon.core.geometry import Triple
from medrecon.segmentation.bricks import Bricks

Floats = npt.NDArray[np.float32]
Places = npt.NDArray[np.intp]

# Half the length of a profile: half a sheet of 4 mm, and four times a clinical blur.
REACH_MM = 5.0
STEP_MM = 0.5
# Profiles are averaged over this much of the sheet before thickness is taken from them.
POOL_MM = 2.5
# Thinner than this many blurs the second moment is all noise: the sheet is unresolved.
THINNEST_BLURS = 2.4
# Thicker than this a sheet is no sheet.
THICKEST_MM = 5.0
# Samples at each end of a profile that tell what is around.
OUTER = 3
# The two sides of a sheet may differ by this share of its contrast; else it is a wall.
SIDES_ALIKE = 0.35
# A normal is read from slopes of an image blurred by the one, averaged over the other.
NORMAL_BLUR_MM = 1.0
NORMAL_WINDOW_MM = 1.5
# Linear interpolation between voxels blurs by a sixth of a voxel's variance each way.
INTERPOLATION = 1 / 6


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """What is known at each place of a surface on something thin.

    Parameters
    ----------
    level, contrast : ndarray of float32
        Image value of the true edge, and full contrast with what is around.
    thickness_mm : ndarray of float32
    resolved : ndarray of bool
        Whether blur and thickness could be told apart; elsewhere `level` is half of
        what the peak shows, and the sheet is thinner than it looks.
    known : ndarray of bool
        Whether there is a sheet at all, with much the same on both sides of it.
    """

    level: Floats
    contrast: Floats
    thickness_mm: Floats
    resolved: npt.NDArray[np.bool_]
    known: npt.NDArray[np.bool_]


def fit_sheets(
    image: Floats, places: Places, spacing_mm: Triple, blur_mm: float, *, sign: float = 1.0
) -> Sheet:
    """Both edges of the sheet at each of some voxels.

    Parameters
    ----------
    image : ndarray of float32, shape (i, j, k)
    places : ndarray of int, shape (n, 3)
        Voxels on or beside the sheet.
    spacing_mm : tuple of float
    blur_mm : float
        Standard deviation of the whole blur, the voxel's own averaging included.
    sign : float
        −1 for a dark sheet (a gap).
    """
    area, variance, around, peak, alike = _moments(sign * image, places, spacing_mm)
    grown = blur_mm**2 + INTERPOLATION * float(np.mean(spacing_mm)) ** 2
    # Rims and corners have no profile of a sheet: their neighbours speak for them.
    usable = alike & (variance > 0) & (variance < THICKEST_MM**2 / 12 + grown)
    usable &= area < THICKEST_MM * peak * 1.5
    figures = np.stack((area, variance, around, peak))
    pooled, known = _pooled(figures, usable, places, image.shape, spacing_mm)
    area, variance, around, peak = pooled
    thickness = np.sqrt(12 * np.maximum(variance - grown, 0))
    resolved = known & (thickness >= THINNEST_BLURS * blur_mm)
    safe = np.maximum(thickness, 0.1)
    contrast = np.where(resolved, area / safe, peak)
    share = np.where(resolved, ndtr(thickness / blur_mm) - 0.5, 0.5)
    level = sign * (around + contrast * share)
    return Sheet(
        level.astype(np.float32),
        (sign * contrast).astype(np.float32),
        thickness.astype(np.float32),
        resolved,
        known,
    )


def _moments(
    image: Floats, places: Places, spacing_mm: Triple
) -> tuple[Floats, Floats, Floats, Floats, npt.NDArray[np.bool_]]:
    """Area, variance, surroundings and peak of the profile across each voxel's sheet."""
    normal = sheet_normals(image, places, spacing_mm)
    steps = np.arange(-2 * REACH_MM, 2 * REACH_MM + STEP_MM / 2, STEP_MM)
    spacing = np.asarray(spacing_mm)
    along = places[:, None, :] + steps[None, :, None] * (normal / spacing)[:, None, :]
    profile = map_coordinates(image, np.moveaxis(along, -1, 0), order=1, mode="nearest")
    # The crest nearest to the place, within reach; then a window around the crest.
    middle, wide = len(steps) // 2, round(REACH_MM / STEP_MM)
    near = round(2.5 / STEP_MM)
    crest = profile[:, middle - near : middle + near + 1].argmax(axis=1) + middle - near
    window = crest[:, None] + np.arange(-wide, wide + 1)[None, :]
    window = np.clip(window, 0, len(steps) - 1)
    seen = np.take_along_axis(profile, window, axis=1)
    # The mean of a few: a smallest one would be noise, and weigh most far from the crest.
    ends = seen[:, :OUTER].mean(axis=1), seen[:, -OUTER:].mean(axis=1)
    peak = seen[:, wide - 1 : wide + 2].mean(axis=1)
    around = (ends[0] + ends[1]) / 2
    alike = np.abs(ends[0] - ends[1]) < SIDES_ALIKE * np.maximum(peak - around, 1e-3)
    lobe = _lobe(seen - around[:, None], wide)
    area = lobe.sum(axis=1) * STEP_MM
    s = (np.arange(-wide, wide + 1) * STEP_MM)[None, :]
    mass = np.maximum(lobe.sum(axis=1), 1e-6)
    mean = (lobe * s).sum(axis=1) / mass
    variance = (lobe * s**2).sum(axis=1) / mass - mean**2
    found = (area, variance, around, (seen[:, wide] - around))
    a, b, c, d = (x.astype(np.float32) for x in found)
    return a, b, c, d, alike


def _lobe(above: npt.NDArray[np.float64], middle: int) -> npt.NDArray[np.float64]:
    """The profile out to where it stops falling on either side; what lies beyond is else's."""
    kept = np.array(above)
    size = above.max(axis=1, keepdims=True)
    for way in (1, -1):
        side = kept[:, middle::way]
        lowest = np.minimum.accumulate(side, axis=1)
        # It rises again by more than a tenth of the sheet's height: another structure.
        beyond = np.maximum.accumulate(side > lowest + 0.1 * size, axis=1)
        side[beyond] = 0
    return kept


def _pooled(
    figures: Floats,
    usable: npt.NDArray[np.bool_],
    places: Places,
    shape: tuple[int, ...],
    spacing_mm: Triple,
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Figures averaged over the usable places nearby, and where there are any."""
    sigma = [POOL_MM / s for s in spacing_mm]
    index = tuple(places.T)
    given = tuple(places[usable].T)
    bricks = Bricks(shape, places.T)

    def smooth(values: Floats | float) -> Floats:
        total = np.zeros(shape, np.float32, order="F")
        total[given] = values
        found: Floats = bricks.gaussian(total, sigma)[index]
        return found

    weight = smooth(1.0)
    known = weight > 1e-4
    safe = np.where(known, weight, 1)
    found = [np.where(known, smooth(f[usable]) / safe, f) for f in figures]
    return np.stack(found).astype(np.float32), known


def sheet_normals(image: Floats, places: Places, spacing_mm: Triple) -> npt.NDArray[np.float64]:
    """Unit vectors (n, 3) across the structure at some voxels, of either sign.

    The main axis of the structure tensor, which has no sign to lose in the middle of a
    plate where the gradient turns round.
    """
    blur = [NORMAL_BLUR_MM / s for s in spacing_mm]
    window = [NORMAL_WINDOW_MM / s for s in spacing_mm]
    # A window's slopes need the smooth image one voxel further.
    reach = [int(2.5 * w + 0.5) + 1 for w in window]
    smooth = Bricks(image.shape, places.T, reach, reach).gaussian(image, blur, truncate=3.0)
    tensor = Bricks(image.shape, places.T).tensors(smooth, places, window, spacing_mm)
    vectors: npt.NDArray[np.float64] = np.linalg.eigh(tensor.astype(np.float64))[1][:, :, -1]
    return vectors
