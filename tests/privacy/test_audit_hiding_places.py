"""Places of a file that no reader shows: a name or a number there is found all the same."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import trimesh

from medrecon.core import Geometry, Label, Mesh, SoftField
from medrecon.files.fields import write_field
from medrecon.files.gltf import save_glb
from medrecon.files.obj import save_obj
from medrecon.files.ply import save_ply
from medrecon.files.seg_nrrd import Mask, write_seg_nrrd
from medrecon.files.threemf import save_3mf
from medrecon.files.usdz import save_usdz
from medrecon.files.vtp import save_vtp
from medrecon.files.xyz import save_xyz
from medrecon.privacy import audit
from medrecon.privacy.audit import audit_folder
from medrecon.privacy.vocabulary import strange, vocabulary
from medrecon.recipes.audit import audit_outputs
from medrecon.report.page import scene_page

NAME, NUMBER, DAY = b"Zwitscherling", b"7734921", b"1947-03-12"
GRID = Geometry((6, 5, 4), (2.0, 2.0, 2.0), (0.0, 0.0, 0.0))


def ball() -> Mesh:
    sphere = trimesh.creation.icosphere(subdivisions=1, radius=10.0)
    return Mesh(sphere.vertices, sphere.faces, Label(1, "bone", (220, 200, 170)))


def picture(more: tuple[tuple[bytes, bytes], ...] = (), behind: bytes = b"") -> bytes:
    """A PNG of 2 × 1 grey pixels: each row is a filter byte and its pixels."""
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", 2, 1, 8, 0, 0, 0, 0)),
        *more,
        (b"IDAT", zlib.compress(b"\0\x10\x20" + behind)),
        (b"IEND", b""),
    ]
    said = [
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(said)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files as medrecon writes them; the audit has nothing to say of them."""
    folder = tmp_path_factory.mktemp("clean")
    save_glb([ball()], folder / "bone.glb")
    save_obj([ball()], folder / "bone.obj")
    save_ply(ball(), folder / "bone.ply")
    save_3mf([ball()], folder / "bone.3mf")
    save_usdz([ball()], folder / "bone.usdz")
    save_vtp(ball(), folder / "bone.vtp")
    save_xyz(ball(), folder / "bone.xyz")
    values = np.full(GRID.shape, -1.0, np.float32, order="F")
    unmeasured = np.zeros(GRID.shape, bool)
    write_field(SoftField(ball().label, values, GRID), folder / "bone.nrrd")
    partly = SoftField(ball().label, values, GRID, unmeasured=unmeasured)
    write_field(partly, folder / "skin.nrrd")
    with (folder / "labels.seg.nrrd").open("wb") as stream:
        write_seg_nrrd(stream, [Mask(ball().label, values < 0)], GRID)
    (folder / "preview.png").write_bytes(picture())
    (folder / "report.html").write_text(scene_page([ball()], None))
    (folder / "run.json").write_text('{"seed": 1}')
    assert audit_folder(folder) == []
    return folder


