"""The road of one study, in order: read it from top to bottom.

`reconstruct` is the whole of it; the functions below it are its stages, in the order
they are walked. No stage knows another: what each hands on is a frozen value of
`medrecon.core`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from medrecon.core import (
    Geometry,
    HuStatus,
    Mesh,
    Modality,
    Segmentation,
    SoftField,
    Volume,
)
from medrecon.errors import DamagedInputError, ModelMissingError
from medrecon.files.atomic import OutputFolder, write_json
from medrecon.options import (
    AUTO,
    DEFAULT_TISSUES,
    Grid,
    LoadOptions,
    MeshOptions,
    Options,
    OutputOptions,
    SegmentOptions,
)
from medrecon.outputs.part import Part
from medrecon.outputs.run import (
    Run,
    quality_json,
    run_json,
    sha256_of_file,
    sha256_of_files,
    statistics_json,
)
from medrecon.recorder import Progress, Recorder, silent

if TYPE_CHECKING:
    pass

# The default grid of volume.nii.gz follows the pixels, within what is useful to look at.
FINEST_ISO_MM = 0.5
COARSEST_ISO_MM = 1.5
# Room on the disk for image, label map, meshes and pictures, per voxel of the input.
BYTES_PER_VOXEL = 4


def reconstruct(
    path: Path, *, output: Path, options: Options | None = None, progress: Progress = silent
) -> Run:
    """The whole road: a scan in, a folder of judged meshes out.

    Parameters
    ----------
    path : Path
        Folder, file, DICOMDIR or .zip of DICOM, or a NIfTI, NRRD or MHA volume.
    output : Path
        Folder to write; complete when `run.json` is there, untouched if anything fails.
    options : Options, optional
    progress : callable
        Told each stage's name and the fraction done.

    Returns
    -------
    Run
        Its `passed` says whether every mesh passed its gate.

    Raises
    ------
    MedreconError
        Any of its kinds: the input is refused, a model is missing, the output cannot
        be written.
    """
    options = options or Options()
    log = Recorder(progress)
    with (
        OutputFolder(output, overwrite=options.output.overwrite) as folder,
        ThreadPoolExecutor(1) as meanwhile,
    ):
        volume = load_volume(path, options.load, log)
        folder.require_space(volume.array.size * BYTES_PER_VOXEL)
        # Compressing the image takes seconds and no Python: the second core does it.
        grid = meanwhile.submit(write_volume, volume, options.output, folder.staging)
        segmentations = segment_volume(volume, options.segment, log)
        parts = mesh_segmentations(segmentations, volume, options.mesh, folder.staging, log)
        write_labels(segmentations, grid.result(), folder.staging, log)
        write_results(parts, options.output, folder.staging, log)
        write_records(volume, segmentations, parts, options, folder.staging, log)
        folder.finish()
    return Run(output, tuple(parts), log.provenance)


def load_volume(path: Path, options: LoadOptions, log: Recorder) -> Volume:
    """The image to work on: read, put right if its slices are not a grid, HU verified."""
    from medrecon.files import images
    from medrecon.segmentation.hu import verify_hu

    if images.is_image_file(path):
        with log.stage("read"):
            volume = images.read_image(path, modality=options.modality, frame=options.frame)
    else:
        volume = _read_dicom(path, options, log)
    return verify_hu(volume)


def segment_volume(
    volume: Volume, options: SegmentOptions, log: Recorder
) -> tuple[Segmentation, ...]:
    """Soft fields of what was asked for, each on the volume's own grid, boundaries placed.

    Raises
    ------
    UnverifiedHuError
        If tissues were asked for and the values are not proven to be HU.
    ModelMissingError
        If nothing that is installed fits the image.
    DamagedInputError
        If nothing was found at all.
    """
    from medrecon.segmentation.refine import refine

    found = [*_tissues(volume, options, log), *_networks(volume, options, log)]
    kept = [_only(s, options.labels) for s in found]
    with log.stage("place boundaries"):
        refined = tuple(refine(s, volume) for s in kept)
    if not any(s.fields for s in refined):
        why = "; ".join(w for s in refined for words in s.findings.values() for w in words)
        raise DamagedInputError(f"none of the structures asked for is in the image: {why}")
    for s in refined:
        log.warn(*(f"{name}: {w}" for name, words in s.findings.items() for w in words))
    return refined


def mesh_segmentations(
    segmentations: Sequence[Segmentation],
    volume: Volume,
    options: MeshOptions,
    folder: Path,
    log: Recorder,
) -> list[Part]:
    """A judged STL in `folder/meshes` for each field, and what was measured of it."""
    fields = [f for s in segmentations for f in s.fields]
    meshes = folder / "meshes"
    meshes.mkdir()
    parts = []
    with log.stage("surfaces") as stage:
        for n, field in enumerate(fields):
            parts.append(mesh_field(field, volume, options, meshes / f"{field.label.name}.stl"))
            stage((n + 1) / len(fields))
        stage.note(triangles={p.label.name: len(p.mesh.faces) for p in parts})
    return parts


def mesh_field(field: SoftField, volume: Volume, options: MeshOptions, path: Path) -> Part:
    """Field to surface to file, and back: what is judged is what the file holds."""
    from medrecon.files.stl import read_stl, save_stl
    from medrecon.quality.budget import measure
    from medrecon.quality.gate import acquisition_limit_mm, verdict
    from medrecon.quality.truncation import crosses_filled_gap, is_truncated
    from medrecon.quality.volume import field_volume_ml
    from medrecon.surface.coarsen import surface_for_target
    from medrecon.surface.extract import extract_surface
    from medrecon.surface.simplify import simplify
    from medrecon.surface.upsample import finest
    from medrecon.surface.validity import judge

    fine, raw = finest(field, extract_surface(field))
    full = surface_for_target(fine, raw, options.target_faces)
    simple = simplify(full, tolerance_mm=options.tolerance_mm, target_faces=options.target_faces)
    save_stl(simple, path)
    mesh = Mesh(*read_stl(path), field.label)
    validity = judge(mesh)
    budget = measure(fine, mesh, reference=raw)
    gap = crosses_filled_gap(field, volume)
    gate = verdict(
        budget,
        is_solid=validity.valid,
        accept_mm=options.accept_mm,
        acquisition_mm=acquisition_limit_mm(
            volume.geometry.spacing_mm, volume.acquisition.slice_thickness_mm
        ),
        concerns=("it runs through a gap in the scan that was filled",) if gap else (),
    )
    return Part(
        label=field.label,
        mesh=mesh,
        volume_ml=field_volume_ml(fine),
        mean_hu=mean_hu(volume, field),
        truncated=is_truncated(field, volume),
        validity=validity,
        budget=budget,
        gate=gate,
    )


def write_volume(volume: Volume, options: OutputOptions, folder: Path) -> Geometry:
    """The image on the grid that was asked for; that grid."""
    from medrecon.files import nifti

    shown = on_grid(volume, options.spacing)
    nifti.write_volume(shown, folder / "volume.nii.gz")
    return shown.geometry


def write_labels(
    segmentations: Sequence[Segmentation], grid: Geometry, folder: Path, log: Recorder
) -> None:
    """The label map on the image's grid, and its tables."""
    from medrecon.files import nifti, tables
    from medrecon.outputs.label_map import paint_labels

    with log.stage("label map") as stage:
        labels = paint_labels([f for s in segmentations for f in s.fields], grid)
        nifti.write_labels(labels, folder / "labels.nii.gz")
        tables.write_bids_table(labels.labels, folder / "labels.tsv")
        tables.write_slicer_table(labels.labels, folder / "labels.ctbl")
        stage.note(grid=list(grid.shape), spacing_mm=list(grid.spacing_mm))


