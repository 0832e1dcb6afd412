"""A network's surface is moved to the edge beside it, not to the next organ's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.ndimage import label as connected

from medrecon.core import (
    Acquisition,
    Geometry,
    HuStatus,
    Label,
    Modality,
    Segmentation,
    SoftField,
    Volume,
    away_from_zero,
)
from medrecon.segmentation.refine import refine
from medrecon.segmentation.shells import place_by_shells
from medrecon.surface.extract import extract_surface

GRID = Geometry((72, 72, 56), (1.0, 1.0, 1.25), (-36.0, -36.0, -35.0))
RADIUS_MM, FAT_MM = 20.0, 4.0
ORGAN, FAT, LUNG = 110.0, -100.0, -850.0


def radius() -> np.ndarray:
    """Distance of each voxel centre from a point between the voxels."""
    mm = GRID.mm_from_index(np.indices(GRID.shape).reshape(3, -1).T)
    return np.linalg.norm(mm - (0.3, -0.2, 0.4), axis=1).reshape(GRID.shape)


def scan(noise_hu: float) -> Volume:
    """A ball of organ in a thin coat of fat in a lung, blurred by half a voxel."""
    r = radius()
    inside = np.clip(RADIUS_MM - r + 0.5, 0, 1)
    coat = np.clip(RADIUS_MM + FAT_MM - r + 0.5, 0, 1)
    hu = LUNG + (FAT - LUNG) * coat + (ORGAN - FAT) * inside
    noisy = gaussian_filter(hu, 0.5) + np.random.default_rng(0).normal(0, noise_hu, hu.shape)
    acquisition = Acquisition(Modality.CT, HuStatus.VERIFIED, "made so")
    return Volume(noisy.astype(np.int16), GRID, acquisition)


def network(error_mm: float) -> SoftField:
    """What a coarse network might say: too large, and wavy by as much again."""
    r = radius()
    wave = error_mm * np.sin(np.indices(GRID.shape)[0] / 4)
    field = (RADIUS_MM + error_mm + wave - r).astype(np.float32)
    return SoftField(Label(10, "liver"), away_from_zero(field), GRID)


def error_mm(field: SoftField) -> np.ndarray:
    vertices = extract_surface(field).vertices_mm
    return np.linalg.norm(vertices - (0.3, -0.2, 0.4), axis=1) - RADIUS_MM


@pytest.mark.parametrize("noise_hu", [0.0, 15.0])
def test_the_surface_goes_to_the_edge_and_not_to_the_lung_behind_the_fat(noise_hu):
    rough = network(0.7)
    found = place_by_shells(rough, scan(noise_hu))
    placed, uncertain = found.field, found.uncertain
    assert np.abs(error_mm(rough)).mean() > 0.6
    # Half-maximum on a blurred ball and 1 mm voxels: under a tenth of a voxel on average.
    assert np.abs(error_mm(placed)).mean() < 0.1
    assert np.abs(error_mm(placed)).max() < 0.8
    assert uncertain < 0.01


def test_without_contrast_the_networks_surface_stays_and_is_called_uncertain():
    flat = Volume(scan(0.0).array * 0 + np.int16(50), GRID, Acquisition(Modality.CT))
    noisy = np.random.default_rng(1).normal(50, 20, GRID.shape).astype(np.int16)
    rough = network(0.3)
    for volume in (flat, Volume(noisy, GRID, Acquisition(Modality.CT))):
        found = place_by_shells(rough, volume)
        placed, uncertain = found.field, found.uncertain
        assert uncertain > 0.9
        # Voxel centres decide the side; the surface stays within a voxel of where it was.
        assert np.abs(error_mm(placed)).max() < 0.6 + 1.3


def test_refine_treats_networks_so_and_says_what_stayed_uncertain():
    noisy = np.random.default_rng(1).normal(50, 20, GRID.shape).astype(np.int16)
    found = Segmentation(GRID, (network(0.3),), "some network")
    refined = refine(found, Volume(noisy, GRID, Acquisition(Modality.CT)))
    assert "uncertain" in refined.findings["liver"][0]


def test_noise_beside_the_edge_makes_neither_crumbs_nor_holes():
    # The sides differ by 4.2 times the noise: a voxel in sixty is on the wrong side of the level.
    found = place_by_shells(network(0.7), scan(50.0))
    for inside in (found.field.values > 0, found.field.values <= 0):
        assert connected(inside)[1] == 1


def test_of_every_piece_something_stays_however_small():
    # Three voxels that the network found beside the ball, in the lung: as dark as all around.
    rough = network(0.7)
    values = np.array(rough.values)
    values[60:63, 60, 40] = 0.5
    found = place_by_shells(replace(rough, values=values), scan(15.0)).field
    numbered, count = connected(found.values > 0)
    assert count == 2
    assert (numbered[60:63, 60, 40] > 0).any()
