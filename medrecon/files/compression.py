"""Bytes packed by ISA-L, the same bytes each time."""

from __future__ import annotations

from typing import IO

from isal import igzip, isal_zlib

_LEVEL = 1
"""Of ISA-L's gzip: 0.7 s for a chest CT where zlib takes 3.6 s, and only 4 % larger."""

_FIRST = 289
"""ISA-L looks 288 bytes ahead: given one more, it packs the first byte and waits."""


class Deflater:
    """A raw deflate stream, packed piece by piece.

    Where ISA-L packs the first byte it sorts the third into its table by the address of its
    own state in place of the data, so that now and then a match at the stream's beginning
    is found in one run and not in the next (decision 2). Where packing begins anew behind
    the first byte, all goes by the data.
    """

    def __init__(self) -> None:
        self._stream = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, -15)
        self._begin = b""
        self._begun = False

    def compress(self, piece: bytes | memoryview) -> bytes:
        """What is packed so far of it and of what came before; may be empty."""
        if self._begun:
            return bytes(self._stream.compress(piece))
        view = memoryview(piece).cast("B")
        missing = _FIRST - len(self._begin)
        self._begin += bytes(view[:missing])
        if len(view) < missing:
            return b""
        self._begun = True
        begin = bytes(self._stream.compress(self._begin))
        return begin + bytes(self._stream.compress(view[missing:]))

    def flush(self) -> bytes:
        """The end of the stream."""
        begin = b"" if self._begun else bytes(self._stream.compress(self._begin))
        return begin + bytes(self._stream.flush())


class GzipWriter(igzip.IGzipFile):  # type: ignore[misc]
    """A gzip file without a name and without a time: the same content, the same bytes."""

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__("", "wb", _LEVEL, stream, mtime=0)
        self.compress = Deflater()
