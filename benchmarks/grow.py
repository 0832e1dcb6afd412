"""Guided segmentation by a simulated user, beside region growing and a random walker.

MEDRECON_DATA=… python benchmarks/grow.py [--data FOLDER] [--cases STS_001 …] [--phantom]

The first click is the deepest point inside the truth; each further one the deepest point
of the largest connected error of medrecon's own result. The others are given the same
clicks: SimpleITK's ConfidenceConnected from the clicks inside, clicks outside removed
with their neighbourhood; scikit-image's random walker on the box around the clicks, its
border as background. A case is a folder with NAME_image.nii.gz and NAME_mask.nii.gz.

STS_005 was used for tuning; STS_001 is the held-out one.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813 - the library's own short name
from scipy.ndimage import distance_transform_edt, label

from medrecon.core import Acquisition, Geometry, Label, Modality, Volume
from medrecon.files import nifti
from medrecon.segmentation.guided import Click, Guided

COUNTS = (1, 3, 5, 10)
Points = list[tuple[tuple[int, int, int], bool]]
RADIUS_MM = 4.0


def deepest(mask: np.ndarray, spacing: tuple[float, ...]) -> tuple[int, int, int]:
    padded = distance_transform_edt(np.pad(mask, 1), sampling=spacing)[1:-1, 1:-1, 1:-1]
    i, j, k = (int(n) for n in np.unravel_index(padded.argmax(), mask.shape))
    return i, j, k


def next_click(
    found: np.ndarray, truth: np.ndarray, spacing: tuple[float, ...]
) -> tuple[tuple[int, int, int], bool] | None:
    """The deepest point of the largest connected error, and on which side it is."""
    best, size = None, 0
    for inside, wrong in ((True, truth & ~found), (False, found & ~truth)):
        pieces, _ = label(wrong)
        counts = np.bincount(pieces.ravel())[1:]
        if len(counts) and counts.max() > size:
            size = int(counts.max())
            best = (pieces == counts.argmax() + 1, inside)
    return None if best is None else (deepest(best[0], spacing), best[1])


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * np.count_nonzero(a & b) / max(1, np.count_nonzero(a) + np.count_nonzero(b))


def ours(
    volume: Volume, truth: np.ndarray, count: int
) -> Iterator[tuple[Points, np.ndarray, float]]:
    """Clicks so far, the mask and the seconds that the last click took."""
    spacing = volume.geometry.spacing_mm
    session = Guided(volume, Label(1, "tumor"))
    points: Points = [(deepest(truth, spacing), True)]
    while True:
        index, inside = points[-1]
        x, y, z = volume.geometry.mm_from_index([index])[0]
        begun = time.perf_counter()
        field = session.add(Click((x, y, z), inside))
        seconds = time.perf_counter() - begun
        mask = np.zeros(truth.shape, bool)
        mask[field.slices] = field.values > 0
        yield list(points), mask, seconds
        wrong = next_click(mask, truth, spacing)
        if len(points) == count or wrong is None:
            return
        points.append(wrong)


def confidence_connected(volume: Volume, points: Points) -> np.ndarray:
    image = sitk.GetImageFromArray(np.ascontiguousarray(volume.array.T.astype(np.float32)))
    image = sitk.CurvatureFlow(image, timeStep=0.0625, numberOfIterations=5)
    seeds = [p for p, inside in points if inside]
    grown = sitk.ConfidenceConnected(
        image, seedList=seeds, numberOfIterations=2, multiplier=2.5, initialNeighborhoodRadius=2
    )
    mask = sitk.GetArrayFromImage(sitk.BinaryMorphologicalClosing(grown, [1, 1, 1])).T > 0
    for p, inside in points:
        if not inside:
            mask[_near(volume, p)] = False
    return np.asarray(mask)


def random_walker(volume: Volume, points: Points) -> np.ndarray:
    from skimage.segmentation import random_walker as walk

    spacing = np.asarray(volume.geometry.spacing_mm)
    array = volume.array.astype(np.float32)
    at = np.array([p for p, _ in points])
    low = np.maximum(0, at.min(axis=0) - np.ceil(60 / spacing).astype(int))
    high = np.minimum(array.shape, at.max(axis=0) + np.ceil(60 / spacing).astype(int) + 1)
    block = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    seeds = np.zeros(array.shape, np.uint8)
    border = np.ones([b - a for a, b in zip(low, high, strict=True)], bool)
    border[1:-1, 1:-1, 1:-1] = False
    seeds[block][border] = 2
    for p, inside in points:
        seeds[_near(volume, p)] = 1 if inside else 2
    data = array[block] / max(float(array[block].std()), 1e-6)
    mask = np.zeros(array.shape, bool)
    mask[block] = walk(data, seeds[block], beta=130, mode="cg_j", tol=1e-3, spacing=spacing) == 1
    return mask


def _near(volume: Volume, point: tuple[int, int, int]) -> np.ndarray:
    axes = np.ogrid[tuple(slice(0, n) for n in volume.geometry.shape)]
    square = sum(
        ((a - p) * s) ** 2 for a, p, s in zip(axes, point, volume.geometry.spacing_mm, strict=True)
    )
    return np.asarray(square < RADIUS_MM**2)


def cases(folder: Path, names: list[str]) -> Iterator[tuple[str, Volume, np.ndarray]]:
    for name in names:
        for path in sorted((folder / name).glob("*_image.nii.gz")):
            kind = path.name.removesuffix("_image.nii.gz")
            truth, _ = nifti.read_labels(path.with_name(f"{kind}_mask.nii.gz"))
            yield f"{name} {kind}", nifti.read_volume(path), truth > 0


def report(name: str, volume: Volume, truth: np.ndarray) -> None:
    others: dict[str, Callable[[Volume, Points], np.ndarray]] = {
        "ConfidenceConnected": confidence_connected,
        "random walker": random_walker,
    }
    seconds = []
    for points, mask, taken in ours(volume, truth, max(COUNTS)):
        seconds.append(taken)
        if len(points) not in COUNTS:
            continue
        found = {"medrecon": mask} | {n: f(volume, points) for n, f in others.items()}
        row = []
        for who, m in found.items():
            change = np.count_nonzero(m) / np.count_nonzero(truth) - 1
            row.append(f"{who} {dice(m, truth):.3f} ({change:+.0%})")
        print(f"{name:<18} {len(points):>2} clicks  " + "  ".join(row), flush=True)
    print(f"{name:<18} seconds a click: median {np.median(seconds):.2f}, most {max(seconds):.2f}")


def phantom() -> tuple[Volume, np.ndarray]:
    """256³ of 1 mm: a lump of two balls beside muscle of the same values, in fat."""
    i, j, k = np.ogrid[:256, :256, :256]

    def ball(x: float, y: float, z: float, r: float) -> np.ndarray:
        return np.asarray((i - x) ** 2 + (j - y) ** 2 + (k - z) ** 2 < r * r)

    truth = ball(120, 130, 128, 38) | ball(150, 118, 140, 26)
    values = np.full((256, 256, 256), 900, np.float32)
    values[ball(60, 130, 128, 45) | truth] = 300
    values += np.random.default_rng(0).normal(0, 30, values.shape).astype(np.float32)
    grid = Geometry((256, 256, 256), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    return Volume(np.asfortranarray(values), grid, Acquisition(Modality.MR)), truth


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", type=Path)
    options.add_argument("--cases", nargs="+", default=["STS_001", "STS_005"])
    options.add_argument("--phantom", action="store_true")
    chosen = options.parse_args()
    if chosen.phantom:
        report("phantom 256³", *phantom())
        return
    folder = chosen.data or Path(os.environ["MEDRECON_DATA"]) / "ct_mr_sarcoma"
    for name, volume, truth in cases(folder, chosen.cases):
        report(name, volume, truth)


if __name__ == "__main__":
    main()
