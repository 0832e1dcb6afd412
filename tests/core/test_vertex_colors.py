import numpy as np
import pytest

from medrecon.core import Acquisition, Geometry, HuStatus, Label, Mesh, Modality, Volume
from medrecon.core.vertex_colors import colored_by_image, colored_by_scalar

FACES = np.array([[0, 1, 2]])


def test_vertices_take_the_images_grey_at_their_place():
    # The image is −100 + 10·x HU, voxels of 2 mm: the window −100 to 100 maps x mm to
    # 255·x/20.
    grid = Geometry((12, 4, 4), (2.0, 2.0, 2.0), (0.0, 0.0, 0.0))
    ramp = np.broadcast_to(-100 + 20 * np.arange(12, dtype=np.int16)[:, None, None], grid.shape)
    volume = Volume(ramp.astype(np.int16), grid, Acquisition(Modality.CT, HuStatus.VERIFIED, ""))
    mesh = Mesh([[0, 2, 2], [5, 2, 2], [20, 2, 2]], FACES, Label(1, "x"))
    found = colored_by_image(mesh, volume, low=-100, high=100)
    assert found.colors[:, 0].tolist() == [0, 64, 255]
    assert (found.colors == found.colors[:, :1]).all()
    with pytest.raises(ValueError, match="window"):
        colored_by_image(mesh, volume, low=1, high=1)


def test_deviations_are_blue_inside_white_at_zero_and_red_outside():
    scalars = np.array([-0.5, 0, 0.25], np.float32)
    mesh = Mesh(np.eye(3), FACES, Label(1, "x"), scalars)
    found = colored_by_scalar(mesh, limit=0.5)
    assert found.colors.tolist() == [[0, 0, 255], [255, 255, 255], [255, 128, 128]]
    with pytest.raises(ValueError, match="scalars"):
        colored_by_scalar(Mesh(np.eye(3), FACES, Label(1, "x")), limit=0.5)
