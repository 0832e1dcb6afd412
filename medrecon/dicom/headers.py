"""A source's header, fetching no more of the file than it takes."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from medrecon.dicom.limits import Limits
from medrecon.dicom.sources import InflatedSource, Source, gunzipped, is_gzip
from medrecon.dicom.walker import (
    EXPLICIT,
    Header,
    MalformedError,
    ShortHeadError,
    looks_like_dicom,
    walk,
    walk_dataset,
)
from medrecon.errors import PixelDataError

# Most headers of CT slices are shorter; vendors' private blocks take a second turn.
FIRST_READ = 1 << 13


def read_header(source: Source, limits: Limits) -> tuple[Source, Header] | None:
    """Header of a source, and the source its offsets refer to; None if it is not DICOM.

    For a deflated file that is another source, over the inflated data set; for one that
    was packed with gzip, the file inside.

    Raises
    ------
    MalformedError
        If the file begins as DICOM does and is broken before its pixel data, or its
        header is larger than the limit.
    """
    head = source.head(FIRST_READ)
    if is_gzip(head):
        source = gunzipped(source, limits.volume_bytes + limits.header_bytes)
        with suppress(PixelDataError):  # what cannot be unpacked is not known to be DICOM
            head = source.head(FIRST_READ)
    if not looks_like_dicom(head):
        return None
    while True:
        try:
            header = walk(head, source.size)
            break
        except ShortHeadError as short:
            head = _longer(source, head, short.needed, limits)
    if not header.deflated_at:
        return source, header
    inner = InflatedSource(source, header.deflated_at, limits.volume_bytes + limits.header_bytes)
    return inner, _inflated_header(inner, header, limits)


def _inflated_header(source: InflatedSource, outer: Header, limits: Limits) -> Header:
    head = source.head(FIRST_READ)
    while True:
        size = source.size if len(head) >= FIRST_READ else len(head)
        try:
            header = walk_dataset(head, size, 0, EXPLICIT, outer.elements)
            return replace(header, transfer_syntax=EXPLICIT)
        except ShortHeadError as short:
            head = _longer(source, head, short.needed, limits)


def _longer(source: Source, head: bytes, needed: int, limits: Limits) -> bytes:
    """More of the file: what is needed, and at least four times what there was."""
    if needed > limits.header_bytes:
        raise MalformedError(
            f"a header of more than {limits.header_bytes >> 20} MiB; no image has one"
        )
    longer = source.head(min(max(needed, 4 * len(head)), limits.header_bytes))
    if len(longer) < needed and len(longer) <= len(head):
        raise MalformedError("the file ends inside its header")
    return longer
