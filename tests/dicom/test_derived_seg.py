"""SEG from an ordinary, an oblique and a tilted series: every voxel where the scan's is."""

from __future__ import annotations

import subprocess
import sys
from io import BytesIO
from pathlib import Path

import highdicom
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813
from derived_scenes import KEY, KINDS, Scene, corners_mm, frames, scene, seg_bytes

from medrecon import dicom
from medrecon.core import Geometry, Label, SoftField, label
from medrecon.dicom.objects.modules import Making
from medrecon.dicom.objects.seg_write import HIGHEST, SegKind, Segment, write_seg
from medrecon.dicom.objects.source import open_source
from medrecon.outputs.on_planes import Plane, occupancy
from medrecon.quality.volume import field_volume_ml

WRITTEN = (SegKind.BINARY, SegKind.OCCUPANCY, SegKind.LABELMAP)


@pytest.fixture(scope="module", params=KINDS)
def scanned(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return scene(request.param, tmp_path_factory.mktemp(request.param))


@pytest.mark.parametrize("kind", WRITTEN)
def test_each_frame_lies_on_the_slice_that_it_names(scanned: Scene, kind: SegKind) -> None:
    ds = pydicom.dcmread(BytesIO(seg_bytes(scanned, kind)))
    shared = ds.SharedFunctionalGroupsSequence[0]
    turn = shared.PlaneOrientationSequence[0].ImageOrientationPatient
    spacing = shared.PixelMeasuresSequence[0].PixelSpacing
    slices = scanned.slices
    for frame in ds.PerFrameFunctionalGroupsSequence:
        position = frame.PlanePositionSequence[0].ImagePositionPatient
        named = frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        own = slices[named]
        there = corners_mm(
            own, own.ImagePositionPatient, own.ImageOrientationPatient, own.PixelSpacing
        )
        assert np.abs(corners_mm(ds, position, turn, spacing) - there).max() < 0.01


def test_highdicom_reads_every_voxel_by_the_slice_it_was_found_on(scanned: Scene) -> None:
    bone, skin = frames(scanned, SegKind.BINARY)
    found = highdicom.seg.Segmentation.from_dataset(
        pydicom.dcmread(BytesIO(seg_bytes(scanned, SegKind.BINARY)))
    )
    uids = [str(p.header.SOPInstanceUID) for p in scanned.source.planes]
    pixels = found.get_pixels_by_source_instance(
        uids, ignore_spatial_locations=True, assert_missing_frames_are_empty=True
    )
    assert np.array_equal(pixels[..., 0], bone)
    assert np.array_equal(pixels[..., 1], skin)


def test_highdicom_reads_the_fractions(scanned: Scene) -> None:
    bone, _ = frames(scanned, SegKind.OCCUPANCY)
    found = highdicom.seg.Segmentation.from_dataset(
        pydicom.dcmread(BytesIO(seg_bytes(scanned, SegKind.OCCUPANCY)))
    )
    assert found.SegmentationFractionalType == "OCCUPANCY"
    uids = [str(p.header.SOPInstanceUID) for p in scanned.source.planes]
    pixels = found.get_pixels_by_source_instance(
        uids, ignore_spatial_locations=True, assert_missing_frames_are_empty=True
    )
    assert np.allclose(pixels[..., 0] * HIGHEST, bone, atol=1e-3)


def test_a_label_map_shows_the_smaller_of_two_that_overlap(scanned: Scene) -> None:
    bone, skin = frames(scanned, SegKind.BINARY)
    ds = pydicom.dcmread(BytesIO(seg_bytes(scanned, SegKind.LABELMAP)))
    shown = dict(zip(_named(ds), ds.pixel_array, strict=True))
    expected = np.where(bone, 2, np.where(skin, 1, 0))
    for plane, image in zip(scanned.source.planes, expected, strict=True):
        uid = str(plane.header.SOPInstanceUID)
        assert np.array_equal(shown.get(uid, np.zeros_like(image)), image)


def test_fractions_hold_the_volume_of_the_field(scanned: Scene) -> None:
    bone, _ = frames(scanned, SegKind.OCCUPANCY)
    voxel = [np.prod(p.geometry.spacing_mm[:2]) * sum(p.slab_mm) for p in scanned.planes]
    held_ml = float(bone.sum(axis=(1, 2)) / HIGHEST @ np.array(voxel)) / 1000
    assert held_ml == pytest.approx(field_volume_ml(scanned.field), rel=0.005)


def test_fractions_of_a_ball_hold_a_ball() -> None:
    # Voxels of 0.8 × 0.9 × 2 mm, turned by 35° against a field of 0.7 mm.
    grid = Geometry((36, 36, 36), (0.7, 0.7, 0.7), (-12.1, -12.2, -12.3))
    index = np.moveaxis(np.indices(grid.shape), 0, -1).reshape(-1, 3)
    depth = 7 - np.linalg.norm(grid.mm_from_index(index), axis=1)
    ball = SoftField(Label(1, "ball"), depth.reshape(grid.shape).astype(np.float32), grid)
    turn = np.deg2rad(35)
    axes = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    planes = []
    for height in np.arange(-10, 10.1, 2):
        affine = np.eye(4)
        affine[:3, :3] = axes * [0.8, 0.9, 2.0]
        affine[:3, 3] = axes @ [-10, -10, height]
        planes.append(Plane(Geometry.from_affine(affine, (26, 24, 1)), (1.0, 1.0)))
    held = float(occupancy(ball, planes).sum(dtype=np.float64)) * 0.8 * 0.9 * 2
    assert held / 1000 == pytest.approx(field_volume_ml(ball), rel=0.005)
    # 4/3 π 7³ = 1436.8 mm³, of which the field's straight lines between samples lose some.
    assert held == pytest.approx(4 / 3 * np.pi * 7**3, rel=0.01)


def test_segments_carry_codes_colours_and_their_finder(scanned: Scene) -> None:
    ds = pydicom.dcmread(BytesIO(seg_bytes(scanned, SegKind.BINARY)))
    bone = ds.SegmentSequence[0]
    kind = bone.SegmentedPropertyTypeCodeSequence[0]
    assert (kind.CodeValue, kind.CodingSchemeDesignator) == ("272673000", "SCT")
    assert bone.SegmentAlgorithmType == "AUTOMATIC"
    assert bone.SegmentationAlgorithmIdentificationSequence[0].AlgorithmName == "medrecon tissue"
    # #f1d691 is L* 86.7, a* 2.8, b* 37.8 under D50 (by the ICC's own tables).
    lab = np.array(bone.RecommendedDisplayCIELabValue) / 65535 * [100, 255, 255] - [0, 128, 128]
    assert np.allclose(lab, [86.7, 2.8, 37.8], atol=0.3)
    named = {r.ReferencedSOPInstanceUID for r in _references(ds)}
    assert named == set(scanned.slices)


def test_the_same_run_and_source_give_the_same_bytes(scanned: Scene) -> None:
    kind = SegKind.OCCUPANCY
    assert seg_bytes(scanned, kind) == seg_bytes.__wrapped__(scanned, kind)


@pytest.mark.parametrize("kind", [SegKind.BINARY, SegKind.OCCUPANCY])
def test_dcmqi_finds_the_voxels_in_the_same_places(
    scanned: Scene, kind: SegKind, tmp_path: Path
) -> None:
    (tmp_path / "seg.dcm").write_bytes(seg_bytes(scanned, kind))
    program = str(Path(sys.executable).with_name("segimage2itkimage"))
    command = [program, "--inputDICOM", "seg.dcm", "--outputDirectory", "."]
    subprocess.run([*command, "--outputType", "nrrd"], cwd=tmp_path, check=True)
    image = sitk.ReadImage(str(tmp_path / "1.nrrd"))
    array = sitk.GetArrayFromImage(image)
    bone, _ = frames(scanned, kind)
    occupied = np.flatnonzero(bone.any(axis=(1, 2)))
    # dcmqi leaves out the planes at the ends that no segment is on.
    whole = np.flatnonzero(np.any([f.any(axis=(1, 2)) for f in frames(scanned, kind)], axis=0))
    first = whole[0]
    expected = bone[first : first + len(array)]
    assert np.allclose(array > 0, expected > 0)
    for k in (occupied[0], occupied[-1]):
        j, i = (int(v) for v in np.argwhere(bone[k] > 0)[0])
        there = np.array(image.TransformIndexToPhysicalPoint((i, j, int(k - first))))
        true = scanned.source.planes[k].geometry.mm_from_index([[i, j, 0]])[0]
        if scanned.name == "tilted":
            # An ITK image has no shear: its planes stand at the right height along the normal.
            normal = np.asarray(scanned.source.planes[k].geometry.direction)[:, 2]
            assert abs((there - true) @ normal) < 0.01
        else:
            assert np.abs(there - true).max() < 0.01


def _named(ds: pydicom.Dataset) -> list[str]:
    """The slice that each frame names."""
    return [
        str(f.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID)
        for f in ds.PerFrameFunctionalGroupsSequence
    ]


def _references(ds: pydicom.Dataset) -> list[pydicom.Dataset]:
    return list(ds.ReferencedSeriesSequence[0].ReferencedInstanceSequence)


@pytest.mark.data
def test_frames_of_an_enhanced_object_are_named_by_their_own_numbers(data_dir: Path) -> None:
    (path,) = (data_dir / "dicom" / "dcm_qa_enh").rglob("IM_0027_fMAP.dcm")
    source = pydicom.dcmread(path, stop_before_pixels=True)
    # Two volumes in one object: magnitude and field map.
    for series in dicom.scan(path).series:
        found = open_source(series)
        columns, rows, _ = found.planes[0].geometry.shape
        inside = np.zeros((len(found.planes), rows, columns), np.bool_)
        inside[2:, rows // 3, columns // 2] = True
        segments = [Segment(label(name), inside) for name in ("bone", "liver")]
        first, stream = BytesIO(), BytesIO()
        write_seg(first, segments, found, Making(KEY))
        write_seg(stream, segments, found, Making(KEY))
        # Writing changes nothing in the source's header.
        assert first.getvalue() == stream.getvalue()
        ds = pydicom.dcmread(BytesIO(stream.getvalue()))
        for frame in ds.PerFrameFunctionalGroupsSequence:
            named = frame.DerivationImageSequence[0].SourceImageSequence[0]
            assert named.ReferencedSOPInstanceUID == source.SOPInstanceUID
            true = source.PerFrameFunctionalGroupsSequence[int(named.ReferencedFrameNumber) - 1]
            there = np.array([float(v) for v in _position(true)])
            assert np.abs(there - [float(v) for v in _position(frame)]).max() < 0.01


def _position(frame: pydicom.Dataset) -> list[float]:
    return list(frame.PlanePositionSequence[0].ImagePositionPatient)
