"""The road of one study, in order: read it from top to bottom.

`reconstruct` is the whole of it, `segment_study` and `mesh_study` are its halves; the
functions below are its stages, in the order they are walked. No stage knows another:
what each hands on is a frozen value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medrecon.boundaries import place_boundaries
from medrecon.core import (
    Geometry,
    HuStatus,
    Modality,
    Provenance,
    Segmentation,
    SoftField,
    Volume,
)
from medrecon.core.threads import in_order, second_thread
from medrecon.errors import DamagedInputError
from medrecon.files.atomic import as_output_error, write_json
from medrecon.files.output_folder import OutputFolder
from medrecon.loading import load_channels, load_volume, shown_grid
from medrecon.networks import model_hashes, run_networks
from medrecon.options import (
    DEFAULT_TISSUES,
    MeshOptions,
    Options,
    OutputOptions,
    SegmentOptions,
    as_plain,
)
from medrecon.outputs.finished import Finished
from medrecon.outputs.label_map import write_labels
from medrecon.outputs.part import Part
from medrecon.outputs.run import (
    Run,
    image_json,
    quality_json,
    run_json,
    sha256_of_file,
    sha256_of_files,
    statistics_json,
)
from medrecon.outputs.segmented import (
    Segmented,
    distinct,
    only_named,
    require_named,
    write_segmented,
)
from medrecon.outputs.shown import show_volume, write_volume
from medrecon.quality.observed import Observed, observe
from medrecon.recorder import Progress, Recorder, silent

if TYPE_CHECKING:
    from medrecon.report.frames import PackedSlices

# Room on the disk for image, label map, fields, meshes and pictures, per voxel of the input.
BYTES_PER_VOXEL = 5


def reconstruct(
    path: str | Path | Sequence[str | Path],
    *,
    output: str | Path,
    options: Options | None = None,
    channels: Mapping[str, str | Path] | None = None,
    progress: Progress = silent,
) -> Run:
    """The whole road: a scan in, a folder of judged meshes out.

    Parameters
    ----------
    path : str, Path or sequence of these
        Folder, file, DICOMDIR or .zip of DICOM, or a NIfTI, NRRD or MHA volume; or
        several of DICOM.
    output : str or Path
        Folder to write; complete when `run.json` is there, untouched if anything fails.
    options : Options, optional
    channels : mapping of str to str or Path, optional
        Further images for networks that take several, by channel's name.
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
    options, output = options or Options(), Path(output)
    log = Recorder(progress)
    with (
        OutputFolder(
            output, overwrite=options.output.overwrite, resume=options.output.resume
        ) as folder,
        second_thread() as meanwhile,
    ):
        volume = load_volume(path, options.load, log)
        folder.require_space(volume.array.size * BYTES_PER_VOXEL)
        # Compressing takes seconds and no Python: the second core does it.
        grid = shown_grid(volume, options.output.spacing)
        slices = meanwhile.submit(show_volume, volume, grid, folder.staging)
        others = load_channels(channels, options.load, log)
        models = model_hashes(volume, options.segment, others)
        finished = Finished(folder, volume, options.segment, log, models)
        # What was finished is known by the first image alone.
        done = None if others else finished.segmented()
        segmented = done or segment_volume(volume, options.segment, log, others)
        fields = meanwhile.submit(
            write_fields, segmented, options.output, folder.staging, finished, log.provenance
        )
        del volume, others  # what is not needed any more makes room for the surfaces
        labels = meanwhile.submit(write_labels, segmented.fields, grid, folder.staging)
        parts = mesh_structures(segmented, options.mesh, folder.staging, log, finished)
        with log.stage("label map") as stage:
            stage.note(**labels.result())
        write_results(parts, segmented, options.output, folder.staging, log)
        fields.result()
        write_records(segmented, parts, options, folder.staging, log, slices.result())
        folder.finish()
    return Run(output, tuple(parts), log.provenance)


