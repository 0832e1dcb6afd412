"""What training gave `head` and what it did not: on images it was shown, with volumes made right.

    MEDRECON_DATA=… python benchmarks/head_training.py --first 0 300 600 500000 500100
    MEDRECON_DATA=… python benchmarks/head_training.py --calibrate 8 32 --first 600000

A run takes its images' seeds from the first of its range on (`README.md` of a trained model), so
some were learnt from and others of the same maps were not. `--calibrate` adds to the last bias what
makes each label's volume right on so many other images, and tells what that does here.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from medrecon.models.networks import build_network
from medrecon.models.store import find, load_weights
from medrecon.quality.overlap import dice
from medrecon.train import find_label_maps, head_recipe, head_samples, head_template
from medrecon.train.calibrate import volume_shifts
from medrecon.train.head import HEAD_SPACING_MM, VALIDATION_SEEDS
from medrecon.train.head_maps import CHANNEL
from medrecon.train.samples import SampleMaker
from medrecon.train.templates import read_maps
from medrecon.train.validate import logits_of

# Those that give weights, and those that give the curve.
TRAINING, MAPS = 16, 18


class Judged:
    """A network's logits on some images, and their truth."""

    def __init__(self, network: torch.nn.Module, make: SampleMaker, seeds: range) -> None:
        samples = [make(seed) for seed in seeds]
        device = torch.device("cpu")
        self.logits = [logits_of(network, s, head_recipe(), device) for s in samples]
        self.targets = [s.target for s in samples]

    def line(self, words: str, shifts: Sequence[float] | None = None) -> None:
        """Mean Dice of each label, and its volume over the true one, after some shifts."""
        classes = len(self.logits[0])
        add = np.asarray(np.zeros(classes) if shifts is None else shifts, np.float32)
        found = [(x + add[:, None, None, None]).argmax(axis=0) for x in self.logits]
        cells = []
        for channel in CHANNEL.values():
            pairs = [(f == channel, t == channel) for f, t in zip(found, self.targets, strict=True)]
            scores = [s for s in (dice(*pair) for pair in pairs) if s is not None]
            volume = sum(f.sum() for f, _ in pairs) / max(1, sum(t.sum() for _, t in pairs))
            cells.append(f"{np.mean(scores):.3f} ({volume:.2f})")
        print(f"{words:30}", *(f"{c:>14}" for c in cells), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="head")
    parser.add_argument("--first", type=int, nargs="+", default=[500_000], help="of the images")
    parser.add_argument("--images", type=int, default=24)
    parser.add_argument("--calibrate", type=int, nargs="*", default=[], help="images for it")
    given = parser.parse_args()
    model = find(given.model)
    network = build_network(model.manifest.network, load_weights(model))
    cases = find_label_maps(Path(os.environ["MEDRECON_DATA"]) / "labelmaps_head")[:MAPS]
    templates = [head_template(read_maps([case])[0]) for case in cases]
    make = head_samples(templates[:TRAINING], templates[TRAINING:], HEAD_SPACING_MM)
    print(f"{'mean Dice (volume)':30}", *(f"{x:>14}" for x in CHANNEL))
    last = VALIDATION_SEEDS.start
    shifts = {
        count: volume_shifts(others.logits, others.targets)
        for count in given.calibrate
        for others in [Judged(network, make, range(last - count, last))]
    }
    for first in given.first:
        judged = Judged(network, make, range(first, first + given.images))
        judged.line(f"images from {first} on")
        for count, shift in shifts.items():
            judged.line(f"  made right on {count} others", shift)


if __name__ == "__main__":
    main()
