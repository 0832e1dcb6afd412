"""The options that several verbs share, each said once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from medrecon.errors import UsageError

Input = Annotated[
    Path | None,
    typer.Argument(
        metavar="IN",
        help="Folder of DICOM files, DICOM file, DICOMDIR, .zip, or NIfTI/NRRD/MHA volume.",
        show_default=False,
    ),
]
InputAlias = Annotated[
    Path | None, typer.Option("-i", "--input", help="The same as IN.", show_default=False)
]
Output = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        help="Output folder. Default: a new medrecon-DATE-TIME here.",
        show_default=False,
    ),
]
Series = Annotated[
    int | None,
    typer.Option("--series", metavar="K", help="Take series K of `medrecon info`."),
]
Frame = Annotated[
    int | None, typer.Option("--frame", metavar="N", help="Take volume N of a 4-D image, from 1.")
]
FillGaps = Annotated[
    bool,
    typer.Option("--fill-gaps", help="Interpolate over missing slices; never passes for print."),
]
SkipBad = Annotated[
    bool, typer.Option("--skip-bad", help="Leave out damaged files instead of refusing.")
]
DeclaredModality = Annotated[
    str | None,
    typer.Option(
        "--modality",
        metavar="CT|MR",
        help="What a NIfTI, NRRD or MHA volume is; CT values must be HU.",
    ),
]
Device = Annotated[
    str, typer.Option("-d", "--device", help="auto, cpu, cuda, cuda:N or mps, for networks.")
]
Tissues = Annotated[
    list[str] | None,
    typer.Option(
        "--tissue",
        metavar="NAME",
        help="skin, bone, lungs, airway, fat or muscle, from CT without a network. Repeatable.",
    ),
]
Models = Annotated[
    list[str] | None,
    typer.Option("--model", metavar="NAME|DIR", help="Network to run, or auto. Repeatable."),
]
ForceModel = Annotated[
    bool,
    typer.Option("--force-model", help="Run a model on images it is not meant for."),
]
Tta = Annotated[
    bool, typer.Option("--tta", help="Average each network over the flips that it allows.")
]
NoRefine = Annotated[
    bool,
    typer.Option(
        "--no-refine",
        help="Leave surfaces where the network or threshold put them, not at the image's edges.",
    ),
]
Channels = Annotated[
    list[str] | None,
    typer.Option(
        "--channel",
        metavar="NAME=PATH",
        help="A further image for a network of several channels; IN is the one left out. "
        "Repeatable.",
    ),
]
Registered = Annotated[
    bool,
    typer.Option("--registered", help="The channels are registered, whatever their headers say."),
]
Labels = Annotated[
    str | None, typer.Option("--labels", metavar="a,b", help="Keep only these structures.")
]
Spacing = Annotated[
    str,
    typer.Option("--spacing", metavar="iso|native|MM", help="Grid of volume and label map."),
]
Formats = Annotated[
    str, typer.Option("--format", metavar="stl,3mf,…", help="Mesh formats to write.")
]
Tolerance = Annotated[
    float,
    typer.Option("--tolerance-mm", min=0.0, help="How far decimation may move the surface."),
]
TargetFaces = Annotated[
    int | None,
    typer.Option("--target-faces", min=4, help="Decimate to this many triangles a mesh instead."),
]
Accept = Annotated[
    float,
    typer.Option("--accept-mm", min=0.0, help="Largest processing error that passes the gate."),
]
Smooth = Annotated[
    str,
    typer.Option(
        "--smooth", metavar="none|sinc|taubin", help="Smooth surfaces, half a voxel at most."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Say nothing but errors.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Traceback on errors, more detail.")]
NoProgress = Annotated[bool, typer.Option("--no-progress", help="No progress bars.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite an earlier run in the folder.")]
ForceInto = Annotated[
    bool,
    typer.Option(
        "--force",
        help="Write into a folder that is not empty; files of the same names are replaced.",
    ),
]
Segmented = Annotated[
    Path | None,
    typer.Argument(
        metavar="LABELS|DIR",
        help="Folder of a run, label map (NIfTI, NRRD, MHA) or folder of masks.",
        show_default=False,
    ),
]
Table = Annotated[
    Path | None,
    typer.Option(
        "--table",
        metavar="TSV|CTBL",
        help="Names of the label map's numbers. Default: labels.tsv beside it.",
    ),
]
Fields = Annotated[
    bool,
    typer.Option("--fields/--no-fields", help="Keep soft fields for mesh, edit and export."),
]
Deface = Annotated[
    bool,
    typer.Option("--deface", help="Take the face out of the image before anything is made of it."),
]
Resume = Annotated[
    bool,
    typer.Option("--resume", help="Use again what a run that was stopped here has finished."),
]
Preview = Annotated[bool, typer.Option("--preview/--no-preview", help="Draw preview.png.")]
MaxMemory = Annotated[
    float | None,
    typer.Option("--max-memory", metavar="GB", min=0.1, help="Refuse what would need more."),
]


def the_input(argument: Path | None, option: Path | None) -> Path:
    """The one input that was given, as argument or as --input."""
    if (argument is None) == (option is None):
        raise typer.BadParameter("give one input, as IN or with --input")
    return argument or option or Path()


def channels_of(texts: list[str] | None) -> dict[str, Path]:
    """Channel's names and paths of NAME=PATH; a name given twice is refused."""
    found: dict[str, Path] = {}
    for text in texts or []:
        name, _, path = text.partition("=")
        if not name or not path or name.lower() in {n.lower() for n in found}:
            raise typer.BadParameter(f"--channel {text}: NAME=PATH expected, each name once")
        found[name] = Path(path)
    return found


def names_of(text: str | None) -> tuple[str, ...] | None:
    """The words of a comma-separated list; None stays None."""
    if text is None:
        return None
    return tuple(word.strip() for word in text.split(",") if word.strip())


def smoothing_of(name: str) -> str:
    """The filter that --smooth names.

    Raises
    ------
    UsageError
        If there is no such filter.
    """
    if name not in ("none", "sinc", "taubin"):
        raise UsageError(f"--smooth {name}; none, sinc or taubin expected")
    return name


def tuple_of(names: list[str] | None) -> tuple[str, ...] | None:
    """What a repeatable option was given; None if nothing."""
    return tuple(names) if names else None


def modality_of(name: str | None) -> Any:
    """The modality that --modality names."""
    from medrecon.core import Modality

    if name is None:
        return None
    try:
        return Modality[name.upper()]
    except KeyError:
        raise UsageError(f"--modality {name}; CT or MR expected") from None


def grid_of(text: str) -> Any:
    """The grid that --spacing names."""
    from medrecon.options import Grid

    if text in {grid.value for grid in Grid}:
        return Grid(text)
    try:
        spacing_mm = float(text)
    except ValueError:
        raise UsageError(f"--spacing {text}; iso, native or a number of mm expected") from None
    if not 0.05 <= spacing_mm <= 20:
        raise UsageError(f"--spacing {text}; between 0.05 and 20 mm expected")
    return spacing_mm
