"""How many GPUs a batch may share out."""

from __future__ import annotations

import subprocess
import sys

from medrecon.options import AUTO, Options

PROBE_TIMEOUT_S = 120.0
PROBE = "import torch; print(torch.cuda.device_count())"


def count_gpus(options: Options) -> int:
    """GPUs that the networks of these options would use; 0 where no network runs.

    Asked in a process of its own: CUDA, once begun, does not survive a fork.
    """
    segment = options.segment
    if segment.device not in (AUTO, "cuda") or (segment.tissues and not segment.models):
        return 0
    try:
        done = subprocess.run(
            [sys.executable, "-c", PROBE],
            capture_output=True,
            text=True,
            timeout=PROBE_TIMEOUT_S,
            check=True,
        )
        return int(done.stdout)
    except (subprocess.SubprocessError, OSError, ValueError):
        return 0