def repacked(content: bytes, inside: bytes, instead: bytes) -> bytes:
    """The zip with one thing replaced in its parts."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(target, "w") as new:
        for entry in old.infolist():
            part = old.read(entry)
            entry.compress_type = zipfile.ZIP_STORED
            new.writestr(entry, part.replace(inside, instead))
    return target.getvalue()


def between_the_parts(content: bytes) -> bytes:
    """Bytes after the last part, before the directory, whose place is said anew."""
    at = content.rindex(b"PK\5\6")
    (start,) = struct.unpack_from("<I", content, at + 16)
    moved = content[at : at + 16] + struct.pack("<I", start + len(NAME)) + content[at + 20 :]
    return content[:start] + NAME + content[start:at] + moved


def with_extra(content: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(target, "w") as new:
        for entry in old.infolist():
            part = old.read(entry)
            entry.extra = struct.pack("<HH", 0x7A7A, len(NAME)) + NAME
            new.writestr(entry, part)
    return target.getvalue()


def into_the_glb(content: bytes) -> bytes:
    """Sixteen bytes more in the binary chunk than its views hold."""
    (length,) = struct.unpack_from("<I", content, 12)
    (size,) = struct.unpack_from("<I", content, 20 + length)
    head = content[: 20 + length] + struct.pack("<I", size + 16)
    return head + content[24 + length :] + NAME.ljust(16)


def put(before: bytes, more: bytes):
    return lambda content: content.replace(before, more + before, 1)


PLACES = {
    "bone.obj": {
        "a number in a remark": put(b"o bone", b"# " + NUMBER + b"\n"),
        "a day in a remark": put(b"o bone", b"# " + DAY + b"\n"),
    },
    "bone.xyz": {"a number in a remark": lambda c: b"# " + NUMBER + b"\n" + c},
    "bone.ply": {"behind the triangles": lambda c: c + NAME},
    "bone.glb": {"behind the views": into_the_glb},
    "bone.nrrd": {
        "a field of numbers": put(b"endian:", b"patient id: " + NUMBER + b"\n"),
        "a key": lambda c: c.replace(b"medrecon_field:=", NAME + b":=", 1),
    },
    "labels.seg.nrrd": {"a field of numbers": put(b"kinds:", b"id: " + NUMBER + b"\n")},
    "bone.3mf": {
        "an extra field": with_extra,
        "between the parts": between_the_parts,
        "an instruction": lambda c: repacked(c, b"<resources>", b"<?" + NAME + b"?><resources>"),
        "a remark": lambda c: repacked(c, b"<resources>", b"<!--" + NAME + b"--><resources>"),
        "a namespace": lambda c: repacked(c, b"<model ", b'<model xmlns:q="' + NAME + b'" '),
        "a document type": lambda c: repacked(c, b"<model ", b"<!DOCTYPE model><model "),
    },
    "bone.usdz": {
        "a number in a text": lambda c: repacked(c, b'"component"', b'"scan ' + NUMBER + b'"'),
        "a day in a remark": lambda c: repacked(c, b"def Xform", b"# " + DAY + b"\ndef Xform"),
    },
    "bone.vtp": {"an array's name": lambda c: c.replace(b'Name="color"', b'Name="19470312"', 1)},
    "preview.png": {
        "a chunk of numbers": lambda c: picture(((b"gAMA", b"\0\0\xb1\x8f" + NAME),)),
        "behind the pixels": lambda c: picture(behind=NAME),
        "in the end": lambda c: c.replace(b"\0\0\0\0IEND", b"\0\0\0\x0dIEND" + NAME),
    },
    "report.html": {
        "an attribute's name": lambda c: c.replace(b"<main>", b"<main data-" + NAME + b">"),
        "an element's name": lambda c: c.replace(b"<main>", b"<main><" + NAME + b"></main>"),
        "an instruction": lambda c: c.replace(b"<main>", b"<?" + NAME + b"?><main>"),
        "the document type": lambda c: c.replace(b"<!doctype html>", b"<!doctype " + NAME + b">"),
        "a number in a style": lambda c: c.replace(b"</style>", b"/* " + NUMBER + b" */</style>"),
        "a day in a script": lambda c: c.replace(
            b"</script>\n</body>", b"// " + DAY + b"</script>"
        ),
        "behind the base64": lambda c: c.replace(b"=</script>", b"=" + NAME + b"</script>", 1),
        "a broken declaration": lambda c: c.replace(b"<main>", b"<![" + NAME + b"[<main>"),
    },
    "run.json": {
        "twice under one key": lambda c: b'{"seed": "' + NAME + b'", "seed": 1}',
        "nested without end": lambda c: b"[" * 100_000,
    },
}


@pytest.mark.parametrize(
    ("name", "place"), [(name, place) for name, places in PLACES.items() for place in places]
)
def test_what_hides_there_is_found(clean, tmp_path, name, place):
    content = (clean / name).read_bytes()
    harmed = PLACES[name][place](content)
    assert harmed != content
    (tmp_path / name).write_bytes(harmed)
    assert {f.file for f in audit_folder(tmp_path)} == {name}


@pytest.mark.parametrize(
    "text",
    ["bone_1947-03-12", "1947-03-12T08:15:00", "v1947-03-12", "1947_03_12", "12.03.47", "12/03/47"],
)
def test_a_day_is_one_whatever_touches_it(text):
    assert strange(text, vocabulary())


@pytest.mark.parametrize(
    "text",
    ["vtk 9.6.2", "imagecodecs 2024.12.30", "3dmanufacturing/core/2015/02", "2013/01/3dmodel"],
)
def test_versions_and_standards_are_no_days(text):
    assert strange(text, vocabulary(), more=frozenset({"dmodel"})) == []


def test_an_empty_folder_has_a_name_too(tmp_path):
    (tmp_path / "Zwitscherling").mkdir()
    (found,) = audit_folder(tmp_path)
    assert (found.file, found.place) == ("‹name›", "name")


def test_what_cannot_be_opened_is_not_called_clean(tmp_path, monkeypatch):
    (tmp_path / "bone").mkdir()
    (tmp_path / "run.json").write_text("{}")
    read = Path.read_bytes

    def refuse(path: Path) -> bytes:
        if path.name == "run.json":
            raise PermissionError(13, "Permission denied", str(path))
        return read(path)

    def walk(top: Path, onerror):
        onerror(PermissionError(13, "Permission denied", str(Path(top) / "bone")))
        yield str(top), ["bone"], ["run.json"]

    monkeypatch.setattr(Path, "read_bytes", refuse)
    monkeypatch.setattr(audit, "os", type("os", (), {"walk": staticmethod(walk)}))
    assert {(f.file, f.kind.name) for f in audit_folder(tmp_path)} == {
        ("bone", "UNREAD"),
        ("run.json", "UNREAD"),
    }


def test_an_encrypted_package_is_a_finding_and_no_end_of_the_search(clean, tmp_path):
    content = bytearray((clean / "bone.3mf").read_bytes())
    for at in (content.index(b"PK\3\4") + 6, content.index(b"PK\1\2") + 8):
        content[at] |= 1  # APPNOTE 4.4.4: bit 0, encrypted
    (tmp_path / "bone.3mf").write_bytes(content)
    (tmp_path / "more.json").write_text(json.dumps({"seed": NAME.decode()}))
    assert {f.file for f in audit_folder(tmp_path)} == {"bone.3mf", "more.json"}


def test_the_folder_of_a_face_is_not_named_if_its_name_may_be_a_patients(tmp_path):
    for name in ("Zwitscherling_Anna", "0f" * 8):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text('{"identifiable": {"state": "yes"}}')
    shown = [f.words for f in audit_outputs(tmp_path) if f.kind.name == "FACE"]
    assert len(shown) == 2
    assert not any("Zwitscherling" in words for words in shown)
    assert any("0f" * 8 in words for words in shown)
