"""Network weights as safetensors: numbers and nothing that could run."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from medrecon.errors import ModelUntrustedError
from medrecon.models.manifest import WeightsFile

StateDict = dict[str, torch.Tensor]


def tensors_from_bytes(content: bytes, name: str) -> StateDict:
    """The tensors in the bytes of a safetensors file; half precision is widened to float32.

    Raises
    ------
    ModelUntrustedError
        If the bytes are anything else (a pickle, a zip, a damaged file).
    """
    try:
        tensors = load(content)
    except (SafetensorError, ValueError, KeyError, OverflowError) as error:
        raise ModelUntrustedError(
            f"weights of {name} are not safetensors ({error}); a pickle is never loaded"
        ) from error
    return {k: v.float() if v.is_floating_point() else v for k, v in tensors.items()}


def write_weights(
    tensors: Mapping[str, torch.Tensor], path: Path, *, half: bool = False
) -> WeightsFile:
    """Write tensors as safetensors and return what the manifest says of the file.

    Parameters
    ----------
    tensors : mapping of str to Tensor
    path : Path
        Ends in ``.safetensors``; overwritten.
    half : bool
        Store floating-point tensors as float16: half the size, a relative rounding of
        at most 2⁻¹¹ a weight.
    """
    # Cloned: networks with shared parts (DynUNet) list one tensor under two names, which
    # safetensors refuses to write.
    kept = {
        k: (v.half() if half and v.is_floating_point() else v).detach().cpu().clone().contiguous()
        for k, v in sorted(tensors.items())
    }
    content = save(kept)
    path.write_bytes(content)
    return WeightsFile(path.name, hashlib.sha256(content).hexdigest(), len(content))
