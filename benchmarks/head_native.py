"""What `medrecon seg --model head` makes of scans of 1 mm, held to the maps themselves.

    MEDRECON_DATA=… python benchmarks/head_native.py [--model DIR] [--maps 19 20] [--contrasts N]

`benchmarks/head.py` judges the network on its own voxels of 2.5 mm. Here images are made on
the maps' own 1 mm, go through the network as a scan does, and are judged on 1 mm twice:
before and after each boundary is placed where the image has it, as `medrecon seg` does unless
it is told `--no-refine`.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from medrecon.core import Acquisition, Geometry, HuStatus, Modality, Segmentation, Volume
from medrecon.models.store import InstalledModel, find
from medrecon.quality.overlap import dice
from medrecon.quality.surface_distances import surface_distances
from medrecon.segmentation.refine import refine
from medrecon.segmentation.unet import UnetSegmenter
from medrecon.train import head_template
from medrecon.train.head import HEAD_SYNTHESIS
from medrecon.train.head_maps import CHANNEL
from medrecon.train.pairs import Case
from medrecon.train.samples import Sample
from medrecon.train.synthetic import Template, synthesise
from medrecon.train.templates import read_maps

SPACING_MM = 1.0
# HU; no MR made here has values below 0.
CT_BELOW = -500.0

Scores = dict[str, list[float]]


def images(template: Template, count: int, seed: int) -> Iterator[Sample]:
    for n in range(count):
        print(f"  image {n + 1} of {count}", end="\r", file=sys.stderr, flush=True)
        yield synthesise([template], SPACING_MM, HEAD_SYNTHESIS, (seed, n))


def as_scan(image: np.ndarray) -> Volume:
    is_ct = image.min() < CT_BELOW
    acquisition = (
        Acquisition(Modality.CT, HuStatus.VERIFIED, "made up")
        if is_ct
        else Acquisition(Modality.MR, HuStatus.NOT_CT, "made up")
    )
    grid = Geometry(image.shape, (SPACING_MM,) * 3, (0.0, 0.0, 0.0))
    return Volume(image.astype(np.float32), grid, acquisition)


def judge(found: Segmentation, target: np.ndarray, overlap: Scores, distance: Scores) -> None:
    """Adds one image's Dice and mean surface distance of each label that it shows."""
    for field in found.fields:
        name = field.label.name
        truth = target == CHANNEL[name]
        mask = np.zeros(truth.shape, np.bool_)
        mask[field.slices] = field.values > 0
        share = dice(mask, truth)
        apart = surface_distances(mask, truth, found.grid.spacing_mm)
        if share is not None:
            overlap.setdefault(name, []).append(share)
        if apart is not None:
            distance.setdefault(name, []).append(apart.assd_mm)


def one_map(model: InstalledModel, template: Template, contrasts: int, seed: int) -> None:
    results: tuple[tuple[str, Scores, Scores], ...] = (
        ("network", {}, {}),
        ("placed", {}, {}),
    )
    for made in images(template, contrasts, seed):
        scan = as_scan(made.image)
        found = UnetSegmenter(model, "cpu", force=True).segment(scan)
        for (_, overlap, distance), result in zip(
            results, (found, refine(found, scan)), strict=True
        ):
            judge(result, made.target, overlap, distance)
    for words, overlap, distance in results:
        print(f"map {seed}, {words:8} Dice", *(cell(overlap.get(x)) for x in CHANNEL))
        print(f"map {seed}, {words:8} mm  ", *(cell(distance.get(x)) for x in CHANNEL), flush=True)


def cell(values: list[float] | None) -> str:
    """Mean and median: a few contrasts that show nothing pull the mean."""
    if not values:
        return f"{'-':>14}"
    return f"{f'{np.mean(values):.3f} ({np.median(values):.3f})':>14}"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="head")
    parser.add_argument("--maps", type=int, nargs="+", default=[19, 20])
    parser.add_argument("--contrasts", type=int, default=10)
    given = parser.parse_args()
    model = find(given.model)
    print(f"{'mean (median)':25}", *(f"{x:>14}" for x in CHANNEL))
    for number in given.maps:
        path = (
            Path(os.environ["MEDRECON_DATA"])
            / "labelmaps_head"
            / f"training_seg_{number:02}.nii.gz"
        )
        template = head_template(read_maps([Case(path.name, path)])[0])
        one_map(model, template, given.contrasts, number)


if __name__ == "__main__":
    main()
