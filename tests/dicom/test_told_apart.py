"""What is told apart, in time, in value and in the list of series."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hazards_mixed import some, top
from pydicom.dataset import Dataset
from series_maker import Array, Plan, stack, uid, write_series

from medrecon.core import Volume
from medrecon.dicom import choose, read, scan


def volume_of(folder: Path, **options: int) -> Volume:
    image = read(choose(scan(folder)), **options)
    assert isinstance(image, Volume)
    return image


def test_what_is_scanned_after_midnight_comes_second(tmp_path: Path) -> None:
    for n, time in enumerate(("235950", "000010")):
        plan = stack(extra={"AcquisitionTime": time}, slopes=(6.0 + n, -5.0, 11.0))

        def change(_: int, ds: Dataset, __: Array, n: int = n) -> None:
            ds.SOPInstanceUID = uid(ds.SOPInstanceUID, n)

        write_series(plan, tmp_path, names=lambda k, n=n: f"{n}-{k}", change=change)
    # First pixel centre at (−9, −8, −11): 40 − 6·9 + 5·8 − 11·11 = −95, and 9 less after it.
    assert volume_of(tmp_path, frame=1).array[0, 0, 0] == -95
    assert volume_of(tmp_path, frame=2).array[0, 0, 0] == -104


def padded(plan: Plan, folder: Path, vr: str) -> None:
    """The first two rows of every slice hold the padding value, in all 16 bits."""
    word = np.int64(plan.extra["PixelPaddingValue"]).astype(np.uint16)

    def change(_: int, ds: Dataset, pixels: Array) -> Array:
        ds["PixelPaddingValue"].VR = vr
        changed = pixels.copy()
        changed[:2] = word
        return changed

    write_series(plan, folder, change=change)


def test_tissue_of_the_paddings_own_value_is_measured(tmp_path: Path) -> None:
    # The pixel in the middle of slice 5: 40 + 7·(−1) − 5·1.9 + 11·(−1) = 12.5, stored as 12.
    plan = stack(intercept=0.0, signed=True, extra={"PixelPaddingValue": 12})
    padded(plan, tmp_path, "SS")
    volume = volume_of(tmp_path)
    assert volume.array[10, 9, 5] == 12
    assert volume.unmeasured is not None
    assert not np.broadcast_to(volume.unmeasured, volume.array.shape)[10, 9, 5]
    assert (volume.array[:, :2] == -1000).all()


def test_padding_in_all_16_bits_of_a_12_bit_image_is_no_bone(tmp_path: Path) -> None:
    for signed, intercept in ((True, 0.0), (False, -1024.0)):
        folder = tmp_path / str(signed)
        value = -3024 if signed else 65536 - 3024
        plan = stack(signed=signed, intercept=intercept, extra={"PixelPaddingValue": value})
        padded(plan, folder, "SS" if signed else "US")
        volume = volume_of(folder)
        # The lower 12 bits alone are 1072: dense bone.
        assert (volume.array[:, :2] == -1000).all()
        assert volume.unmeasured is not None
        assert volume.unmeasured[:, :2].all()


def test_the_list_of_series_says_which_parts_of_a_scan_lie_elsewhere(tmp_path: Path) -> None:
    write_series(stack(), tmp_path, change=some(top, PixelSpacing=["0.9", "0.65"]))
    found = scan(tmp_path)
    assert found.warnings == (
        "series 1 lacks 4 slice(s) of the same series identifier, which differ and are series 2",
    )
    # Asked for by its number it is read all the same.
    assert volume_of_series(found, 1).geometry.shape[2] == 8


def volume_of_series(found: object, number: int) -> Volume:
    image = read(choose(found, number))  # type: ignore[arg-type]
    assert isinstance(image, Volume)
    return image
