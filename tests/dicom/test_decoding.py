"""Every transfer syntax of the data folder, against the decoders of GDCM (in SimpleITK)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from medrecon.dicom import Decoder, Limits
from medrecon.dicom.fetch import Fetched, fetch
from medrecon.dicom.headers import read_header
from medrecon.dicom.intake import slices_of
from medrecon.dicom.pixels import transform
from medrecon.dicom.recurring import Recurring
from medrecon.dicom.sources import FileSource

FILES = {
    "explicit": "pydicom_test_files/CT_small.dcm",
    "implicit": "pydicom_test_files/MR_small_implicit.dcm",
    "big endian": "pydicom_test_files/MR_small_bigendian.dcm",
    "padded": "pydicom_test_files/MR_small_padded.dcm",
    "RLE": "pydicom_test_files/MR_small_RLE.dcm",
    "RLE multi-frame": "pydicom-data/emri_small_RLE.dcm",
    "JPEG extended, 12 bits": "pydicom_test_files/JPGExtended.dcm",
    "JPEG lossy, 12 bits": "pydicom_test_files/JPEG-lossy.dcm",
    "JPEG lossless": "dicom2nifti/generic/compressed_jpeg/001/IM-0001-0002-0001.dcm",
    "JPEG-LS": "pydicom_test_files/MR_small_jpeg_ls_lossless.dcm",
    "JPEG-LS signed": "pydicom-data/JLSL_16_15_1_1F.dcm",
    "JPEG-LS near lossless": "pydicom_test_files/JPEGLSNearLossless_16.dcm",
    "JPEG-LS multi-frame": "pydicom-data/emri_small_jpeg_ls_lossless.dcm",
    "JPEG 2000": "pydicom_test_files/MR_small_jp2klossless.dcm",
    "JPEG 2000 lossy": "pydicom_test_files/JPEG2000.dcm",
    "JPEG 2000 multi-frame": "pydicom-data/emri_small_jpeg_2k_lossless.dcm",
    "JPEG 2000 irreversible": "pydicom-data/MR2_J2KI.dcm",
    "JPEG 2000 whose sign the header denies": "pydicom_test_files/J2K_pixelrep_mismatch.dcm",
}
# GDCM refuses these; the lossless original of the same frames is the oracle.
TWINS = {
    "emri_small_jpeg_ls_lossless.dcm": "emri_small.dcm",
    "emri_small_jpeg_2k_lossless.dcm": "emri_small.dcm",
    "emri_small_RLE.dcm": "emri_small.dcm",
}


def decoded(path: Path) -> Fetched:
    limits = Limits()
    opened = read_header(FileSource(path, path.stat().st_size), limits)
    assert opened is not None
    slices = slices_of(*opened, limits, Recurring())
    transforms = [transform(s.pixels, s.scale, is_ct=False) for s in slices]
    with Decoder(limits) as decoder:
        return fetch(slices, transforms, np.dtype(np.float32), limits, decoder)


@pytest.mark.data
@pytest.mark.parametrize("name", FILES)
def test_pixels_equal_those_of_another_decoder(name: str, data_dir: Path) -> None:
    path = data_dir / "dicom" / FILES[name]
    oracle = path.with_name(TWINS.get(path.name, path.name))
    expected = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(oracle)))
    found = decoded(path)
    assert found.failed == {}
    # Irreversible JPEG 2000 and DCT: decoders round the last step differently, by one
    # stored unit (times the slope, 1 in these files).
    lossy = "lossy" in name or "irreversible" in name or "extended" in name
    difference = np.abs(found.array.T - expected.astype(np.float64)).max()
    assert difference <= (1.0 if lossy else 0.0)
