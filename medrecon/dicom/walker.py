"""A header from a file's first bytes: the wanted elements and where the pixels are.

Reads the four encodings of PS3.5 chapter 7 (implicit or explicit VR, little or big
endian), with or without preamble and file meta information (PS3.10 chapter 7), and
never further than the bytes it was given: it says how many it needs instead.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from medrecon.dicom import tags

Elements = dict[int, "bytes | list[Elements]"]

UNDEFINED = 0xFFFFFFFF
ITEM = 0xFFFEE000
ITEM_END = 0xFFFEE00D
SEQUENCE_END = 0xFFFEE0DD

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
BIG_ENDIAN = "1.2.840.10008.1.2.2"

# VRs with a 32-bit length after two reserved bytes (PS3.5 7.1.2), and those with 16.
LONG_VRS = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
SHORT_VRS = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())

# Nesting of sequences: the standard's deepest macros use five; more is an attack on the stack.
DEEPEST = 24


class ShortHeadError(Exception):
    """The header goes on past the bytes at hand; `needed` of them will do for a while."""

    def __init__(self, needed: int) -> None:
        super().__init__(needed)
        self.needed = needed


class MalformedError(Exception):
    """The bytes are not a DICOM data set, or one that is broken.

    `elements` holds what was read before the break: enough, often, to say which
    series the file belongs to.
    """

    elements: Elements | None = None


@dataclass(frozen=True, slots=True)
class PixelElement:
    """Where the pixel data lie in the file, before any decoding.

    `offsets` is the Extended Offset Table (7FE0,0001), if there is one; `in_words` says that
    the bytes lie in 16-bit words (VR OW), which big endian swaps also for 8-bit pixels.
    """

    tag: int
    offset: int
    length: int
    encapsulated: bool
    offsets: tuple[int, ...] = ()
    in_words: bool = False


@dataclass(frozen=True, slots=True)
class Header:
    """What was read of one file.

    Parameters
    ----------
    elements : dict
        Raw value bytes by tag; for a sequence a list of such dicts.
    big_endian : bool
        Byte order of binary values and of uncompressed pixels.
    transfer_syntax : str
    pixels : PixelElement or None
    deflated_at : int
        Where a deflated data set begins (then nothing else was read), else 0.
    """

    elements: Elements
    big_endian: bool
    transfer_syntax: str
    pixels: PixelElement | None = None
    deflated_at: int = 0


def looks_like_dicom(head: bytes) -> bool:
    """Whether the bytes begin as a DICOM file does, with or without preamble."""
    if head[128:132] == b"DICM":
        return True
    if len(head) < 16:
        return False
    group, element = struct.unpack_from("<HH", head)
    if group in (0x0002, 0x0008) and element <= 0x9300:
        return _guess_explicit(head, 0) or 0 <= struct.unpack_from("<I", head, 4)[0] <= 0x10000
    return head[:2] == b"\x00\x08" and _guess_explicit(head, 0)


def walk(head: bytes, size: int) -> Header:
    """Header of the file of `size` bytes that begins with `head`.

    Raises
    ------
    ShortHeadError
        If the header is longer than `head`.
    MalformedError
        If the bytes are no data set.
    """
    position = 132 if head[128:132] == b"DICM" else 0
    meta: Elements = {}
    if head[position : position + 2] == b"\x02\x00":
        position = _walk_meta(head, size, position, meta)
    syntax = text(meta.get(tags.TRANSFER_SYNTAX))
    if syntax == DEFLATED:
        return Header(meta, False, syntax, deflated_at=position)
    return walk_dataset(head, size, position, syntax, meta)


def walk_dataset(
    head: bytes, size: int, position: int, syntax: str, meta: Elements | None = None
) -> Header:
    """Header of the data set that begins at `position`, encoded as `syntax` says.

    Writers that name one encoding and use another exist: the first element's own
    bytes decide.
    """
    if position + 8 > len(head):
        if position + 8 > size:
            raise MalformedError("no data set")
        raise ShortHeadError(position + 64)
    big = head[position] == 0 and head[position + 1] != 0
    explicit = _guess_explicit(head, position)
    walker = _Walker(head, size, big, explicit)
    elements: Elements = dict(meta or {})
    try:
        pixels = walker.dataset(position, elements)
    except MalformedError as error:
        error.elements = elements
        raise
    if not syntax:
        syntax = BIG_ENDIAN if big else EXPLICIT if explicit else IMPLICIT
    return Header(elements, big, syntax, pixels)


def text(raw: object) -> str:
    """A value as text without its padding; empty for what is absent or a sequence."""
    return raw.decode("latin-1").strip(" \0\t\r\n") if isinstance(raw, bytes) else ""


def _offsets(elements: Elements) -> tuple[int, ...]:
    raw = elements.get(tags.EXTENDED_OFFSETS)
    if not isinstance(raw, bytes):
        return ()
    return struct.unpack(f"<{len(raw) // 8}Q", raw[: len(raw) // 8 * 8])


def _guess_explicit(head: bytes, position: int) -> bool:
    vr = head[position + 4 : position + 6]
    return vr in SHORT_VRS or vr in LONG_VRS


def _walk_meta(head: bytes, size: int, position: int, meta: Elements) -> int:
    """Position after group 2, which is always explicit little endian (PS3.10 7.1)."""
    walker = _Walker(head, size, big=False, explicit=_guess_explicit(head, position))
    while head[position : position + 2] == b"\x02\x00":
        tag, _, value, length = walker.element(position)
        if length == UNDEFINED:
            raise MalformedError("undefined length in the file meta information")
        if value + length > size:
            raise MalformedError("file meta information past the end of the file")
        if value + length > len(head):
            raise ShortHeadError(value + length + 64)
        if tag in tags.WANTED:
            meta[tag] = head[value : value + length]
        position = value + length
    return position


class _Walker:
    """Steps through the elements of one encoding in one buffer."""

    __slots__ = ("buffer", "explicit", "prefix", "size", "u16", "u32", "unpack8")

    def __init__(self, buffer: bytes, size: int, big: bool, explicit: bool) -> None:
        order = ">" if big else "<"
        self.buffer = buffer
        self.size = size
        self.explicit = explicit
        self.unpack8 = struct.Struct(order + "HH2sH").unpack_from
        self.u32 = struct.Struct(order + "I").unpack_from
        self.prefix = order

    def element(self, position: int) -> tuple[int, bytes, int, int]:
        """Tag, VR, position of the value, and its length."""
        if position + 12 > len(self.buffer):
            if position + 8 > self.size:
                raise MalformedError("an element cut short")
            if len(self.buffer) < self.size:
                raise ShortHeadError(position + 12)
            if position + 8 > len(self.buffer):
                raise MalformedError("an element cut short")
        group, number, vr, short = self.unpack8(self.buffer, position)
        tag = group << 16 | number
        if not self.explicit or group == 0xFFFE:
            return tag, b"", position + 8, self.u32(self.buffer, position + 4)[0]
        if vr in SHORT_VRS:
            return tag, vr, position + 8, short
        if vr in LONG_VRS:
            if position + 12 > len(self.buffer):
                raise MalformedError("an element cut short")
            return tag, vr, position + 12, self.u32(self.buffer, position + 8)[0]
        raise MalformedError("an unknown value representation")

    def dataset(self, position: int, elements: Elements) -> PixelElement | None:
        """Fill `elements` up to the pixel data, and say where those are."""
        wanted, pixel_tags, last = tags.WANTED, tags.PIXEL_TAGS, -1
        unpack, buffer, stop = self.unpack8, self.buffer, len(self.buffer) - 12
        while position < self.size:
            # The next lines are `element` for an explicit short VR that is not wanted: most.
            while self.explicit and position < stop:
                group, number, vr, length = unpack(buffer, position)
                tag = group << 16 | number
                if vr not in SHORT_VRS or tag in wanted or group == 0xFFFE or tag < last:
                    break
                last = tag
                position += 8 + length
            if position + 8 > self.size:  # trailing bytes that are no element
                return None
            tag, vr, value, length = self.element(position)
            if tag in pixel_tags:
                if length == UNDEFINED:
                    return PixelElement(tag, value, self.size - value, True, _offsets(elements))
                return PixelElement(tag, value, length, False, in_words=vr == b"OW")
            if tag < last and tag >> 16 < 8:
                raise MalformedError("elements out of order")
            last = tag
            if length == UNDEFINED or (tag in tags.SEQUENCES and vr in (b"SQ", b"", b"UN")):
                items, position = self.sequence(value, length, vr, tag in wanted, 1)
                if tag in wanted:
                    elements[tag] = items
                continue
            end = value + length
            if tag in wanted:
                found = self.take(value, end)
                if elements.setdefault(tag, found) != found:
                    raise MalformedError("an attribute stands twice, with two values")
            elif end > self.size:
                raise MalformedError("an element past the end of the file")
            position = end
        return None

    def take(self, start: int, end: int) -> bytes:
        """The value's bytes."""
        if end > self.size:
            raise MalformedError("an element past the end of the file")
        if end > len(self.buffer):
            raise ShortHeadError(end + 64)
        return self.buffer[start:end]

    def sequence(
        self, position: int, length: int, vr: bytes, keep: bool, depth: int
    ) -> tuple[list[Elements], int]:
        """The items of a sequence and the position after it.

        A sequence of VR UN and undefined length is implicit little endian inside
        whatever the file is (PS3.5 6.2.2 note 6).
        """
        if depth > DEEPEST:
            raise MalformedError("sequences nested too deep")
        if vr == b"UN" and self.explicit:
            inner = _Walker(self.buffer, self.size, big=False, explicit=False)
            return inner.sequence(position, length, b"", keep, depth + 1)
        end = self.size if length == UNDEFINED else position + length
        if end > self.size:
            raise MalformedError("a sequence past the end of the file")
        items: list[Elements] = []
        while position < end:
            tag, _, value, size = self.element(position)
            if tag == SEQUENCE_END:
                return items, value
            if tag != ITEM:
                raise MalformedError("something else than an item in a sequence")
            item: Elements = {}
            position = self.item(value, size, item, keep, depth)
            if keep:
                items.append(item)
        if length == UNDEFINED:
            raise MalformedError("a sequence without an end")
        return items, end

    def item(self, position: int, length: int, item: Elements, keep: bool, depth: int) -> int:
        """Fill one item and say where it ends."""
        end = self.size if length == UNDEFINED else position + length
        if end > self.size:
            raise MalformedError("an item past the end of the file")
        if not keep and length != UNDEFINED:
            return end
        while position < end:
            tag, vr, value, size = self.element(position)
            if tag == ITEM_END:
                return value
            if size == UNDEFINED or (tag in tags.SEQUENCES and vr in (b"SQ", b"", b"UN")):
                inner = keep and tag in tags.WANTED
                items, position = self.sequence(value, size, vr, inner, depth + 1)
                if inner:
                    item[tag] = items
                continue
            position = value + size
            if keep and tag in tags.WANTED:
                item[tag] = self.take(value, position)
            elif position > self.size:
                raise MalformedError("an element past the end of the file")
        if length == UNDEFINED:
            raise MalformedError("an item without an end")
        return end
