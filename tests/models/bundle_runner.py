"""Run MONAI bundles as `python -m monai.bundle run` does; the oracle of test_bundle_parity."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from monai.bundle.scripts import run

RAW = {"_target_": "SaveImaged", "keys": "pred", "output_postfix": "logits", "resample": False}


def main() -> None:
    """Labels and raw logits of every bundle folder that is named."""
    torch.set_num_threads(1)
    for name in sys.argv[1:]:
        folder = Path(name)
        config = next((folder / "configs").glob("inference.*"))
        shared = {"config_file": str(config), "bundle_root": str(folder)}
        run(run_id="run", **shared)
        raw = {**RAW, "output_dir": str(folder / "eval"), "separate_folder": False}
        run(run_id="run", **shared, **{"postprocessing#transforms": [raw]})


if __name__ == "__main__":
    main()
