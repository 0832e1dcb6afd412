"""A data set as the bytes of a DICOM file."""

from __future__ import annotations

from io import BytesIO
from typing import IO

import pydicom
from pydicom.dataset import Dataset


def write_object(ds: Dataset, stream: IO[bytes]) -> None:
    """Write a data set that has its file meta information, in the DICOM file format."""
    buffer = BytesIO()
    pydicom.dcmwrite(buffer, ds, enforce_file_format=True)
    stream.write(buffer.getbuffer())
