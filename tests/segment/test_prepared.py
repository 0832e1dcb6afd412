"""An image comes to the network's grid exactly, in float, edges repeated."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from medrecon.core import Geometry
from medrecon.errors import GeometryError
from medrecon.models.grid import network_grid
from medrecon.models.sampling import Anchor, Sampling
from medrecon.segmentation.prepared import linear_onto


def test_it_is_linear_interpolation_to_float32s_last_digit() -> None:
    rng = np.random.default_rng(0)
    source = Geometry((31, 24, 17), (0.8, 0.9, 3.0), (-5.0, 3.0, 8.0))
    values = rng.integers(-1000, 1000, source.shape).astype(np.int16)
    sampling = Sampling((1.1, 0.7, 2.2), "RAS", (8, 8, 8), 0.5, Anchor.FIRST_VOXEL)
    grid = network_grid(source, sampling)
    index = np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), -1).reshape(-1, 3)
    position = source.index_from_mm(grid.mm_from_index(index)).T
    exact = ndimage.map_coordinates(values.astype(float), position, order=1, mode="nearest")
    got = linear_onto(values, source, grid)
    # 2000 in float32 has steps of 1.2e-4; three interpolations add a few of them.
    assert np.abs(got.ravel() - exact).max() < 1e-3
    assert got.dtype == np.float32


def test_ones_own_grid_changes_nothing() -> None:
    source = Geometry((5, 6, 1), (1.0, 2.0, 3.0), (0.0, 0.0, 0.0))
    values = np.arange(30, dtype=np.int16).reshape(source.shape)
    assert (linear_onto(values, source, source) == values).all()


def test_grids_that_are_not_parallel_are_refused() -> None:
    source = Geometry((5, 5, 5), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    c, s = np.cos(0.2), np.sin(0.2)
    oblique = Geometry((5, 5, 5), (1.0,) * 3, (0.0,) * 3, ((c, -s, 0), (s, c, 0), (0, 0, 1)))
    with pytest.raises(GeometryError, match="not parallel"):
        linear_onto(np.zeros((5, 5, 5), np.int16), source, oblique)
