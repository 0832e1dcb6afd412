import io
import zipfile

import numpy as np

from medrecon.files.text_loops import rows_of_text
from medrecon.files.zipped import _central_header, _end, _local_header, write_zip


def test_python_reads_every_part_and_its_check_sum():
    parts = {"a.txt": [b"one", b"", b"two"], "folder/b": [b"x" * 1_000_000], "empty": []}
    stream = io.BytesIO()
    write_zip(stream, parts.items())
    with zipfile.ZipFile(stream) as package:
        assert package.testzip() is None
        assert {n: package.read(n) for n in package.namelist()} == {
            n: b"".join(pieces) for n, pieces in parts.items()
        }
        assert package.getinfo("folder/b").compress_size < 10_000


def test_a_part_of_5_gb_is_announced_as_zip64():
    # Only the directory of such a file: Python takes sizes and offset from its zip64 field.
    size, packed, offset = 5 << 30, (5 << 30) - 7, 6 << 30
    header = _central_header(b"large", 1, packed, size, offset)
    blob = header + _end(1, len(header), 0)
    info = zipfile.ZipFile(io.BytesIO(blob)).getinfo("large")
    assert (info.file_size, info.compress_size, info.header_offset) == (size, packed, offset)
    assert len(_local_header(b"large", 1, packed, size)) == 30 + 5 + 4 + 16


def test_every_float32_comes_back_from_its_text():
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 0x7F80 << 16, 60_000, dtype=np.uint32)  # finite, every exponent
    bits[::2] |= np.uint32(1) << np.uint32(31)
    usual = rng.uniform(-1000, 1000, 60_000).astype(np.float32)
    edges = np.array([0, -0.0, 1e-4, 9.9999999e-5, 0.1, 999999.94, 1e9, 1e15, 3.4e38, 1e-45], "f4")
    values = np.concatenate([bits.view(np.float32), usual, edges])
    text = rows_of_text(values[:, None], "%\n").split()
    assert (np.array(text, "S").astype(np.float64).astype(np.float32) == values).all()


def test_whole_numbers_keep_all_their_digits():
    rows = np.array([[0, 7, -12], [2147483647, 1000000, 90]])
    assert rows_of_text(rows, "(%,%,%)") == b"(0,7,-12)(2147483647,1000000,90)"
