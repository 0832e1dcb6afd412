"""What a viewer shows of a run, of meshes, of an image, of DICOM: collected and opened."""

from __future__ import annotations

import html
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from medrecon.core import Label, Mesh, Volume
from medrecon.core.canonical import display_grid
from medrecon.core.looks import in_words
from medrecon.errors import OutputError, UsageError
from medrecon.files.atomic import RUN_FILE
from medrecon.files.meshes import FORMATS, read_meshes
from medrecon.options import LoadOptions
from medrecon.outputs.opened import OpenedRun, open_run
from medrecon.quality.deviation import (
    deviation_from_field,
    deviation_from_mesh,
    uncertainty_of_place,
)
from medrecon.recipes.growing_live import GROWN_FOLDER, PROGRAM, Place
from medrecon.recorder import Recorder
from medrecon.resampling import resample_volume
from medrecon.view.content import Content, Shown, Values, content_of
from medrecon.view.keys import require_known
from medrecon.view.state_file import load_view
from medrecon.view.window import Request, open_viewer

# An axis of more voxels is made coarser: no screen shows more, and memory is finite.
LONGEST_AXIS = 768
# Structures of a mesh file without colours get these in turn (Okabe and Ito, 2008).
PALETTE = (
    (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66),
    (0, 114, 178), (213, 94, 0), (204, 121, 167),
)  # fmt: skip
NAMES_OF_RUNS = ("first", "second")


@dataclass(frozen=True, slots=True)
class NotebookScene:
    """A scene that a notebook shows: turned, toggled, cut and scrolled in the cell.

    Parameters
    ----------
    page : str
        A whole HTML page that asks no network.
    height : int
        Pixels.
    """

    page: str
    height: int = 820

    def _repr_html_(self) -> str:
        source = html.escape(self.page, quote=True)
        style = f"width:100%;height:{self.height}px;border:0"
        return f'<iframe srcdoc="{source}" style="{style}" title="medrecon scene"></iframe>'


def collect(
    sources: Sequence[Path], *, errors: bool = False, load: LoadOptions | None = None
) -> Content:
    """Everything that the sources hold, to be looked at together.

    Parameters
    ----------
    sources : sequence of Path
        Run folders (two stand side by side, coloured by how far the second lies from
        the first), mesh files, and at most one image: NIfTI, NRRD, MHA or DICOM.
    errors : bool
        Work out how far meshes lie from their fields, and how sure their place is.
    load : LoadOptions, optional

    Raises
    ------
    UsageError
        If there are more than two runs or more than one image, anything else beside two
        runs, errors of other than one run, or a choice of series where none is read.
    MedreconError
        As the readers do.
    """
    runs = [open_run(s) for s in sources if (s / RUN_FILE).is_file()]
    files = [s for s in sources if _is_mesh(s)]
    images = [s for s in sources if not _is_mesh(s) and not (s / RUN_FILE).is_file()]
    if len(runs) > 2 or len(images) > 1 or not sources:
        raise UsageError("up to two runs, any mesh files and one image can be shown together")
    if len(runs) == 2 and (files or images):
        raise UsageError("two runs stand side by side alone; leave out the meshes and the image")
    if errors and len(runs) != 1:
        raise UsageError(f"--errors measures meshes against one run's fields; {len(runs)} are here")
    if load not in (None, LoadOptions()) and not images:
        raise UsageError("--series, --frame and --modality are for an image, and none is named")
    meshes = _coloured(itertools.chain.from_iterable(read_meshes(f) for f in files))
    if len(runs) == 2:
        return content_of(_side_by_side(runs), None)
    volume = _image(images, runs, load or LoadOptions())
    shown: tuple[Shown, ...] = ()
    if runs or meshes:
        own = (*runs[0].meshes(), *_grown(runs[0])) if runs else ()
        values = _errors_of(runs[0], own) if runs and errors else {}
        shown = (Shown("", _each_once((*own, *meshes)), values),)
    return content_of(shown, None if volume is None else _for_display(volume))


def show(
    content: Content,
    *,
    view_file: Path,
    pictures: Path,
    restore: bool = False,
    keys: tuple[str, ...] = (),
    size: tuple[int, int] = (1600, 1000),
    grow: Place | None = None,
) -> None:
    """Open the window, and wait until it is closed.

    Structures are grown in the image of `grow` (`place_to_grow`) and written there.

    Raises
    ------
    UsageError
        For keys that there are not.
    DamagedInputError
        If what is to be restored is no view.
    RenderingError
        If there is no display or no OpenGL.
    """
    _check_request(content, view_file, keys, restore=restore)
    plain = None if grow is None else grow.as_plain()
    request = Request(str(view_file), str(pictures), restore, keys, None, size, plain)
    open_viewer(content, request, program=PROGRAM)


def place_to_grow(
    sources: Sequence[Path], output: Path, *, load: LoadOptions | None = None
) -> Place | None:
    """Where a viewer of these sources can grow structures; None where there is no one image.

    In a run they are written below it, in `grown/`; of a scan below `output`.
    """
    runs = [s for s in sources if (s / RUN_FILE).is_file()]
    images = [s for s in sources if not _is_mesh(s) and s not in runs]
    if len(images) == 1:
        return Place(
            images[0], runs[0] / GROWN_FOLDER if len(runs) == 1 else output, load or LoadOptions()
        )
    if len(runs) == 1 and not images:
        return Place(runs[0], runs[0] / GROWN_FOLDER)
    return None


