"""Guided segmentation by a simulated user, beside region growing and a random walker.

MEDRECON_DATA=… python benchmarks/grow.py [--data FOLDER] [--cases STS_001 …] [--alone]
python benchmarks/grow.py --phantom        seconds a click on 256³
python benchmarks/grow.py --phantoms 8     Dice on `grow_phantoms.py` and `grow_limbs.py`

The first click is the deepest point inside the truth; each further one the deepest point
of the largest connected error of medrecon's own result. The others are given the same
clicks: SimpleITK's ConfidenceConnected from the clicks inside, clicks outside removed
with their neighbourhood; scikit-image's random walker on the box around medrecon's
result, 15 mm wider, its border as background, each click as a ball of half the depth of the
error that it points at. A case is a folder with NAME_image.nii.gz and NAME_mask.nii.gz.

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
from grow_limbs import CT, MR, limb
from grow_phantoms import KINDS, phantoms
from scipy.ndimage import distance_transform_edt, find_objects, label

from medrecon.core import Acquisition, Geometry, Label, Modality, Volume
from medrecon.files import nifti
from medrecon.segmentation.guided import Click, Guided

COUNTS = (1, 3, 5, 10)
# Where, whether inside, and the radius in mm of the ball that it stands for.
Point = tuple[tuple[int, int, int], bool, float]
Points = list[Point]
RADIUS_MM = 4.0
MARGIN_MM = 15.0


def deepest(mask: np.ndarray, spacing: tuple[float, ...]) -> tuple[tuple[int, int, int], float]:
    """The voxel that lies deepest, and how deep in mm."""
    block = find_objects(mask.astype(np.uint8))[0]
    depth = distance_transform_edt(np.pad(mask[block], 1), sampling=spacing)
    place = np.unravel_index(depth.argmax(), depth.shape)
    i, j, k = (int(n) - 1 + s.start for n, s in zip(place, block, strict=True))
    return (i, j, k), float(depth.max())


def click(mask: np.ndarray, spacing: tuple[float, ...], inside: bool) -> Point:
    """The click that a user makes for a part that is to be added or removed."""
    index, depth = deepest(mask, spacing)
    return index, inside, max(RADIUS_MM, depth / 2)


def next_click(found: np.ndarray, truth: np.ndarray, spacing: tuple[float, ...]) -> Point | None:
    """The deepest point of the largest connected error, and on which side it is."""
    best, size = None, 0
    for inside, wrong in ((True, truth & ~found), (False, found & ~truth)):
        pieces, _ = label(wrong)
        counts = np.bincount(pieces.ravel())[1:]
        if len(counts) and counts.max() > size:
            size = int(counts.max())
            best = (pieces == counts.argmax() + 1, inside)
    return None if best is None else click(best[0], spacing, best[1])


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * np.count_nonzero(a & b) / max(1, np.count_nonzero(a) + np.count_nonzero(b))


def ours(
    volume: Volume, truth: np.ndarray, count: int
) -> Iterator[tuple[Points, np.ndarray, float, float]]:
    """Clicks so far, the mask, the last click's seconds and its processor time."""
    spacing = volume.geometry.spacing_mm
    session = Guided(volume, Label(1, "tumor"))
    points = [click(truth, spacing, True)]
    while True:
        index, inside, _ = points[-1]
        x, y, z = volume.geometry.mm_from_index([index])[0]
        begun, cpu_begun = time.perf_counter(), time.process_time()
        field = session.add(Click((x, y, z), inside))
        seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu_begun
        mask = np.zeros(truth.shape, bool)
        mask[field.slices] = field.values > 0
        yield list(points), mask, seconds, cpu
        wrong = next_click(mask, truth, spacing)
        if len(points) == count or wrong is None:
            return
        points.append(wrong)


def confidence_connected(volume: Volume, points: Points, ours: np.ndarray) -> np.ndarray:
    image = sitk.GetImageFromArray(np.ascontiguousarray(volume.array.T.astype(np.float32)))
    image = sitk.CurvatureFlow(image, timeStep=0.0625, numberOfIterations=5)
    seeds = [p for p, inside, _ in points if inside]
    grown = sitk.ConfidenceConnected(
        image, seedList=seeds, numberOfIterations=2, multiplier=2.5, initialNeighborhoodRadius=2
    )
    mask = sitk.GetArrayFromImage(sitk.BinaryMorphologicalClosing(grown, [1, 1, 1])).T > 0
    for p, inside, radius in points:
        if not inside:
            mask[_near(volume, p, radius)] = False
    return np.asarray(mask)


