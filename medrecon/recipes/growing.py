"""A structure grown from clicks, meshed and judged like any other."""

from __future__ import annotations

from pathlib import Path

from medrecon.core import Label, Segmentation, Volume, known_labels
from medrecon.core.band import flattened
from medrecon.errors import DamagedInputError, UsageError
from medrecon.files.atomic import RUN_FILE
from medrecon.files.label_maps import named
from medrecon.loading import load_volume, on_grid
from medrecon.options import LoadOptions, Options
from medrecon.outputs.opened import open_run
from medrecon.outputs.run import Run, image_json
from medrecon.outputs.segmented import Segmented
from medrecon.pipeline import mesh_study
from medrecon.quality.observed import observe
from medrecon.recorder import Progress, Recorder, silent
from medrecon.segmentation.guided import Guidance
from medrecon.segmentation.guided.clicks import guidance_json
from medrecon.segmentation.guided.grow import grow

SOURCE = "clicks"
CLICKS_FILE = "clicks.json"


def grow_study(
    path: Path,
    guidance: Guidance,
    *,
    output: Path,
    name: str = "tumor",
    options: Options | None = None,
    progress: Progress = silent,
) -> Run:
    """A scan and clicks in, a folder with the structure's judged mesh out.

    Parameters
    ----------
    path : Path
        As for `reconstruct`, or the folder of a finished run: its image is taken.
    guidance : Guidance
        Clicks, strokes, a box; LPS mm. They stand in the new folder's `clicks.json`.
    output : Path
    name : str
        What the structure is called.
    options : Options, optional
    progress : callable

    Raises
    ------
    UsageError
        If the name is none.
    DamagedInputError
        If no click lies inside, one lies outside the image, or nothing was found.
    MedreconError
        As loading raises it.
    """
    options = options or Options()
    structure = structure_called(name)
    log = Recorder(progress)
    volume = image_to_grow_in(path, options.load, log)
    segmented = grown(volume, guidance, structure)
    shown = on_grid(volume, options.output.spacing)
    return mesh_study(
        segmented,
        output=output,
        grid=shown.geometry,
        image=shown,
        options=options,
        progress=progress,
        beside={CLICKS_FILE: guidance_json(guidance)},
    )


def image_to_grow_in(path: Path, options: LoadOptions, log: Recorder) -> Volume:
    """The image of a scan, or that of a finished run.

    Raises
    ------
    UsageError
        If the run kept no image.
    MedreconError
        As loading raises it.
    """
    if not (path / RUN_FILE).is_file():
        return load_volume(path, options, log)
    volume = open_run(path).volume()
    if volume is None:
        raise UsageError("the run kept no image to grow in; name the scan instead")
    return volume


def grown(volume: Volume, guidance: Guidance, structure: Label) -> Segmented:
    """The structure's field on the volume's grid, and what the image says of it."""
    field = flattened(grow(volume, guidance, structure))
    if not (field.values > 0).any():
        raise DamagedInputError("nothing was found around the clicks; add one inside")
    words = f"segmented from {len(guidance.clicks)} clicks by a person"
    segmentation = Segmentation(
        volume.geometry, (field,), SOURCE, findings={structure.name: (words,)}
    )
    return Segmented((segmentation,), {structure.name: observe(field, volume)}, image_json(volume))


def structure_called(name: str) -> Label:
    """The label of that name, with its colour and code if it is a known one.

    Raises
    ------
    UsageError
        If the name is empty.
    """
    label = named(1, name)
    if not name.strip():
        raise UsageError("--name is empty; a word for the structure was expected")
    return known_labels().get(label.name, label)
