"""A run edited: the original stays, the edited one is meshed and judged anew."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from medrecon.core import HuStatus, SoftField, Volume
from medrecon.editing import Edit, apply_edits, edits_json, origins, read_edits
from medrecon.errors import UsageError
from medrecon.options import Grid, Options
from medrecon.outputs.opened import open_run
from medrecon.outputs.run import Run
from medrecon.outputs.segmented import Segmented
from medrecon.pipeline import mesh_study
from medrecon.quality.observed import Observed
from medrecon.quality.truncation import reaches_border
from medrecon.recorder import Progress, silent
from medrecon.resampling import resample_field

EDITS_FILE = "edits.json"


def edit_run(
    folder: Path,
    edits_file: Path,
    *,
    output: Path,
    undo: int = 0,
    options: Options | None = None,
    progress: Progress = silent,
) -> tuple[Run, tuple[Edit, ...]]:
    """Apply a file of edits to a run's fields and mesh the result into a new folder.

    Parameters
    ----------
    folder : Path
        The run; it stays as it is.
    edits_file : Path
        See `medrecon.editing.script`.
    output : Path
    undo : int
        Leave out so many of the last edits.
    options : Options, optional
        Those of meshing and of what is written.
    progress : callable

    Returns
    -------
    Run, tuple of Edit
        The edits that were applied, with the volume that each changed; they stand in
        the new folder's `edits.json` after those of the run, if it was edited before.

    Raises
    ------
    UsageError
        If an edit cannot be applied, or more are undone than there are.
    DamagedInputError
        If the run or the file is damaged.
    """
    options = options or Options()
    run = open_run(folder)
    edits = read_edits(edits_file)
    if not 0 <= undo <= len(edits):
        raise UsageError(f"--undo {undo}; the file holds {len(edits)} edits")
    image = run.volume()
    segmented, done = edited(run.segmented(), edits[: len(edits) - undo], image)
    earlier = read_edits(folder / EDITS_FILE) if (folder / EDITS_FILE).is_file() else ()
    kept = dataclasses.replace(options.output, spacing=Grid.NATIVE)
    made = mesh_study(
        segmented,
        output=output,
        grid=image.geometry if image else segmented.segmentations[0].grid,
        image=image,
        options=dataclasses.replace(options, output=kept),
        progress=progress,
        beside={EDITS_FILE: edits_json((*earlier, *done))},
    )
    return made, done


def edited(
    segmented: Segmented, edits: Sequence[Edit], image: Volume | None
) -> tuple[Segmented, tuple[Edit, ...]]:
    """The structures after the edits. Parts of one that was split stay where it was."""
    fields, done = apply_edits(segmented.fields, edits)
    home = {f.label.name: n for n, s in enumerate(segmented.segmentations) for f in s.fields}
    before = origins(tuple(home), edits)
    segmentations = tuple(
        dataclasses.replace(s, fields=tuple(f for f in fields if home[before[f.label.name]] == n))
        for n, s in enumerate(segmented.segmentations)
    )
    observed = {
        f.label.name: _observed(f, segmented.observed.get(before[f.label.name]), image)
        for f in fields
    }
    return Segmented(segmentations, observed, segmented.image), done


def _observed(field: SoftField, before: Observed | None, image: Volume | None) -> Observed:
    """What held for the structure, or for the one that it was part of, looked up again."""
    known = before or Observed()
    return dataclasses.replace(
        known,
        mean_hu=_mean_hu(field, image) if image else None,
        truncated=bool(known.truncated) or reaches_border(field),
    )


def _mean_hu(field: SoftField, image: Volume) -> float | None:
    """On the run's own grid: the native voxels are not kept."""
    if image.acquisition.hu is not HuStatus.VERIFIED:
        return None
    values, start = resample_field(field, image.geometry)
    block = tuple(slice(s, s + n) for s, n in zip(start, values.shape, strict=True))
    inside = values > 0
    return float(image.array[block][inside].mean(dtype=float)) if inside.any() else None
