"""The synthetic torso's tissues against their exact truth."""

from __future__ import annotations

import pytest

from medrecon.core import Geometry, Segmentation
from medrecon.phantom.torso import Phantom, make_torso
from medrecon.segmentation.refine import refine
from medrecon.segmentation.tissues import TissueSegmenter
from medrecon.surface.extract import extract_surface

NAMES = ("skin", "bone", "lung_left", "lung_right", "airway")


@pytest.fixture(scope="module")
def torso() -> Phantom:
    # The upper chest at 1.5 mm: spine, ribs, both lungs, the carina, a contrast aorta.
    grid = Geometry((220, 160, 60), (1.5, 1.5, 2.0), (-165.0, -105.0, 20.0))
    return make_torso(9001, geometry=grid)


@pytest.fixture(scope="module")
def found(torso: Phantom) -> Segmentation:
    return refine(TissueSegmenter(NAMES).segment(torso.volume), torso.volume)


@pytest.mark.parametrize(
    ("name", "within"),
    [
        ("skin", 0.005),
        ("lung_left", 0.01),
        ("lung_right", 0.01),
        # A cortex of 1.8 mm in voxels of 1.5 × 1.5 × 2 mm: at the limit of its resolution.
        ("bone", 0.03),
        # The bronchi's ends are cut where they are too narrow for the blocks.
        ("airway", 0.12),
    ],
)
def test_the_mesh_has_the_true_volume(
    torso: Phantom, found: Segmentation, name: str, within: float
) -> None:
    (field,) = (f for f in found.fields if f.label.name == name)
    volume_ml = extract_surface(field).volume_mm3 / 1000
    assert volume_ml == pytest.approx(torso.truth.volumes_ml[name], rel=within)


def test_the_contrast_aorta_is_not_in_the_bone(found: Segmentation) -> None:
    assert any("contrast" in words for words in found.findings["bone"])


def test_two_runs_give_the_same_bytes(torso: Phantom, found: Segmentation) -> None:
    again = refine(TissueSegmenter(NAMES).segment(torso.volume), torso.volume)
    for one, two in zip(found.fields, again.fields, strict=True):
        assert one.values.tobytes(order="A") == two.values.tobytes(order="A")
        assert one.start == two.start
