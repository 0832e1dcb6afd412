"""Typed values of raw elements: what is absent, empty or unreadable is None, never a guess."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator

from medrecon.dicom import tags
from medrecon.dicom.walker import Elements, text

# Of the wanted attributes, those with binary floating point values (PS3.6); the rest of
# the numbers are decimal or integer strings, or 16-bit integers.
_DOUBLES = frozenset(
    {
        tags.DIFFUSION_B_VALUE,
        tags.GRADIENT_ORIENTATION,
        tags.EFFECTIVE_ECHO_TIME,
        tags.NOMINAL_CARDIAC_PHASE,
        tags.TRIGGER_DELAY,
        tags.REAL_WORLD_SLOPE,
        tags.REAL_WORLD_INTERCEPT,
    }
)


class Attributes:
    """Reads the elements of one data set or item, and of what stands behind it.

    Parameters
    ----------
    *layers : dict
        Searched in order: a frame's own functional groups, the shared ones, the
        data set.
    big_endian : bool
        Byte order of the binary values.
    """

    __slots__ = ("_layers", "_order")

    def __init__(self, *layers: Elements, big_endian: bool = False) -> None:
        self._layers = layers
        self._order = ">" if big_endian else "<"

    def raw(self, tag: int) -> bytes | None:
        """Value bytes of the first layer that has the attribute with a value."""
        for layer in self._layers:
            value = layer.get(tag)
            if isinstance(value, bytes) and value:
                return value
        return None

    def text(self, tag: int) -> str:
        """The whole value as text, empty if absent."""
        return text(self.raw(tag))

    def words(self, tag: int) -> tuple[str, ...]:
        """The values of a multi-valued text attribute, in capitals."""
        whole = self.text(tag)
        return tuple(w.strip().upper() for w in whole.split("\\")) if whole else ()

    def short(self, tag: int) -> int | None:
        """An unsigned 16-bit value (US)."""
        raw = self.raw(tag)
        if raw is None or len(raw) < 2:
            return None
        return int(struct.unpack_from(self._order + "H", raw)[0])

    def numbers(self, tag: int) -> tuple[float, ...] | None:
        """Finite decimal numbers; None if absent or if any cannot be read."""
        raw = self.raw(tag)
        if raw is None:
            return None
        values = self._doubles(raw) if tag in _DOUBLES else _decimals(text(raw))
        if values is None or not all(math.isfinite(v) for v in values):
            return None
        return values

    def number(self, tag: int) -> float | None:
        """The first number of an attribute."""
        values = self.numbers(tag)
        return values[0] if values else None

    def integer(self, tag: int) -> int | None:
        """The first number of an integer string, if it is whole."""
        value = self.number(tag)
        return int(value) if value is not None and value == int(value) else None

    def items(self, tag: int) -> Iterator[Elements]:
        """Items of the first layer's sequence."""
        for layer in self._layers:
            value = layer.get(tag)
            if isinstance(value, list) and value:
                yield from value
                return

    def unsigned_longs(self, tag: int) -> tuple[int, ...]:
        """32-bit values (UL)."""
        raw = self.raw(tag) or b""
        return struct.unpack(f"{self._order}{len(raw) // 4}I", raw[: len(raw) // 4 * 4])

    def _doubles(self, raw: bytes) -> tuple[float, ...] | None:
        if len(raw) % 8:
            return None
        return struct.unpack(f"{self._order}{len(raw) // 8}d", raw)


def _decimals(whole: str) -> tuple[float, ...] | None:
    """Decimal strings (PS3.5 6.2, DS and IS)."""
    if not whole or "_" in whole:
        return None
    try:
        return tuple(float(part) for part in whole.split("\\"))
    except ValueError:
        return None
