"""The right volume or the right refusal, for every hazard; nothing in silence."""

from __future__ import annotations

from pathlib import Path

import hazards_files
import hazards_meant
import hazards_mixed
import hazards_more
import hazards_series
import hazards_stored
import numpy as np
import pytest
from hazards import HAZARDS, Hazard
from judge import verdict

from medrecon.core import HuStatus, SliceStack, Volume
from medrecon.dicom import Decoder, choose, read, scan
from medrecon.errors import MedreconError
from medrecon.resampling import stack_geometry, stack_onto

SUITES = (hazards_series, hazards_stored, hazards_files, hazards_mixed, hazards_meant, hazards_more)


@pytest.fixture(scope="module")
def decoder() -> Decoder:
    return Decoder()


def load(hazard: Hazard, folder: Path, decoder: Decoder) -> Volume:
    """The hazard as a volume: a stack is interpolated once, finely enough to be judged."""
    image = read(choose(scan(folder / hazard.entry)), decoder=decoder)
    if isinstance(image, SliceStack):
        return stack_onto(image, stack_geometry(image, 0.5))
    return image


def test_there_are_at_least_190_hazards() -> None:
    assert len(HAZARDS) >= 190
    assert len({h.name for h in HAZARDS}) == len(HAZARDS)


@pytest.mark.parametrize("hazard", HAZARDS, ids=lambda h: h.name)
def test_right_volume_or_right_refusal(hazard: Hazard, tmp_path: Path, decoder: Decoder) -> None:
    folder = tmp_path / "in"
    truth = hazard.make(folder)
    if truth is None:
        with pytest.raises(MedreconError) as caught:
            load(hazard, folder, decoder)
        assert caught.value.code in hazard.codes
        message = str(caught.value)
        assert "SECRET" not in message
        assert str(tmp_path) not in message
        assert "\n" not in message
        return
    volume = load(hazard, folder, decoder)
    measured = None
    if volume.unmeasured is not None:
        measured = ~np.broadcast_to(volume.unmeasured, volume.array.shape)
    wrong = verdict(
        np.asarray(volume.array, float),
        volume.geometry.affine_lps,
        truth,
        measured=measured,
        tolerance=hazard.tolerance,
        corners=hazard.name.startswith(("padding", "float")),
    )
    assert wrong == ""
    if truth.modality == "CT":
        verified = volume.acquisition.hu is HuStatus.VERIFIED
        assert verified is hazard.verified_hu
