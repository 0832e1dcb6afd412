"""A finished run in the formats of other systems: DICOM objects, 3D Slicer, mesh files."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from medrecon.core import SoftField
from medrecon.errors import DamagedInputError, UsageError
from medrecon.files import meshes as mesh_files
from medrecon.files.atomic import RUN_FILE, open_atomic, write_json
from medrecon.files.new_folder import NewFolder
from medrecon.loading import load_volume, reading_limits
from medrecon.outputs.on_planes import Plane, inside_centres, occupancy, outlines, slab_sum_ml
from medrecon.outputs.opened import OpenedRun, open_run
from medrecon.outputs.options_json import options_of
from medrecon.outputs.run import keyed_hash, sha256_of_files
from medrecon.quality.volume import field_volume_ml
from medrecon.recorder import Progress, Recorder, silent
from medrecon.surface.extract import extract_surface
from medrecon.surface.upsample import finest

if TYPE_CHECKING:
    from medrecon.dicom.objects.modules import Making
    from medrecon.dicom.objects.source import SourceSeries

SCHEMA_VERSION = 1
RECORD_FILE = "export.json"
SEG_NRRD = "seg.nrrd"
DICOM_FORMATS = (
    "dicom-seg",
    "dicom-seg-occupancy",
    "dicom-labelmap",
    "rtstruct",
    "m3d",
    "m3d-obj",
)
Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What to write and whose identity it carries.

    Parameters
    ----------
    formats : tuple of str
        Of `DICOM_FORMATS`, "seg.nrrd", or a mesh format; each is written once.
    source : Path or None
        The series that the run was made of; DICOM objects need it.
    series : int or None
        Which series of it, if not the run's own choice.
    deidentify : bool
        Replace the source's identity in DICOM objects by a pseudonym.
    overwrite : bool
        Write into a folder that is not empty.
    """

    formats: tuple[str, ...]
    source: Path | None = None
    series: int | None = None
    deidentify: bool = False
    overwrite: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Exported:
    """What was written.

    Parameters
    ----------
    folder : Path
    files : tuple of str
        Relative POSIX paths.
    figures : mapping
        For each format and structure what its voxels or contours hold, in mL, beside
        the volume of the field.
    """

    folder: Path
    files: tuple[str, ...]
    figures: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class _Structure:
    """A field as finely as its surface was made, and who found it."""

    field: SoftField
    segmenter: str
    volume_ml: float


def export_run(
    folder: Path,
    options: ExportOptions,
    *,
    output: Path | None = None,
    progress: Progress = silent,
) -> Exported:
    """Write a finished run in other formats, by default to `folder/export`.

    Parameters
    ----------
    folder : Path
        Of a finished run.
    options : ExportOptions
    output : Path, optional
    progress : callable

    Raises
    ------
    UsageError
        If a format is unknown or needs what was not given: a source, the run's fields; or
        if a source or a pseudonym was asked for and no DICOM object.
    DamagedInputError
        If the source is not the series of the run.
    OutputError
        If the output cannot be written.
    """
    _check_formats(options)
    run = open_run(folder)
    job = _Job(run, options, Recorder(progress))
    formats = tuple(dict.fromkeys(options.formats))
    with NewFolder(output or folder / "export", overwrite=options.overwrite) as target:
        figures = {}
        for number, name in enumerate(formats, 1):
            figures[name] = job.write(name, target.staging)
            progress("export", number / len(formats))
        hashes = sha256_of_files(target.staging)
        record = {
            "schema_version": SCHEMA_VERSION,
            "run_id": run.record["run_id"],
            "pseudonymous": options.deidentify,
            "figures": figures,
            "outputs": hashes,
        }
        write_json(target.staging / RECORD_FILE, record)
        target.finish()
    return Exported(output or folder / "export", tuple(hashes), figures)


