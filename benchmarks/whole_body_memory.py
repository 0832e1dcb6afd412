"""Peak memory and time of a 104-structure network over a whole body, on one machine.

    python benchmarks/whole_body_memory.py 512 512 400 [--device cuda] [--filters 8]

The image holds 104 balls of one value each, 1.5 mm voxels. The network is a small random
convolution beside a last layer that tells the values apart, so that structures are
as compact as organs are and every one of 105 channels has its logits. Everything that
`segment` does is run: preparing, tiles, sums, store, fields on the image's grid. For a
network of the zoo's whole-body size add what `--network` prints for one tile.
"""

from __future__ import annotations

import argparse
import resource
import threading
import time

import numpy as np
import torch

from medrecon.core import Acquisition, Geometry, HuStatus, Label, Modality, Volume
from medrecon.models.manifest import (
    Components,
    Head,
    IntendedUse,
    Intensity,
    IntensityKind,
    Licences,
    Manifest,
    ModelLabel,
    NetworkSpec,
    Sampling,
    Training,
    WeightsFile,
)
from medrecon.models.networks import build_network
from medrecon.segmentation.unet import Manner, run_network

CLASSES = 105
STEP_HU = 20


def peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def balls(shape: tuple[int, int, int]) -> np.ndarray:
    """104 balls on a lattice of 5 × 5 × 5, each of its own value, in zero."""
    image = np.zeros(shape, np.int16, order="F")
    cell = [n // 5 for n in shape]
    radius = 0.42 * min(cell)
    axes = [np.arange(n) - n / 2 for n in cell]
    inside = sum(np.square(x) for x in np.meshgrid(*axes, indexing="ij")) < radius**2
    for number, corner in enumerate(np.ndindex(5, 5, 5)):
        if number + 1 == CLASSES:
            break
        place = tuple(slice(c * n, (c + 1) * n) for c, n in zip(corner, cell, strict=True))
        image[place][inside] = STEP_HU * (number + 1)
    return image


class ByValue(torch.nn.Module):
    """A random convolution, and a last layer whose largest channel is the nearest value."""

    def __init__(self, filters: int) -> None:
        super().__init__()
        self.body = torch.nn.Sequential(
            torch.nn.Conv3d(1, filters, 3, padding=1),
            torch.nn.LeakyReLU(inplace=True),
            torch.nn.Conv3d(filters, filters, 3, padding=1),
        )
        self.last = torch.nn.Conv3d(filters + 1, CLASSES, 1)
        values = torch.arange(CLASSES) / CLASSES
        with torch.no_grad():
            self.last.weight *= 1e-4
            self.last.weight[:, 0, 0, 0, 0] = 2e3 * values
            self.last.bias.copy_(-1e3 * values**2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of 105 channels."""
        return self.last(torch.cat([x, self.body(x)], dim=1))


def manifest() -> Manifest:
    top = float(STEP_HU * CLASSES)
    labels = tuple(
        ModelLabel(n, Label(n, f"label_{n}"), Components.LARGEST) for n in range(1, CLASSES)
    )
    return Manifest(
        name="whole_body",
        version="1",
        title="104 structures",
        intended_use=IntendedUse.RESEARCH,
        modalities=(Modality.CT,),
        channels=("CT",),
        labels=labels,
        head=Head.SOFTMAX,
        sampling=Sampling((1.5, 1.5, 1.5), "RAS", (96, 96, 96), 0.25),
        intensity=Intensity(IntensityKind.WINDOW, 0.0, top),
        network=NetworkSpec("UNet", {"out_channels": CLASSES}),
        weights=WeightsFile("weights.safetensors", "0" * 64, 0),
        licences=Licences("Apache-2.0", "Apache-2.0"),
        training=Training("random"),
    )


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
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--filters", type=int, default=8)
    args = parser.parse_args()
    if args.network:
        one_tile()
        return
    shape = tuple(args.shape)
    torch.manual_seed(0)
    network = ByValue(args.filters).eval()
    image = balls(shape)
    acquisition = Acquisition(Modality.CT, HuStatus.VERIFIED)
    volume = Volume(image, Geometry(shape, (1.5, 1.5, 1.5), (0, 0, 0)), acquisition)
    print(f"{threading.active_count()} thread, image in memory: {peak_gb():.2f} GB")
    start = time.perf_counter()

    def progress(fraction: float) -> None:
        if fraction == 1.0:
            print(
                f"tiles: {time.perf_counter() - start:.0f} s, peak {peak_gb():.2f} GB", flush=True
            )

    how = Manner(False, progress, lambda words: print(f"plan: {words}", flush=True))
    found = run_network(network, manifest(), [volume], torch.device(args.device), how)
    right = 0
    for item in found.fields:
        here = np.zeros(shape, bool)
        here[item.slices] = item.values > 0
        right += int((here == (image == STEP_HU * item.label.index)).all())
    print(
        f"{len(found.fields)} fields, {right} of them voxel for voxel right: "
        f"{time.perf_counter() - start:.0f} s, peak {peak_gb():.2f} GB"
    )
    if args.device != "cpu":
        print(f"peak on the device: {torch.cuda.max_memory_allocated() / 1e9:.2f} GB")


if __name__ == "__main__":
    main()
