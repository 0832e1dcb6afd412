"""One suite over every mesh writer: independent readers, our own reader, frames, bytes."""

import itertools

import mesh_readers as others
import numpy as np
import pytest

from medrecon.core import Label, Mesh, Space
from medrecon.errors import DamagedInputError, MedreconError, UnreadableInputError, UsageError
from medrecon.files.meshes import (
    FORMATS,
    file_stem,
    mesh_format,
    read_meshes,
    save_meshes,
    write_meshes,
)

# No two axes alike, so that a flip, a swap or a wrong unit shows in the box.
VERTICES = np.array([[0, 0, 0], [1 / 3, 0, 0], [0, -250.1, 0], [0, 0, 12.5]], np.float32)
FACES = np.array([[0, 1, 2], [0, 3, 1], [0, 2, 3], [1, 3, 2]], np.int32)
COLORS = np.array([[255, 0, 0], [0, 255, 10], [3, 7, 20], [200, 100, 50]], np.uint8)
SCALARS = np.array([0, 0.5, -1, 2], np.float32)
BONE = Mesh(VERTICES, FACES, Label(1, "bone", (250, 240, 200)))
VEIN = Mesh(VERTICES + np.float32(50), FACES, Label(2, "vena cava", (0, 10, 255)), SCALARS, COLORS)

READERS = {
    "stl": (others.trimesh_sees, others.vtk_sees),
    "3mf": (others.lib3mf_sees, others.trimesh_sees),
    "obj": (others.trimesh_sees, others.vtk_sees),
    "ply": (others.trimesh_sees, others.vtk_sees),
    "glb": (others.trimesh_sees, others.gltf_sees, others.vtk_sees),
    "gltf": (others.trimesh_sees, others.gltf_sees, others.vtk_sees),
    "usdz": (others.openusd_sees, others.tinyusdz_sees),
    "vtp": (others.vtk_sees, others.xml_sees),
    "xyz": (others.numpy_sees, others.trimesh_sees),
}
PAIRS = [(kind, reader) for kind, readers in READERS.items() for reader in readers]
WITH_COLORS = ("3mf", "ply", "glb", "gltf", "usdz", "vtp", "obj")
WITH_NAMES = ("3mf", "obj", "ply", "glb", "gltf", "usdz", "vtp")
WITH_FRAME = tuple(kind for kind in FORMATS if kind != "xyz")


def test_every_format_is_opened_by_two_independent_readers():
    assert set(READERS) == set(FORMATS)
    assert all(len(readers) >= 2 for readers in READERS.values())


