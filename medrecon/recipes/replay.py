"""Repeat a run from its record, and say whether the result is the same byte for byte."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from medrecon.errors import DamagedInputError, UsageError
from medrecon.files.atomic import RUN_FILE
from medrecon.loading import load_volume
from medrecon.options import Options
from medrecon.outputs.opened import OpenedRun, open_run
from medrecon.outputs.options_json import options_of
from medrecon.outputs.run import A_FOLDER, keyed_hash, software_versions
from medrecon.outputs.sameness import differing_files
from medrecon.pipeline import reconstruct, segment_study
from medrecon.recorder import Progress, Recorder, silent


@dataclass(frozen=True, slots=True)
class Replay:
    """What repeating a run showed.

    Parameters
    ----------
    identical : bool
        Every output is the same, byte for byte; of `run.json` and `segmentation.json` all
        but the run's id, keys, keyed hashes, times and memory, which no two runs share.
    differing : tuple of str
        Files that are not the same.
    same_input : bool
        Whether the image is the one of the run, by its keyed hash.
    versions : tuple of str
        Software whose version is another now, "name: then → now".
    """

    identical: bool
    differing: tuple[str, ...]
    same_input: bool
    versions: tuple[str, ...]


def replay(
    record: Path,
    source: Path,
    *,
    output: Path,
    models: Sequence[str] = (),
    progress: Progress = silent,
) -> Replay:
    """Repeat the run of a `run.json` with its own options, into another folder.

    Parameters
    ----------
    record : Path
        `run.json` of a finished run, or its folder.
    source : Path
        The scan again: the run keeps nothing by which it could be found.
    output : Path
        Gets the repeated run.
    models : sequence of str
        Folders of models, if the run used models from folders: it keeps no folders' names.

    Raises
    ------
    UsageError
        If the record is no run of a scan or its options are not of this version.
    MedreconError
        As the run does.
    """
    folder = record.parent if record.name == RUN_FILE else record
    run = open_run(folder)
    options = options_for(run, models)
    before = run.record["input"]
    image = load_volume(source, options.load, Recorder())
    same_input = keyed_hash(image, str(before["key"])) == before["keyed_hash"]
    road = reconstruct if "statistics.json" in run.record["outputs"] else segment_study
    road(source, output=output, options=options, progress=progress)
    differing = tuple(differing_files(folder, output))
    then, now = run.record["software"], software_versions()
    versions = tuple(
        f"{name}: {then.get(name, 'none')} → {now.get(name, 'none')}"
        for name in sorted({*then, *now})
        if then.get(name) != now.get(name)
    )
    return Replay(not differing, differing, same_input, versions)


def options_for(run: OpenedRun, models: Sequence[str]) -> Options:
    """The options of a run, to be used again in a new folder."""
    if "input" not in run.record or "key" not in run.record["input"]:
        raise UsageError("the run was not made from a scan, so there is nothing to repeat it from")
    try:
        options = options_of(run.record["options"])
    except TypeError:
        raise DamagedInputError("run.json is damaged; run the scan again") from None
    names = list(options.segment.models or ())
    if A_FOLDER in names and names.count(A_FOLDER) != len(models):
        raise UsageError(
            f"the run used {names.count(A_FOLDER)} models from folders; name them with --model"
        )
    given = iter(models)
    chosen = tuple(next(given) if name == A_FOLDER else name for name in names)
    segment = dataclasses.replace(
        options.segment, models=chosen if options.segment.models is not None else None
    )
    written = dataclasses.replace(options.output, overwrite=False, resume=False)
    return dataclasses.replace(options, segment=segment, output=written)
