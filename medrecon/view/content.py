"""What there is to show, and how it is handed to the process that draws."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.core import Acquisition, Geometry, HuStatus, Label, Mesh, Modality, Volume
from medrecon.core.looks import opacity_of
from medrecon.core.windows import Window, windows_of
from medrecon.view.state import Facts, Point

Values = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """One run, or some files, shown together.

    Parameters
    ----------
    title : str
        No patient data.
    meshes : tuple of Mesh
    values : mapping of str to mapping of str to ndarray of float32
        By kind ("deviation", "uncertainty") and structure: mm at each vertex.
    """

    title: str
    meshes: tuple[Mesh, ...]
    values: Mapping[str, Mapping[str, Values]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Content:
    """Everything a viewer shows.

    Parameters
    ----------
    runs : tuple of Shown
        One, or two to stand side by side.
    volume : Volume or None
        On a grid whose axes run to about L, P and S (`core.canonical`).
    windows : tuple of Window
    """

    runs: tuple[Shown, ...]
    volume: Volume | None = None
    windows: tuple[Window, ...] = ()

    @property
    def facts(self) -> Facts:
        """What the state needs to know of it."""
        names = tuple(dict.fromkeys(m.label.name for r in self.runs for m in r.meshes))
        kinds = dict.fromkeys(kind for r in self.runs for kind in r.values)
        low, high = self._box()
        return Facts(
            names=names,
            opacities=tuple(opacity_of(n, alone=len(names) == 1) for n in names),
            shape=None if self.volume is None else self.volume.geometry.shape,
            windows=tuple((w.low, w.high) for w in self.windows),
            colours=("label", *kinds),
            runs=len(self.runs),
            low_mm=low,
            high_mm=high,
        )

    @property
    def is_hounsfield(self) -> bool:
        """Whether the image's values are proven to be HU."""
        if self.volume is None:
            return False
        known = self.volume.acquisition
        return known.modality is Modality.CT and known.hu is HuStatus.VERIFIED

    def _box(self) -> tuple[Point, Point]:
        corners = [m.bounds_mm for r in self.runs for m in r.meshes]
        if not corners and self.volume is not None:
            corners = [self.volume.geometry.corners_mm]
        if not corners:
            return (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
        points = np.concatenate(corners)
        (a, b, c), (d, e, f) = points.min(axis=0), points.max(axis=0)
        return (float(a), float(b), float(c)), (float(d), float(e), float(f))


def content_of(runs: tuple[Shown, ...], volume: Volume | None) -> Content:
    """Content with the windows that suit its image."""
    return Content(runs, volume, () if volume is None else windows_of(volume))


def hand_over(content: Content, folder: Path) -> None:
    """Write the content into an empty folder."""
    rows = []
    for r, run in enumerate(content.runs):
        meshes = []
        for m, mesh in enumerate(run.meshes):
            arrays = {k: v[mesh.label.name] for k, v in run.values.items() if mesh.label.name in v}
            given: dict[str, Any] = {"vertices": mesh.vertices_mm, "faces": mesh.faces, **arrays}
            np.savez(folder / f"{r}-{m}.npz", **given)
            meshes.append({"name": mesh.label.name, "color": list(mesh.label.color)})
        rows.append({"title": run.title, "meshes": meshes, "values": list(run.values)})
    scene: dict[str, Any] = {"runs": rows, "volume": None}
    if content.volume is not None:
        geometry = content.volume.geometry
        np.save(folder / "volume.npy", content.volume.array)
        scene["volume"] = {
            "affine": geometry.affine_lps.tolist(),
            "windows": [[w.name, w.low, w.high] for w in content.windows],
            "hounsfield": content.is_hounsfield,
        }
    (folder / "content.json").write_text(json.dumps(scene), "utf-8")


def take_over(folder: Path) -> Content:
    """Read what `hand_over` wrote."""
    scene = json.loads((folder / "content.json").read_text("utf-8"))
    runs = tuple(_shown(folder, n, row) for n, row in enumerate(scene["runs"]))
    if scene["volume"] is None:
        return Content(runs)
    array = np.load(folder / "volume.npy", mmap_mode="r")
    geometry = Geometry.from_affine(scene["volume"]["affine"], array.shape)
    windows = tuple(Window(name, low, high) for name, low, high in scene["volume"]["windows"])
    known = Acquisition(Modality.CT, HuStatus.VERIFIED) if scene["volume"]["hounsfield"] else None
    volume = Volume(array, geometry, known) if known else Volume(array, geometry)
    return Content(runs, volume, windows)


def _shown(folder: Path, run: int, row: Mapping[str, Any]) -> Shown:
    meshes = []
    values: dict[str, dict[str, Values]] = {kind: {} for kind in row["values"]}
    for n, part in enumerate(row["meshes"]):
        red, green, blue = part["color"]
        with np.load(folder / f"{run}-{n}.npz") as arrays:
            label = Label(n + 1, part["name"], (red, green, blue))
            meshes.append(Mesh(arrays["vertices"], arrays["faces"], label))
            for kind in row["values"]:
                if kind in arrays:
                    values[kind][part["name"]] = arrays[kind]
    return Shown(row["title"], tuple(meshes), values)
