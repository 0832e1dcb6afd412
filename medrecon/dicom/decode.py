"""Compressed frames into pixels, in a process of their own."""

from __future__ import annotations

import mmap
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from medrecon.dicom import worker
from medrecon.dicom.limits import Limits
from medrecon.errors import ResourceError

# Transfer syntaxes (PS3.6 Annex A) and the codec for each.
CODECS: dict[str, int] = {
    "1.2.840.10008.1.2.5": worker.RLE,
    "1.2.840.10008.1.2.4.50": worker.JPEG,
    "1.2.840.10008.1.2.4.51": worker.JPEG,
    "1.2.840.10008.1.2.4.57": worker.JPEG_LOSSLESS,
    "1.2.840.10008.1.2.4.70": worker.JPEG_LOSSLESS,
    "1.2.840.10008.1.2.4.80": worker.JPEG_LS,
    "1.2.840.10008.1.2.4.81": worker.JPEG_LS,
    "1.2.840.10008.1.2.4.90": worker.JPEG_2000,
    "1.2.840.10008.1.2.4.91": worker.JPEG_2000,
    "1.2.840.10008.1.2.4.92": worker.JPEG_2000,
    "1.2.840.10008.1.2.4.93": worker.JPEG_2000,
    "1.2.840.10008.1.2.4.201": worker.HTJ2K,
    "1.2.840.10008.1.2.4.202": worker.HTJ2K,
    "1.2.840.10008.1.2.4.203": worker.HTJ2K,
    "1.2.840.10008.1.2.8.1": worker.DEFLATED,
}

# For an interpreter and two libraries to start, on a machine that is busy otherwise.
START_SECONDS = 30.0

# glibc gives buffers over 128 KiB back to the system with every frame, and the page faults
# of the next one are 3 % of the time of JPEG 2000. Elsewhere these two mean nothing.
_KEEP_FREED_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
}

_REASONS = {
    worker.DAMAGED: "the compressed pixel data are damaged",
    worker.WRONG_SIZE: "the compressed image is not of the size that its header states",
    worker.FAILED: "the decoder stopped on the compressed pixel data",
    worker.MISSING: "the codec is not installed (imagecodecs)",
    worker.TOO_LARGE: "decoding takes more memory than a frame of that size should",
}


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame to decode: `index` names it in the answer, `offset` is where it goes."""

    index: int
    codec: int
    item_bytes: int
    rows: int
    columns: int
    samples: int
    offset: int
    payload: bytes


class SharedMemory:
    """Memory that the decoding process writes and this one reads, without a copy.

    `frame_pixels`, the pixels of the largest frame, sets what decoding it may take.
    """

    def __init__(self, size: int, frame_pixels: int) -> None:
        self.size = max(1, size)
        self.frame_pixels = frame_pixels
        if hasattr(os, "memfd_create"):
            self._file: Any = os.fdopen(os.memfd_create("medrecon"), "r+b", buffering=0)
            self.path = f"/proc/{os.getpid()}/fd/{self._file.fileno()}"
        else:
            self._file = tempfile.NamedTemporaryFile(prefix="medrecon-")  # noqa: SIM115 (closed by close)
            self.path = self._file.name
        try:
            self._file.truncate(self.size)
            self.memory = mmap.mmap(self._file.fileno(), self.size)
        except OSError as error:
            self._file.close()
            raise ResourceError(f"no memory for {self.size:,} bytes of pixels") from error

    def array(self, dtype: npt.DTypeLike, shape: tuple[int, ...]) -> npt.NDArray[Any]:
        """The memory as an array, which keeps it alive."""
        count = int(np.prod(shape, dtype=np.int64))
        return np.frombuffer(self.memory, dtype, count).reshape(shape)

    def close(self) -> None:
        """Give up the name; arrays stay."""
        self._file.close()


class Decoder:
    """A decoding process, started on first use and again after a crash.

    Use as a context manager, from one thread at a time.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._child: _Child | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def start(self) -> None:
        """Start the process now, so that it is ready when the first frame comes."""
        if self._child is None:
            self._child = _Child()

    def decode(self, frames: Iterable[Frame], memory: SharedMemory) -> dict[int, str]:
        """Decode into `memory`; returns the failed frames' indices with the reason.

        The frames are decoded by two threads in any order, but each has its own
        place: the result does not depend on it.
        """
        self.start()
        assert self._child is not None
        batch = _Batch(self._child, frames, memory)
        finished = False
        try:
            failed = batch.run(self._limits.decode_seconds + 3e-6 * memory.frame_pixels)
            finished = not batch.crashed
        finally:
            if not finished:
                self.close()
        return {index: _REASONS[status] for index, status in sorted(failed.items())}

    def close(self) -> None:
        """End the process."""
        child, self._child = self._child, None
        if child is not None:
            child.stop()


