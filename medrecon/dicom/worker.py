"""The program of the decoding process: frames in on standard input, pixels out in shared memory.

Image codecs are C libraries that were not written for hostile input. Here a crash
ends this process, not the user's, and what it may allocate is limited. The file is
run by its path and imports nothing of medrecon: starting it costs a tenth of a second.

Protocol, little endian. In: one byte `M` and (path length, size) and the path of the
memory to map; or one byte `F` and a `JOB` and the frame's bytes. Out: a `REPLY` with index
`READY` per memory, and one per job.
"""

from __future__ import annotations

import mmap
import os
import struct
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, BinaryIO

MAP = struct.Struct("<IQQ")  # length of the path, pixels of a frame, size
JOB = struct.Struct("<IBBHIIQQ")  # index, codec, item size, samples, rows, columns, offset, length
REPLY = struct.Struct("<IB")

RLE, JPEG, JPEG_LOSSLESS, JPEG_LS, JPEG_2000, HTJ2K, DEFLATED = range(7)
DONE, DAMAGED, WRONG_SIZE, FAILED, MISSING, TOO_LARGE = range(6)
# Index of the answer that says the codecs are loaded.
READY = 0xFFFFFFFF

THREADS = 2
# Beyond the shared memory and what is mapped at the start: codecs, stacks and arenas of
# the threads. A frame in flight takes up to 16 bytes a pixel (JPEG 2000), of which four.
HEADROOM = 768 << 20


def main() -> None:
    """Serve until standard input ends."""
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ[name] = "1"
    server = _Server(sys.stdin.buffer, sys.stdout.buffer)
    with ThreadPoolExecutor(THREADS) as pool:
        while server.step(pool):
            pass


class _Server:
    def __init__(self, jobs: BinaryIO, replies: BinaryIO) -> None:
        self.jobs = jobs
        self.replies = replies
        self.memory: mmap.mmap | None = None
        self.lock = threading.Lock()
        self.room = threading.Semaphore(2 * THREADS)

    def step(self, pool: ThreadPoolExecutor) -> bool:
        kind = self.jobs.read(1)
        if kind == b"M":
            length, pixels, size = MAP.unpack(self._exactly(MAP.size))
            self._map(self._exactly(length).decode(), pixels, size)
            return True
        if kind != b"F":
            return False
        job = JOB.unpack(self._exactly(JOB.size))
        payload = self._exactly(job[-1])
        self.room.acquire()
        pool.submit(self._serve, job, payload)
        return True

    def _exactly(self, count: int) -> bytes:
        found = self.jobs.read(count)
        if len(found) != count:
            raise EOFError
        return found

    def _map(self, path: str, pixels: int, size: int) -> None:
        self.memory = None
        _limit_memory(size + HEADROOM + 64 * pixels)
        with open(path, "r+b", buffering=0) as file:  # noqa: PTH123 (a descriptor's own path)
            self.memory = mmap.mmap(file.fileno(), size)
        with suppress(ImportError):  # each frame says so
            import imagecodecs  # noqa: F401 (loaded now, so that no frame pays for it)
        self._answer(READY, DONE)

    def _serve(self, job: tuple[int, ...], payload: bytes) -> None:
        index, codec, item, samples, rows, columns, offset, _ = job
        try:
            status = self._decode(codec, item, (rows, columns, samples), offset, payload)
        except ImportError:
            status = MISSING
        except MemoryError:
            status = TOO_LARGE
        except Exception:  # noqa: BLE001 (each codec has an exception of its own)
            status = DAMAGED
        finally:
            self.room.release()
        self._answer(index, status)

    def _answer(self, index: int, status: int) -> None:
        with self.lock:
            self.replies.write(REPLY.pack(index, status))
            self.replies.flush()

    def _decode(
        self, codec: int, item: int, shape: tuple[int, int, int], offset: int, payload: bytes
    ) -> int:
        import numpy as np

        assert self.memory is not None
        rows, columns, samples = shape
        stated = stated_size(codec, payload)
        if stated is not None and stated != (rows, columns):
            return WRONG_SIZE
        count = rows * columns * samples
        target = np.frombuffer(self.memory, f"u{item}", count, offset)
        if codec == RLE:
            return unpack_rle(payload, target, item)
        if codec == DEFLATED:
            return _inflate(payload, target)
        frame = np.ascontiguousarray(_CODECS[codec](payload))
        if frame.size != count or frame.shape[:2] != (rows, columns):
            return WRONG_SIZE
        if frame.dtype.itemsize > item:
            return WRONG_SIZE
        flat = frame.reshape(-1)
        if flat.dtype.itemsize == item:
            target[:] = flat.view(target.dtype)
        else:
            target[:] = flat  # a narrower codec sample in a wider cell
        return DONE


