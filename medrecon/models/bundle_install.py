"""A MONAI bundle turned into a model folder of medrecon's own: manifest and safetensors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from medrecon.errors import ModelUntrustedError
from medrecon.models.bundle import Bundle
from medrecon.models.manifest_toml import MANIFEST_NAME, write_manifest
from medrecon.models.networks import build_network
from medrecon.models.restricted import load_restricted
from medrecon.models.weights import StateDict, tensors_from_bytes, write_weights

WRAPPERS = ("model", "state_dict", "network", "network_weights")


def write_as_model(bundle: Bundle, folder: Path) -> None:
    """Write manifest and weights of a bundle, after its weights were seen to fit.

    Raises
    ------
    ModelUntrustedError
        If the weights hold anything but tensors.
    ModelError
        If they do not fit the network.
    """
    weights = load_bundle_weights(bundle.weights_path)
    build_network(bundle.manifest.network, weights)
    file = write_weights(weights, folder / bundle.manifest.weights.file)
    write_manifest(replace(bundle.manifest, weights=file), folder / MANIFEST_NAME)


def load_bundle_weights(path: Path) -> StateDict:
    """Tensors by name from safetensors, or from a PyTorch file that holds nothing else.

    Raises
    ------
    ModelUntrustedError
        If the file holds objects that would have to be run to be loaded.
    """
    if path.suffix == ".safetensors":
        return tensors_from_bytes(path.read_bytes(), path.name)
    content: Any = load_restricted(path)
    for name in WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(name), dict):
            content = content[name]
    if not isinstance(content, dict) or not all(
        isinstance(k, str) and isinstance(v, torch.Tensor) for k, v in content.items()
    ):
        raise ModelUntrustedError(f"{path.name} holds something else than tensors by name")
    return {k: v.float() if v.is_floating_point() else v for k, v in content.items()}
