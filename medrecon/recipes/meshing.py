"""Meshes from what is segmented already: a run's fields, a label map, a folder of masks."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from medrecon.core import Geometry, LabelMap, Segmentation, Volume
from medrecon.dicom import is_segmentation
from medrecon.errors import UsageError
from medrecon.files import label_maps
from medrecon.files.atomic import RUN_FILE
from medrecon.options import Grid, Options
from medrecon.outputs.opened import open_run
from medrecon.outputs.run import Run, no_image_json
from medrecon.outputs.segmented import Segmented, distinct, only_named, require_named
from medrecon.pipeline import mesh_study
from medrecon.quality.observed import observe_without_image
from medrecon.recipes.dicom_segments import segmented_from_dicom
from medrecon.recorder import Progress, silent


def mesh_segmented(
    source: Path,
    *,
    output: Path,
    options: Options | None = None,
    table: Path | None = None,
    progress: Progress = silent,
) -> Run:
    """A folder of judged meshes from a segmentation.

    Parameters
    ----------
    source : Path
        Folder of a finished run; label map (NIfTI, NRRD, MetaImage); DICOM SEG or
        RTSTRUCT; or a folder with one mask for each structure, called as these are.
    output : Path
        Folder to write.
    options : Options, optional
        Those of meshing and of what is written, and the labels to keep.
    table : Path, optional
        Names of a label map's numbers; of nothing else.
    progress : callable

    Raises
    ------
    UsageError
        If none of the labels asked for is there, the run kept no fields, or a table was
        given for what brings its own names.
    MedreconError
        As the readers raise it.
    """
    options = options or Options()
    segmented, grid, image = _structures(source, table)
    segmented = _kept(segmented, options.segment.labels)
    # What the run shows already is on the grid that was asked for when it was made.
    as_it_is = dataclasses.replace(options.output, spacing=Grid.NATIVE)
    return mesh_study(
        segmented,
        output=output,
        grid=grid,
        image=image,
        options=dataclasses.replace(options, output=as_it_is),
        progress=progress,
    )


def segmented_from_labels(maps: tuple[LabelMap, ...], source: str) -> Segmented:
    """Fields of label maps: the best surfaces that masks alone can say."""
    from medrecon.surface.from_labels import fields_from_labels, grid_of_fields

    segmentations = distinct(
        [
            Segmentation(
                grid_of_fields(m.geometry),
                fields_from_labels(m),
                source,
                exclusive=len(m.labels) > 1,
            )
            for m in maps
        ]
    )
    observed = {f.label.name: observe_without_image(f) for s in segmentations for f in s.fields}
    return Segmented(segmentations, observed, no_image_json(maps[0].geometry))


def _structures(source: Path, table: Path | None) -> tuple[Segmented, Geometry, Volume | None]:
    from_dicom = source.is_file() and is_segmentation(source)
    if table is not None and (from_dicom or source.is_dir()):
        raise UsageError(
            "--table names the numbers of a label map; a run, a folder of masks and a DICOM "
            "object bring their own names"
        )
    if (source / RUN_FILE).is_file():
        run = open_run(source)
        segmented, image = run.segmented(), run.volume()
        grid = image.geometry if image else segmented.segmentations[0].grid
        return segmented, grid, image
    if from_dicom:
        segmented = segmented_from_dicom(source)
        return segmented, segmented.segmentations[0].grid, None
    maps = (
        label_maps.read_masks(source)
        if source.is_dir()
        else (label_maps.read_label_map(source, table),)
    )
    return segmented_from_labels(maps, "label map"), maps[0].geometry, None


def _kept(segmented: Segmented, labels: tuple[str, ...] | None) -> Segmented:
    """The structures that were asked for."""
    if labels is None:
        return segmented
    require_named(labels, [f.label.name for f in segmented.fields])
    segmentations = [only_named(s, labels) for s in segmented.segmentations]
    kept = tuple(s for s in segmentations if s.fields)
    return dataclasses.replace(segmented, segmentations=kept)