def draw(
    content: Content,
    path: Path,
    *,
    view_file: Path,
    restore: bool = False,
    keys: tuple[str, ...] = (),
    size: tuple[int, int] = (1600, 1000),
) -> None:
    """The same as a picture (.png) or a page (.html), without a display.

    Raises
    ------
    UsageError
        For another suffix, a page of two runs, or keys that there are not.
    OutputError
        If the folder of the picture is not there.
    DamagedInputError
        If what is to be restored is no view.
    RenderingError
        If there is no off-screen OpenGL; a page needs none.
    """
    if path.suffix == ".html":
        write_page(content, path)
    elif path.suffix == ".png":
        _check_request(content, view_file, keys, restore=restore)
        if not path.parent.is_dir():
            raise OutputError("the folder of the picture does not exist; make it first")
        part = path.with_name(f".{path.stem}.part.png")
        try:
            request = Request(str(view_file), str(path.parent), restore, keys, str(part), size)
            open_viewer(content, request)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    else:
        raise UsageError(f"--offscreen {path.name}; a file that ends in .png or .html expected")


def _check_request(
    content: Content, view_file: Path, keys: Sequence[str], *, restore: bool
) -> None:
    """Refuse here what the process that draws would end with, as if OpenGL were missing."""
    require_known(keys)
    if restore:
        load_view(view_file, content.facts)


def write_page(content: Content, path: Path) -> None:
    """The content as one self-contained page."""
    from medrecon.files.atomic import open_atomic

    with open_atomic(path) as stream:
        stream.write(_page(content).encode())


def notebook_scene(*sources: Path | str, height: int = 820) -> NotebookScene:
    """The sources in a notebook's cell: turned, toggled, cut and scrolled there.

    Parameters
    ----------
    *sources : Path or str
        A run folder, mesh files, and at most one image, as `medrecon view` takes them.
    height : int
        Pixels.

    Returns
    -------
    NotebookScene
        Shows itself; `page` is the HTML page, which asks no network.

    Raises
    ------
    UsageError
        If there is more than one run or image.
    MedreconError
        As the readers do.
    """
    return NotebookScene(_page(collect([Path(s) for s in sources])), height)


def _page(content: Content) -> str:
    from medrecon.report.page import scene_page

    if len(content.runs) > 1:
        raise UsageError("a page shows one run; draw two runs into a .png")
    meshes = content.runs[0].meshes if content.runs else ()
    return scene_page(meshes, content.volume)


def _grown(run: OpenedRun) -> tuple[Mesh, ...]:
    """Structures that were grown in the run's image since, each from its own folder."""
    folders = sorted(f.parent for f in (run.folder / GROWN_FOLDER).glob(f"*/{RUN_FILE}"))
    taken = {m.label.name for m in run.meshes()}
    found = []
    for folder in folders:
        for mesh in open_run(folder).meshes():
            name = mesh.label.name if mesh.label.name not in taken else folder.name
            taken.add(name)
            found.append(replace(mesh, label=replace(mesh.label, name=name)))
    return tuple(found)


def _each_once(meshes: Sequence[Mesh]) -> tuple[Mesh, ...]:
    """The meshes under names of their own: by its name one is shown, hidden and coloured."""
    taken: set[str] = set()
    found = []
    for mesh in meshes:
        name, number = mesh.label.name, 2
        while name in taken:
            name, number = f"{mesh.label.name}_{number}", number + 1
        taken.add(name)
        found.append(replace(mesh, label=replace(mesh.label, name=name)))
    return tuple(found)


def _is_mesh(source: Path) -> bool:
    return source.is_file() and source.suffix.lower().lstrip(".") in FORMATS


def _coloured(meshes: itertools.chain[Mesh]) -> tuple[Mesh, ...]:
    """Meshes of files, those that bring no colour in colours of their own."""
    plain = Label(1, "").color
    found = []
    for n, mesh in enumerate(meshes):
        color = PALETTE[n % len(PALETTE)] if mesh.label.color == plain else mesh.label.color
        found.append(replace(mesh, label=replace(mesh.label, index=n + 1, color=color)))
    return tuple(found)


def _image(images: list[Path], runs: list[OpenedRun], load: LoadOptions) -> Volume | None:
    if not images:
        return runs[0].volume() if runs else None
    from medrecon.loading import load_volume

    return load_volume(images[0], load, Recorder())


def _for_display(volume: Volume) -> Volume:
    return resample_volume(volume, display_grid(volume.geometry, LONGEST_AXIS))


def _errors_of(run: OpenedRun, meshes: Sequence[Mesh]) -> dict[str, dict[str, Values]]:
    fields = {f.label.name: f for f in run.segmented().fields}
    pairs = [(m, fields[m.label.name]) for m in meshes if m.label.name in fields]
    return {
        "deviation": {m.label.name: deviation_from_field(m, f) for m, f in pairs},
        "uncertainty": {m.label.name: uncertainty_of_place(m, f) for m, f in pairs},
    }


def _side_by_side(runs: Sequence[OpenedRun]) -> tuple[Shown, ...]:
    """Two runs, each structure coloured by its distance from its namesake."""
    first, second = (run.meshes() for run in runs)
    shown = []
    for title, own, others in zip(NAMES_OF_RUNS, (first, second), (second, first), strict=True):
        namesakes = {m.label.name: m for m in others}
        deviation = {
            m.label.name: deviation_from_mesh(m, namesakes[m.label.name])
            for m in own
            if m.label.name in namesakes
        }
        shown.append(Shown(f"{in_words(title)} run", own, {"deviation": deviation}))
    return tuple(shown)