def _check_formats(options: ExportOptions) -> None:
    known = (*DICOM_FORMATS, SEG_NRRD, *mesh_files.FORMATS)
    wrong = [name for name in options.formats if name not in known]
    if wrong or not options.formats:
        raise UsageError(
            f"no export format {', '.join(wrong) or 'was named'}; known are: {', '.join(known)}"
        )
    asked = [name for name in options.formats if name in DICOM_FORMATS]
    if asked and options.source is None:
        raise UsageError(
            f"{', '.join(asked)} take identity and slice references from the scan, which the run "
            "does not keep; name it with --source"
        )
    if not asked and (options.source or options.series is not None or options.deidentify):
        raise UsageError(
            "--source, --series and --deidentify are for DICOM objects, and none is asked for; "
            f"those are: {', '.join(DICOM_FORMATS)}"
        )


class _Job:
    """One export: what several formats need is made once."""

    def __init__(self, run: OpenedRun, options: ExportOptions, log: Recorder) -> None:
        self.run, self.options, self.log = run, options, log
        self._source: SourceSeries | None = None
        self._structures: tuple[_Structure, ...] | None = None

    def write(self, name: str, folder: Path) -> Figures:
        """Write one format; what is to be said of it."""
        writers: dict[str, Callable[[Path], Figures]] = {
            "dicom-seg": self._seg,
            "dicom-seg-occupancy": self._occupancy,
            "dicom-labelmap": self._labelmap,
            "rtstruct": self._rtstruct,
            "m3d": self._m3d,
            "m3d-obj": self._m3d_obj,
            SEG_NRRD: self._seg_nrrd,
        }
        if name in writers:
            return writers[name](folder)
        mesh_files.write_meshes(self.run.meshes(), folder, (name,))
        return {}

    @property
    def structures(self) -> tuple[_Structure, ...]:
        if self._structures is None:
            found = [
                (finest(f, extract_surface(f)).field, s.source)
                for s in self.run.segmented().segmentations
                for f in s.fields
            ]
            self._structures = tuple(_Structure(f, s, field_volume_ml(f)) for f, s in found)
        return self._structures

    @property
    def source(self) -> SourceSeries:
        if self._source is None:
            self._source = _verified_source(self.run, self.options, self.log)
        return self._source

    @property
    def planes(self) -> tuple[Plane, ...]:
        return tuple(Plane(p.geometry, p.slab_mm) for p in self.source.planes)

    @property
    def making(self) -> Making:
        from medrecon.dicom.objects.modules import Making

        finished = datetime.fromtimestamp((self.run.folder / RUN_FILE).stat().st_mtime)
        created = (finished.strftime("%Y%m%d"), finished.strftime("%H%M%S"))
        return Making(str(self.run.record["run_id"]), created)

    def _seg(self, folder: Path) -> Figures:
        from medrecon.dicom.objects.seg_write import SegKind

        return self._voxels(folder / "seg.dcm", SegKind.BINARY)

    def _occupancy(self, folder: Path) -> Figures:
        from medrecon.dicom.objects.seg_write import SegKind

        return self._voxels(folder / "seg_occupancy.dcm", SegKind.OCCUPANCY)

    def _labelmap(self, folder: Path) -> Figures:
        from medrecon.dicom.objects.seg_write import SegKind

        return self._voxels(folder / "seg_labelmap.dcm", SegKind.LABELMAP)

    def _voxels(self, path: Path, kind: Any) -> Figures:
        from medrecon.dicom.objects.seg_write import HIGHEST, SegKind, Segment, write_seg

        planes, segments, figures = self.planes, [], {}
        weight = np.array([sum(p.slab_mm) * np.prod(p.geometry.spacing_mm[:2]) for p in planes])
        for s in self.structures:
            if kind is SegKind.OCCUPANCY:
                filled = np.rint(occupancy(s.field, planes) * HIGHEST).astype(np.uint8)
                sums = filled.sum(axis=(1, 2), dtype=np.int64) / HIGHEST
                segments.append(Segment(s.field.label, filled, s.segmenter))
            else:
                inside = inside_centres(s.field, planes)
                sums = np.count_nonzero(inside, axis=(1, 2))
                segments.append(Segment(s.field.label, inside, s.segmenter))
            figures[s.field.label.name] = _beside(float(sums @ weight) / 1000, s.volume_ml)
        with open_atomic(path) as stream:
            write_seg(stream, segments, self.source, self.making, kind=kind)
        return figures

    def _rtstruct(self, folder: Path) -> Figures:
        from medrecon.dicom.objects.rtstruct_write import Contour, Region, write_rtstruct

        planes, regions, figures = self.planes, [], {}
        for s in self.structures:
            lines = list(outlines(s.field, planes))
            contours = tuple(Contour(line.plane, line.points_lps) for line in lines)
            regions.append(Region(s.field.label, contours, s.segmenter))
            figures[s.field.label.name] = _beside(slab_sum_ml(lines, planes), s.volume_ml)
        with open_atomic(folder / "rtstruct.dcm") as stream:
            write_rtstruct(stream, regions, self.source, self.making)
        return figures

    def _m3d(self, folder: Path) -> Figures:
        from medrecon.dicom.objects.encapsulated import ModelFormat
        from medrecon.files.stl import write_stl

        return self._models(folder / "m3d", ModelFormat.STL, write_stl)

    def _m3d_obj(self, folder: Path) -> Figures:
        from medrecon.dicom.objects.encapsulated import ModelFormat
        from medrecon.files.obj import write_obj

        return self._models(folder / "m3d-obj", ModelFormat.OBJ, lambda m, s: write_obj([m], s))

    def _models(self, folder: Path, form: Any, write: Callable[[Any, IO[bytes]], None]) -> Figures:
        from medrecon.dicom.objects.encapsulated import Model, write_model

        folder.mkdir()
        finders = {s.field.label.name: s.segmenter for s in self.structures}
        for number, mesh in enumerate(self.run.meshes(), 1):
            content = BytesIO()
            write(mesh, content)
            finder = finders.get(mesh.label.name, "")
            label = self._label(mesh.label.name)
            model = Model(label, content.getvalue(), form, number=number, segmenter=finder)
            with open_atomic(folder / f"{mesh.label.name}.dcm") as stream:
                write_model(stream, model, self.source, self.making)
        return {}

    def _label(self, name: str) -> Any:
        """The label with its code, which only the fields know."""
        return next(s.field.label for s in self.structures if s.field.label.name == name)

    def _seg_nrrd(self, folder: Path) -> Figures:
        from medrecon.files.seg_nrrd import Mask, write_seg_nrrd
        from medrecon.resampling import resample_field

        image = self.run.volume()
        grid = image.geometry if image else self.structures[0].field.grid
        masks = []
        for s in self.structures:
            values, start = resample_field(s.field, grid)
            masks.append(Mask(s.field.label, values > 0, start))
        with open_atomic(folder / "segmentation.seg.nrrd") as stream:
            write_seg_nrrd(stream, masks, grid)
        return {}


