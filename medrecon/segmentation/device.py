"""Where a network runs, and in what precision."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from medrecon.errors import UsageError


def choose_device(request: str) -> torch.device:
    """The device of a request: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.

    ``auto`` takes the first CUDA device, else Apple's MPS, else the CPU.

    Raises
    ------
    UsageError
        If the word is unknown or this machine has no such device.
    """
    if request == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda", 0)
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    kind, _, number = request.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (number and not (kind == "cuda" and number.isdigit())):
        raise UsageError(f"a device {request!r}; auto, cpu, cuda, cuda:N or mps expected")
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        found = torch.cuda.device_count()
        raise UsageError(f"device {request} asked for, {found} CUDA devices found; use cpu or auto")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise UsageError("device mps asked for, this machine has none; use cpu or auto")
    return torch.device(kind, int(number or 0)) if kind == "cuda" else torch.device(kind)


def autocast_dtype(device: torch.device) -> torch.dtype | None:
    """Half precision that this device computes natively, or None for float32.

    float16 on CUDA (10 bits of mantissa against bfloat16's 7). bfloat16 on a CPU only
    where its instructions are there: elsewhere it is emulated and slower. Decided by
    what the processor has, never by a timing: the same machine must give the same bytes.
    """
    if device.type == "cuda":
        return torch.float16
    if device.type == "cpu" and cpu_has_bfloat16():
        return torch.bfloat16
    return None


def cpu_has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 in hardware (AVX-512 BF16 or AMX)."""
    # Not in every torch this runs with; without it the answer is the safe one.
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(bool(capabilities.get(key)) for key in ("avx512_bf16", "amx_bf16"))


@contextmanager
def repeatable_inference(device: torch.device, *, exact: bool = False) -> Iterator[None]:
    """Inference mode with half precision where it pays and one order of additions.

    Nothing process-wide is left changed: cuDNN's choices are restored on the way out.
    """
    dtype = None if exact else autocast_dtype(device)
    cudnn = torch.backends.cudnn.flags(
        enabled=True, benchmark=False, deterministic=True, allow_tf32=False
    )
    cast = torch.autocast(device.type, dtype=dtype, enabled=dtype is not None)
    with torch.inference_mode(), cudnn, cast:
        yield
