"""pydicom without its remarks: they repeat the values that they find fault with."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from pydicom.config import disable_value_validation


@contextmanager
def without_remarks() -> Iterator[None]:
    """No warning and no log entry of a value that is not as the standard has it.

    What matters of a file is checked by its reader, which says so without the value.
    """
    with warnings.catch_warnings(), disable_value_validation():
        warnings.simplefilter("ignore")
        yield
