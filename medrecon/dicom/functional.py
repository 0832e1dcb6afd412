"""Frames of an enhanced multi-frame file, each as a slice of its own.

A frame's attributes are its own functional groups, then the shared ones, then the
data set (PS3.3 C.7.6.16). Order in the file means nothing: positions and dimension
indices do.
"""

from __future__ import annotations

from medrecon.dicom import tags
from medrecon.dicom.attributes import Attributes
from medrecon.dicom.limits import Limits
from medrecon.dicom.slices import (
    Slice,
    identity,
    meaning,
    moment,
    pixel_format,
    placement,
    scale,
)
from medrecon.dicom.sources import Source
from medrecon.dicom.walker import Elements, Header, MalformedError
from medrecon.errors import ResourceError


def frame_slices(source: Source, header: Header, limits: Limits) -> tuple[Slice, ...]:
    """One slice per frame; empty if the header does not describe pixels.

    A multi-frame file without per-frame groups gives slices without position: the
    geometry refuses them later, if it comes to that.

    Raises
    ------
    MalformedError
        If the number of per-frame items is not the number of frames.
    ResourceError
        If there are more frames than the limit.
    """
    whole = Attributes(header.elements, big_endian=header.big_endian)
    layout = pixel_format(whole, header)
    if layout is None or header.pixels is None or layout.frames < 1:
        return ()
    least = -(-layout.frame_bits * layout.frames // 8)
    if header.pixels.encapsulated:
        least = 8 * layout.frames  # an item's head each
    if least > header.pixels.length:
        raise MalformedError("more frames than the pixel data can hold")
    if layout.frames > limits.frames:
        raise ResourceError(f"{layout.frames:,} frames; at most {limits.frames:,} are read")
    shared = _flat(next(whole.items(tags.SHARED_GROUPS), {}))
    groups = [_flat(item) for item in whole.items(tags.PER_FRAME_GROUPS)]
    if groups and len(groups) != layout.frames:
        raise MalformedError("per-frame groups do not match the number of frames")
    names = identity(whole)
    slices = []
    for frame in range(layout.frames):
        own = groups[frame] if groups else {}
        a = Attributes(own, shared, header.elements, big_endian=header.big_endian)
        slices.append(
            Slice(
                source,
                header.pixels,
                frame,
                layout,
                names,
                placement(a),
                scale(a),
                meaning(a),
                moment(a),
            )
        )
    return tuple(slices)


def _flat(group: Elements) -> Elements:
    """The attributes of a functional group, out of its one-item sequences."""
    flat: Elements = {}
    for tag, value in group.items():
        if isinstance(value, list):
            if tag == tags.REAL_WORLD_MAP:
                flat[tag] = value
            elif value:
                flat.update(_flat(value[0]))
        else:
            flat[tag] = value
    return flat
