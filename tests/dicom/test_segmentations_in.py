"""SEG, label maps and structure sets as they come from others, and our own, read as fields."""

from __future__ import annotations

from contextlib import suppress
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813
from derived_scenes import KINDS, Scene, rtstruct_bytes, scene, seg_bytes
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, RLELossless

from medrecon.dicom import ReadContours, ReadSegments, is_segmentation, read_segmentation
from medrecon.dicom.limits import Limits
from medrecon.dicom.objects.naming import safe_name
from medrecon.dicom.objects.plane_order import order_planes
from medrecon.dicom.objects.seg_write import SegKind
from medrecon.errors import (
    DamagedInputError,
    GeometryError,
    MedreconError,
    MissingSpacingError,
    NoSeriesError,
    PixelDataError,
    ResourceError,
    UnreadableInputError,
    UnsupportedEncodingError,
)
from medrecon.quality.volume import field_volume_ml
from medrecon.recipes.dicom_segments import segmented_from_dicom
from medrecon.surface.extract import extract_surface
from medrecon.surface.upsample import upsampled

AXES = (np.array([1.0, 0, 0]), np.array([0, 1.0, 0]))


@pytest.fixture(scope="module", params=KINDS)
def scanned(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return scene(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def ordinary(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return scene("ordinary", tmp_path_factory.mktemp("one"))


def edited(content: bytes, path: Path, change: object) -> Path:
    """The object with something about it changed, in a file."""
    ds = pydicom.dcmread(BytesIO(content))
    change(ds)  # type: ignore[operator]
    ds.save_as(path)
    return path


def test_fractions_come_back_as_the_field_they_were_made_of(scanned: Scene, tmp_path: Path) -> None:
    path = tmp_path / "seg.dcm"
    path.write_bytes(seg_bytes(scanned, SegKind.OCCUPANCY))
    segmented = segmented_from_dicom(path)
    bone, skin = segmented.fields
    assert (bone.label.name, skin.label.name) == ("bone", "skin")
    # Fractions are the letter blurred by a box of one voxel, 2 mm high, and half of it lies
    # within: walls stay where they are, the edges of a letter of 8 mm bars are rounded.
    for found, true in ((bone, scanned.field), (skin, scanned.outer)):
        assert field_volume_ml(found) == pytest.approx(field_volume_ml(true), rel=0.04)


def test_contours_come_back_as_the_field_they_were_drawn_of(scanned: Scene, tmp_path: Path) -> None:
    path = tmp_path / "rt.dcm"
    path.write_bytes(rtstruct_bytes(scanned))
    (bone,) = segmented_from_dicom(path).fields
    # Slices of 2 mm through a letter of 40 mm; steps of its section are rounded off.
    assert field_volume_ml(bone) == pytest.approx(field_volume_ml(scanned.field), rel=0.03)
    inside = np.argwhere(bone.values > 0) + bone.start
    # Counting samples on planes of 2 mm places the centre to a quarter of a step.
    centre = bone.grid.mm_from_index(inside).mean(axis=0)
    assert np.linalg.norm(centre - scanned.mesh.centroid_mm) < 0.5


def test_a_mask_keeps_the_side_of_every_voxel(scanned: Scene, tmp_path: Path) -> None:
    path = tmp_path / "seg.dcm"
    path.write_bytes(seg_bytes(scanned, SegKind.BINARY))
    stored = read_segmentation(path)
    assert isinstance(stored, ReadSegments)
    bone = segmented_from_dicom(path).fields[0]
    assert np.count_nonzero(bone.values > 0) == np.count_nonzero(stored.segments[0].values)


def test_frames_in_any_order_and_missing_ones_change_nothing_else(
    ordinary: Scene, tmp_path: Path
) -> None:
    content = seg_bytes(ordinary, SegKind.OCCUPANCY)

    def shuffle(ds: Dataset) -> None:
        frames = np.frombuffer(ds.PixelData, np.uint8).reshape(int(ds.NumberOfFrames), -1)
        order = np.random.default_rng(5).permutation(len(frames))
        # The frame in the middle of the second segment is not stored at all.
        kept = [n for n in order.tolist() if n != 35]
        groups = ds.PerFrameFunctionalGroupsSequence
        ds.PerFrameFunctionalGroupsSequence = [groups[n] for n in kept]
        ds.PixelData, ds.NumberOfFrames = frames[kept].tobytes(), len(kept)

    path = edited(content, tmp_path / "shuffled.dcm", shuffle)
    (tmp_path / "whole.dcm").write_bytes(content)
    whole = read_segmentation(tmp_path / "whole.dcm")
    found = read_segmentation(path)
    assert isinstance(whole, ReadSegments)
    assert isinstance(found, ReadSegments)
    assert np.array_equal(found.segments[0].values, whole.segments[0].values)
    missing = whole.segments[1].values.any(axis=(0, 1)) & ~found.segments[1].values.any(axis=(0, 1))
    assert np.count_nonzero(missing) == 1
    assert any("nothing on 1 planes" in f for f in found.findings)


def test_planes_that_are_no_grid_are_interpolated(ordinary: Scene, tmp_path: Path) -> None:
    def stretch(ds: Dataset) -> None:
        heights = sorted({float(_position(f)[2]) for f in ds.PerFrameFunctionalGroupsSequence})
        for f in ds.PerFrameFunctionalGroupsSequence:
            position = _position(f)
            # From the middle up, steps of 3.1 mm instead of 2.
            position[2] += 1.1 * max(0, heights.index(float(position[2])) - 10)

    path = edited(seg_bytes(ordinary, SegKind.OCCUPANCY), tmp_path / "seg.dcm", stretch)
    segmented = segmented_from_dicom(path)
    bone = segmented.fields[0]
    x, y, z = bone.grid.spacing_mm
    assert x == y == z
    # The half above plane 10 is stretched by 3.1/2; the letter's bars are up there, so the
    # volume lies between that of a letter stretched nowhere and of one stretched all over.
    true = field_volume_ml(ordinary.field)
    assert 1.15 * true < field_volume_ml(bone) < 1.55 * true


def test_run_length_encoded_fractions_are_read(ordinary: Scene, tmp_path: Path) -> None:
    content = seg_bytes(ordinary, SegKind.OCCUPANCY)
    path = edited(content, tmp_path / "rle.dcm", lambda ds: ds.compress(RLELossless))
    (tmp_path / "native.dcm").write_bytes(content)
    rle, native = read_segmentation(path), read_segmentation(tmp_path / "native.dcm")
    assert isinstance(rle, ReadSegments)
    assert isinstance(native, ReadSegments)
    for a, b in zip(rle.segments, native.segments, strict=True):
        assert np.array_equal(a.values, b.values)


def _cut(ds: Dataset) -> None:
    ds.PixelData = ds.PixelData[:100]


def _undescribed(ds: Dataset) -> None:
    ds.SegmentSequence = ds.SegmentSequence[:1]


def _unplaced(ds: Dataset) -> None:
    for f in ds.PerFrameFunctionalGroupsSequence:
        del f.PlanePositionSequence


def _turned(ds: Dataset) -> None:
    frame = ds.PerFrameFunctionalGroupsSequence[3]
    turn = Dataset()
    turn.ImageOrientationPatient = [0, 1, 0, 1, 0, 0]
    frame.PlaneOrientationSequence = [turn]


def _unheard_of(ds: Dataset) -> None:
    ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.100"
    ds.PixelData = encapsulate([ds.PixelData])
    ds["PixelData"].is_undefined_length = True


def _wide(ds: Dataset) -> None:
    ds.BitsAllocated = 32


def _other(ds: Dataset) -> None:
    ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.66"


def _short(ds: Dataset) -> None:
    ds.PerFrameFunctionalGroupsSequence = ds.PerFrameFunctionalGroupsSequence[:-1]


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (_cut, PixelDataError),
        (_undescribed, PixelDataError),
        (_unplaced, GeometryError),
        (_turned, GeometryError),
        (_unheard_of, UnsupportedEncodingError),
        (_wide, UnsupportedEncodingError),
        (_other, NoSeriesError),
        (_short, GeometryError),
    ],
)
def test_what_cannot_be_trusted_is_refused(
    ordinary: Scene, tmp_path: Path, change: object, kind: type[MedreconError]
) -> None:
    path = edited(seg_bytes(ordinary, SegKind.OCCUPANCY), tmp_path / "seg.dcm", change)
    with pytest.raises(kind):
        read_segmentation(path)


def test_a_budget_is_kept_before_anything_is_decoded(ordinary: Scene, tmp_path: Path) -> None:
    path = tmp_path / "seg.dcm"
    path.write_bytes(seg_bytes(ordinary, SegKind.OCCUPANCY))
    with pytest.raises(ResourceError):
        read_segmentation(path, limits=Limits(volume_bytes=10_000))


def test_bytes_flipped_anywhere_never_escape_as_anything_but_an_error(
    ordinary: Scene, tmp_path: Path
) -> None:
    rng = np.random.default_rng(11)
    for original in (seg_bytes(ordinary, SegKind.LABELMAP), rtstruct_bytes(ordinary)):
        for _ in range(60):
            content = bytearray(original)
            for at in rng.integers(132, min(len(content), 20_000), 4):
                content[at] = rng.integers(256)
            path = tmp_path / "flipped.dcm"
            path.write_bytes(content[: rng.integers(len(content) // 2, len(content))])
            with suppress(NoSeriesError, DamagedInputError, UnreadableInputError, ResourceError):
                segmented_from_dicom(path)


def test_names_come_from_codes_and_known_words_only() -> None:
    assert safe_name(["Mr Smith"], "272673000", "x") == "bone"
    assert safe_name(["GTV_Mass_CT"], "", "roi_1") == "gtv_mass_ct"
    assert safe_name(["Left Lung, upper lobe"], "", "roi_1") == "left_lung_upper_lobe"
    for typed in ("Mr Smith", "tumor of Zweifel", "../../etc", "12345678", ""):
        assert safe_name([typed], "", "roi_7") == "roi_7"
    assert safe_name(["GREEN", "Artery"], "", "segment_2") == "artery"


def test_planes_between_stored_ones_are_added_and_a_step_is_found() -> None:
    # Every second of a grid of 2.5 mm, one of them twice: 0, 5, 5, 10 mm.
    positions = np.array([[0, 0, 10.0], [0, 0, 0], [0, 0, 5], [0, 0, 5]])
    ordered = order_planes(positions, AXES, 2.5, (1.0, 1.0))
    assert ordered.index == [4, 0, 2, 2]
    assert np.allclose(ordered.positions_mm[:, 2], [0, 2.5, 5, 7.5, 10])
    # A stated step that explains nothing is not believed.
    assert order_planes(positions, AXES, 3.0, (1.0, 1.0)).index == [2, 0, 1, 1]
    assert order_planes(positions + [[0, 0, 0.9]] * 1, AXES, None, (1, 1)).step_mm is not None
    uneven = np.array([[0, 0, 0.0], [0, 0, 2], [0, 0, 5]])
    assert order_planes(uneven, AXES, None, (1.0, 1.0)).step_mm is None


def test_a_region_in_one_plane_has_no_thickness(ordinary: Scene, tmp_path: Path) -> None:
    def flatten(ds: Dataset) -> None:
        roi = ds.ROIContourSequence[0]
        roi.ContourSequence = roi.ContourSequence[:1]

    path = edited(rtstruct_bytes(ordinary), tmp_path / "rt.dcm", flatten)
    with pytest.raises(GeometryError, match="single plane"):
        segmented_from_dicom(path)


def test_two_contours_in_a_plane_of_which_one_is_inside_are_a_hole(
    ordinary: Scene, tmp_path: Path
) -> None:
    def square(half: float, z: float) -> list[float]:
        return [v for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1)) for v in (x * half, y * half, z)]

    def pipe(ds: Dataset) -> None:
        items = []
        for z in range(0, 20, 2):
            for half in (10.0, 4.0):
                item = Dataset()
                item.ContourGeometricType = "CLOSEDPLANAR_XOR"
                item.NumberOfContourPoints, item.ContourData = 4, square(half, float(z))
                items.append(item)
        ds.ROIContourSequence[0].ContourSequence = items

    path = edited(rtstruct_bytes(ordinary), tmp_path / "rt.dcm", pipe)
    (field,) = segmented_from_dicom(path).fields
    # 10 slices of 2 mm: (20² − 8²) mm² × 20 mm; the ends are flat, half a slice out.
    assert field_volume_ml(field) == pytest.approx((400 - 64) * 20 / 1000, rel=0.01)
    # On finer voxels too: corners stood out by 2 mm where an empty plane came near 0.
    surface = extract_surface(upsampled(field))
    low, high = surface.vertices_mm.min(axis=0), surface.vertices_mm.max(axis=0)
    assert np.allclose(low, (-10, -10, -1), atol=0.3)
    assert np.allclose(high, (10, 10, 19), atol=0.3)


DCMQI = {
    "23x38x3/seg/label.seg": "23x38x3/nrrd/label.nrrd",
    "24x38x3/seg/label.seg": "24x38x3/nrrd/label.nrrd",
    "liver.dcm": "liver_seg.nrrd",
    "partial_overlaps.dcm": "partial_overlaps-1.nrrd",
    "sparse-labelmap-noppv.dcm": "sparse_labelmap_noppv_seg.nrrd",
    "sparse-labelmap-ppv5.dcm": "sparse_labelmap_ppv5_seg.nrrd",
}


@pytest.mark.data
@pytest.mark.parametrize("name", list(DCMQI))
def test_dcmqi_segmentations_are_where_dcmqi_has_them(name: str, data_dir: Path) -> None:
    folder = data_dir / "dicom" / "dcmqi_segmentations"
    found = read_segmentation(folder / name)
    assert isinstance(found, ReadSegments)
    image = sitk.ReadImage(str(folder / DCMQI[name]))
    array = sitk.GetArrayFromImage(image)
    first = found.segments[0]
    ours = np.argwhere(first.values) + first.start
    assert found.planes.grid is not None
    theirs = np.argwhere(array == array[array > 0].min())[:, ::-1]
    points = np.array([image.TransformIndexToPhysicalPoint(v.tolist()) for v in theirs])
    mine = found.planes.grid.mm_from_index(ours)
    assert len(points) == len(mine)
    order = lambda p: p[np.lexsort(np.round(p, 2).T)]
    assert np.abs(order(points) - order(mine)).max() < 0.02


HIGHDICOM = {
    "seg_image_cr_binary.dcm": GeometryError,
    "seg_image_ct_binary.dcm": 1,
    "seg_image_ct_binary_fractional.dcm": 1,
    "seg_image_ct_binary_overlap.dcm": 2,
    "seg_image_ct_binary_single_frame.dcm": 1,
    "seg_image_ct_true_fractional.dcm": 1,
    "seg_image_sm_control.dcm": GeometryError,
    "seg_image_sm_control_labelmap.dcm": GeometryError,
    "seg_image_sm_control_labelmap_palette_color.dcm": GeometryError,
    "seg_image_sm_dots.dcm": GeometryError,
    "seg_image_sm_dots_tiled_full.dcm": GeometryError,
    "seg_image_sm_numbers.dcm": GeometryError,
}


@pytest.mark.data
def test_highdicoms_own_files_are_read_or_refused_for_a_reason(data_dir: Path) -> None:
    folder = data_dir / "dicom" / "highdicom_test_files"
    assert set(HIGHDICOM) == {p.name for p in folder.glob("seg_*.dcm")}
    for name, expected in HIGHDICOM.items():
        if isinstance(expected, int):
            found = read_segmentation(folder / name)
            assert isinstance(found, ReadSegments)
            assert len(found.segments) == expected, name
        else:
            with pytest.raises(expected, match=r"position in the patient|microscope slide"):
                read_segmentation(folder / name)
    for path in folder.glob("*.dcm"):
        assert is_segmentation(path) == path.name.startswith("seg_")


@pytest.mark.data
def test_a_clinical_structure_set_has_the_volume_of_its_mask(data_dir: Path) -> None:
    path = data_dir / "ct_mr_sarcoma" / "STS_001" / "dicom_CT" / "mask" / "RS.dcm"
    found = read_segmentation(path)
    assert isinstance(found, ReadContours)
    (gtv,) = segmented_from_dicom(path).fields
    assert gtv.label.name == "gtv_mass_ct"
    image = sitk.ReadImage(str(path.parents[2] / "CT_mask.nii.gz"))
    voxels = np.count_nonzero(sitk.GetArrayFromImage(image))
    mask_ml = voxels * np.prod(image.GetSpacing()) / 1000
    # The mask counts pixels of 0.98 mm; contours lie between them.
    assert field_volume_ml(gtv) == pytest.approx(mask_ml, rel=0.005)


def _position(frame: Dataset) -> list[float]:
    position = frame.PlanePositionSequence[0].ImagePositionPatient
    assert len(position) == 3
    return position


def test_a_damaged_attribute_is_the_files_fault(ordinary: Scene, tmp_path: Path) -> None:
    def spoil(ds: Dataset) -> None:
        del ds.Rows

    path = edited(seg_bytes(ordinary, SegKind.OCCUPANCY), tmp_path / "seg.dcm", spoil)
    with pytest.raises(DamagedInputError):
        read_segmentation(path)


STACK_MM2 = 20.0 * 20.0
"""Of the square that every frame of `stack` shows."""


def stack(
    path: Path, frames: list[tuple[int, float]], measures: dict[str, float], *, shared: bool = True
) -> Path:
    """A binary SEG of one square per frame: which segment, and at which height."""
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.66.4", "1.2.3"
    ds.SegmentationType, ds.BitsAllocated, ds.SamplesPerPixel = "BINARY", 8, 1
    ds.Rows, ds.Columns, ds.NumberOfFrames = 40, 40, len(frames)
    square = np.zeros((40, 40), np.uint8)
    square[10:30, 10:30] = 1
    ds.PixelData = square.tobytes() * len(frames)
    ds.SegmentSequence = [
        item(SegmentNumber=n, SegmentLabel=f"s{n}") for n in sorted({n for n, _ in frames})
    ]
    size = {"PixelMeasuresSequence": [item(PixelSpacing=[1.0, 1.0], **measures)]}
    turn = {"PlaneOrientationSequence": [item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])]}
    ds.SharedFunctionalGroupsSequence = [item(**turn, **(size if shared else {}))]
    ds.PerFrameFunctionalGroupsSequence = [
        item(
            PlanePositionSequence=[item(ImagePositionPatient=[0.0, 0.0, z])],
            SegmentIdentificationSequence=[item(ReferencedSegmentNumber=n)],
            **({} if shared else size),
        )
        for n, z in frames
    ]
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.save_as(path, enforce_file_format=True)
    return path