def stated_size(codec: int, payload: bytes) -> tuple[int, int] | None:
    """(rows, columns) in the code stream's own header, before anything is allocated.

    None for codecs that state none; (0, 0), which no frame has, where it is not found.
    """
    if codec in (RLE, DEFLATED):
        return None
    if codec in (JPEG_2000, HTJ2K):
        at = payload.find(b"\xff\x4f\xff\x51", 0, 4096)
        if at < 0 or at + 24 > len(payload):
            return 0, 0
        x1, y1, x0, y0 = struct.unpack_from(">4I", payload, at + 8)
        return y1 - y0, x1 - x0
    return _jpeg_size(payload)


def _jpeg_size(payload: bytes) -> tuple[int, int]:
    """Rows and columns of the first frame header (ISO 10918-1 B.2.2; SOF55 is JPEG-LS)."""
    at = payload.find(b"\xff\xd8") + 2
    while 2 <= at <= len(payload) - 9:
        if payload[at] != 0xFF:
            return 0, 0
        marker = payload[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)):
            rows, columns = struct.unpack_from(">HH", payload, at + 5)
            return rows, columns
        at += 2 + int.from_bytes(payload[at + 2 : at + 4], "big")
    return 0, 0


def unpack_rle(payload: bytes, target: Any, item: int) -> int:
    """DICOM RLE (PS3.5 Annex G): one PackBits segment per byte of the samples, high byte first."""
    import imagecodecs
    import numpy as np

    if len(payload) < 64:
        return DAMAGED
    number, *offsets = struct.unpack_from("<16I", payload)
    count = target.size
    if number != item:
        return WRONG_SIZE
    ends = [*offsets[1:number], len(payload)]
    planes = target.view("u1").reshape(count, item)
    for k, (start, end) in enumerate(zip(offsets[:number], ends, strict=True)):
        if not 64 <= start < end <= len(payload):
            return DAMAGED
        plane = np.zeros(count + 1, "u1")
        found = imagecodecs.packbits_decode(payload[start:end], out=plane.data)
        if len(found) < count:
            return DAMAGED
        planes[:, item - 1 - k] = plane[:count]
    return DONE


def _inflate(payload: bytes, target: Any) -> int:
    """Deflated Image Frame (PS3.5 A.4.13): each frame a raw deflate stream."""
    import zlib

    import numpy as np

    wanted = target.nbytes
    found = zlib.decompressobj(-15).decompress(payload, wanted + 1)
    if not wanted <= len(found) <= wanted + 1:
        return WRONG_SIZE
    target.view("u1")[:] = np.frombuffer(found, "u1", wanted)
    return DONE


def _jpeg(payload: bytes) -> Any:
    import imagecodecs

    return imagecodecs.jpeg8_decode(payload)


def _jpeg_lossless(payload: bytes) -> Any:
    import imagecodecs

    return imagecodecs.ljpeg_decode(payload)


def _jpeg_ls(payload: bytes) -> Any:
    import imagecodecs

    return imagecodecs.jpegls_decode(payload)


def _jpeg_2000(payload: bytes) -> Any:
    import imagecodecs

    return imagecodecs.jpeg2k_decode(payload, numthreads=1)


def _htj2k(payload: bytes) -> Any:
    """OpenJPH where imagecodecs has it (two threads), else OpenJPEG (one at a time)."""
    import imagecodecs

    if getattr(getattr(imagecodecs, "HTJ2K", None), "available", False):
        return imagecodecs.htj2k_decode(payload)
    import openjpeg

    return openjpeg.decode(payload)


_CODECS = {
    JPEG: _jpeg,
    JPEG_LOSSLESS: _jpeg_lossless,
    JPEG_LS: _jpeg_ls,
    JPEG_2000: _jpeg_2000,
    HTJ2K: _htj2k,
}


def _limit_memory(size: int) -> None:
    try:
        import resource
    except ImportError:  # not on Windows
        return
    now = 0
    with suppress(OSError), open("/proc/self/statm") as file:  # noqa: PTH123 (no pathlib here)
        now = int(file.read().split()[0]) * resource.getpagesize()
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    wanted = now + size
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))


if __name__ == "__main__":
    main()
