"""What later stages must know of how the image was made."""

from __future__ import annotations

import hashlib

from medrecon.core import Acquisition, HuStatus, Modality
from medrecon.dicom.geometry import Layout
from medrecon.dicom.slices import Slice
from medrecon.dicom.vocabulary import known_body_part, known_laterality, sharpness

# UCUM code of the unit (PS3.16 CID 301).
HOUNSFIELD_UNIT = "[hnsf'U]"
# Image Type value 4 of what spectral CT computes besides images in HU (PS3.3 C.8.15.3.1).
_MATERIAL_MAPS = frozenset(
    {
        "EFF_ATOMIC_NUM",
        "ELECTRON_DENSITY",
        "MAT_FRACTIONAL",
        "MAT_MODIFIED",
        "MAT_REMOVED",
        "MAT_SPECIFIC",
        "MAT_VALUE_BASED",
    }
)


def acquisition(layout: Layout, modality: Modality) -> Acquisition:
    """Facts of one volume. HU are VERIFIED here only by what the header declares."""
    first = layout.slices[0]
    status, reason = hounsfield(layout.slices, modality)
    thickness = [s.placement.thickness_mm for s in layout.slices]
    known = [t for t in thickness if t is not None]
    return Acquisition(
        modality=modality,
        hu=status,
        hu_reason=reason,
        slice_thickness_mm=max(known) if len(known) == len(thickness) else None,
        is_phantom=all(s.meaning.quality_control for s in layout.slices),
        body_part=known_body_part(first.meaning.body_part),
        laterality=known_laterality(first.meaning.laterality),
        kernel=sharpness(first.meaning.kernel),
        burned_in=any(s.meaning.burned_in for s in layout.slices),
        frame=_digest({s.identity.frame_of_reference for s in layout.slices}),
    )


def _digest(frames: set[str]) -> str:
    """A digest of the one frame of reference that all slices state, else empty."""
    if len(frames) != 1 or not (uid := next(iter(frames))):
        return ""
    return hashlib.sha256(uid.encode()).hexdigest()


def hounsfield(slices: tuple[Slice, ...], modality: Modality) -> tuple[HuStatus, str]:
    """Whether the header declares Hounsfield units, and in which words.

    Rescale Type (0028,1054) says so; where it is absent from an original CT image
    the units are HU (PS3.3 C.11.1.1.2, C.8.2.1.1). Whether the values agree is for
    the histogram to say: cone-beam CT declares HU and does not hold them.
    """
    if modality is not Modality.CT:
        return HuStatus.NOT_CT, "not a CT"
    if not all(s.scale.is_stated for s in slices):
        return HuStatus.UNVERIFIED, "no rescale slope and intercept are stated"
    if any(s.meaning.units not in ("", HOUNSFIELD_UNIT) for s in slices):
        return HuStatus.UNVERIFIED, "a real-world value map is in another unit than HU"
    if any(_MATERIAL_MAPS.intersection(s.meaning.image_type) for s in slices):
        return HuStatus.UNVERIFIED, "Image Type says that it is a map of a material"
    kinds = {s.scale.kind for s in slices}
    if kinds == {"HU"}:
        return HuStatus.VERIFIED, "Rescale Type is HU"
    if kinds != {""}:
        return HuStatus.UNVERIFIED, "Rescale Type is not HU"
    if all(s.meaning.image_type[:1] == ("ORIGINAL",) for s in slices):
        return HuStatus.VERIFIED, "original CT without Rescale Type, so HU by definition"
    return HuStatus.UNVERIFIED, "derived image without Rescale Type"