def item(**attributes: object) -> Dataset:
    made = Dataset()
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    return made


def test_two_lesions_on_uneven_planes_are_not_joined(tmp_path: Path) -> None:
    heights = [0, 2.3, 4, 6.6, 80, 82.2, 84.1, 86]
    path = stack(tmp_path / "seg.dcm", [(1, z) for z in heights], {"SliceThickness": 2.0})
    (field,) = segmented_from_dicom(path).fields
    # Each with half its last step at either end: 6.6 + 2.45 mm and 6 + 2.05 mm.
    held_ml = STACK_MM2 * (9.05 + 8.05) / 1000
    assert field_volume_ml(field) == pytest.approx(held_ml, rel=0.02)
    occupied = np.flatnonzero((field.values > 0).any(axis=(0, 1)))
    assert np.count_nonzero(np.diff(occupied) > 1) == 1


def test_a_lesion_on_some_of_uneven_planes_keeps_half_a_slice_at_either_end(tmp_path: Path) -> None:
    heights = [0, 5.3, 10, 15.4, 20, 25.5, 30, 35.4, 40, 45.3, 50]
    frames = [(2, z) for z in heights] + [(1, z) for z in heights[3:7]]
    lesion, organ = segmented_from_dicom(stack(tmp_path / "seg.dcm", frames, {})).fields
    # From half-way between 10 and 15.4 mm to half-way between 30 and 35.4 mm.
    assert field_volume_ml(lesion) == pytest.approx(STACK_MM2 * 20 / 1000, rel=0.02)
    assert field_volume_ml(organ) == pytest.approx(STACK_MM2 * 55 / 1000, rel=0.02)


@pytest.mark.parametrize("thickness_mm", [1.0, 10.0])
def test_planes_may_be_farther_apart_than_they_are_thick(
    tmp_path: Path, thickness_mm: float
) -> None:
    frames = [(1, 10.0 * n) for n in range(12)]
    path = stack(tmp_path / "seg.dcm", frames, {"SliceThickness": thickness_mm})
    (field,) = segmented_from_dicom(path).fields
    assert field_volume_ml(field) == pytest.approx(STACK_MM2 * 120 / 1000, rel=0.01)


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("stated", ["SliceThickness", "SpacingBetweenSlices"])
def test_a_single_plane_is_as_thick_as_it_says(tmp_path: Path, stated: str, shared: bool) -> None:
    found = read_segmentation(stack(tmp_path / "a.dcm", [(1, 0.0)], {stated: 5.0}, shared=shared))
    assert isinstance(found, ReadSegments)
    assert found.planes.grid is not None
    assert found.planes.grid.spacing_mm == (1.0, 1.0, 5.0)


def test_a_single_plane_that_says_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingSpacingError, match="single plane"):
        read_segmentation(stack(tmp_path / "a.dcm", [(1, 0.0)], {}))
