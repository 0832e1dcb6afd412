"""RTSTRUCT and encapsulated meshes: in the same place, of the same size, valid for others."""

from __future__ import annotations

import re
import subprocess
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from derived_scenes import (
    CANARY,
    KEY,
    KINDS,
    SPACING_MM,
    Scene,
    lines_of,
    model_bytes,
    objects,
    rtstruct_bytes,
    scene,
    seg_bytes,
    stl_bytes,
)
from scipy.ndimage import map_coordinates

from medrecon.core import Geometry, Label, SoftField
from medrecon.dicom.objects.encapsulated import ModelFormat
from medrecon.dicom.objects.seg_write import SegKind
from medrecon.dicom.objects.source import deidentified
from medrecon.files.stl import read_stl
from medrecon.outputs.on_planes import Plane, outlines, slab_sum_ml
from medrecon.quality.volume import field_volume_ml


@pytest.fixture(scope="module", params=KINDS)
def scanned(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return scene(request.param, tmp_path_factory.mktemp(request.param))


def contours(ds: pydicom.Dataset) -> list[tuple[str, np.ndarray]]:
    """The slice that each contour names, and its points, as any reader gets them."""
    return [
        (
            str(c.ContourImageSequence[0].ReferencedSOPInstanceUID),
            np.array([float(v) for v in c.ContourData]).reshape(-1, 3),
        )
        for c in ds.ROIContourSequence[0].ContourSequence
    ]


def polygon_area(points: np.ndarray) -> float:
    """Area of a planar polygon in space: half the length of the sum of cross products."""
    p = points - points[0]
    return float(np.linalg.norm(np.cross(p, np.roll(p, -1, axis=0)).sum(axis=0)) / 2)


def test_contours_lie_in_the_planes_of_the_slices_they_name(scanned: Scene) -> None:
    slices = scanned.slices
    for uid, points in contours(pydicom.dcmread(BytesIO(rtstruct_bytes(scanned)))):
        own = slices[uid]
        row, column = np.reshape([float(v) for v in own.ImageOrientationPatient], (2, 3))
        start = np.array([float(v) for v in own.ImagePositionPatient])
        assert np.abs((points - start) @ np.cross(row, column)).max() < 0.01


def test_contours_run_where_the_field_is_zero_and_not_through_voxel_centres(
    scanned: Scene,
) -> None:
    grid, values = scanned.field.grid, scanned.field.values.astype(np.float64)
    slopes = np.gradient(values, *grid.spacing_mm)
    off, centred = [], []
    for _, points in contours(pydicom.dcmread(BytesIO(rtstruct_bytes(scanned)))):
        index = grid.index_from_mm(points).T
        slope = np.sqrt(sum(map_coordinates(s, index, order=1) ** 2 for s in slopes))
        off.append(np.abs(map_coordinates(values, index, order=1)) / np.maximum(slope, 1))
        local = scanned.source.planes[0].geometry.index_from_mm(points)[:, :2]
        centred.append((np.abs(local - np.rint(local)) < 0.01).all(axis=1))
    # At the tilted slices' kinks (the letter's edges) no step of Newton's settles exactly.
    assert np.percentile(np.concatenate(off), 99) < 0.01
    assert np.concatenate(off).max() < (0.2 if scanned.name == "tilted" else 0.01)
    assert np.concatenate(centred).mean() < 0.05


def test_contours_enclose_their_own_slabs(scanned: Scene) -> None:
    # The slab sum: each slice's section of the field, by counting samples of a tenth of a
    # pixel, times how far the slice stands for. Along the tilted slices' normal that is
    # 2 mm · cos 20°.
    by_slice: dict[str, float] = {}
    for uid, points in contours(pydicom.dcmread(BytesIO(rtstruct_bytes(scanned)))):
        by_slice[uid] = by_slice.get(uid, 0.0) + polygon_area(points)
    step = SPACING_MM[2] * (np.cos(np.deg2rad(20)) if scanned.name == "tilted" else 1)
    drawn = sum(by_slice.values()) * step
    counted = 0.0
    for plane in scanned.source.planes:
        counted += _section_mm2(scanned.field, plane.geometry) * step
    assert drawn == pytest.approx(counted, rel=0.005)
    assert slab_sum_ml(lines_of(scanned), scanned.planes) == pytest.approx(drawn / 1000, rel=1e-4)


def test_slabs_of_thick_slices_differ_from_the_volume_and_it_is_said() -> None:
    # A ball of 6 mm on slices of 5 mm through its middle: sections of 36π, 11π and 11π mm²
    # times 5 mm are 290π; the ball is 288π. Half a slice off the middle (±2.5 mm): two of
    # 29.75π make 297.5π. The field's own loss by linear interpolation is below 1 %.
    field = _ball(6.0, 0.5)
    for heights, expected in (((-5, 0, 5), 290), ((-2.5, 2.5), 297.5)):
        planes = [_axial(h, 5.0) for h in heights]
        held = slab_sum_ml(list(outlines(field, planes)), planes)
        assert held == pytest.approx(expected * np.pi / 1000, rel=0.01)
    assert field_volume_ml(field) == pytest.approx(288 * np.pi / 1000, rel=0.01)


def test_a_hole_is_joined_by_a_channel_of_no_width() -> None:
    # A pipe: 9 mm less 5 mm; its section is (81 − 25)π.
    grid = Geometry((50, 50, 5), (0.5, 0.5, 2.0), (-12.2, -12.3, -4.0))
    index = np.moveaxis(np.indices(grid.shape), 0, -1).reshape(-1, 3)
    radius = np.linalg.norm(grid.mm_from_index(index)[:, :2], axis=1)
    values = np.minimum(9 - radius, radius - 5).reshape(grid.shape).astype(np.float32)
    pipe = SoftField(Label(1, "pipe"), values, grid)
    lines = list(outlines(pipe, [Plane(grid.crop((0, 0, 2), (50, 50, 1)), (1.0, 1.0))]))
    assert len(lines) == 1
    assert polygon_area(lines[0].points_lps) == pytest.approx(56 * np.pi, rel=0.005)


def test_a_mesh_in_an_object_is_the_mesh(scanned: Scene, tmp_path: Path) -> None:
    content = stl_bytes(scanned.mesh)
    ds = pydicom.dcmread(BytesIO(model_bytes(scanned, content, ModelFormat.STL)))
    assert ds.EncapsulatedDocument[: ds.EncapsulatedDocumentLength] == content
    (tmp_path / "model.stl").write_bytes(ds.EncapsulatedDocument[: ds.EncapsulatedDocumentLength])
    vertices, _ = read_stl(tmp_path / "model.stl")
    assert np.abs(vertices.min(axis=0) - scanned.mesh.bounds_mm[0]).max() < 1e-6
    unit = ds.MeasurementUnitsCodeSequence[0]
    assert (unit.CodeValue, unit.CodingSchemeDesignator) == ("mm", "UCUM")
    assert ds.MIMETypeOfEncapsulatedDocument == "model/stl"
    assert (ds.ModelModification, ds.ModelMirroring) == ("NO", "NO")
    slices = scanned.slices
    assert ds.FrameOfReferenceUID == next(iter(slices.values())).FrameOfReferenceUID
    assert {r.ReferencedSOPInstanceUID for r in ds.SourceInstanceSequence} == set(slices)


def test_all_meshes_of_a_run_are_one_group(scanned: Scene) -> None:
    one = pydicom.dcmread(BytesIO(model_bytes(scanned, b"one", ModelFormat.STL)))
    two = pydicom.dcmread(BytesIO(model_bytes(scanned, b"two", ModelFormat.OBJ)))
    assert one.ModelGroupUID == two.ModelGroupUID
    assert one.SOPInstanceUID != two.SOPInstanceUID


def test_an_object_carries_the_identity_of_its_source(scanned: Scene) -> None:
    own = next(iter(scanned.slices.values()))
    for name, content in objects(scanned):
        ds = pydicom.dcmread(BytesIO(content))
        assert str(ds.PatientName) == CANARY, name
        for keyword in ("PatientID", "StudyInstanceUID", "FrameOfReferenceUID"):
            assert ds[keyword].value == own[keyword].value, (name, keyword)
        assert ds.SeriesInstanceUID != own.SeriesInstanceUID


def test_a_pseudonymous_object_holds_nothing_of_its_source(scanned: Scene) -> None:
    hidden = deidentified(scanned.source, KEY)
    secrets = {CANARY, "Zweifel", "CANARY", "20260102", "030405"}
    for ds in scanned.slices.values():
        secrets |= {str(e.value) for e in ds if e.VR == "UI" and e.keyword != "SOPClassUID"}
    for name, content in objects(scanned, hidden):
        for secret in secrets:
            assert secret.encode() not in content, (name, secret)
        ds = pydicom.dcmread(BytesIO(content))
        assert ds.PatientIdentityRemoved == "YES"
        assert ds.PatientID.startswith("MEDRECON-")
    again = deidentified(scanned.source, KEY)
    assert again.header.StudyInstanceUID == hidden.header.StudyInstanceUID
    assert deidentified(scanned.source, "ff" * 16).header.PatientID != hidden.header.PatientID


@pytest.mark.server
def test_the_validator_finds_no_error(scanned: Scene, tmp_path: Path) -> None:
    """dciodvfy of dicom3tools; it does not know label-map SEG."""
    for name, content in objects(scanned):
        if name == "seg_labelmap":
            continue
        (tmp_path / name).write_bytes(content)
        found = subprocess.run(["dciodvfy", tmp_path / name], capture_output=True, check=False)
        words = (found.stdout + found.stderr).decode()
        assert "Error" not in words, (name, words)
        assert re.search("^(Segmentation|RTStructureSet|EncapsulatedSTL)$", words, re.MULTILINE)


@pytest.mark.server
def test_dcmtk_reads_the_same_points(scanned: Scene, tmp_path: Path) -> None:
    content = rtstruct_bytes(scanned)
    (tmp_path / "rt.dcm").write_bytes(content)
    drawn = contours(pydicom.dcmread(BytesIO(content)))
    # Contour Data (3006,0050) in full length, as text.
    command = ["dcmdump", "+L", "+P", "3006,0050", str(tmp_path / "rt.dcm")]
    dump = subprocess.run(command, capture_output=True, check=True).stdout.decode("latin-1")
    seen = [
        np.array([float(v) for v in text.split("\\")]).reshape(-1, 3)
        for text in re.findall(r"DS \[([^\]]*)\]", dump)
    ]
    assert len(seen) == len(drawn)
    for (_, ours), theirs in zip(drawn, seen, strict=True):
        assert np.abs(ours - theirs).max() < 0.01
    # DCMTK's own structure-set reader accepts it whole.
    subprocess.run(["drtdump", str(tmp_path / "rt.dcm")], capture_output=True, check=True)


@pytest.mark.server
def test_dcmtk_reads_the_same_positions_and_voxels(scanned: Scene, tmp_path: Path) -> None:
    content = seg_bytes(scanned, SegKind.BINARY)
    (tmp_path / "seg.dcm").write_bytes(content)
    command = ["dcmdump", "+L", "+P", "0020,0032", str(tmp_path / "seg.dcm")]
    dump = subprocess.run(command, capture_output=True, check=True).stdout.decode("latin-1")
    seen = [[float(v) for v in t.split("\\")] for t in re.findall(r"DS \[([^\]]*)\]", dump)]
    ds = pydicom.dcmread(BytesIO(content))
    slices = scanned.slices
    assert len(seen) == int(ds.NumberOfFrames)
    for position, frame in zip(seen, ds.PerFrameFunctionalGroupsSequence, strict=True):
        named = frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        true = np.array([float(v) for v in slices[named].ImagePositionPatient])
        assert np.abs(np.array(position) - true).max() < 0.01


def _section_mm2(field: SoftField, plane: Geometry) -> float:
    """Area of the field's section, by samples of a tenth of a pixel."""
    from medrecon.resampling import sample_field

    columns, rows, _ = plane.shape
    affine = plane.affine_lps
    affine[:3, :2] /= 10
    # The field's own lines between its samples: in the plane, between pixel centres.
    coarse = sample_field(field, plane)[:, :, 0].astype(np.float64)
    i, j = np.meshgrid(np.arange(0, columns - 1, 0.1), np.arange(0, rows - 1, 0.1), indexing="ij")
    fine = map_coordinates(coarse, np.array([i.ravel(), j.ravel()]), order=1)
    pixel = plane.spacing_mm[0] * plane.spacing_mm[1]
    return float(np.count_nonzero(fine > 0)) * pixel / 100


def _ball(radius_mm: float, spacing_mm: float) -> SoftField:
    size = round(2 * (radius_mm + 2) / spacing_mm) + 1
    low = -spacing_mm * (size - 1) / 2
    grid = Geometry((size, size, size), (spacing_mm,) * 3, (low, low, low))
    index = np.moveaxis(np.indices(grid.shape), 0, -1).reshape(-1, 3)
    depth = radius_mm - np.linalg.norm(grid.mm_from_index(index), axis=1)
    return SoftField(Label(1, "ball"), depth.reshape(grid.shape).astype(np.float32), grid)


def _axial(height_mm: float, thickness_mm: float) -> Plane:
    grid = Geometry((40, 40, 1), (0.5, 0.5, thickness_mm), (-9.75, -9.75, height_mm))
    return Plane(grid, (thickness_mm / 2, thickness_mm / 2))
