"""A structure grown from clicks, meshed and judged like any other."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medrecon.core import Label, Segmentation, Volume, known_labels
from medrecon.core.band import flattened
from medrecon.errors import DamagedInputError, UsageError
from medrecon.files.atomic import RUN_FILE
from medrecon.files.label_maps import named
from medrecon.loading import BURNED_IN, load_volume, on_grid
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
    path: str | Path,
    guidance: Guidance,
    *,
    output: str | Path,
    name: str = "tumor",
    options: Options | None = None,
    progress: Progress = silent,
) -> Run:
    """A scan and clicks in, a folder with the structure's judged mesh out.

    Parameters
    ----------
    path : str or Path
        As for `reconstruct`, or the folder of a finished run: its image is taken.
    guidance : Guidance
        Clicks, strokes, a box; LPS mm. They stand in the new folder's `clicks.json`.
    output : str or Path
    name : str
        What the structure is called.
    options : Options, optional
    progress : callable

    Raises
    ------
    UsageError
        If the name is none, or an option of loading is given for a run.
    DamagedInputError
        If no click lies inside, one lies outside the image, or nothing was found.
    MedreconError
        As loading raises it.
    """
    options = options or Options()
    path, structure = Path(path), structure_called(name)
    log = Recorder(progress)
    volume = image_to_grow_in(path, options.load, log)
    segmented = grown(volume, guidance, structure)
    image = {**segmented.image, **_face_in(path)}
    shown = on_grid(volume, options.output.spacing)
    return mesh_study(
        dataclasses.replace(segmented, image=image),
        output=output,
        grid=shown.geometry,
        image=shown,
        options=options,
        log=log,
        beside={CLICKS_FILE: guidance_json(guidance)},
    )


def image_to_grow_in(path: Path, options: LoadOptions, log: Recorder) -> Volume:
    """The image of a scan, or that of a finished run.

    Raises
    ------
    UsageError
        If the run kept no image, or an option of loading is given for a run.
    MedreconError
        As loading raises it.
    """
    if not (path / RUN_FILE).is_file():
        return load_volume(path, options, log)
    _refuse_loading(options)
    volume = open_run(path).volume()
    if volume is None:
        raise UsageError("the run kept no image to grow in; name the scan instead")
    if volume.acquisition.burned_in:
        log.warn(BURNED_IN)
    return volume


def _refuse_loading(options: LoadOptions) -> None:
    """Refuse what can no longer be obeyed: the image was chosen and read long ago."""
    plain = LoadOptions()
    names = [f.name for f in dataclasses.fields(plain)]
    asked = [name for name in names if getattr(options, name) != getattr(plain, name)]
    if asked:
        words = ", ".join("--" + name.removesuffix("_gb").replace("_", "-") for name in asked)
        raise UsageError(f"{words}: RUN holds an image that was read already; grow from the scan")


def _face_in(path: Path) -> Mapping[str, Any]:
    """What a run says of a face in its image: on a coarse grid it is not found again.

    Empty for a scan, and where the run says nothing.
    """
    record = open_run(path).record if (path / RUN_FILE).is_file() else {}
    return {"identifiable": record["identifiable"]} if "identifiable" in record else {}


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