def write_results(
    parts: Sequence[Part], options: OutputOptions, folder: Path, log: Recorder
) -> None:
    """Other mesh formats, the picture, and the tables of figures."""
    meshes = [part.mesh for part in parts]
    with log.stage("write"):
        if "3mf" in options.formats:
            from medrecon.files.threemf import save_3mf

            save_3mf(meshes, folder / "meshes" / "model.3mf")
        write_json(folder / "statistics.json", statistics_json(parts))
        write_json(folder / "quality.json", quality_json(parts))
    if options.preview:
        from medrecon.view.preview import draw_preview

        with log.stage("preview"):
            warning = draw_preview(
                meshes, folder / "preview.png", caption="medrecon · research use"
            )
        log.warn(*([warning] if warning else []))


def write_records(
    volume: Volume,
    segmentations: Sequence[Segmentation],
    parts: Sequence[Part],
    options: Options,
    folder: Path,
    log: Recorder,
) -> None:
    """`report.html`, then `run.json`, which makes the folder complete."""
    from medrecon.report.page import write_report

    record = run_json(
        volume=volume,
        segmentations=segmentations,
        options=plain(options),
        provenance=log.provenance,
        outputs=sha256_of_files(folder),
    )
    picture = folder / "preview.png"
    write_report(
        folder / "report.html",
        run=record,
        statistics=statistics_json(parts),
        quality=quality_json(parts),
        preview=picture if picture.exists() else None,
    )
    outputs = {**record["outputs"], "report.html": sha256_of_file(folder / "report.html")}
    write_json(folder / "run.json", {**record, "outputs": dict(sorted(outputs.items()))})


