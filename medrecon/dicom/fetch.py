"""Slices' pixels into one array: straight from the file, or through the decoding process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.dicom import tags
from medrecon.dicom.decode import CODECS, Decoder, Frame, SharedMemory
from medrecon.dicom.fragments import split_frames
from medrecon.dicom.limits import Limits
from medrecon.dicom.pixels import Mask, Transform, to_float32, to_int16, unpack_12_bit
from medrecon.dicom.slices import Slice
from medrecon.dicom.sources import LoadedSource, Source
from medrecon.dicom.walker import BIG_ENDIAN, DEFLATED, EXPLICIT, IMPLICIT
from medrecon.errors import PixelDataError, ResourceError, UnsupportedEncodingError

_PLAIN = frozenset({IMPLICIT, EXPLICIT, BIG_ENDIAN, DEFLATED})
_THREADS = 2


@dataclass(slots=True)
class Fetched:
    """Pixels of a list of slices.

    Parameters
    ----------
    array : ndarray of int16 or float32, shape (i, j, n)
        Fortran order.
    masks : dict of int to ndarray of bool, shape (j, i)
        Where a slice holds padding. Equal masks are one object.
    unfilled : set of int
        Slices whose padding still has its own value.
    failed : dict of int to str
        Slices that could not be read, with the reason.
    """

    array: npt.NDArray[Any]
    masks: dict[int, Mask] = field(default_factory=dict)
    unfilled: set[int] = field(default_factory=set)
    failed: dict[int, str] = field(default_factory=dict)

    def add_mask(self, n: int, mask: Mask | None, *, filled: bool) -> None:
        """Note a slice's padding."""
        if mask is None or not mask.any():
            return
        self.masks[n] = mask
        if not filled:
            self.unfilled.add(n)

    def share_masks(self) -> None:
        """Keep one object for equal masks: most series have one circle for all slices."""
        known: list[Mask] = []
        for n in sorted(self.masks):
            same = next((m for m in known[-4:] if np.array_equal(m, self.masks[n])), None)
            if same is None:
                known.append(self.masks[n])
            else:
                self.masks[n] = same

    def lowest(self, array: npt.NDArray[Any]) -> float:
        """Lowest value outside the masks; 0 if nothing was measured."""
        lowest = np.inf
        for n in range(array.shape[2]):
            plane = array[:, :, n].T
            measured = plane[~self.masks[n]] if n in self.masks else plane
            if measured.size:
                lowest = min(lowest, float(measured.min()))
        return lowest if np.isfinite(lowest) else 0.0

    def measured_nothing(self, count: int) -> bool:
        """Whether every pixel of all slices is padding."""
        return len(self.masks) == count and all(m.all() for m in self.masks.values())

    def unmeasured(self, count: int) -> Mask | None:
        """Mask broadcastable to (i, j, n): one plane if all slices share theirs."""
        if not self.masks:
            return None
        first = next(iter(self.masks.values()))
        if len(self.masks) == count and all(m is first for m in self.masks.values()):
            return first.T[:, :, None]
        whole = np.zeros((count, *first.shape), bool)
        for n, mask in self.masks.items():
            whole[n] = mask
        return whole.T


def fetch(
    slices: Sequence[Slice],
    transforms: Sequence[Transform],
    dtype: np.dtype[Any],
    limits: Limits,
    decoder: Decoder,
) -> Fetched:
    """Values of all slices, in their order.

    Raises
    ------
    UnsupportedEncodingError
        If the transfer syntax or the layout of the pixels is not decoded.
    TooWideError
        If int16 was asked for and a value does not fit.
    """
    for s in slices:
        _check_format(s)
    if all(s.pixels.transfer_syntax in CODECS for s in slices):
        fetched = _decoded(slices, transforms, dtype, limits, decoder)
    elif all(s.pixels.transfer_syntax in _PLAIN for s in slices):
        fetched = _plain(slices, transforms, dtype)
    else:
        fetched = _mixed(slices, transforms, dtype, limits, decoder)
    fetched.share_masks()
    return fetched


