"""Several networks with labels of one numbering as one model."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from medrecon.models.bundle_labels import FIRST_OWN_INDEX
from medrecon.models.manifest import Licences, Manifest, ModelLabel, slug
from medrecon.models.manifest_toml import MANIFEST_NAME, read_manifest, write_manifest


def join_parts(staged: Sequence[Path], target: Path, name: str) -> None:
    """Write one model folder from several, in their order.

    Labels that medrecon has no own number for are numbered anew, one after another
    through all parts; names must differ.

    Parameters
    ----------
    staged : sequence of Path
        Model folders: a manifest and weights each.
    target : Path
        An existing folder.
    name : str
        Of the whole model.

    Raises
    ------
    ModelError
        If two parts find structures of one name.
    """
    parts, number = [], FIRST_OWN_INDEX
    for n, folder in enumerate(staged):
        manifest = read_manifest(folder / MANIFEST_NAME)
        labels = []
        for item in manifest.labels:
            number += item.label.index >= FIRST_OWN_INDEX
            labels.append(_numbered(item, number))
        weights = replace(manifest.weights, file=f"part{n + 1}.safetensors")
        shutil.move(folder / manifest.weights.file, target / weights.file)
        parts.append(replace(manifest, labels=tuple(labels), weights=weights))
    whole = replace(
        parts[0],
        name=slug(name),
        title=f"{name}: {_titles(parts)}",
        licences=_licences(parts),
    )
    write_manifest(replace(whole, parts=tuple(parts[1:])), target / MANIFEST_NAME)


def renamed(manifest: Manifest, name: str) -> Manifest:
    """The same model under another name."""
    return replace(manifest, name=slug(name))


def _licences(parts: Sequence[Manifest]) -> Licences:
    """The licences of all parts; accepted if each was."""
    every = [part.licences for part in parts]
    code, weights = ([getattr(x, kind) for x in every] for kind in ("code", "weights"))
    accepted = min(x.accepted for x in every)
    return Licences(_together(code), _together(weights), accepted)


def _together(licences: Sequence[str]) -> str:
    """An SPDX expression for what has to be kept all at once."""
    distinct = list(dict.fromkeys(licences))
    return distinct[0] if len(distinct) == 1 else " AND ".join(f"({x})" for x in distinct)


def _numbered(item: ModelLabel, number: int) -> ModelLabel:
    if item.label.index < FIRST_OWN_INDEX:
        return item
    return replace(item, label=replace(item.label, index=number))


def _titles(parts: Sequence[Manifest]) -> str:
    return "; ".join(part.title for part in parts)