def on_grid(volume: Volume, spacing: Grid | float) -> Volume:
    """The image on the grid that is written."""
    from medrecon.resampling import to_isotropic

    if spacing is Grid.NATIVE:
        return volume
    x, y, _ = volume.geometry.spacing_mm
    return to_isotropic(volume, iso_spacing_mm((x, y)) if spacing is Grid.ISO else spacing)


def iso_spacing_mm(pixel_spacing_mm: Sequence[float]) -> float:
    """The in-plane spacing, not finer or coarser than is useful."""
    return float(np.clip(min(pixel_spacing_mm), FINEST_ISO_MM, COARSEST_ISO_MM))


def mean_hu(volume: Volume, field: SoftField) -> float | None:
    """Mean HU of the native voxels inside; None unless the HU are verified."""
    inside = field.values > 0
    if volume.acquisition.hu is not HuStatus.VERIFIED or not inside.any():
        return None
    return float(volume.array[field.slices][inside].mean(dtype=np.float64))


def plain(value: Any) -> Any:
    """Options as JSON: dataclasses to objects, enums to their values."""
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    return list(value) if isinstance(value, tuple) else value


def _read_dicom(path: Path, options: LoadOptions, log: Recorder) -> Volume:
    from medrecon import dicom
    from medrecon.resampling import stack_geometry, stack_onto

    with log.stage("scan") as stage:
        scan = dicom.scan(path, limits=reading_limits(options))
        series = dicom.choose(scan, options.series)
        stage.note(series=series.number, of=len(scan.series), set_aside=dict(scan.set_aside))
        log.warn(*scan.warnings)
    with log.stage("read"):
        found = dicom.read(
            series,
            frame=options.frame,
            fill_gaps=options.fill_gaps,
            skip_bad=options.skip_bad,
            native=options.native,
            limits=reading_limits(options),
        )
    if isinstance(found, Volume):
        return found
    with log.stage("correct geometry"):
        return stack_onto(found, stack_geometry(found, iso_spacing_mm(found.pixel_spacing_mm)))


def reading_limits(options: LoadOptions) -> Any:
    """Budgets of reading, with the memory that was asked for."""
    from medrecon.dicom import Limits

    if options.max_memory_gb is None:
        return Limits()
    return Limits(volume_bytes=int(options.max_memory_gb * 1e9))


def _tissues(volume: Volume, options: SegmentOptions, log: Recorder) -> list[Segmentation]:
    """Tissues from HU, if they were asked for or nothing was and the image allows it."""
    names = options.tissues
    if names is None:
        ct = volume.acquisition.modality is Modality.CT
        if options.models is not None or not ct:
            return []
        if volume.acquisition.hu is not HuStatus.VERIFIED:
            log.warn(f"no tissues: HU are not verified: {volume.acquisition.hu_reason}")
            return []
        names = DEFAULT_TISSUES
    from medrecon.segmentation.tissues import TissueSegmenter

    with log.stage("tissues") as stage:
        return [TissueSegmenter(names).segment(volume, progress=stage)]


def _networks(volume: Volume, options: SegmentOptions, log: Recorder) -> list[Segmentation]:
    """What the models find that were named, or the one that fits."""
    names = options.models
    if names is None:
        names = (AUTO,) if options.tissues is None else ()
    found = []
    for name in names:
        model = _model(name, volume, log)
        if model is None:
            continue
        from medrecon.segmentation.unet import UnetSegmenter

        with log.stage(f"network {model.manifest.name}") as stage:
            segmenter = UnetSegmenter(model, device=options.device, force=options.force_model)
            found.append(segmenter.segment(volume, progress=stage))
            stage.note(model=model.manifest.identity, use=model.manifest.intended_use.value)
    return found


def _model(name: str, volume: Volume, log: Recorder) -> Any:
    """The model of that name; for "auto" the one that fits the image, or none."""
    from medrecon.models import choose, store

    if name != AUTO:
        return store.find(name)
    choice = choose.choose_model(volume.acquisition)
    if choice.model is None and volume.acquisition.modality is not Modality.CT:
        raise ModelMissingError(
            f"{choice.reason}; name one with --model, or pass --tissue for a CT"
        )
    return choice.model


def _only(segmentation: Segmentation, labels: Sequence[str] | None) -> Segmentation:
    """The segmentation with the named labels only."""
    if labels is None:
        return segmentation
    kept = tuple(f for f in segmentation.fields if f.label.name in labels)
    return dataclasses.replace(segmentation, fields=kept)