def _check_format(s: Slice) -> None:
    p = s.pixels
    if p.transfer_syntax not in CODECS and p.transfer_syntax not in _PLAIN:
        raise UnsupportedEncodingError(
            "the pixels are in a transfer syntax that is not decoded; convert them to Explicit VR "
            "Little Endian, with dcmdjpeg or gdcmconv --raw for example"
        )
    is_float = s.element.tag != tags.PIXELS
    sizes = (32, 64) if is_float else (8, 12, 16, 32)
    if p.bits_allocated not in sizes or (s.element.encapsulated and p.bits_allocated == 12):
        raise UnsupportedEncodingError(
            f"{p.bits_allocated} bits allocated; medrecon reads {' or '.join(map(str, sizes))}"
        )
    if not is_float and not 0 < p.bits_stored <= p.high_bit + 1 <= p.bits_allocated:
        raise PixelDataError(
            f"{p.bits_stored} bits stored up to bit {p.high_bit} of {p.bits_allocated}: impossible"
        )
    if s.element.encapsulated != (p.transfer_syntax in CODECS):
        raise PixelDataError("the pixel data are not encoded as the transfer syntax says")


def _plain(
    slices: Sequence[Slice], transforms: Sequence[Transform], dtype: np.dtype[Any]
) -> Fetched:
    """Uncompressed pixels: each slice's bytes go from the file to their place."""
    rows, columns = slices[0].shape
    try:
        whole = np.empty((len(slices), rows, columns), dtype)
    except MemoryError as error:
        raise ResourceError("no memory for the volume") from error
    fetched = Fetched(whole.T)
    slices = _loaded(slices)

    def one(n: int) -> None:
        t = transforms[n]
        try:
            mask = _plain_slice(slices[n], t, whole[n])
        except PixelDataError as error:
            fetched.failed[n] = str(error)
            return
        fetched.add_mask(n, mask, filled=t.fill is not None)

    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(one, range(len(slices))))
    return fetched


def _loaded(slices: Sequence[Slice]) -> Sequence[Slice]:
    """The slices, with files that hold several and cannot be read in part read whole, once."""
    found: list[Slice] = []
    last: tuple[Source, Source] | None = None
    for s in slices:
        if s.source.is_random_access or s.pixels.frames == 1:
            found.append(s)
            continue
        if last is None or last[0] is not s.source:
            content = s.source.read(s.element.offset, s.element.length)
            last = s.source, LoadedSource(content, s.element.offset)
        found.append(replace(s, source=last[1]))
    return found


def _plain_slice(s: Slice, t: Transform, target: npt.NDArray[Any]) -> Mask | None:
    p = s.pixels
    direct = target.dtype == np.int16 and p.bits_allocated == 16 and s.tile is None
    words: npt.NDArray[Any] = target.view(np.uint16) if direct else _words(s)
    _read_words(s, words)
    if p.bits_allocated == 12:
        words = unpack_12_bit(words, p.rows * p.columns).reshape(p.rows, p.columns)
    return _finish(s, t, words, target)