def _beside(held_ml: float, field_ml: float) -> Figures:
    return {
        "volume_ml": round(held_ml, 4),
        "field_volume_ml": round(field_ml, 4),
        "difference_percent": round(100 * (held_ml / field_ml - 1), 3) if field_ml else None,
    }


def _verified_source(run: OpenedRun, options: ExportOptions, log: Recorder) -> SourceSeries:
    """The source's identity and planes, once its voxels are known to be the run's."""
    from medrecon import dicom
    from medrecon.dicom.objects.source import deidentified, open_source

    assert options.source is not None
    load = options_of(run.record["options"]).load
    if options.series is not None:
        load = dataclasses.replace(load, series=options.series)
    stated = run.record.get("input")
    if not stated:
        raise UsageError("the run was made without an image, so no scan can be recognised as its")
    volume = load_volume(options.source, load, log)
    if keyed_hash(volume, str(stated["key"])) != stated["keyed_hash"]:
        raise DamagedInputError(
            "the source is not the series that the run was made of: its voxels differ; name the "
            "folder that was segmented, or the series with --series"
        )
    limits = reading_limits(load)
    series = dicom.choose(dicom.scan(options.source, limits=limits), load.series)
    source = open_source(series, frame=load.frame, limits=limits)
    return deidentified(source, str(run.record["run_id"])) if options.deidentify else source
