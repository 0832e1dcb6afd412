"""Head label maps of the SynthSeg project as templates: what each code is, seen in pictures.

Codes below 500 are FreeSurfer's and listed beside the maps; those from 502 on lie
outside the brain and are documented nowhere. What they are was read from slices.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk  # noqa: N813 - the library's own short name
from scipy import ndimage

from medrecon.errors import UsageError
from medrecon.train.synthetic import Template
from medrecon.train.templates import CodedMap

Mask = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]

# Tissue number: the codes that share one brightness. Left and right are one tissue.
TISSUES: tuple[tuple[int, ...], ...] = (
    (0,),  # air
    (2, 41),  # white matter
    (3, 42),  # cortex
    (4, 43, 5, 44),  # lateral ventricles
    (14, 15),  # third and fourth ventricle
    (7, 46),  # cerebellar white matter
    (8, 47),  # cerebellar cortex
    (10, 49, 28, 60),  # thalamus, ventral diencephalon
    (11, 50, 26, 58),  # caudate, accumbens
    (12, 51),  # putamen
    (13, 52),  # pallidum
    (16,),  # brain-stem
    (17, 53, 18, 54, 136, 137, 163, 164),  # hippocampus, amygdala, small parts beside them
    (24,),  # fluid around the brain
    (506,),  # eyeballs
    (507,),  # muscle, fat, glands
    (511,),  # skin
    (515,),  # compact bone
    (516,),  # spongy bone, marrow
    (509,),  # mucosa of the nose
    (502, 514),  # arteries, veins and sinuses
    (508, 530, 85, 30, 62),  # nerves and muscles of the orbit, chiasm, small vessels
    (512,),  # spinal cord
    (25, 57, 72),  # what is left: lesions, a cyst
)
STEM, AIR, FLUID, EYE, SOFT, SKIN, COMPACT, SPONGY = 11, 0, 13, 14, 15, 16, 17, 18
VENTRICLES = (3, 4)
BRAIN = (1, 2, 5, 6, 7, 8, 9, 10, 11, 12, FLUID, 23)
# Cerebellum and stem, the lowest parts of the brain.
LOWEST = (5, 6, STEM)
BONE = (COMPACT, SPONGY)

# HU by tissue: of soft tissues at 70 to 140 kV, without and with contrast medium.
CT_HU: Mapping[int, tuple[float, float]] = {
    0: (-1010, -980),
    **dict.fromkeys((1, 5), (22, 34)),
    **dict.fromkeys((2, 6, 7, 8, 9, 10, 11, 12), (32, 45)),
    **dict.fromkeys((3, 4, FLUID), (0, 15)),
    EYE: (0, 40),
    SOFT: (-110, 70),
    SKIN: (-20, 80),
    COMPACT: (600, 1800),
    SPONGY: (100, 700),
    19: (-50, 80),
    20: (35, 250),
    21: (-60, 60),
    22: (20, 50),
    23: (0, 45),
}

HEAD_LABELS = ("soft_tissue", "skull", "brain", "ventricles", "eyes", "air_spaces")
CHANNEL = {name: channel for channel, name in enumerate(HEAD_LABELS, start=1)}

# Morphology is done on voxels this many times coarser: nostrils are closed, and veins
# between brain and skull are found, to a millimetre or two.
COARSE = 2
NOSTRIL_MM = 8.0
SINUS_MM = 6.0
SMALLEST_AIR_MM3 = 150.0


def head_template(given: CodedMap) -> Template:
    """A head label map as a template of the labels `HEAD_LABELS`.

    `brain` is what lies inside the skull without the ventricles: parenchyma, the fluid
    around it and the vessels in that fluid, as brain extraction understands it. The
    spinal cord below and the nerves of the orbit are soft tissue. Air spaces are holes
    of the head and what is behind its nostrils.

    Raises
    ------
    UsageError
        If the map holds no skull or no brain-stem.
    """
    tissue = _tissue_of_code()[given.oriented()]
    tissue[~_largest(tissue > 0)] = AIR
    tissue = _boxed(tissue)
    if not np.isin(tissue, BONE).any() or not (tissue == STEM).any():
        raise UsageError("a head label map without skull or brain-stem: codes of SynthSeg expected")
    spacing_mm = given.oriented_spacing_mm
    return Template(tissue, _targets(tissue, spacing_mm), spacing_mm)


def _tissue_of_code() -> Bytes:
    """Tissue by code; a code that is not in the table is air."""
    table = np.zeros(1 << 16, np.uint8)
    for number, members in enumerate(TISSUES):
        table[list(members)] = number
    return table


def _targets(tissue: Bytes, spacing_mm: tuple[float, float, float]) -> Bytes:
    """Channel of each voxel."""
    target = np.full(tissue.shape, CHANNEL["soft_tissue"], np.uint8)
    target[tissue == AIR] = 0
    target[np.isin(tissue, BONE)] = CHANNEL["skull"]
    target[tissue == EYE] = CHANNEL["eyes"]
    brain, ventricles = np.isin(tissue, BRAIN), np.isin(tissue, VENTRICLES)
    # Fluid goes on around the cord; the brain ends with its stem and cerebellum.
    brain[:, :, : np.flatnonzero(np.isin(tissue, LOWEST).any(axis=(0, 1)))[0]] = False
    inside = _fine(_closed(_coarse(brain | ventricles), SINUS_MM, spacing_mm), tissue.shape)
    target[(brain | inside) & (target == CHANNEL["soft_tissue"])] = CHANNEL["brain"]
    target[ventricles] = CHANNEL["ventricles"]
    target[_air(tissue, spacing_mm)] = CHANNEL["air_spaces"]
    return target


def _air(tissue: Bytes, spacing_mm: tuple[float, float, float]) -> Mask:
    """Air behind nostrils and in holes; not the folds behind ears and under chins."""
    head = _coarse(tissue != AIR)
    # The windpipe is cut off below: repeated there, it is a hole like the others.
    room = round(2 * NOSTRIL_MM / min(spacing_mm) / COARSE)
    below = np.concatenate([np.repeat(head[:, :, :1], room, axis=2), head], axis=2)
    closed = _closed(below, NOSTRIL_MM, spacing_mm)
    closed[:, :, 0] |= ndimage.binary_fill_holes(closed[:, :, 0])
    deep = ndimage.binary_erosion(ndimage.binary_fill_holes(closed), iterations=2)
    air: Mask = _fine(deep[:, :, room:], tissue.shape) & (tissue == AIR)
    numbered, count = ndimage.label(air)
    sizes = np.bincount(numbered.ravel(), minlength=count + 1) * float(np.prod(spacing_mm))
    kept = sizes >= SMALLEST_AIR_MM3
    kept[0] = False
    found: Mask = kept[numbered]
    return found


def _coarse(mask: Mask) -> Mask:
    return np.ascontiguousarray(mask[::COARSE, ::COARSE, ::COARSE])


def _fine(mask: Mask, shape: tuple[int, ...]) -> Mask:
    for axis in range(3):
        mask = mask.repeat(COARSE, axis)
    i, j, k = (slice(0, n) for n in shape)
    return mask[i, j, k]


def _closed(mask: Mask, radius_mm: float, spacing_mm: tuple[float, float, float]) -> Mask:
    """Closed by a ball, by two distance maps."""
    spacing = np.asarray(spacing_mm) * COARSE
    room = int(np.ceil(radius_mm / spacing.min())) + 1
    padded = np.pad(mask, room)
    grown = ndimage.distance_transform_edt(~padded, spacing) <= radius_mm
    closed: Mask = ndimage.distance_transform_edt(grown, spacing) > radius_mm
    return (closed | padded)[room:-room, room:-room, room:-room]


def _largest(mask: Mask) -> Mask:
    """The largest connected part; loose voxels far away are errors of the map."""
    image = sitk.GetImageFromArray(mask.view(np.uint8).T)
    parts = sitk.RelabelComponent(sitk.ConnectedComponent(image), sortByObjectSize=True)
    found: Mask = sitk.GetArrayFromImage(parts).T == 1
    return found


def _boxed(tissue: Bytes) -> Bytes:
    (i, j, k) = ndimage.find_objects((tissue > 0).astype(np.uint8))[0]
    return np.ascontiguousarray(tissue[i, j, k])