def _words(s: Slice) -> npt.NDArray[Any]:
    p = s.pixels
    if p.bits_allocated == 12:
        return np.empty((p.rows * p.columns * 12 + 7) // 8, np.uint8)
    kind = "u" if s.element.tag == tags.PIXELS else "f"
    return np.empty((p.rows, p.columns), f"{kind}{p.bits_allocated // 8}")


def _read_words(s: Slice, words: npt.NDArray[Any]) -> None:
    p = s.pixels
    bits = p.frame_bits * s.frame
    if bits % 8:
        raise PixelDataError("frames that do not begin at a byte")
    offset = bits // 8
    stated = -(-p.frame_bits * p.frames // 8)
    # A pad byte or a block of them may follow; a whole frame more means that the header
    # does not describe these pixels.
    if not stated <= s.element.length < stated + max(p.frame_bits // 8, 2):
        raise PixelDataError(f"{s.element.length:,} bytes of pixel data; {stated:,} expected")
    flat = words.reshape(-1).view(np.uint8)
    if p.big_endian and s.element.in_words and words.dtype.itemsize == 1:
        flat[:] = _bytes_of_words(s, offset, len(flat))
        return
    s.source.read_into(s.element.offset + offset, flat.data)
    if p.big_endian and words.dtype.itemsize > 1:
        words.byteswap(inplace=True)


def _bytes_of_words(s: Slice, offset: int, count: int) -> npt.NDArray[np.uint8]:
    """Bytes that were packed into 16-bit words and swapped with them (PS3.5 8.1.1, 7.3)."""
    first, last = offset & ~1, (offset + count + 1) & ~1
    raw = s.source.read(s.element.offset + first, last - first)
    swapped = np.frombuffer(raw, ">u2").astype("<u2").view(np.uint8)
    return swapped[offset - first :][:count]


def _finish(
    s: Slice, t: Transform, words: npt.NDArray[Any], target: npt.NDArray[Any]
) -> Mask | None:
    """Values of one frame or tile into their place."""
    if s.tile is not None:
        tile = s.tile
        words = words[
            tile.row : tile.row + tile.rows, tile.column : tile.column + tile.columns
        ].copy()
    if target.dtype == np.float32:
        return to_float32(words, t, target)
    if words.dtype == np.uint8:
        wide = target.view(np.uint16)
        wide[:] = words
        return to_int16(wide, t)
    if not np.shares_memory(words, target):
        target.view(np.uint16)[:] = words
    return to_int16(target.view(np.uint16), t)


def _decoded(
    slices: Sequence[Slice],
    transforms: Sequence[Transform],
    dtype: np.dtype[Any],
    limits: Limits,
    decoder: Decoder,
) -> Fetched:
    """Compressed pixels: decoded into shared memory, and turned into values there."""
    decoder.start()
    p = slices[0].pixels
    item = p.bits_allocated // 8
    if any(s.pixels.bits_allocated != p.bits_allocated for s in slices):
        return _mixed(slices, transforms, dtype, limits, decoder)
    frame_bytes = p.rows * p.columns * item
    if frame_bytes * len(slices) > limits.volume_bytes:
        raise ResourceError("the decoded frames are over the memory budget (--max-memory)")
    memory = SharedMemory(frame_bytes * len(slices), p.rows * p.columns)
    try:
        jobs = _Jobs(slices, item, frame_bytes)
        failed = decoder.decode(jobs, memory) | jobs.failed
    finally:
        memory.close()
    kind = "u"
    stored = memory.array(f"{kind}{item}", (len(slices), p.rows, p.columns))
    in_place = dtype == np.int16 and item == 2 and all(s.tile is None for s in slices)
    rows, columns = slices[0].shape
    whole = stored.view(np.int16) if in_place else np.empty((len(slices), rows, columns), dtype)
    fetched = Fetched(whole.T, failed=dict(sorted(failed.items())))
    for n, s in enumerate(slices):
        if n not in failed:
            mask = _finish(s, transforms[n], stored[n], whole[n])
            fetched.add_mask(n, mask, filled=transforms[n].fill is not None)
    return fetched


class _Jobs:
    """Frames to decode, read from their files one file at a time."""

    def __init__(self, slices: Sequence[Slice], item: int, frame_bytes: int) -> None:
        self.slices = slices
        self.item = item
        self.frame_bytes = frame_bytes
        self.failed: dict[int, str] = {}

    def __iter__(self) -> Iterator[Frame]:
        order = sorted(range(len(self.slices)), key=lambda n: (self._file(n), n))
        for _, group in groupby(order, key=self._file):
            members = list(group)
            try:
                frames = _payloads(self.slices[members[0]])
            except PixelDataError as error:
                self.failed |= dict.fromkeys(members, str(error))
                continue
            for n in members:
                yield self._frame(n, frames[self.slices[n].frame])

    def _file(self, n: int) -> int:
        """The first slice that has the same source: files in the order of their slices."""
        return self._firsts()[id(self.slices[n].source)]

    def _firsts(self) -> dict[int, int]:
        firsts: dict[int, int] = {}
        for n, s in enumerate(self.slices):
            firsts.setdefault(id(s.source), n)
        return firsts

    def _frame(self, n: int, payload: bytes) -> Frame:
        p = self.slices[n].pixels
        codec = CODECS[p.transfer_syntax]
        return Frame(n, codec, self.item, p.rows, p.columns, 1, n * self.frame_bytes, payload)


def _payloads(s: Slice) -> list[bytes]:
    raw = s.source.read(s.element.offset, s.element.length)
    return split_frames(raw, s.pixels.frames, s.element.offsets)


def _mixed(
    slices: Sequence[Slice],
    transforms: Sequence[Transform],
    dtype: np.dtype[Any],
    limits: Limits,
    decoder: Decoder,
) -> Fetched:
    """A series stored in several ways: each way by itself, then put together."""
    rows, columns = slices[0].shape
    whole = np.empty((len(slices), rows, columns), dtype)
    fetched = Fetched(whole.T)
    ways: dict[tuple[str, int], list[int]] = {}
    for n, s in enumerate(slices):
        ways.setdefault((s.pixels.transfer_syntax, s.pixels.bits_allocated), []).append(n)
    for members in ways.values():
        part = fetch(
            [slices[n] for n in members], [transforms[n] for n in members], dtype, limits, decoder
        )
        for k, n in enumerate(members):
            whole[n] = part.array.T[k]
            if k in part.masks:
                fetched.add_mask(n, part.masks[k], filled=k not in part.unfilled)
            if k in part.failed:
                fetched.failed[n] = part.failed[k]
    return fetched
