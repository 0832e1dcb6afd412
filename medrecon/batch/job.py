"""What a study's process is told, and what it does by default."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medrecon.batch.outcome import Outcome, State
from medrecon.errors import MedreconError
from medrecon.options import Options, as_plain
from medrecon.outputs.options_json import options_of

RECONSTRUCT = "medrecon.batch.job:reconstruct_study"
# What the whole road loads, network or not; loaded before the first fork.
ROAD = (
    "medrecon.pipeline",
    "medrecon.batch.job",
    "medrecon.dicom",
    "medrecon.files.images",
    "medrecon.files.nifti",
    "medrecon.files.threemf",
    "medrecon.files.stl",
    "medrecon.files.tables",
    "medrecon.judged_mesh",
    "medrecon.outputs.label_map",
    "medrecon.quality.truncation",
    "medrecon.report.page",
    "medrecon.resampling",
    "medrecon.segmentation.refine",
    "medrecon.segmentation.tissues",
    "medrecon.surface.upsample",
)
NETWORKS = ("medrecon.segmentation.unet",)


@dataclass(frozen=True, slots=True)
class Job:
    """A study, where its results go, and how.

    Parameters
    ----------
    study : str
    files : tuple of str
        Absolute. They are handed over on a pipe, never on a command line, where anybody
        on the machine could read them.
    output : str
        Folder of this study.
    options : Options
    gpus : int
        GPUs that the studies share, one at a time on each; 0: none.
    """

    study: str
    files: tuple[str, ...]
    output: str
    options: Options
    gpus: int = 0

    def as_json(self) -> dict[str, Any]:
        """For the pipe."""
        return {
            "study": self.study,
            "files": list(self.files),
            "output": self.output,
            "options": as_plain(self.options),
            "gpus": self.gpus,
        }


def reconstruct_study(job: dict[str, Any]) -> dict[str, Any]:
    """Walk the whole road with one study; the outcome as JSON."""
    from medrecon.batch.turns import one_at_a_time
    from medrecon.pipeline import reconstruct

    study, options = str(job["study"]), options_of(job["options"])
    try:
        with one_at_a_time(options, int(job["gpus"])) as (chosen, progress):
            run = reconstruct(
                source_of(job["files"]),
                output=Path(job["output"]),
                options=chosen,
                progress=progress,
            )
    except MedreconError as error:
        return Outcome(study, State.FAILED, error.code, str(error)).as_json()
    except MemoryError:
        return Outcome(study, State.FAILED, "memory", "out of memory").as_json()
    except Exception as error:  # noqa: BLE001 - one study's bug must not hide what it is
        words = f"a bug in medrecon ({type(error).__name__})"
        return Outcome(study, State.FAILED, "internal", words).as_json()
    failed = [p.label.name for p in run.parts if not p.gate.passed]
    return Outcome(
        study,
        State.GATE if failed else State.DONE,
        "quality" if failed else "",
        f"not for print: {', '.join(failed)}" if failed else "",
        tuple(p.label.name for p in run.parts),
    ).as_json()


def source_of(files: Sequence[str]) -> Path | tuple[Path, ...]:
    """What `reconstruct` takes: a volume or an archive by itself, else the files."""
    paths = tuple(Path(f) for f in files)
    return paths[0] if len(paths) == 1 else paths


def modules_for(options: Options) -> tuple[str, ...]:
    """What is worth loading once for all studies."""
    needs_network = options.segment.models is not None or options.segment.tissues is None
    return ROAD + (NETWORKS if needs_network else ())