def random_walker(volume: Volume, points: Points, ours: np.ndarray) -> np.ndarray:
    from skimage.segmentation import random_walker as walk

    spacing = np.asarray(volume.geometry.spacing_mm)
    array = volume.array.astype(np.float32)
    at = np.concatenate([np.argwhere(ours), [p for p, _, _ in points]])
    margin = np.ceil(MARGIN_MM / spacing).astype(int)
    low = np.maximum(0, at.min(axis=0) - margin)
    high = np.minimum(array.shape, at.max(axis=0) + margin + 1)
    block = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    seeds = np.zeros(array.shape, np.uint8)
    border = np.ones([b - a for a, b in zip(low, high, strict=True)], bool)
    border[1:-1, 1:-1, 1:-1] = False
    seeds[block][border] = 2
    for p, inside, radius in points:
        seeds[_near(volume, p, radius)] = 1 if inside else 2
    data = array[block] / max(float(array[block].std()), 1e-6)
    mask = np.zeros(array.shape, bool)
    mask[block] = walk(data, seeds[block], beta=130, mode="cg_j", tol=1e-3, spacing=spacing) == 1
    return mask


def _near(volume: Volume, point: tuple[int, int, int], radius_mm: float) -> np.ndarray:
    axes = np.ogrid[tuple(slice(0, n) for n in volume.geometry.shape)]
    square = sum(
        ((a - p) * s) ** 2 for a, p, s in zip(axes, point, volume.geometry.spacing_mm, strict=True)
    )
    return np.asarray(square < radius_mm**2)


def cases(folder: Path, names: list[str]) -> Iterator[tuple[str, Volume, np.ndarray]]:
    for name in names:
        for path in sorted((folder / name).glob("*_image.nii.gz")):
            kind = path.name.removesuffix("_image.nii.gz")
            truth, _ = nifti.read_labels(path.with_name(f"{kind}_mask.nii.gz"))
            yield f"{name} {kind}", nifti.read_volume(path), truth > 0


def report(name: str, volume: Volume, truth: np.ndarray, *, alone: bool = False) -> None:
    others: dict[str, Callable[[Volume, Points, np.ndarray], np.ndarray]] = {
        "ConfidenceConnected": confidence_connected,
        "random walker": random_walker,
    }
    if alone:
        others = {}
    seconds = []
    for points, mask, taken, _ in ours(volume, truth, max(COUNTS)):
        seconds.append(taken)
        if len(points) not in COUNTS:
            continue
        found = {"medrecon": mask} | {n: f(volume, points, mask) for n, f in others.items()}
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


def seconds_a_click() -> None:
    """Of the process's first session."""
    volume, truth = phantom()
    rows = []
    for points, mask, taken, cpu in ours(volume, truth, max(COUNTS)):
        rows.append((len(points), dice(mask, truth), taken, cpu))
        words = f"{taken:.2f} s, {cpu:.2f} s of them processor time, Dice {rows[-1][1]:.3f}"
        print(f"phantom 256³ click {len(points):>2}: {words}", flush=True)
    for what, column in (("seconds", 2), ("processor seconds", 3)):
        every = [row[column] for row in rows]
        print(f"{what} a click: median {np.median(every):.2f}, most {max(every):.2f}")


def lumps(count: int) -> Iterator[tuple[str, list[tuple[Volume, np.ndarray]]]]:
    """Each kind of phantom, one kind at a time."""
    for kind in KINDS:
        yield kind, [(volume, truth) for _, volume, truth in phantoms(count, kind)]
    for name, values in (("limb CT", CT), ("limb MR", MR)):
        yield name, [limb(n, values) for n in range(count)]


def dice_on_phantoms(count: int) -> None:
    """Medians over lumps of each kind."""
    clicks = max(COUNTS)
    for kind, every in lumps(count):
        rows = []
        for volume, truth in every:
            found = [dice(mask, truth) for _, mask, _, _ in ours(volume, truth, clicks)]
            rows.append([*found, *[found[-1]] * (clicks - len(found))])
        middle, worst = np.median(rows, axis=0), np.min(rows, axis=0)
        told = ", ".join(f"{n} clicks {middle[n - 1]:.3f}" for n in COUNTS)
        print(f"{kind:<7} median of {count}: {told}; worst after 5 {worst[4]:.3f}", flush=True)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", type=Path)
    options.add_argument("--cases", nargs="+", default=["STS_001", "STS_005"])
    options.add_argument("--phantom", action="store_true")
    options.add_argument("--phantoms", type=int)
    options.add_argument("--alone", action="store_true", help="without the other methods")
    chosen = options.parse_args()
    if chosen.phantom:
        return seconds_a_click()
    if chosen.phantoms:
        return dice_on_phantoms(chosen.phantoms)
    folder = chosen.data or Path(os.environ["MEDRECON_DATA"]) / "ct_mr_sarcoma"
    for name, volume, truth in cases(folder, chosen.cases):
        report(name, volume, truth, alone=chosen.alone)


if __name__ == "__main__":
    main()
