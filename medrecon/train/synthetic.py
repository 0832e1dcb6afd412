"""Images made up from label maps: every contrast a scanner could have, and many it could not.

A network that has seen each structure in every brightness learns shapes, not grey
values, and then finds them in real MR of any weighting and in CT, without a single real
image to train on.

References
----------
Billot B. et al., "SynthSeg: Segmentation of brain MRI scans of any contrast and
resolution without retraining", Med. Image Anal. 2023, doi:10.1016/j.media.2023.102789.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medrecon.models.intensity import normalise
from medrecon.models.manifest import Intensity, IntensityKind
from medrecon.train.appearance import Contrast, draw_contrast, paint
from medrecon.train.artefacts import Artefacts, degrade
from medrecon.train.samples import Sample, SampleMaker
from medrecon.train.spatial import bend_on, rotation

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]

# Places inside a voxel at which the map is asked, in voxels: the corners of a tetrahedron.
# A voxel at a border is then a mixture of what it holds, as a scanner's is.
INSIDE = 0.25 * np.array([(1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)])

# Brightness is arbitrary, and a few voxels (metal, a vessel) must not set the scale.
MADE_UP_INTENSITY = Intensity(IntensityKind.PERCENTILE, low=0.5, high=99.5)


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """A label map to make images from.

    Parameters
    ----------
    tissue : ndarray of uint8, shape (i, j, k)
        What gets one brightness, on axes that run to L, P and S; 0 is air.
    target : ndarray of uint8, shape (i, j, k)
        The network's channel.
    spacing_mm : tuple of float
    """

    tissue: Bytes
    target: Bytes
    spacing_mm: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Shape:
    """How far a template is changed before an image is made of it.

    Parameters
    ----------
    rotate_deg : float
        Highest turn about each axis.
    zoom, stretch : float
        Highest size of the logarithm of a scale, and of each axis' own.
    bend_mm : float
        Highest standard deviation of a smooth displacement.
    margin_mm : float
        Highest air around the anatomy on each side.
    cut_mm : tuple of float
        Highest piece that the field of view may lack on each side: L, R, P, A, S, I's
        ends in the order (low i, high i, low j, high j, low k, high k).
    cut : tuple of float
        Probability of each of these cuts.
    narrow : float
        Probability of each side that the anatomy itself ends early, in air, on a plane
        that turns with it: a map of a narrow field, an oblique scan on a straight grid.
    narrow_mm : float
        Highest piece that is missing then.
    bare : tuple of int
        Channels of which alone an image shows something in `bare_share` of the images: a
        brain from which all else was taken away.
    bare_share : float
    """

    rotate_deg: float = 15.0
    zoom: float = 0.12
    stretch: float = 0.06
    bend_mm: float = 4.0
    margin_mm: float = 35.0
    cut_mm: tuple[float, ...] = (30.0, 30.0, 40.0, 40.0, 120.0, 50.0)
    cut: tuple[float, ...] = (0.1, 0.1, 0.1, 0.1, 0.4, 0.2)
    narrow: float = 0.0
    narrow_mm: float = 30.0
    bare: tuple[int, ...] = ()
    bare_share: float = 0.0


@dataclass(frozen=True, slots=True)
class Synthesis:
    """Everything random about an image that is made from a label map."""

    shape: Shape
    contrast: Contrast
    artefacts: Artefacts


def synthesise(
    templates: Sequence[Template], spacing_mm: float, how: Synthesis, seed: Sequence[int]
) -> Sample:
    """An image and its truth, made from one of the templates; the same for the same seed.

    Returns
    -------
    Sample
        On cubic voxels, axes to L, P and S, in arbitrary units.
    """
    rng = np.random.default_rng([*seed])
    template = _changed(templates[int(rng.integers(len(templates)))], how.shape, rng)
    places = _places(template, spacing_mm, how.shape, rng)
    target = _look_up(template.target, places)
    target, (i, j, k) = _field_of_view(target, how.shape, spacing_mm, rng)
    places = places[:, i, j, k]
    steps = np.stack([np.gradient(p) for p in places], axis=1)
    tissues = [
        _look_up(
            template.tissue, places + np.einsum("a,pa...->p...", inside, steps).astype(np.float32)
        )
        for inside in INSIDE
    ]
    contrast = draw_contrast(how.contrast, rng)
    image = paint(tissues, contrast, spacing_mm, rng)
    return Sample(degrade(image, contrast, how.artefacts, spacing_mm, rng), target)


def made_up_samples(
    training: Sequence[Template],
    validation: Sequence[Template],
    grid: tuple[float, int],
    first_validation: int,
    seed: int,
) -> SampleMaker:
    """Normalised samples by seed; from `first_validation` on they show other people.

    Parameters
    ----------
    training, validation : sequence of Template
    grid : (float, int)
        Spacing in mm, and tissues in all.
    first_validation : int
    seed : int
        Of the whole run.
    """
    spacing_mm, tissues = grid
    how = Synthesis(Shape(), Contrast(tissues), Artefacts())

    def sample(number: int) -> Sample:
        templates = validation if number >= first_validation else training
        found = synthesise(templates, spacing_mm, how, (seed, number))
        return Sample(normalise(found.image, MADE_UP_INTENSITY), found.target)

    return sample


def fresh_seeds(seeds: range, weights_sha256: str) -> range:
    """Seeds of a run that goes on from some weights: of images that those did not learn from.

    A run takes its seeds from the first on. One that goes on from its weights and began there
    too would be shown the same images again, and learn them by heart: `head` had a Dice of 0.57
    for ventricles in images it had been trained on, of 0.51 in others of the same maps.

    Parameters
    ----------
    seeds : range
        Of all images that may be made; many more than a run takes.
    weights_sha256 : str
        Of the weights it goes on from, hexadecimal.

    Returns
    -------
    range
        From somewhere in the first half on; another place for other weights.
    """
    return seeds[int(weights_sha256[:12], 16) % max(1, len(seeds) // 2) :]


def _changed(template: Template, shape: Shape, rng: np.random.Generator) -> Template:
    """The template with less of a body; nothing is drawn where nothing is to change."""
    if shape.narrow and rng.random() < 0.5:
        keep = []
        for size, spacing in zip(template.tissue.shape, template.spacing_mm, strict=True):
            most = min(shape.narrow_mm / spacing, size / 3)
            less = [int(rng.random() * most) * (rng.random() < shape.narrow) for _ in range(2)]
            keep.append(slice(less[0], size - less[1]))
        i, j, k = keep
        template = Template(template.tissue[i, j, k], template.target[i, j, k], template.spacing_mm)
    if shape.bare_share and rng.random() < shape.bare_share:
        bare = np.isin(template.target, shape.bare)
        template = Template(template.tissue * bare, template.target * bare, template.spacing_mm)
    return template


def _places(
    template: Template, spacing_mm: float, shape: Shape, rng: np.random.Generator
) -> Floats:
    """Template index that each voxel of the image shows: (3, i, j, k)."""
    size_mm = np.asarray(template.tissue.shape) * template.spacing_mm
    count = np.ceil(size_mm * np.exp(shape.zoom) / spacing_mm).astype(int) + 2 * int(
        shape.margin_mm / spacing_mm
    )
    matrix = rotation(np.radians(rng.uniform(-shape.rotate_deg, shape.rotate_deg, 3)))
    scale = np.exp(
        rng.uniform(-shape.zoom, shape.zoom) + rng.uniform(-shape.stretch, shape.stretch, 3)
    )
    # Index of the image → mm from its middle → mm of the template → its index.
    matrix = matrix * scale * spacing_mm / np.asarray(template.spacing_mm)[:, None]
    axes = [np.arange(n, dtype=np.float32) - np.float32((n - 1) / 2) for n in count]
    middle = (np.asarray(template.tissue.shape) - 1) / 2
    places = np.empty((3, *count), np.float32)
    for row in range(3):
        a, b, c = (np.float32(m) * x for m, x in zip(matrix[row], axes, strict=True))
        places[row] = a[:, None, None] + b[:, None] + c + np.float32(middle[row])
    bend = bend_on(tuple(int(n) for n in count), rng.uniform(0, shape.bend_mm), rng)
    bend /= np.asarray(template.spacing_mm, np.float32)[:, None, None, None]
    places += bend
    return places


def _look_up(values: Bytes, places: Floats) -> Bytes:
    """The nearest voxel's value, 0 outside."""
    # One layer of zeros around: whatever lies outside lands on it.
    padded = np.pad(values, 1)
    flat = np.zeros(places.shape[1:], np.int32)
    for place, size in zip(places, padded.shape, strict=True):
        index = np.rint(place).astype(np.int32)
        index += 1
        np.clip(index, 0, size - 1, out=index)
        flat *= size
        flat += index
    found: Bytes = padded.reshape(-1)[flat]
    return found


def _field_of_view(
    target: Bytes, shape: Shape, spacing_mm: float, rng: np.random.Generator
) -> tuple[Bytes, tuple[slice, slice, slice]]:
    """The target inside a random box around the anatomy, and that box."""
    box = []
    for axis in range(3):
        there = np.flatnonzero(target.any(axis=tuple(n for n in range(3) if n != axis)))
        first, last = (int(there[0]), int(there[-1]) + 1) if len(there) else (0, target.shape[axis])
        ends = []
        for side in (2 * axis, 2 * axis + 1):
            cut = rng.random() < shape.cut[side]
            how_far = rng.random() * (shape.cut_mm[side] if cut else shape.margin_mm)
            ends.append(round(how_far / spacing_mm) * (1 if cut else -1))
        # However much is cut off, two voxels are left of what is there.
        start = max(0, min(first + ends[0], last - 2))
        stop = min(target.shape[axis], last - ends[1])
        box.append(slice(start, max(stop, start + 2)))
    i, j, k = box
    return np.ascontiguousarray(target[i, j, k]), (i, j, k)
