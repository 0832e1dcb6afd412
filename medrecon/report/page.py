"""One self-contained HTML page of a finished run: opens from disk, asks no network."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from medrecon.core import Mesh, SoftField, Volume
from medrecon.core.looks import in_words, opacity_of
from medrecon.files.atomic import open_atomic
from medrecon.report.display import DisplayMesh, display_meshes
from medrecon.report.frames import PackedSlices, pack_slices
from medrecon.report.packing import PackedMesh, pack_mesh
from medrecon.report.scripts import Script, scripts
from medrecon.report.values import values_of
from medrecon.report.words import facts, parameters, recognisable, structure_rows, summary


def write_report(
    path: Path,
    *,
    run: Mapping[str, Any],
    statistics: Mapping[str, Any],
    quality: Mapping[str, Any],
    preview: Path | None = None,
    meshes: Sequence[Mesh] = (),
    volume: Volume | None = None,
    slices: PackedSlices | None = None,
    approval: Mapping[str, Any] | None = None,
    edits: Sequence[Mapping[str, Any]] = (),
    fields: Sequence[SoftField] = (),
) -> None:
    """Write the report.

    Parameters
    ----------
    path : Path
        The page; appears only when whole. The same arguments give the same bytes.
    run, statistics, quality : mapping
        What `run.json`, `statistics.json` and `quality.json` hold. Every value is
        escaped; none is patient data, because those files hold none.
    preview : Path or None
        A PNG that stands in where a browser cannot draw the scene.
    meshes : sequence of Mesh
        For the 3-D scene and the outlines; LPS mm.
    volume : Volume or None
        For the slices.
    slices : PackedSlices or None
        Instead of a volume: its slices, packed already.
    approval : mapping or None
        Rows to show of an approval: name of the fact to its words, and `valid`.
    edits : sequence of mapping
        Edits in the order they were made, each with `what` and `change`.
    fields : sequence of SoftField
        Those that the meshes were made of: the scene can then be coloured by deviation
        and uncertainty.
    """
    shown = pack_slices(volume) if volume is not None else slices
    by_name = {field.label.name: field for field in fields}
    page = _template("report.html.j2").render(
        **_viewer(meshes, shown, wanted=bool(meshes) or shown is not None, fields=by_name),
        run=run,
        summary=summary(quality["meshes"]),
        rows=structure_rows(statistics["structures"], quality["meshes"]),
        facts=facts(run),
        recognisable=recognisable(run),
        parameters=parameters(run.get("options", {})),
        picture=_data_uri(preview),
        approval=approval,
        edits=edits,
    )
    with open_atomic(path) as stream:
        stream.write(page.encode())


def scene_page(meshes: Sequence[Mesh], volume: Volume | None) -> str:
    """A page with the scene and the slices alone."""
    slices = None if volume is None else pack_slices(volume)
    return str(_template("scene.html.j2").render(**_viewer(meshes, slices, wanted=True)))


def _viewer(
    meshes: Sequence[Mesh],
    slices: PackedSlices | None,
    *,
    wanted: bool,
    fields: Mapping[str, SoftField] | None = None,
) -> dict[str, Any]:
    """What `viewer.html.j2` and `blocks.html.j2` are filled with."""
    shown = display_meshes([m for m in meshes if len(m.faces)])
    packed = [pack_mesh(d.mesh) for d in shown]
    values = values_of([d.mesh for d in shown], fields or {})
    code = scripts() if wanted else ()
    return {
        "scales": values.scales,
        "values": [(name, Markup(text)) for name, text in values.blocks],
        "parts": _controls(shown),
        "deviation_mm": max((d.deviation_mm for d in shown), default=0.0),
        "blocks": [Markup(p.data) for p in packed],
        "content": _json({**_content(shown, packed, slices), "scales": values.scales}),
        "frames": None if slices is None else Markup(slices.data),
        "scripts": [Markup(script.text) for script in code],
        "policy": _policy(code),
    }


def _template(name: str) -> Any:
    environment = Environment(
        loader=ChoiceLoader([PackageLoader("medrecon.report", room) for room in ("web", "vendor")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["words"] = in_words
    return environment.get_template(name)


def _controls(shown: Sequence[DisplayMesh]) -> list[dict[str, Any]]:
    return [
        {
            "number": n,
            "name": in_words(d.mesh.label.name),
            "color": "#{:02x}{:02x}{:02x}".format(*d.mesh.label.color),
            "opacity": opacity_of(d.mesh.label.name, alone=len(shown) == 1),
        }
        for n, d in enumerate(shown)
    ]


def _content(
    shown: Sequence[DisplayMesh], packed: Sequence[PackedMesh], slices: PackedSlices | None
) -> dict[str, Any]:
    rows = zip(_controls(shown), packed, strict=True)
    return {
        "parts": [{**control, "packed": mesh.header} for control, mesh in rows],
        "slices": None if slices is None else slices.header,
    }


def _json(content: Mapping[str, Any]) -> Markup:
    """JSON that cannot end the element that it stands in."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c"))


def _policy(code: Sequence[Script]) -> str:
    """Content Security Policy: nothing is fetched, and no script runs but these."""
    allowed = " ".join(f"'{script.hash}'" for script in code) or "'none'"
    return (
        f"default-src 'none'; script-src {allowed}; img-src data: blob:; "
        "style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    )


def _data_uri(picture: Path | None) -> str | None:
    if picture is None:
        return None
    return "data:image/png;base64," + base64.b64encode(picture.read_bytes()).decode()