def segment_study(
    path: str | Path | Sequence[str | Path],
    *,
    output: str | Path,
    options: Options | None = None,
    channels: Mapping[str, str | Path] | None = None,
    progress: Progress = silent,
) -> Run:
    """The first half: a scan in, a folder of image, label map and soft fields out.

    As `reconstruct`; the run has no parts.
    """
    options, output = options or Options(), Path(output)
    log = Recorder(progress)
    with (
        OutputFolder(output, overwrite=options.output.overwrite) as folder,
        second_thread() as meanwhile,
    ):
        volume = load_volume(path, options.load, log)
        folder.require_space(volume.array.size * BYTES_PER_VOXEL)
        grid = shown_grid(volume, options.output.spacing)
        image = meanwhile.submit(write_volume, volume, grid, folder.staging)
        others = load_channels(channels, options.load, log)
        segmented = segment_volume(volume, options.segment, log, others)
        write_segmented(segmented, folder.staging)
        with log.stage("label map") as stage:
            stage.note(**write_labels(segmented.fields, grid, folder.staging))
        image.result()
        write_records(segmented, (), options, folder.staging, log)
        folder.finish()
    return Run(output, (), log.provenance)


def mesh_study(
    segmented: Segmented,
    *,
    output: str | Path,
    grid: Geometry,
    image: Volume | None = None,
    options: Options | None = None,
    progress: Progress = silent,
    beside: Mapping[str, Mapping[str, Any]] | None = None,
    log: Recorder | None = None,
) -> Run:
    """The second half: fields in, a folder of judged meshes out.

    Parameters
    ----------
    segmented : Segmented
        The fields of a finished run, or those made of somebody's label map.
    output : str or Path
    grid : Geometry
        Grid of the label map that is written.
    image : Volume, optional
        Written as `volume.nii.gz`, as it is.
    options, progress
        As `reconstruct` takes them.
    beside : mapping of str to mapping, optional
        Further JSON files of the run.
    log : Recorder, optional
        Holds what was noted on the way here, and tells the progress; None for a new one.
    """
    options, output = options or Options(), Path(output)
    log = log or Recorder(progress)
    with OutputFolder(output, overwrite=options.output.overwrite) as folder:
        slices = None
        if image is not None:
            shown = shown_grid(image, options.output.spacing)
            slices = show_volume(image, shown, folder.staging)
        for name, content in (beside or {}).items():
            write_json(folder.staging / name, content)
        write_fields(segmented, options.output, folder.staging)
        parts = mesh_structures(segmented, options.mesh, folder.staging, log)
        with log.stage("label map") as stage:
            stage.note(**write_labels(segmented.fields, grid, folder.staging))
        write_results(parts, segmented, options.output, folder.staging, log)
        write_records(segmented, parts, options, folder.staging, log, slices)
        folder.finish()
    return Run(output, tuple(parts), log.provenance)


def segment_volume(
    volume: Volume,
    options: SegmentOptions,
    log: Recorder,
    channels: Mapping[str, Volume] | None = None,
) -> Segmented:
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
    with second_thread() as meanwhile:
        image = meanwhile.submit(image_json, volume)
        found = find_structures(volume, options, log, channels)
        refined = place_boundaries(found, volume, options, log)
        del found  # a field for each structure
    if not any(s.fields for s in refined):
        why = "; ".join(w for s in refined for words in s.findings.values() for w in words)
        raise DamagedInputError(f"none of the structures asked for is in the image: {why}")
    for s in refined:
        log.warn(*(f"{name}: {w}" for name, words in s.findings.items() for w in words))
    observed = {
        f.label.name: observe(f, volume, s.concerns.get(f.label.name, ()))
        for s in refined
        for f in s.fields
    }
    return Segmented(refined, observed, image.result())


