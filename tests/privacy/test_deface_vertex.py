"""Where the image ends over the head, on grids that do not divide into steps of 4 mm."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from test_deface import SKULL, ellipsoid, head

from medrecon.core import Acquisition, Geometry, HuStatus, Modality, Volume
from medrecon.errors import DamagedInputError
from medrecon.privacy.deface import find_face
from medrecon.privacy.head import Shown, is_identifiable

# The vertex of the head is at z = -2.
TOPS = (-20.0, -30.0, -45.0, -60.0)


def fine_head(spacing_mm: float, top_mm: float, *, tilt_degrees: float = 0.0) -> Volume:
    """Skull and neck on other voxels; the grid ends at `top_mm` over the middle of the head."""
    a = np.radians(tilt_degrees)
    turn = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    shape = tuple(int(n / spacing_mm) for n in (200, 260, top_mm + 262))
    # The middle of the uppermost slice lies over the middle of the head.
    last = np.array([(shape[0] - 1) / 2, (shape[1] - 1) / 2, shape[2] - 1]) * spacing_mm
    origin = np.array([0.0, -10.0, top_mm]) - turn @ last
    grid = Geometry(shape, (spacing_mm,) * 3, tuple(origin), turn)
    points = grid.mm_from_index(np.indices(shape).reshape(3, -1).T)
    x, y, z = points.T.reshape(3, *shape)
    skull = ellipsoid(x, y, z, *SKULL)
    tissue = (skull < 1) | ((np.hypot(x, y - 25) < 52) & (z < -110))
    hu = np.where(tissue, 40, -1000)
    hu[(skull < 0.93) & (skull > 0.72) & (z > -125)] = 900
    kind = Acquisition(Modality.CT, HuStatus.VERIFIED, body_part="HEAD")
    return Volume(np.asfortranarray(hu.astype(np.int16)), grid, kind)


@pytest.mark.parametrize("top_mm", TOPS)
@pytest.mark.parametrize("spacing_mm", [3.0, 2.3])
def test_a_cut_vertex_is_seen_on_any_grid(spacing_mm, top_mm):
    # (top + 262) / 4 is no whole number here: the last step of 4 mm lies above the image.
    with pytest.raises(DamagedInputError, match="vertex"):
        find_face(fine_head(spacing_mm, top_mm))


@pytest.mark.parametrize("tilt_degrees", [-18.0, 18.0])
def test_a_cut_vertex_is_seen_in_a_tilted_image(tilt_degrees):
    with pytest.raises(DamagedInputError, match="vertex"):
        find_face(fine_head(3.0, -40.0, tilt_degrees=tilt_degrees))


def test_padding_over_the_head_is_not_air():
    """Slices put upright again end in padding, not in air, where the scanner ended."""
    whole = fine_head(3.0, 12.0)
    z = whole.geometry.affine_lps[2, 3] + 3.0 * np.arange(whole.geometry.shape[2])
    padded = np.zeros(whole.geometry.shape, bool, order="F")
    padded[:, :, z > -40.0] = True
    array = np.where(padded, np.int16(-1000), whole.array)
    with pytest.raises(DamagedInputError, match="vertex"):
        find_face(dataclasses.replace(whole, array=array, unmeasured=padded))


@pytest.mark.parametrize("tilt_degrees", [-18.0, 0.0, 18.0])
def test_a_whole_head_is_not_refused_for_its_grid(tilt_degrees):
    assert find_face(fine_head(2.3, 30.0, tilt_degrees=tilt_degrees)).brow_mm < -20


def test_an_mr_of_what_lies_beside_the_face_is_not_called_safe():
    for part in ("PHARYNX", "CEREBELLUM", "NECKCHEST"):
        assert is_identifiable(head(ct=False, part=part)).state is Shown.YES, part
    for part in ("CSPINE", "CAROTID"):
        assert is_identifiable(head(ct=False, part=part)).state is Shown.UNKNOWN, part
