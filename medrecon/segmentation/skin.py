"""The body's outer surface: filled, without table, clothes and blankets.

Everything deeper than a few millimetres is body, lungs and bowel included. Near the
surface the image decides, voxel by voxel; what it shows outside the body and apart
from it is dropped and counted.
"""

from __future__ import annotations

from medrecon.core import Volume
from medrecon.segmentation.body import Body
from medrecon.segmentation.components import components
from medrecon.segmentation.fields import place_field
from medrecon.segmentation.found import Found
from medrecon.segmentation.morphology import bounding_box, dilate, erode, radii_for
from medrecon.segmentation.pooling import Mask, spread
from medrecon.segmentation.presets import TissuePreset
from medrecon.segmentation.surfaces import beside


def find_skin(volume: Volume, body: Body, preset: TissuePreset) -> Found:
    """Field of the body's outer surface, or none with the reason."""
    blocks = bounding_box(dilate(body.mask, (1, 1, 1)))
    if not body.mask.any() or blocks is None:
        return Found(None, ("no patient in the image",))
    shape = volume.array.T.shape
    k, j, i = (
        slice(s.start * f, min(n, s.stop * f))
        for s, f, n in zip(blocks, body.factors, shape, strict=True)
    )
    box = (k, j, i)
    hu = volume.array.T[box]
    kji = (volume.geometry.spacing_mm[2], *volume.geometry.spacing_mm[1::-1])
    k_mm, j_mm, i_mm = (f * mm for f, mm in zip(body.factors, kji, strict=True))
    depth = radii_for((k_mm, j_mm, i_mm), preset.mm("depth"))
    deep = erode(body.mask, (max(1, depth[0]), max(1, depth[1]), max(1, depth[2])))[blocks]
    near = dilate(body.mask, (1, 1, 1))[blocks]
    inside = hu > preset.hu("level")
    inside &= spread(near, body.factors, hu.shape)
    dropped = _drop_loose(inside, spread(near & ~body.mask[blocks], body.factors, hu.shape))
    inside |= spread(deep, body.factors, hu.shape)
    field = place_field("skin", volume, (inside, box), int(preset.hu("level")))
    return Found(field, _findings(dropped * volume.geometry.voxel_volume_mm3, body.dropped_ml))


def _drop_loose(inside: Mask, rim: Mask) -> int:
    """Clear the parts of the rim that do not touch the body, in place; how many voxels."""
    outer = inside & rim
    parts = components(outer)
    if parts.count == 0:
        return 0
    loose = parts.count_where(beside(parts.index, inside & ~rim)) == 0
    voxels = parts.index[loose[parts.voxel_label]]
    inside.reshape(-1)[voxels] = False
    return len(voxels)


def _findings(loose_mm3: float, table_ml: float) -> tuple[str, ...]:
    found = []
    if table_ml >= 1:
        found.append(f"left out {table_ml:.0f} mL outside the body (table, pads, clothes)")
    if loose_mm3 >= 1:
        found.append(f"dropped {loose_mm3:.0f} mm³ of loose voxels near the skin")
    return tuple(found)