def find_structures(
    volume: Volume,
    options: SegmentOptions,
    log: Recorder,
    channels: Mapping[str, Volume] | None = None,
) -> tuple[Segmentation, ...]:
    """What was asked for as its segmenters found it, no two of one name."""
    found = [*_tissues(volume, options, log), *run_networks(volume, options, log, channels)]
    if (names := options.labels) is not None:
        # What was looked for in vain has a finding; "model" is told of the network itself.
        known = {n for s in found for n in (*s.findings, *(x.name for x in s.labels))} - {"model"}
        require_named(names, sorted(known))
        found = [only_named(s, names) for s in found]
    return distinct(found)


def mesh_structures(
    segmented: Segmented,
    options: MeshOptions,
    folder: Path,
    log: Recorder,
    finished: Finished | None = None,
) -> list[Part]:
    """A judged STL in `folder/meshes` for each field, and what was measured of it."""
    from medrecon.judged_mesh import by_size, mesh_field
    from medrecon.surface.touching import Surfaces

    meshes = folder / "meshes"
    with as_output_error():
        meshes.mkdir(exist_ok=True)
    parts: dict[str, Part] = {}
    with log.stage("surfaces") as stage:
        surfaces = Surfaces(segmented.segmentations)

        def judged(field: SoftField) -> Part:
            observed = segmented.observed.get(field.label.name, Observed())
            done = finished.part(field, observed, options) if finished else None
            path = meshes / f"{field.label.name}.stl"
            part = done or mesh_field(field, observed, options, path, surfaces)
            if finished:
                finished.keep_part(part, options)
            return part

        large, small = by_size(segmented.fields)
        for part in chain(map(judged, large), in_order(judged, small)):
            parts[part.label.name] = part
            stage(len(parts) / len(segmented.fields))
        stage.note(triangles={p.label.name: len(p.mesh.faces) for p in parts.values()})
    return [parts[f.label.name] for f in segmented.fields]


def write_fields(
    segmented: Segmented,
    options: OutputOptions,
    folder: Path,
    finished: Finished | None = None,
    so_far: Provenance | None = None,
) -> None:
    """The soft fields, unless they are not wanted or lie there already."""
    if not options.fields or (finished and finished.has_fields):
        return
    write_segmented(segmented, folder)
    if finished and so_far:
        finished.keep_segmented(so_far)


def write_results(
    parts: Sequence[Part],
    segmented: Segmented,
    options: OutputOptions,
    folder: Path,
    log: Recorder,
) -> None:
    """Other mesh formats, the picture, and the tables of figures."""
    from medrecon.files.meshes import write_meshes
    from medrecon.judged_mesh import touching

    meshes = [part.mesh for part in parts]
    with log.stage("write"):
        others = [name for name in options.formats if name != "stl"]
        write_meshes(meshes, folder / "meshes", others)
        write_json(folder / "statistics.json", statistics_json(parts))
        write_json(folder / "quality.json", quality_json(parts, touching(parts, segmented)))
    if options.preview:
        from medrecon.view.preview import draw_preview

        with log.stage("preview"):
            warning = draw_preview(
                meshes, folder / "preview.png", caption="medrecon · research use"
            )
        log.warn(*([warning] if warning else []))


def write_records(
    segmented: Segmented,
    parts: Sequence[Part],
    options: Options,
    folder: Path,
    log: Recorder,
    slices: PackedSlices | None = None,
) -> None:
    """`report.html` where there are meshes, then `run.json`, which completes the folder."""
    record = run_json(
        segmented=segmented,
        options=as_plain(options),
        provenance=log.provenance,
        outputs=sha256_of_files(folder),
    )
    if parts:
        from medrecon.report.afterwards import edit_rows
        from medrecon.report.page import write_report

        picture = folder / "preview.png"
        write_report(
            folder / "report.html",
            run=record,
            statistics=statistics_json(parts),
            quality=quality_json(parts),
            preview=picture if picture.exists() else None,
            meshes=[part.mesh for part in parts],
            slices=slices,
            edits=edit_rows(folder),
            fields=segmented.fields,
        )
        record["outputs"]["report.html"] = sha256_of_file(folder / "report.html")
    write_json(folder / "run.json", {**record, "outputs": dict(sorted(record["outputs"].items()))})


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
