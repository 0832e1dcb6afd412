"""Compiled loops of `surfaces` and `levels`: voxels beside a surface, and walks across it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.core.compiled import compiled

Array = npt.NDArray[Any]


@compiled
def surface_voxels(inside: Array) -> Array:
    """Flat indices, ascending, of voxels with a neighbour (of six) on the other side.

    The mask is (k, j, i), of bytes, 0 or 1.
    """
    planes, rows, width = inside.shape
    found = np.empty(1 << 16, np.int64)
    change = np.empty(width, np.uint8)
    count = 0
    for k in range(planes):
        for j in range(rows):
            if count + width > len(found):
                longer = np.empty(2 * len(found) + width, np.int64)
                for n in range(count):
                    longer[n] = found[n]
                found = longer
            # Row against row, without branches, so that it becomes vector instructions.
            here = inside[k, j]
            before, after = inside[k, max(j - 1, 0)], inside[k, min(j + 1, rows - 1)]
            below, above = inside[max(k - 1, 0), j], inside[min(k + 1, planes - 1), j]
            for i in range(width):
                change[i] = here[i] ^ before[i] | here[i] ^ after[i]
                change[i] |= here[i] ^ below[i] | here[i] ^ above[i]
            for i in range(width - 1):
                change[i] |= here[i] ^ here[i + 1]
            for i in range(1, width):
                change[i] |= here[i] ^ here[i - 1]
            for i in range(width):
                if change[i]:
                    found[count] = (k * rows + j) * width + i
                    count += 1
    return found[:count].copy()


@compiled
def look(
    values: Array,
    image: Array,
    index: Array,
    spacing: Array,
    variance: Array,
    distances: Array,
    seen: Array,
) -> None:
    """The image along walks from some voxels, at distances inwards along a field's gradient.

    `values` and `image` are (k, j, i), `spacing` and `distances` float32, in mm. Column n of
    `seen` takes the image at the voxel nearest to distance n; the last the blur by the
    voxel's own averaging along the walk, whose variance along each axis is `variance`.
    """
    planes, rows, width = values.shape
    small = np.float32(1e-6)
    for n in range(len(index)):
        k, rest = divmod(index[n], rows * width)
        j, i = divmod(rest, width)
        z = np.float32(values[min(k + 1, planes - 1), j, i])
        z = (z - np.float32(values[max(k - 1, 0), j, i])) / spacing[0]
        y = np.float32(values[k, min(j + 1, rows - 1), i])
        y = (y - np.float32(values[k, max(j - 1, 0), i])) / spacing[1]
        x = np.float32(values[k, j, min(i + 1, width - 1)])
        x = (x - np.float32(values[k, j, max(i - 1, 0)])) / spacing[2]
        length = max(np.sqrt(z * z + y * y + x * x), small)
        z, y, x = z / length / spacing[0], y / length / spacing[1], x / length / spacing[2]
        for d in range(len(distances)):
            way = distances[d]
            a = min(max(np.rint(np.float32(k) + way * z), np.float32(0)), np.float32(planes - 1))
            b = min(max(np.rint(np.float32(j) + way * y), np.float32(0)), np.float32(rows - 1))
            c = min(max(np.rint(np.float32(i) + way * x), np.float32(0)), np.float32(width - 1))
            seen[n, d] = image[np.int64(a), np.int64(b), np.int64(c)]
        # A step is n/h voxels, n a unit vector: (h·step)² weighs the axes by direction.
        z, y, x = z * spacing[0], y * spacing[1], x * spacing[2]
        blur = z * z * variance[0] + y * y * variance[1] + x * x * variance[2]
        seen[n, len(distances)] = np.sqrt(blur)


@compiled
def on_outer_flank(inside: Array, image: Array, index: Array, found: Array) -> None:
    """Whether each voxel (flat index) lies on the outer flank of a bright wall, by most views."""
    planes, rows, width = inside.shape
    for n in range(len(index)):
        k, rest = divmod(index[n], rows * width)
        j, i = divmod(rest, width)
        votes = 0
        for side in range(6):
            a, b, c = (
                (side == 0) - (side == 1),
                (side == 2) - (side == 3),
                (side == 4) - (side == 5),
            )
            if not (0 < k < planes - 1 or a == 0) or not (0 < j < rows - 1 or b == 0):
                continue
            if not (0 < i < width - 1 or c == 0):
                continue
            # Seen from both sides at once (a spike, a plate's rim) tells nothing.
            if inside[k - a, j - b, i - c] or not inside[k + a, j + b, i + c]:
                continue
            here = image[k, j, i]
            rises = image[k - a, j - b, i - c] < here <= image[k + a, j + b, i + c]
            votes += 1 if rises else -1
        found[n] = votes > 0
