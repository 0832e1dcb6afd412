"""A manifest as `manifest.toml`, and back."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

from medrecon.core import Label, Modality, SnomedCode
from medrecon.errors import ModelError
from medrecon.models.manifest import (
    Anchor,
    Blend,
    Components,
    Crop,
    Head,
    IntendedUse,
    Intensity,
    IntensityKind,
    Licences,
    Manifest,
    ModelLabel,
    NetworkSpec,
    PlannedResampling,
    Sampling,
    Training,
    WeightsFile,
)
from medrecon.models.toml_text import toml_text

MANIFEST_NAME = "manifest.toml"
SCHEMA = 1
MAX_MANIFEST_BYTES = 4 << 20

T = TypeVar("T")
EnumT = TypeVar("EnumT", bound=Enum)
Row = dict[str, Any]


def read_manifest(path: Path) -> Manifest:
    """The manifest in a TOML file.

    Raises
    ------
    ModelError
        If the file cannot be read, is no TOML, or a key is missing or of the wrong kind.
    """
    try:
        if path.stat().st_size > MAX_MANIFEST_BYTES:
            raise ModelError(f"{path.name} is larger than {MAX_MANIFEST_BYTES} bytes")
        rows = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise ModelError(f"{path.name} cannot be read as a model's manifest: {error}") from error
    try:
        return manifest_from_rows(rows)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise ModelError(f"{path.name}: {_complaint(error)}") from error


def write_manifest(manifest: Manifest, path: Path) -> None:
    """Write the manifest as TOML, the same bytes for the same manifest."""
    path.write_text(toml_text(rows_of_manifest(manifest)), "utf-8", newline="\n")


def manifest_from_rows(rows: Row) -> Manifest:
    """The manifest in nested tables, as tomllib returns them.

    Raises
    ------
    KeyError, TypeError, ValueError, AttributeError, IndexError
        If a key is missing, of the wrong type or not one of its allowed words.
    ModelError
        If the values contradict one another.
    """
    if rows["schema"] != SCHEMA:
        raise ValueError(f"schema {rows['schema']!r}; this medrecon reads {SCHEMA}")
    weights, licences, training = rows["weights"], rows["licences"], rows["training"]
    return Manifest(
        name=_text(rows, "name"),
        version=_text(rows, "version"),
        title=_text(rows, "title"),
        intended_use=_word(IntendedUse, rows, "intended_use"),
        modalities=tuple(Modality(m) for m in rows["modalities"]),
        channels=_texts(rows, "channels"),
        labels=tuple(_label(row) for row in rows["label"]),
        head=_word(Head, rows, "head"),
        sampling=_sampling(rows["sampling"]),
        intensity=_intensity(rows["intensity"]),
        network=NetworkSpec(_text(rows["network"], "name"), rows["network"].get("arguments", {})),
        weights=WeightsFile(
            _text(weights, "file"), _text(weights, "sha256"), _whole(weights, "bytes")
        ),
        licences=Licences(
            _text(licences, "code"), _text(licences, "weights"), licences.get("accepted", "")
        ),
        training=Training(*(_text(training, k) for k in ("data", "command", "source"))),
        body_parts=_texts(rows, "body_parts"),
        figures={k: float(v) for k, v in rows.get("figures", {}).items()},
        channel_intensities=tuple(_intensity(r) for r in rows.get("channel_intensity", [])),
        planned=_planned(rows["planned"]) if "planned" in rows else None,
        members=_whole(rows, "members") if "members" in rows else 1,
        mirror_axes=_wholes(rows, "mirror_axes") if "mirror_axes" in rows else (),
        parts=tuple(manifest_from_rows(r) for r in rows.get("part", [])),
        checks=_texts(rows, "checks") if "checks" in rows else (),
    )


def rows_of_manifest(manifest: Manifest) -> Row:
    """Nested tables of the manifest, in the order they are written."""
    m = manifest
    rows: Row = {
        "schema": SCHEMA,
        "name": m.name,
        "version": m.version,
        "title": m.title,
        "intended_use": m.intended_use.value,
        "modalities": [x.value for x in m.modalities],
        "body_parts": list(m.body_parts),
        "channels": list(m.channels),
        "head": m.head.value,
        **_stated(
            members=m.members if m.members > 1 else None,
            mirror_axes=list(m.mirror_axes),
            checks=list(m.checks),
        ),
        "weights": {
            "file": m.weights.file,
            "sha256": m.weights.sha256,
            "bytes": m.weights.bytes,
        },
        "licences": {
            "code": m.licences.code,
            "weights": m.licences.weights,
            **_stated(accepted=m.licences.accepted),
        },
        "training": {
            "data": m.training.data,
            "command": m.training.command,
            "source": m.training.source,
        },
        "sampling": _sampling_row(m.sampling),
        "intensity": _intensity_row(m.intensity),
        "network": {"name": m.network.name, "arguments": dict(m.network.arguments)},
        "label": [_label_row(x) for x in m.labels],
        "figures": dict(m.figures),
        **_stated(
            channel_intensity=[_intensity_row(x) for x in m.channel_intensities],
            planned=None if m.planned is None else _planned_row(m.planned),
            part=[rows_of_manifest(part) for part in m.parts],
        ),
    }
    return rows


def _stated(**rows: Any) -> Row:
    """The rows that say anything."""
    return {key: value for key, value in rows.items() if value}


def _label(row: Row) -> ModelLabel:
    red, green, blue = _wholes(row, "color")
    code = SnomedCode(*_texts(row, "snomed")) if "snomed" in row else None
    label = Label(
        _whole(row, "index"),
        _text(row, "name"),
        (red, green, blue),
        code,
        _switch(row, "hollow"),
        _texts(row, "includes") if "includes" in row else (),
    )
    return ModelLabel(
        _whole(row, "channel"),
        label,
        _word(Components, row, "components"),
        _switch(row, "from_hu_in_ct"),
        _text(row, "never_print") if "never_print" in row else "",
    )


def _label_row(item: ModelLabel) -> Row:
    label = item.label
    row: Row = {
        "channel": item.channel,
        "index": label.index,
        "name": label.name,
        "color": list(label.color),
        "components": item.components.value,
    }
    if item.from_hu_in_ct:
        row["from_hu_in_ct"] = True
    if item.never_print:
        row["never_print"] = item.never_print
    if label.code is not None:
        row["snomed"] = [label.code.value, label.code.meaning]
    if label.hollow:
        row["hollow"] = True
    if label.includes:
        row["includes"] = list(label.includes)
    return row


def _sampling(row: Row) -> Sampling:
    spacing = tuple(float(x) for x in row["spacing_mm"]) if "spacing_mm" in row else None
    patch = _wholes(row, "patch")
    if len(patch) != 3 or (spacing is not None and len(spacing) != 3):
        raise ValueError("patch and spacing_mm need three numbers each")
    anchor = _word(Anchor, row, "anchor") if "anchor" in row else Anchor.CENTRE
    blend = _word(Blend, row, "blend") if "blend" in row else Blend.GAUSSIAN
    crop = _word(Crop, row, "crop") if "crop" in row else Crop.NONE
    edge = _switch(row, "pad_edge")
    overlap = float(row["overlap"])
    return Sampling(spacing, _text(row, "orientation"), patch, overlap, anchor, blend, crop, edge)


def _sampling_row(sampling: Sampling) -> Row:
    row: Row = {"orientation": sampling.orientation, "patch": list(sampling.patch)}
    if sampling.spacing_mm is not None:
        row["spacing_mm"] = list(sampling.spacing_mm)
    words = {"anchor": sampling.anchor.value, "blend": sampling.blend.value}
    crop = None if sampling.crop is Crop.NONE else sampling.crop.value
    return (
        row | {"overlap": sampling.overlap} | words | _stated(crop=crop, pad_edge=sampling.pad_edge)
    )


def _planned(row: Row) -> PlannedResampling:
    apart = row.get("separate_z")
    return PlannedResampling(
        _whole(row, "order"),
        _whole(row, "order_z"),
        None if apart is None else _switch(row, "separate_z"),
    )


def _planned_row(planned: PlannedResampling) -> Row:
    row: Row = {"order": planned.order, "order_z": planned.order_z}
    return row if planned.separate_z is None else row | {"separate_z": planned.separate_z}


NUMBERS = ("low", "high", "mean", "deviation", "to_low", "to_high")
SWITCHES = {"nonzero": False, "clip": True, "together": False}


def _intensity(row: Row) -> Intensity:
    numbers: dict[str, Any] = {k: float(row[k]) for k in NUMBERS if k in row}
    switches = {k: _switch(row, k, default) for k, default in SWITCHES.items()}
    then = tuple(_intensity(step) for step in row.get("then", []))
    return Intensity(_word(IntensityKind, row, "kind"), **numbers, **switches, then=then)


def _intensity_row(intensity: Intensity) -> Row:
    names = ("low", "high", "mean", "deviation", "nonzero")
    row: Row = {"kind": intensity.kind.value} | {k: getattr(intensity, k) for k in names}
    plain = Intensity()
    rest = ("to_low", "to_high", "clip", "together")
    row |= {k: v for k in rest if (v := getattr(intensity, k)) != getattr(plain, k)}
    return row | _stated(then=[_intensity_row(step) for step in intensity.then])


def _text(row: Row, key: str) -> str:
    return _typed(row, key, str, str)


def _whole(row: Row, key: str) -> int:
    return _typed(row, key, int, int)


def _switch(row: Row, key: str, default: bool = False) -> bool:
    return _typed(row, key, bool, bool) if key in row else default


def _wholes(row: Row, key: str) -> tuple[int, ...]:
    values = row[key]
    if not isinstance(values, list) or not all(type(v) is int for v in values):
        raise TypeError(f"{key} = {values!r}; a list of whole numbers expected")
    return tuple(values)


def _typed(row: Row, key: str, kind: type, convert: Callable[[Any], T]) -> T:
    if type(row[key]) is not kind:
        raise TypeError(f"{key} = {row[key]!r}; {kind.__name__} expected")
    return convert(row[key])


def _texts(row: Row, key: str) -> tuple[str, ...]:
    values = row[key]
    if not isinstance(values, list) or not all(isinstance(v, str) for v in values):
        raise TypeError(f"{key} = {values!r}; a list of strings expected")
    return tuple(values)


def _word(enum: type[EnumT], row: Row, key: str) -> EnumT:
    allowed = [x.value for x in enum]
    if row[key] not in allowed:
        raise ValueError(f"{key} = {row[key]!r}; one of {', '.join(map(repr, allowed))} expected")
    return enum(row[key])


def _complaint(error: Exception) -> str:
    return f"the key {error} is missing" if isinstance(error, KeyError) else str(error)
