"""multipart/related bodies (RFC 2387, RFC 2046 5.1): written as a stream, read as one.

DICOM files are hundreds of megabytes together: neither side ever holds more than a part.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from email.message import Message
from http.client import HTTPException
from pathlib import Path
from typing import IO, Protocol

from medrecon.errors import RemoteInputError

_CHUNK = 1 << 20
_END = b"\r\n"
# Headers of one part: a few lines.
_LONGEST_HEADERS = 16_384


class Readable(Protocol):
    """What an HTTP response is to us."""

    def read(self, amount: int, /) -> bytes:
        """Up to so many bytes; none at the end."""
        ...


class Body:
    """Files as one body.

    Parameters
    ----------
    files : sequence of Path

    Attributes
    ----------
    length : int
        Bytes of the whole.
    content_type : str
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = tuple(files)
        sizes = [path.stat().st_size for path in self._files]
        # A boundary must occur in no part: 128 bits that no file can have foreseen.
        self._boundary = f"medrecon-{secrets.token_hex(16)}".encode()
        self.length = sum(len(self._head(n)) + sizes[n] for n in range(len(sizes)))
        self.length += len(self._tail)
        self.content_type = (
            f'multipart/related; type="application/dicom"; boundary={self._boundary.decode()}'
        )

    def __iter__(self) -> Iterator[bytes]:
        for n, path in enumerate(self._files):
            yield self._head(n)
            with path.open("rb") as stream:
                while chunk := stream.read(_CHUNK):
                    yield chunk
        yield self._tail

    def _head(self, n: int) -> bytes:
        first = b"" if n == 0 else _END
        line = b"Content-Type: application/dicom" + _END + _END
        return first + b"--" + self._boundary + _END + line

    @property
    def _tail(self) -> bytes:
        return _END + b"--" + self._boundary + b"--" + _END


def boundary_of(content_type: str) -> bytes:
    """The boundary that a Content-Type states.

    Raises
    ------
    RemoteInputError
        If it is no multipart/related.
    """
    message = Message()
    message["Content-Type"] = content_type
    boundary = message.get_param("boundary")
    if message.get_content_type() != "multipart/related" or not isinstance(boundary, str):
        raise RemoteInputError("the archive's answer is no multipart/related")
    return boundary.encode("latin-1", "replace")


class Parts:
    """The parts of a body, one after another.

    Parameters
    ----------
    stream : Readable
    boundary : bytes
    most_bytes : int
        Of all parts together.
    """

    def __init__(self, stream: Readable, boundary: bytes, most_bytes: int) -> None:
        self._stream, self._left = stream, most_bytes
        self._delimiter = _END + b"--" + boundary
        # The first delimiter needs no line end before it.
        self._buffer = bytearray(_END)

    def copy_next(self, target: IO[bytes]) -> bool:
        """Write the next part's content; False if there is none.

        Raises
        ------
        RemoteInputError
            If the body ends inside a part, breaks off or is over the limit.
        """
        self._skip_to_delimiter(None)
        while len(self._buffer) < 2:
            self._read()
        if self._buffer[:2] == b"--":
            return False
        self._skip_headers()
        self._skip_to_delimiter(target)
        self._buffer[:0] = self._delimiter
        return True

    def _skip_to_delimiter(self, target: IO[bytes] | None) -> None:
        """Move past the next delimiter; what comes before it goes to the target."""
        while True:
            found = self._buffer.find(self._delimiter)
            if found >= 0:
                if target is not None:
                    target.write(self._buffer[:found])
                del self._buffer[: found + len(self._delimiter)]
                return
            keep = len(self._delimiter) - 1
            ready = max(0, len(self._buffer) - keep)
            if target is not None:
                target.write(self._buffer[:ready])
            del self._buffer[:ready]
            self._read()

    def _skip_headers(self) -> None:
        while (found := self._buffer.find(_END + _END)) < 0:
            if len(self._buffer) > _LONGEST_HEADERS:
                raise RemoteInputError("the archive's answer has a part with endless headers")
            self._read()
        del self._buffer[: found + 4]

    def _read(self) -> None:
        try:
            chunk = self._stream.read(_CHUNK)
        except (OSError, HTTPException) as error:
            # Not the disk's fault, though whoever writes the parts may think so.
            raise RemoteInputError(
                f"the archive's answer broke off ({type(error).__name__}); try again"
            ) from error
        if not chunk:
            raise RemoteInputError("the archive's answer ends in the middle; try again")
        self._left -= len(chunk)
        if self._left < 0:
            raise RemoteInputError("the archive's answer is over the limit")
        self._buffer += chunk
