"""What is said of a series before anything is made of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hazards import tilted
from series_maker import Plan, stack, without, write_series

from medrecon.dicom import Preflight, Verdict, choose, preflight, read, scan
from medrecon.dicom.fitness import expected_surface_error_mm


def judged(plan: Plan, folder: Path, number: int | None = None) -> Preflight:
    write_series(plan, folder)
    return preflight(choose(scan(folder), number))


def test_a_regular_series_is_usable_and_says_what_it_is(tmp_path: Path) -> None:
    p = judged(stack(extra={"ConvolutionKernel": "B30f", "BodyPartExamined": "CHEST"}), tmp_path)
    assert p.verdict is Verdict.USABLE
    assert p.reasons == ()
    assert p.kernel == "soft"
    assert p.hu == "verified"
    assert p.description == "CT axial, 12 slices of 24×18, 0.8×1.1×2 mm, soft kernel, chest"
    # 23 × 0.8 mm, 17 × 1.1 mm, 11 × 2 mm between the outermost centres.
    assert p.coverage_mm == pytest.approx((18.4, 18.7, 22.0))
    assert json.loads(json.dumps(p.as_dict()))["verdict"] == "usable"


def test_a_tilted_series_is_usable_with_a_correction(tmp_path: Path) -> None:
    p = judged(replace(tilted(20), extra={"GantryDetectorTilt": "20"}), tmp_path)
    assert p.verdict is Verdict.CORRECTED
    assert p.tilt_degrees == pytest.approx(20, abs=0.01)
    assert not any("Tilt says" in note for note in p.notes)


def test_a_nominal_tilt_that_the_positions_deny_is_named(tmp_path: Path) -> None:
    p = judged(stack(extra={"GantryDetectorTilt": "15"}), tmp_path)
    assert p.verdict is Verdict.USABLE
    assert any("says 15.0° and the positions 0.0°" in note for note in p.notes)


def test_a_gap_is_refused_with_its_size_and_what_to_do(tmp_path: Path) -> None:
    p = judged(without(stack(), 5), tmp_path)
    assert p.verdict is Verdict.REFUSED
    assert "largest step 4.00 mm where 2.00 mm" in p.reasons[0]
    assert "--fill-gaps" in p.reasons[0]
    assert any("instance numbers" in note for note in p.notes) is False


def test_unscanned_tissue_between_slices_is_named(tmp_path: Path) -> None:
    p = judged(stack([3.0] * 5, thickness=2.0), tmp_path)
    assert any("1.00 mm between neighbouring slices" in note for note in p.notes)


def test_missing_rescale_and_missing_distortion_correction_are_said_aloud(tmp_path: Path) -> None:
    drop = ("RescaleSlope", "RescaleIntercept", "RescaleType")
    p = judged(stack(drop=drop, signed=True, intercept=0.0), tmp_path / "ct")
    assert any("not known to be HU" in note for note in p.notes)
    mr = stack(modality="MR", image_type=("ORIGINAL", "PRIMARY", "M", "ND"), drop=drop)
    p = judged(mr, tmp_path / "mr")
    assert p.distortion_correction == "none"
    assert any("distortion" in note for note in p.notes)


def test_metal_and_a_cut_off_body_are_seen_in_the_voxels(tmp_path: Path) -> None:
    # Voxels of 0.8 × 1.1 × 2 mm are 1.76 mm³. 40 of them at 3000 HU are 0.07 mL; a field that is
    # tissue everywhere reaches every edge.
    def change(k: int, ds: object, pixels: np.ndarray) -> np.ndarray:
        out = np.full_like(pixels, 1064)
        if k < 4:
            out[5:7, 5:10] = 4024
        return out

    plan = stack()
    write_series(plan, tmp_path, change=change)
    series = choose(scan(tmp_path))
    p = preflight(series, read(series))
    assert p.contents is not None
    assert p.contents.metal_ml == pytest.approx(40 * 1.76 / 1000)
    assert p.contents.truncated_slices == 12


@pytest.mark.parametrize(("step", "thickness"), [(1.0, 1.0), (5.0, 5.0), (2.0, 3.0)])
def test_expected_error_matches_a_ball_that_is_scanned(step: float, thickness: float) -> None:
    """The equator of a ball of 10 mm, box-averaged along z and interpolated linearly.

    Along z the profile of the ball at radius r is 1 for |z| < √(100 − r²). A slice
    averages it over its thickness; the surface at height 0 is where the interpolated
    value is ½. Over all phases of the slices the largest inward shift is the formula's
    first term (leading order in thickness over radius: within 5 %), and the mean is
    more than 40 % of it.
    """
    shifts = []
    for phase in np.linspace(0, 1, 21):
        z = (np.arange(-20, 21) + phase) * step

        def at(r: float, z: np.ndarray = z) -> float:
            half = np.sqrt(max(0.0, 100 - r * r))
            low, high = np.maximum(z - thickness / 2, -half), np.minimum(z + thickness / 2, half)
            return float(np.interp(0.0, z, np.maximum(high - low, 0) / thickness))

        radii = np.linspace(8, 10, 4001)
        values = np.array([at(r) for r in radii])
        shifts.append(10 - radii[np.searchsorted(-values, -0.5)])
    plane_part = 0.057 * step
    expected = expected_surface_error_mm(step, thickness) - plane_part
    assert max(shifts) <= 1.05 * expected
    assert np.mean(shifts) >= 0.4 * expected
