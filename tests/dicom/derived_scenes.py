"""A letter F scanned three ways, its field, and the objects made of it, for the tests beside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset

from medrecon import dicom
from medrecon.core import Geometry, Mesh, SliceStack, SoftField, label
from medrecon.dicom.objects.encapsulated import Model, ModelFormat, write_model
from medrecon.dicom.objects.modules import Making
from medrecon.dicom.objects.rtstruct_write import Contour, Region, write_rtstruct
from medrecon.dicom.objects.seg_write import HIGHEST, SegKind, Segment, write_seg
from medrecon.dicom.objects.source import SourceSeries, open_source
from medrecon.dicom.write_ct import CtSeries, write_ct_series
from medrecon.files.stl import write_stl
from medrecon.outputs.on_planes import Outline, Plane, inside_centres, occupancy, outlines
from medrecon.phantom.shape_scan import scan_shape
from medrecon.phantom.shapes import make_letter_f
from medrecon.resampling import stack_geometry, stack_onto
from medrecon.surface.extract import extract_surface

KINDS = ("ordinary", "oblique", "tilted")
KEY = "0123456789abcdef" * 2
SPACING_MM = (0.8, 0.9, 2.0)
# The phantom is 1000 HU in 0 HU: half-way is its surface; 200 HU lies outside it.
SURFACE_HU, OUTER_HU = 500.25, 200.25
CANARY = "Zweifel^Canary"


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A series and what was found in it."""

    name: str
    folder: Path
    source: SourceSeries
    field: SoftField
    outer: SoftField

    @property
    def planes(self) -> tuple[Plane, ...]:
        return tuple(Plane(p.geometry, p.slab_mm) for p in self.source.planes)

    @property
    def making(self) -> Making:
        return Making(KEY, ("20260102", "030405"))

    @property
    def mesh(self) -> Mesh:
        return _mesh(self)

    @property
    def slices(self) -> dict[str, Dataset]:
        """The source's files by their SOP instance, read by pydicom alone."""
        found = (pydicom.dcmread(p) for p in sorted(self.folder.glob("*.dcm")))
        return {str(ds.SOPInstanceUID): ds for ds in found}


@cache
def _mesh(scene: Scene) -> Mesh:
    return extract_surface(scene.field)


def scene(name: str, folder: Path) -> Scene:
    """Scan, write, read and segment."""
    volume = scan_shape(make_letter_f(), geometry_of(name)).volume
    header = CtSeries(uid_seed=name, patient_name=CANARY, patient_id="CANARY-17")
    write_ct_series(volume, folder, series=header)
    series = dicom.choose(dicom.scan(folder))
    image = dicom.read(series)
    if isinstance(image, SliceStack):
        image = stack_onto(image, stack_geometry(image, min(SPACING_MM)))
    fields = [
        SoftField(label(n), np.asfortranarray(image.array - np.float32(hu)), image.geometry)
        for n, hu in (("bone", SURFACE_HU), ("skin", OUTER_HU))
    ]
    return Scene(name, folder, open_source(series), *fields)


def geometry_of(name: str) -> Geometry:
    """Ordinary axial; turned about two axes; slices shifted by a gantry tilt of 20°."""
    axes, shape = np.eye(3), (46, 36, 28)
    if name == "oblique":
        about_x, about_z = np.deg2rad(30), np.deg2rad(25)
        c, s = np.cos(about_x), np.sin(about_x)
        axes = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
        c, s = np.cos(about_z), np.sin(about_z)
        axes = axes @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
        shape = (52, 60, 30)
    if name == "tilted":
        tilt = np.deg2rad(20)
        axes[:, 2] = (0, np.sin(tilt), np.cos(tilt))
        shape = (46, 64, 30)
    affine = np.eye(4)
    affine[:3, :3] = axes * SPACING_MM
    # Off the voxel centres, so that a flip or a shift by half a voxel shows.
    affine[:3, 3] = [0.31, 0.13, 0.22] - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Geometry.from_affine(affine, shape)


@cache
def frames(scene: Scene, kind: SegKind) -> list[npt.NDArray[np.generic]]:
    """What each segment of that kind holds, (planes, rows, columns)."""
    if kind is SegKind.OCCUPANCY:
        parts = [occupancy(f, scene.planes) for f in (scene.field, scene.outer)]
        return [np.rint(p * HIGHEST).astype(np.uint8) for p in parts]
    return [inside_centres(f, scene.planes) for f in (scene.field, scene.outer)]


@cache
def seg_bytes(scene: Scene, kind: SegKind, source: SourceSeries | None = None) -> bytes:
    """The letter and the region around it, which overlap."""
    found = zip((scene.field, scene.outer), frames(scene, kind), strict=True)
    segments = [Segment(f.label, values) for f, values in found]  # type: ignore[arg-type]
    stream = BytesIO()
    write_seg(stream, segments, source or scene.source, scene.making, kind=kind)
    return stream.getvalue()


@cache
def lines_of(scene: Scene) -> list[Outline]:
    """Outlines of the letter."""
    return list(outlines(scene.field, scene.planes))


@cache
def rtstruct_bytes(scene: Scene, source: SourceSeries | None = None) -> bytes:
    """The letter's contours."""
    contours = tuple(Contour(line.plane, line.points_lps) for line in lines_of(scene))
    stream = BytesIO()
    region = Region(scene.field.label, contours)
    write_rtstruct(stream, [region], source or scene.source, scene.making)
    return stream.getvalue()


def model_bytes(
    scene: Scene, content: bytes, form: ModelFormat, source: SourceSeries | None = None
) -> bytes:
    """A mesh file in an object."""
    stream = BytesIO()
    model = Model(scene.field.label, content, form)
    write_model(stream, model, source or scene.source, scene.making)
    return stream.getvalue()


def stl_bytes(mesh: Mesh) -> bytes:
    """The mesh as a binary STL."""
    stream = BytesIO()
    write_stl(mesh, stream)
    return stream.getvalue()


def objects(scene: Scene, source: SourceSeries | None = None) -> Iterator[tuple[str, bytes]]:
    """Every kind of object of a scene, by a name."""
    for kind in (SegKind.BINARY, SegKind.OCCUPANCY, SegKind.LABELMAP):
        yield f"seg_{kind.value}", seg_bytes(scene, kind, source)
    yield "rtstruct", rtstruct_bytes(scene, source)
    stl = stl_bytes(scene.mesh)
    yield "stl", model_bytes(scene, stl, ModelFormat.STL, source)


def corners_mm(ds: Dataset, position: object, orientation: object, spacing: object) -> np.ndarray:
    """(4, 3) LPS of a frame's corner pixels, by the formula of PS3.3 C.7.6.2.1.1."""
    row, column = np.reshape([float(v) for v in orientation], (2, 3))  # type: ignore[attr-defined]
    down, along = (float(v) for v in spacing)  # type: ignore[attr-defined]
    start = np.array([float(v) for v in position])  # type: ignore[attr-defined]
    ends = [(0, 0), (ds.Columns - 1, 0), (0, ds.Rows - 1), (ds.Columns - 1, ds.Rows - 1)]
    return np.array([start + i * along * row + j * down * column for i, j in ends])
