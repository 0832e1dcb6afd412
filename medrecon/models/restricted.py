"""PyTorch's files, read without running anything that is in them."""

from __future__ import annotations

import pickle
import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from medrecon.errors import ModelUntrustedError

ADVICE = "save the model's state_dict as safetensors"
# What PyTorch's restricted reader raises on something else than its own files.
DAMAGE = (
    pickle.UnpicklingError,
    struct.error,
    zipfile.BadZipFile,
    RuntimeError,
    ValueError,
    EOFError,
    LookupError,
    AttributeError,
    TypeError,
)


def load_restricted(path: Path, allowed: Sequence[Any] = ()) -> Any:
    """What a file that `torch.save` wrote holds, if that is tensors, numbers and words.

    Parameters
    ----------
    path : Path
    allowed : sequence
        Functions and classes that the file may name besides; each must be harmless
        whatever it is called with.

    Raises
    ------
    ModelUntrustedError
        If it is no such file, is TorchScript, or names anything else.
    """
    place = f"{path.parent.name}/{path.name}"
    if not zipfile.is_zipfile(path):
        raise ModelUntrustedError(f"{place} is a bare pickle or damaged; {ADVICE}")
    try:
        with zipfile.ZipFile(path) as archive:
            # Before torch sees it: torch.load hands such a file on to its compiler.
            script = any(name.endswith("/constants.pkl") for name in archive.namelist())
        if script:
            raise ModelUntrustedError(f"{place} is TorchScript, which is a program; {ADVICE}")
        with torch.serialization.safe_globals(list(allowed)):
            return torch.load(path, map_location="cpu", weights_only=True)
    except DAMAGE as error:
        words = str(error).strip().splitlines()
        first = words[0] if words else type(error).__name__
        raise ModelUntrustedError(
            f"{place} is not a plain file of tensors: {first}; {ADVICE}"
        ) from error
