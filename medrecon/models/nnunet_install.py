"""An nnU-Net v2 results folder turned into a model folder of medrecon's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from medrecon.errors import ModelError, ModelMissingError, ModelUntrustedError
from medrecon.models.bundle_labels import FIRST_OWN_INDEX
from medrecon.models.manifest import (
    IntendedUse,
    Licences,
    Manifest,
    Training,
    WeightsFile,
    slug,
)
from medrecon.models.networks import build_model
from medrecon.models.nnunet_plans import (
    Plans,
    planned_intensities,
    planned_labels,
    planned_network,
    planned_resampling,
    planned_sampling,
    read_plans,
)
from medrecon.models.planned_unet import planned_weights
from medrecon.models.restricted import load_restricted
from medrecon.models.weights import StateDict, write_weights

CHECKPOINTS = ("checkpoint_final.pth", "checkpoint_best.pth")
UNSTATED = "not stated in the folder"
# Numbers that nnU-Net's log holds beside the weights. Each of these only makes a number
# or an array out of bytes; anything else in the file refuses it.
_SCALAR: Any = np._core.multiarray.scalar  # type: ignore[attr-defined]
HARMLESS: list[Any] = [
    (_SCALAR, "numpy.core.multiarray.scalar"),
    (_SCALAR, "numpy._core.multiarray.scalar"),
    np.dtype,
    *(type(np.dtype(kind)) for kind in ("f2", "f4", "f8", "i4", "i8", "u1", "?")),
]
# A plans.json that is not of nnU-Net's form fails in one of these ways.
MISFORMED = (KeyError, TypeError, ValueError, AttributeError, IndexError, ZeroDivisionError)


def write_as_part(
    source: Path, target: Path, *, name: str = "", first_index: int = FIRST_OWN_INDEX
) -> Manifest:
    """The manifest of a results folder, its weights written beside as safetensors.

    Parameters
    ----------
    source : Path
        The folder of one configuration: plans, data set, and a folder for each fold.
    target : Path
        Folder for the weights.
    name : str
        Of the model; the data set's if empty.
    first_index : int
        Number of the first label that medrecon has no own number for.

    Raises
    ------
    ModelUntrustedError
        If a checkpoint holds more than numbers, or the plans name what is not known.
    ModelMissingError
        If a file is not there, or a package that the network needs.
    ModelError
        If the weights do not fit the network that the plans describe.
    """
    checkpoints = [_checkpoint(path) for path in _folds(source)]
    stated = checkpoints[0].get("init_args") or {}
    try:
        plans = read_plans(source, stated.get("configuration"))
        manifest = _manifest(plans, name or slug(plans.name), first_index)
        manifest = replace(
            manifest,
            members=len(checkpoints),
            mirror_axes=_mirror_axes(checkpoints[0]),
            training=Training(plans.name, "", f"nnU-Net v2, {_trainer(checkpoints[0])}"),
        )
    except MISFORMED as error:
        raise ModelError(
            f"{source.name} is not of nnU-Net v2's form: {type(error).__name__} {error}"
        ) from error
    weights = _joined([_converted(c, manifest) for c in checkpoints])
    build_model(manifest, weights)
    file = write_weights(weights, target / f"{manifest.name}.safetensors")
    return replace(manifest, weights=file)


def _manifest(plans: Plans, name: str, first_index: int) -> Manifest:
    head, labels, channels = planned_labels(plans, first_index)
    intensities = planned_intensities(plans)
    return Manifest(
        name=name,
        version=slug(str(plans.dataset.get("release", "1"))),
        title=str(plans.dataset.get("description") or plans.name),
        intended_use=IntendedUse.RESEARCH,
        modalities=(plans.modality,),
        channels=plans.channels,
        labels=labels,
        head=head,
        sampling=planned_sampling(plans),
        intensity=intensities[0],
        network=planned_network(plans, channels),
        weights=WeightsFile("weights.safetensors", "0" * 64, 0),
        licences=Licences("Apache-2.0", str(plans.dataset.get("licence") or UNSTATED)),
        training=Training(plans.name),
        channel_intensities=intensities if len(intensities) > 1 else (),
        planned=planned_resampling(plans),
    )


def _folds(source: Path) -> list[Path]:
    """One checkpoint for each fold, the finished one if there is."""
    found = []
    for fold in sorted(source.glob("fold_*")):
        for name in CHECKPOINTS:
            if (fold / name).is_file():
                found.append(fold / name)
                break
    if not found:
        raise ModelMissingError(f"{source.name} holds no fold_*/{CHECKPOINTS[0]}")
    return found


def _checkpoint(path: Path) -> dict[str, Any]:
    """What a checkpoint holds, if that is numbers, words and tensors."""
    place = f"{path.parent.name}/{path.name}"
    content: Any = load_restricted(path, HARMLESS)
    weights = content.get("network_weights") if isinstance(content, dict) else None
    if not isinstance(weights, dict) or not all(
        isinstance(k, str) and isinstance(v, torch.Tensor) for k, v in weights.items()
    ):
        raise ModelUntrustedError(f"{place} holds no network_weights of tensors by name")
    kept: dict[str, Any] = content
    return kept


def _converted(checkpoint: Mapping[str, Any], manifest: Manifest) -> StateDict:
    """The network's weights, each once, under its own names."""
    weights: StateDict = {
        k.removeprefix("module.").removeprefix("_orig_mod."): v.float()
        for k, v in checkpoint["network_weights"].items()
    }
    if manifest.network.name == "PlannedUNet":
        filters = manifest.network.arguments["filters"]
        return planned_weights(weights, len(filters) if isinstance(filters, list) else 0)
    # The same tensors stand there again, as parts of a sequence and of the decoder.
    return {
        k: v
        for k, v in weights.items()
        if ".all_modules." not in k and not k.startswith("decoder.encoder.")
    }


def _joined(members: list[StateDict]) -> StateDict:
    if len(members) == 1:
        return members[0]
    return {f"{n}.{key}": value for n, m in enumerate(members) for key, value in m.items()}


def _mirror_axes(checkpoint: Mapping[str, Any]) -> tuple[int, ...]:
    return tuple(int(n) for n in checkpoint.get("inference_allowed_mirroring_axes") or ())


def _trainer(checkpoint: Mapping[str, Any]) -> str:
    return slug(str(checkpoint.get("trainer_name", "unknown trainer")))
