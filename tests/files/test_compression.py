import gzip
import io
import random
import struct
import zlib

import numpy as np
import pytest

from medrecon.files.compression import Deflater, GzipWriter


def deflated(stream, content):
    return stream.compress(content) + stream.flush()


def content_that_shows_an_address(stream):
    """Its third to sixth byte, seen again later, are what ISA-L takes for them (decision 2)."""
    taken_for_them = struct.pack("<I", id(stream) >> 16 & 0xFFFFFFFF)
    return b"ab" + taken_for_them + b"cdefgh" + taken_for_them + bytes(600)


def streams(count, made):
    """Some that lie far from one another."""
    kept = [(np.ones(1 << 20, np.uint8), made()) for _ in range(count)]
    return [stream for _, stream in kept]


def test_the_same_content_gives_the_same_bytes_at_any_address():
    ours = streams(20, Deflater)
    content = content_that_shows_an_address(ours[0]._stream)
    packed = {deflated(stream, content) for stream in ours}
    assert len(packed) == 1
    assert zlib.decompress(packed.pop(), -15) == content


@pytest.mark.parametrize("size", [0, 1, 288, 289, 290, 5000])
def test_pieces_of_any_size_come_back(size):
    content = random.Random(size).randbytes(size)
    for each in (1, 7, 288, 289, 290, 6000):
        stream = Deflater()
        pieces = [stream.compress(content[n : n + each]) for n in range(0, size, each)]
        assert zlib.decompress(b"".join(pieces) + stream.flush(), -15) == content


def test_a_gzip_file_holds_no_name_and_no_time():
    stream = io.BytesIO()
    with GzipWriter(stream) as packed:
        packed.write(b"one")
        packed.write(np.arange(1000, dtype=np.int16).data)
    assert stream.getvalue()[3:8] == bytes(5)
    assert gzip.decompress(stream.getvalue()) == b"one" + np.arange(1000, dtype=np.int16).tobytes()
