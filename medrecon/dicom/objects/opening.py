"""One derived object from disk: whole, within its budget, parsed."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from medrecon.dicom.headers import read_header
from medrecon.dicom.limits import Limits
from medrecon.dicom.sources import FileSource
from medrecon.dicom.walker import MalformedError
from medrecon.errors import DamagedInputError, ResourceError, UnreadableInputError


def open_object(path: Path, limits: Limits) -> Dataset:
    """The data set of a file, with its pixel data still encoded.

    Raises
    ------
    UnreadableInputError
        If it is no DICOM file.
    DamagedInputError
        If it cannot be parsed.
    ResourceError
        If it is larger than the limits allow.
    """
    try:
        size = path.stat().st_size
        opened = read_header(FileSource(path, size), limits)
    except OSError as error:
        reason = error.strerror or "input/output error"
        raise UnreadableInputError(f"the input cannot be opened: {reason}") from error
    except MalformedError as error:
        raise DamagedInputError(f"a broken DICOM object: {error}") from None
    if opened is None:
        raise UnreadableInputError("not a DICOM file; a SEG or RTSTRUCT was expected")
    source, _ = opened
    if size > limits.volume_bytes:
        raise ResourceError(f"an object of {size / 2**30:.1f} GiB is over the memory limit")
    try:
        return pydicom.dcmread(BytesIO(source.head(limits.volume_bytes)), force=True)
    except (InvalidDicomError, ValueError, TypeError, AttributeError, KeyError, EOFError) as error:
        kind = type(error).__name__
        raise DamagedInputError(f"a DICOM object that cannot be parsed ({kind})") from None
