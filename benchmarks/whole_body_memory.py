"""Peak memory and time of handling 105 channels over a whole body, network left out.

    python benchmarks/whole_body_memory.py 512 512 400

A random 1×1×1 convolution over smoothed noise stands for the network: what is measured
is the tiling, the sums, the store and the fields. Add the network's own memory for one
tile, which `--network` prints for a SegResNet of the zoo's whole-body shape.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np
import torch
from scipy import ndimage

from medrecon.core import Geometry, Label
from medrecon.models.manifest import Components, Head, ModelLabel, NetworkSpec, Sampling
from medrecon.models.networks import build_network
from medrecon.segmentation.inference import plan_inference, predict_logits
from medrecon.segmentation.logits import LogitMap, fields_from_logits

CLASSES = 105


def peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def smooth_noise(shape: tuple[int, ...]) -> np.ndarray:
    rng = np.random.default_rng(0)
    coarse = rng.standard_normal([n // 16 + 2 for n in shape], dtype=np.float32)
    zoomed = ndimage.zoom(coarse, 16, order=1)
    return zoomed[tuple(slice(n) for n in shape)]


def one_tile() -> None:
    spec = {"in_channels": 1, "out_channels": CLASSES, "init_filters": 32}
    network = build_network(NetworkSpec("SegResNet", spec)).eval()
    before, start = peak_gb(), time.perf_counter()
    with torch.inference_mode():
        network(torch.zeros(1, 1, 96, 96, 96))
    print(
        f"SegResNet, one tile of 96³: {time.perf_counter() - start:.1f} s, "
        f"{peak_gb() - before:.2f} GB more"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shape", type=int, nargs=3)
    parser.add_argument("--network", action="store_true")
    args = parser.parse_args()
    if args.network:
        one_tile()
    shape = tuple(args.shape)
    torch.manual_seed(0)
    network = torch.nn.Conv3d(1, CLASSES, 1)
    plan = plan_inference(
        shape, CLASSES, Sampling(None, "LPS", (96, 96, 96), 0.25), torch.device("cpu")
    )
    print(f"plan: {plan}; before: {peak_gb():.2f} GB")
    start = time.perf_counter()
    store, _ = predict_logits(network, smooth_noise(shape)[None], plan)
    print(f"tiles: {time.perf_counter() - start:.1f} s, peak {peak_gb():.2f} GB")
    start = time.perf_counter()
    grid = Geometry(shape, (1.5, 1.5, 1.5), (0, 0, 0))
    labels = [ModelLabel(n, Label(n, f"label_{n}"), Components.LARGEST) for n in range(1, CLASSES)]
    fields, _ = fields_from_logits(LogitMap(store, grid, Head.SOFTMAX), grid, labels)
    print(f"{len(fields)} fields: {time.perf_counter() - start:.1f} s, peak {peak_gb():.2f} GB")


if __name__ == "__main__":
    main()