class _Child:
    """The process and a thread that collects its answers; None is its end."""

    def __init__(self) -> None:
        command = [sys.executable, "-I", str(Path(worker.__file__))]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **_KEEP_FREED_MEMORY},
        )
        self.answers: queue.SimpleQueue[tuple[int, int] | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def write(self, *pieces: bytes) -> None:
        assert self.process.stdin is not None
        for piece in pieces:
            self.process.stdin.write(piece)

    def flush(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.flush()

    def stop(self) -> None:
        self.process.kill()
        self._reader.join()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        self.process.wait()

    def _read(self) -> None:
        assert self.process.stdout is not None
        while True:
            raw = self.process.stdout.read(worker.REPLY.size)
            if len(raw) < worker.REPLY.size:
                self.answers.put(None)
                return
            self.answers.put(worker.REPLY.unpack(raw))


class _Batch:
    """Frames written by a thread of their own, while the caller's thread keeps the time."""

    def __init__(self, child: _Child, frames: Iterable[Frame], memory: SharedMemory) -> None:
        self._child = child
        self._frames = frames
        self._memory = memory
        self._open: dict[int, None] = {}
        self._sent = threading.Event()
        self._error: BaseException | None = None
        self.crashed = False

    def run(self, seconds: float) -> dict[int, int]:
        """Status of each frame that failed.

        Raises
        ------
        Exception
            Whatever reading the frames raised.
        """
        writer = threading.Thread(target=self._write, daemon=True)
        writer.start()
        try:
            failed = self._collect(seconds)
        except BaseException:
            self.crashed = True
            raise
        finally:
            if self.crashed:
                self._child.process.kill()
            writer.join()
        if self._error is not None:
            raise self._error
        if self.crashed:
            failed |= dict.fromkeys(self._open, worker.FAILED)
        return failed

    def _collect(self, seconds: float) -> dict[int, int]:
        failed: dict[int, int] = {}
        patience = START_SECONDS
        while self._open or not self._sent.is_set():
            try:
                answer = self._child.answers.get(timeout=patience)
            except queue.Empty:
                if not self._open:  # waiting for the disk, not for the decoder
                    continue
                answer = None
            if answer is None:
                self.crashed = True
                break
            index, status = answer
            if index == worker.READY:
                patience = seconds
            self._open.pop(index, None)
            if status:
                failed[index] = status
        return failed

    def _write(self) -> None:
        path = self._memory.path.encode()
        try:
            self._child.write(
                b"M", worker.MAP.pack(len(path), self._memory.frame_pixels, self._memory.size), path
            )
            for frame in self._frames:
                self._open[frame.index] = None
                self._child.write(b"F", _packed(frame), frame.payload)
            self._child.flush()
        except BrokenPipeError:
            pass  # the reader of the answers sees the same end
        except BaseException as error:  # noqa: BLE001 (raised again in the caller's thread)
            self._error = error
        finally:
            self._sent.set()
            self._child.answers.put((-1, 0))


def _packed(f: Frame) -> bytes:
    return worker.JOB.pack(
        *(f.index, f.codec, f.item_bytes, f.samples),
        *(f.rows, f.columns, f.offset, len(f.payload)),
    )
