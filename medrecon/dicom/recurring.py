"""Slices whose headers differ in little: what recurs is worked out once.

The headers of one series agree in all but five attributes. Comparing the rest as bytes
with the file before costs a tenth of reading it anew.
"""

from __future__ import annotations

from dataclasses import replace

from medrecon.dicom import tags
from medrecon.dicom.attributes import Attributes
from medrecon.dicom.slices import Slice, classic_slice, position, time_of_day
from medrecon.dicom.sources import Source
from medrecon.dicom.walker import Elements, Header

_VARYING = frozenset(
    {
        tags.SOP_INSTANCE,
        tags.INSTANCE_NUMBER,
        tags.IMAGE_POSITION,
        tags.ACQUISITION_TIME,
        tags.CONTENT_TIME,
    }
)


class Recurring:
    """Makes single-frame slices, each like the one before where the headers agree."""

    def __init__(self) -> None:
        self._common: tuple[Elements, str, bool, int] | None = None
        self._last: Slice | None = None

    def slice_of(self, source: Source, header: Header) -> Slice | None:
        """The same as `classic_slice`."""
        if header.pixels is None:
            return None
        common = (
            {tag: value for tag, value in header.elements.items() if tag not in _VARYING},
            header.transfer_syntax,
            header.big_endian,
            header.pixels.tag,
        )
        if self._last is None or common != self._common:
            self._common, self._last = common, classic_slice(source, header)
            return self._last
        last, a = self._last, Attributes(header.elements, big_endian=header.big_endian)
        return Slice(
            source,
            header.pixels,
            0,
            last.pixels,
            replace(
                last.identity,
                instance=a.text(tags.SOP_INSTANCE),
                instance_number=a.integer(tags.INSTANCE_NUMBER),
            ),
            replace(last.placement, position_mm=position(a)),
            last.scale,
            last.meaning,
            replace(last.moment, time=time_of_day(a)),
        )