@pytest.mark.parametrize(("kind", "sees"), PAIRS, ids=[f"{k}-{r.__name__}" for k, r in PAIRS])
def test_others_see_the_same_box_names_and_colours(tmp_path, kind, sees):
    paths = write_meshes([BONE, VEIN], tmp_path, [kind])
    found = [seen for path in paths for seen in sees(path)]
    points = np.concatenate([seen.points for seen in found])
    low, high = BONE.bounds_mm[0], VEIN.bounds_mm[1]
    assert np.allclose(points.min(axis=0), low, atol=1e-4)
    assert np.allclose(points.max(axis=0), high, atol=1e-4)
    assert all(seen.triangles in (None, 4, 8) for seen in found) or kind == "xyz"
    names = sorted(seen.name for seen in found if seen.name)
    assert names in ([], ["bone", "vena cava"], ["bone", "vena_cava"])
    for seen in found:
        bone = np.allclose(seen.points.max(axis=0), BONE.bounds_mm[1], atol=1e-4)
        if seen.color is not None:
            assert np.abs(np.subtract(seen.color, BONE.label.color)).max() <= 1
        if seen.vertex_colors is not None:
            expected = np.full((4, 3), BONE.label.color) if bone else COLORS
            assert np.abs(seen.vertex_colors.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("kind", FORMATS)
def test_our_reader_gives_back_what_was_written(tmp_path, kind):
    paths = write_meshes([BONE, VEIN], tmp_path, [kind])
    bone, vein = itertools.chain.from_iterable(map(read_meshes, paths))
    for read, written in ((bone, BONE), (vein, VEIN)):
        assert np.abs(read.vertices_mm - written.vertices_mm).max() <= 1e-5
        if kind != "xyz":
            assert (read.vertices_mm[read.faces] == written.vertices_mm[FACES]).all()
            assert read.space is Space.LPS
        if kind in WITH_NAMES:
            assert read.label.name in (written.label.name, "vena_cava")
    if kind in WITH_COLORS:
        assert bone.label.color == BONE.label.color
        assert (vein.colors == COLORS).all()
    if kind in ("ply", "glb", "gltf", "vtp"):
        assert vein.scalars.tolist() == SCALARS.tolist()


@pytest.mark.parametrize("kind", WITH_FRAME)
def test_a_copy_for_the_printer_is_never_marked_as_the_patients_frame(tmp_path, kind):
    moved = Mesh(VERTICES, FACES, BONE.label, space=Space.PRINT)
    (path,) = write_meshes([moved], tmp_path, [kind])
    assert b"SPACE=LPS" not in path.read_bytes()
    assert read_meshes(path)[0].space is Space.PRINT
    unknown = Mesh(VERTICES, FACES, BONE.label, space=Space.UNSTATED)
    (path,) = write_meshes([unknown], tmp_path, [kind])
    assert read_meshes(path)[0].space is Space.UNSTATED


@pytest.mark.parametrize("kind", FORMATS)
def test_the_same_meshes_give_the_same_bytes(tmp_path, kind):
    for folder in "ab":
        write_meshes([BONE, VEIN], tmp_path / folder, [kind])
    names = sorted(p.name for p in (tmp_path / "a").iterdir())
    assert names == sorted(p.name for p in (tmp_path / "b").iterdir())
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_cut_anywhere_is_refused_or_still_whole(tmp_path, kind):
    (path, *_) = write_meshes([BONE], tmp_path / "whole", [kind])
    content = path.read_bytes()
    for end in range(0, len(content), max(1, len(content) // 24)):
        cut = tmp_path / f"cut.{kind}"
        cut.write_bytes(content[:end])
        # The kinds that are lines of text lose lines and cannot tell.
        if kind in ("obj", "xyz", "gltf"):
            try:
                read_meshes(cut)
            except MedreconError:
                continue
        else:
            with pytest.raises((UnreadableInputError, DamagedInputError)):
                read_meshes(cut)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_with_flipped_bytes_is_read_or_refused_in_words(tmp_path, kind):
    (path, *_) = write_meshes([VEIN], tmp_path, [kind])
    whole, random = path.read_bytes(), np.random.default_rng(5)
    for turn in range(60):
        content = bytearray(whole)
        for place in random.integers(0, len(content), 4):
            # Every other time letters for letters, so that headers stay text.
            content[place] = random.integers(32, 127) if turn % 2 else random.integers(256)
        path.write_bytes(content)
        try:
            read_meshes(path)
        except MedreconError:
            continue


@pytest.mark.parametrize("kind", FORMATS)
def test_what_is_another_format_is_refused(tmp_path, kind):
    path = tmp_path / f"a.{kind}"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20)
    with pytest.raises((UnreadableInputError, DamagedInputError)):
        read_meshes(path)
    with pytest.raises(UnreadableInputError):
        read_meshes(tmp_path / f"missing.{kind}")


def test_unknown_suffixes_names_and_crowds_are_refused(tmp_path):
    with pytest.raises(UnreadableInputError, match="suffix"):
        read_meshes(tmp_path / "a.step")
    with pytest.raises(UsageError, match="known are"):
        mesh_format("step")
    with pytest.raises(UsageError, match="holds one mesh"):
        save_meshes([BONE, VEIN], tmp_path / "a.stl")
    with pytest.raises(UsageError, match="one name"):
        write_meshes([BONE, BONE], tmp_path, ["stl"])


def test_a_name_from_a_file_never_leaves_the_folder():
    assert file_stem(Mesh(VERTICES, FACES, Label(1, "../../etc/passwd"))) == "_.._etc_passwd"
    assert file_stem(Mesh(VERTICES, FACES, Label(1, " . "))) == "mesh"
