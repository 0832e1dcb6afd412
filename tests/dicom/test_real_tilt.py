"""The GE head: gantry tilt 18.5° and three slice steps, against an independent interpolation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from medrecon.core import SliceStack
from medrecon.dicom import choose, read, scan
from medrecon.resampling import stack_geometry, stack_onto


@pytest.mark.data
def test_the_tilted_head_with_three_steps_is_one_right_volume(data_dir: Path) -> None:
    series = choose(scan(data_dir / "dicom/dcm_qa_ct_GE_tilt18.5"))
    assert series.finding.tilt_degrees == pytest.approx(18.5, abs=0.01)
    assert series.finding.smallest_step_mm == pytest.approx(1.081, abs=1e-3)
    assert series.finding.largest_step_mm == pytest.approx(6.999, abs=1e-3)
    assert series.finding.gaps_mm == ()
    head = read(series)
    assert isinstance(head, SliceStack)
    volume = stack_onto(head, stack_geometry(head, 1.0))
    rng = np.random.default_rng(1)
    index = np.stack([rng.integers(20, n - 20, 4000) for n in volume.array.shape], axis=1)
    found = volume.array[tuple(index.T)]
    expected, known = independently(head, volume.geometry.mm_from_index(index))
    unmeasured = np.broadcast_to(volume.unmeasured, volume.array.shape)[tuple(index.T)]
    both = known & ~unmeasured
    assert both.sum() > 2000
    # Rounding to whole HU, and float32 weights on values up to 2000 HU.
    assert np.abs(found[both] - expected[both]).max() <= 0.51


def independently(stack: SliceStack, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values at LPS points, one by one: bilinear in the two slices next to each."""
    heights = stack.positions_mm @ stack.normal
    values, known = np.zeros(len(points)), np.zeros(len(points), bool)
    for n, point in enumerate(points):
        h = point @ stack.normal
        above = int(np.searchsorted(heights, h))
        if not 0 < above < len(heights):
            continue
        planes = []
        for k in (above - 1, above):
            at = point - stack.positions_mm[k]
            i = at @ np.asarray(stack.row_direction) / stack.pixel_spacing_mm[0]
            j = at @ np.asarray(stack.column_direction) / stack.pixel_spacing_mm[1]
            inside = 0 <= i <= stack.array.shape[0] - 1 and 0 <= j <= stack.array.shape[1] - 1
            plane = stack.array[:, :, k].astype(float)
            planes.append(map_coordinates(plane, [[i], [j]], order=1)[0] if inside else np.nan)
        weight = (h - heights[above - 1]) / (heights[above] - heights[above - 1])
        values[n] = planes[0] * (1 - weight) + planes[1] * weight
        known[n] = np.isfinite(values[n])
    return values, known
