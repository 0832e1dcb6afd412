"""A series that medrecon wrote says exactly what the volume says, in every encoding."""

from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.encaps import generate_frames

from medrecon.core import Acquisition, Geometry, HuStatus, Modality, Volume
from medrecon.dicom.write_ct import CtSeries, TransferSyntax, write_ct_series
from medrecon.errors import GeometryError, OutputError

PLAIN = {TransferSyntax.EXPLICIT, TransferSyntax.IMPLICIT, TransferSyntax.DEFLATED}
DECODERS = {
    TransferSyntax.JPEG_LOSSLESS: imagecodecs.ljpeg_decode,
    TransferSyntax.JPEG_LS: imagecodecs.jpegls_decode,
    TransferSyntax.JPEG_2000: imagecodecs.jpeg2k_decode,
    TransferSyntax.HTJ2K: imagecodecs.htj2k_decode,
}


def _volume(geometry: Geometry | None = None) -> Volume:
    grid = geometry or Geometry((14, 11, 3), (0.7, 0.8, 2.5), (-100.25, -90.1, 33.3))
    values = np.random.default_rng(0).integers(-1024, 3072, grid.shape).astype(np.int16)
    acquisition = Acquisition(Modality.CT, HuStatus.VERIFIED, is_phantom=True, body_part="CHEST")
    return Volume(values, grid, acquisition)


def _stored_pixels(ds: pydicom.Dataset, syntax: TransferSyntax) -> np.ndarray:
    if syntax in DECODERS:
        return DECODERS[syntax](next(generate_frames(ds.PixelData, number_of_frames=1)))
    return ds.pixel_array


@pytest.mark.parametrize("syntax", list(TransferSyntax))
def test_every_encoding_gives_the_pixels_back(tmp_path: Path, syntax: TransferSyntax) -> None:
    volume = _volume()
    for k, path in enumerate(write_ct_series(volume, tmp_path, transfer_syntax=syntax)):
        ds = pydicom.dcmread(path)
        hu = _stored_pixels(ds, syntax) * ds.RescaleSlope + ds.RescaleIntercept
        assert np.array_equal(hu.T, volume.array[:, :, k])


def test_encapsulated_and_plain_series_differ_in_their_transfer_syntax_uid(tmp_path: Path) -> None:
    uids = {
        s: pydicom.dcmread(
            write_ct_series(_volume(), tmp_path / s, transfer_syntax=s)[0]
        ).file_meta.TransferSyntaxUID
        for s in TransferSyntax
    }
    assert len(set(uids.values())) == len(TransferSyntax)
    assert all(uid.is_compressed != (s in PLAIN) for s, uid in uids.items() if s != "deflated")


def test_an_oblique_left_handed_slice_keeps_its_place(tmp_path: Path) -> None:
    # i runs to the back-left, j upwards, k to the right-back: det < 0.
    c, s = 0.8, 0.6
    direction = ((s, 0.0, -c), (c, 0.0, s), (0.0, 1.0, 0.0))
    grid = Geometry((14, 11, 3), (0.7, 0.8, 2.5), (-10.5, 20.25, -30.125), direction)
    paths = write_ct_series(_volume(grid), tmp_path)
    for k, path in enumerate(paths):
        ds = pydicom.dcmread(path)
        first = np.array(ds.ImagePositionPatient, dtype=float)
        row, column = np.array(ds.ImageOrientationPatient, dtype=float).reshape(2, 3)
        # PS3.3 C.7.6.2.1.1: spacing between rows comes first, rows go along the column vector.
        between_rows, between_columns = ds.PixelSpacing
        point = first + 5 * between_columns * row + 7 * between_rows * column
        assert np.allclose(point, grid.mm_from_index([[5, 7, k]])[0], atol=1e-9)


def test_the_files_are_marked_as_a_phantom_and_hold_no_date(tmp_path: Path) -> None:
    ds = pydicom.dcmread(write_ct_series(_volume(), tmp_path)[0])
    assert ds.QualityControlImage == "YES"
    assert ds.RescaleType == "HU"
    assert not any(e.value for e in ds.iterall() if e.VR in ("DA", "TM", "DT"))


def test_a_volume_that_is_no_phantom_is_not_marked_as_one(tmp_path: Path) -> None:
    volume = _volume()
    real = Volume(volume.array, volume.geometry, Acquisition(Modality.CT, HuStatus.VERIFIED))
    assert "QualityControlImage" not in pydicom.dcmread(write_ct_series(real, tmp_path)[0])


def test_the_same_seed_gives_the_same_bytes_and_another_one_other_uids(tmp_path: Path) -> None:
    def read(folder: str, seed: str) -> list[bytes]:
        paths = write_ct_series(_volume(), tmp_path / folder, series=CtSeries(uid_seed=seed))
        return [p.read_bytes() for p in paths]

    assert read("a", "one") == read("b", "one") != read("c", "two")


def test_two_series_of_one_study_share_its_uid(tmp_path: Path) -> None:
    first, second = (
        pydicom.dcmread(write_ct_series(_volume(), tmp_path / str(n), series=CtSeries(number=n))[0])
        for n in (1, 2)
    )
    assert first.StudyInstanceUID == second.StudyInstanceUID
    assert first.SeriesInstanceUID != second.SeriesInstanceUID


def test_a_sheared_plane_is_refused_but_a_tilted_stack_is_written(tmp_path: Path) -> None:
    c, s = np.cos(0.3), np.sin(0.3)
    sheared = Geometry((14, 11, 3), (1, 1, 1), (0, 0, 0), ((1, s, 0), (0, c, 0), (0, 0, 1)))
    with pytest.raises(GeometryError, match="perpendicular"):
        write_ct_series(_volume(sheared), tmp_path)
    tilted = Geometry((14, 11, 3), (1, 1, 2), (0, 0, 0), ((1, 0, 0), (0, c, 0), (0, s, 1)))
    paths = write_ct_series(_volume(tilted), tmp_path)
    step = np.subtract(*(pydicom.dcmread(p).ImagePositionPatient for p in paths[1::-1]))
    assert np.allclose(step, (0, 0, 2))


def test_values_beyond_sixteen_bits_are_refused(tmp_path: Path) -> None:
    low = Volume(np.full((2, 2, 1), -1025, np.int16), Geometry((2, 2, 1), (1, 1, 1), (0, 0, 0)))
    with pytest.raises(ValueError, match="-1025"):
        write_ct_series(low, tmp_path)


def test_a_folder_that_cannot_be_made_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError):
        write_ct_series(_volume(), tmp_path / "file")
