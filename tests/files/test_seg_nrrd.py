""".seg.nrrd: overlapping structures in layers, in the right place, with their names."""

from __future__ import annotations

import gzip
from io import BytesIO
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813

from medrecon.core import Geometry, Label, label
from medrecon.files.seg_nrrd import Mask, write_seg_nrrd

GRID = Geometry(
    (7, 6, 5), (0.7, 0.9, 2.0), (-4.0, 11.0, 3.0), ((0.6, -0.8, 0), (0.8, 0.6, 0), (0, 0, 1))
)


def block(label_: Label, start: tuple[int, int, int], shape: tuple[int, int, int]) -> Mask:
    return Mask(label_, np.ones(shape, np.bool_), start)


def written(masks: list[Mask]) -> bytes:
    stream = BytesIO()
    write_seg_nrrd(stream, masks, GRID)
    return stream.getvalue()


def parsed(content: bytes) -> tuple[dict[str, str], np.ndarray]:
    """Header and voxels, (layers, i, j, k), by the format's own rules."""
    header, _, data = content.partition(b"\n\n")
    rows = header.decode().splitlines()[1:]
    pairs = (r.split(":=", 1) if ":=" in r else r.split(": ", 1) for r in rows)
    fields = dict(p for p in pairs if len(p) == 2)
    sizes = [int(n) for n in fields["sizes"].split()]
    voxels = np.frombuffer(gzip.decompress(data), np.uint8).reshape(sizes, order="F")
    return fields, voxels if len(sizes) == 4 else voxels[None]


def test_what_overlaps_goes_to_a_layer_of_its_own() -> None:
    skin = block(label("skin"), (0, 0, 0), (7, 6, 5))
    bone = block(label("bone"), (1, 1, 1), (2, 2, 2))
    liver = block(label("liver"), (4, 3, 2), (2, 2, 2))
    fields, voxels = parsed(written([skin, bone, liver]))
    assert voxels.shape == (2, 7, 6, 5)
    assert fields["kinds"] == "list domain domain domain"
    places = [(fields[f"Segment{n}_Layer"], fields[f"Segment{n}_LabelValue"]) for n in range(3)]
    # Bone meets the skin and gets a second layer, which the liver shares with it.
    assert places == [("0", "1"), ("1", "1"), ("1", "2")]
    assert (voxels[0] == 1).all()
    assert (
        np.argwhere(voxels[1] == 1).tolist()
        == np.argwhere(np.pad(np.ones((2, 2, 2)), ((1, 4), (1, 3), (1, 2)))).tolist()
    )
    assert fields["Segment2_Extent"] == "4 5 3 4 2 3"


def test_names_colours_and_codes_are_those_of_the_labels() -> None:
    plain = Label(9, "thing", (255, 0, 51))
    fields, _ = parsed(
        written([block(label("bone"), (0, 0, 0), (1, 1, 1)), block(plain, (2, 2, 2), (1, 1, 1))])
    )
    assert fields["Segment0_Name"] == "bone"
    assert "~SCT^272673000^Bone~" in fields["Segment0_Tags"]
    assert fields["Segment1_Color"] == "1.000000 0.000000 0.200000"
    assert "~SCT^85756007^Tissue~" in fields["Segment1_Tags"]


def test_an_independent_reader_finds_every_voxel_where_it_is(tmp_path: Path) -> None:
    path = tmp_path / "one.seg.nrrd"
    path.write_bytes(written([block(label("bone"), (1, 2, 3), (3, 1, 2))]))
    image = sitk.ReadImage(str(path))
    found = np.argwhere(sitk.GetArrayFromImage(image) == 1)[:, ::-1]
    expected = np.argwhere(np.ones((3, 1, 2))) + np.array([1, 2, 3])
    points = np.array([image.TransformIndexToPhysicalPoint(v.tolist()) for v in found])
    true = GRID.mm_from_index(expected)
    assert np.abs(points[np.lexsort(points.T)] - true[np.lexsort(true.T)]).max() < 1e-6


def test_the_same_masks_give_the_same_bytes() -> None:
    masks = [block(label("bone"), (1, 2, 3), (3, 1, 2))]
    assert written(masks) == written(masks)


def test_a_layer_that_is_full_is_followed_by_another() -> None:
    grid = Geometry((300, 1, 1), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    masks = [block(Label(n + 1, f"s{n}"), (n, 0, 0), (1, 1, 1)) for n in range(300)]
    stream = BytesIO()
    write_seg_nrrd(stream, masks, grid)
    fields, voxels = parsed(stream.getvalue())
    assert len(voxels) == 2
    for n in range(300):
        layer, value = int(fields[f"Segment{n}_Layer"]), int(fields[f"Segment{n}_LabelValue"])
        assert np.argwhere(voxels[layer] == value).tolist() == [[n, 0, 0]]
