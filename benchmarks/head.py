"""The head model on maps it never saw, on real scans, and on skulls with a hole.

    MEDRECON_DATA=… python benchmarks/head.py [--model DIR] [--contrasts N] [--pictures DIR]
    MEDRECON_DATA=… python benchmarks/head.py --maps 1 5 19 --clean --skip-real

Synthetic images of maps 19 and 20 are judged on the network's own grid of 2.5 mm.
"""

from __future__ import annotations

import argparse
import os
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import binary_dilation, binary_erosion
from scipy.spatial import cKDTree

from medrecon.core import (
    Acquisition,
    Geometry,
    HuStatus,
    Modality,
    SoftField,
    Volume,
    label,
)
from medrecon.errors import MedreconError, ModelUntrustedError
from medrecon.files import nifti
from medrecon.models.intensity import Intensity, normalise
from medrecon.models.networks import build_network
from medrecon.models.store import InstalledModel, find, load_weights
from medrecon.options import LoadOptions
from medrecon.quality.overlap import dice
from medrecon.recorder import Recorder, silent
from medrecon.segmentation.ellipsoid import Ellipsoid, places_mm
from medrecon.segmentation.flips import Flip, Flipped
from medrecon.segmentation.head_check import MIDDLE, require_head
from medrecon.segmentation.refine import refine
from medrecon.segmentation.tissues import TissueSegmenter
from medrecon.segmentation.unet import UnetSegmenter
from medrecon.surface.extract import extract_surface
from medrecon.train import head_recipe, head_samples, head_template
from medrecon.train.artefacts import Artefacts
from medrecon.train.head import HEAD_SPACING_MM, HEAD_SYNTHESIS, VALIDATION_SEEDS
from medrecon.train.head_maps import BONE, CHANNEL, HEAD_LABELS
from medrecon.train.pairs import Case
from medrecon.train.samples import Sample
from medrecon.train.synthetic import Synthesis, Template, synthesise
from medrecon.train.templates import read_maps
from medrecon.train.validate import logits_of

MAP = "training_seg_{}.nii.gz"

COLOURS = np.array(
    [
        (0, 0, 0),
        (200, 150, 120),
        (255, 255, 255),
        (230, 120, 120),
        (60, 120, 255),
        (0, 220, 0),
        (0, 220, 220),
    ]
)

SEEN = 1.0
"""Contrast over noise from which ventricles are taken to stand out."""

# Scans of trunks and legs: none shows a head.
NO_HEADS = (
    ("totalseg_examples/example_ct.nii.gz", Modality.CT),
    ("totalseg_examples/example_ct_sm.nii.gz", Modality.CT),
    ("totalseg_examples/example_mr_sm.nii.gz", Modality.MR),
    ("ct_mr_sarcoma/STS_001/CT_image.nii.gz", Modality.CT),
    ("ct_mr_sarcoma/STS_001/MR_T1_image.nii.gz", Modality.MR),
    ("ct_mr_sarcoma/STS_005/CT_image.nii.gz", Modality.CT),
    ("ct_mr_sarcoma/STS_005/MR_T1_image.nii.gz", Modality.MR),
)


# The same heads and brightnesses, hardly blurred, noisy or uneven, no thick slices, no table.
CLEAN = replace(
    HEAD_SYNTHESIS,
    artefacts=Artefacts(blur_voxels=0.3, thick=0, bias=0.1, gamma=0.1, noise=0.01, table=0),
)


def synthetic(
    network,
    intensity: Intensity,
    template: Template,
    seeds: list[tuple[int, int]],
    how: Synthesis = HEAD_SYNTHESIS,
) -> list[dict[str, float]]:
    rows = []
    for seed in seeds:
        made = synthesise([template], HEAD_SPACING_MM, how, seed)
        sample = Sample(normalise(made.image, intensity), made.target)
        found = logits_of(network, sample, head_recipe(), torch.device("cpu")).argmax(axis=0)
        scores = {x: dice(found == c, made.target == c) for x, c in CHANNEL.items()}
        rows.append({x: s for x, s in scores.items() if s is not None})
        # All labels together end at the skin, inside and at the scan's end alike.
        whole = dice(found > 0, made.target > 0)
        if whole is not None:
            rows[-1]["whole head"] = whole
        rows[-1]["contrast"] = contrast_of(sample, CHANNEL["ventricles"])
    return rows


def contrast_of(sample: Sample, channel: int) -> float:
    """Difference of the means on both sides of a label's border, in noise: under 2 it is unseen."""
    mask = sample.target == channel
    inside = mask & ~binary_erosion(mask)
    outside = binary_dilation(mask, iterations=2) & ~binary_dilation(mask)
    if not (inside.any() and outside.any()):
        return 0.0
    one, other = sample.image[inside], sample.image[outside]
    return float(abs(one.mean() - other.mean()) / np.sqrt((one.var() + other.var()) / 2 + 1e-12))


def report(name: str, rows: list[dict[str, float]]) -> None:
    cells = []
    for column in (*HEAD_LABELS, "whole head"):
        values = [row[column] for row in rows if column in row]
        cells.append(f"{np.mean(values):.3f} ({np.min(values):.2f})" if values else "-")
    print(f"{name:28}", *(f"{c:>14}" for c in cells))
    seen = [r["ventricles"] for r in rows if "ventricles" in r and r["contrast"] >= SEEN]
    unseen = [r["ventricles"] for r in rows if "ventricles" in r and r["contrast"] < SEEN]
    for words, some in (("stand out", seen), ("do not", unseen)):
        if some:
            print(f"  ventricles where they {words} ({len(some)} images): {np.mean(some):.3f}")


def with_hole(template: Template) -> Template:
    """A craniectomy: a ball of 30 mm of bone missing at the left side of the vault."""
    bone = np.isin(template.tissue, BONE)
    index = np.argwhere(bone)
    size = np.array(template.tissue.shape)
    middle = index[np.argmin(np.abs(index - size * (0.98, 0.5, 0.75)).sum(axis=1))]
    near = np.linalg.norm((np.indices(size).T - middle).T.reshape(3, -1), axis=0) < 30
    hole = bone & near.reshape(template.tissue.shape)
    tissue, target = template.tissue.copy(), template.target.copy()
    tissue[hole], target[hole] = 15, CHANNEL["soft_tissue"]
    return Template(tissue, target, template.spacing_mm)


def refused_heads(network, data: Path, images: int) -> None:
    """How many heads of the curve's maps `head_check` takes for none, and why."""
    maps = [Case(p.name, p) for p in (data / "labelmaps_head" / MAP.format(n) for n in (17, 18))]
    templates = [head_template(read_maps([case])[0]) for case in maps]
    make = head_samples(templates, templates, HEAD_SPACING_MM)
    refused = 0
    for n in range(images):
        sample = make(VALIDATION_SEEDS.start + n)
        channels = logits_of(network, sample, head_recipe(), torch.device("cpu")).argmax(axis=0)
        grid = Geometry(channels.shape, (HEAD_SPACING_MM,) * 3, (0.0, 0.0, 0.0))
        fields = [
            SoftField(label(x), np.where(channels == c, 1, -1).astype(np.float32), grid)
            for x, c in CHANNEL.items()
        ]
        try:
            require_head(fields)
        except ModelUntrustedError as error:
            refused += 1
            print(f"maps 17 and 18, image {n + 1}: {error}")
    print(f"maps 17 and 18: {refused} of {images} heads refused")


def craniectomy(network, intensity: Intensity, template: Template, contrasts: int) -> None:
    """What the network says where the bone was taken away."""
    cut = with_hole(template)
    shares = []
    for n in range(contrasts):
        whole = synthesise([template], HEAD_SPACING_MM, HEAD_SYNTHESIS, (91, n))
        open_ = synthesise([cut], HEAD_SPACING_MM, HEAD_SYNTHESIS, (91, n))
        if whole.target.shape != open_.target.shape:
            continue
        hole = (whole.target == CHANNEL["skull"]) & (open_.target != CHANNEL["skull"])
        if not hole.any():
            continue
        sample = Sample(normalise(open_.image, intensity), open_.target)
        found = logits_of(network, sample, head_recipe(), torch.device("cpu")).argmax(axis=0)
        shares.append(float((found[hole] == CHANNEL["skull"]).mean()))
    mean = np.mean(shares)
    print(f"craniectomy of 60 mm: {mean:.0%} of the hole called skull ({len(shares)} images)")


def real_scan(name: str, volume: Volume, model: InstalledModel, pictures: Path | None) -> None:
    try:
        found = UnetSegmenter(model, "cpu", force=True).segment(volume)
    except MedreconError as error:
        print(f"{name}: {error}")
        return
    ml = {f.label.name: volume_of(f) for f in found.fields}
    print(f"{name}:", ", ".join(f"{x} {v:.0f} mL" for x, v in ml.items()))
    print(f"{name}: intracranial {ml.get('brain', 0) + ml.get('ventricles', 0):.0f} mL")
    parts = {f.label.name: f for f in found.fields}
    if {"brain", "ventricles"} <= set(parts):
        shape = Ellipsoid.of([parts["brain"], parts["ventricles"]])
        central = (shape.radius(places_mm(parts["ventricles"])) < MIDDLE).mean()
        print(
            f"{name}: the brain fills {shape.share_filled:.0%} of its ellipsoid, "
            f"{central:.0%} of the ventricles lie in its middle"
        )
    try:
        require_head(found.fields)
        print(f"{name}: taken for a head")
    except ModelUntrustedError as error:
        print(f"{name}: refused: {error}")
    if pictures is not None:
        draw(volume, found.fields, pictures / f"{name}.png")
    skull = [f for f in found.fields if f.label.name == "skull"]
    if volume.acquisition.modality is Modality.CT and skull:
        bone = refine(TissueSegmenter(["bone"]).segment(volume), volume).fields[0]
        mine, theirs = (extract_surface(f).vertices_mm for f in (skull[0], bone))
        d = cKDTree(theirs).query(mine[::7])[0]
        print(f"{name}: skull to half-maximum bone {np.median(d):.2f} (median), {d.mean():.2f} mm")


def volume_of(field) -> float:
    return float(np.count_nonzero(field.values > 0) * field.grid.voxel_volume_mm3 / 1000)


def draw(volume: Volume, fields, path: Path) -> None:
    """Three slices, the image and what was found in it, at most 300 pixels each."""
    found = np.zeros(volume.geometry.shape, np.uint8)
    for f in fields:
        found[f.slices][f.values > 0] = CHANNEL[f.label.name]
    low, high = np.percentile(volume.array, (0.5, 99.5))
    panels = []
    for axis, share in ((0, 0.5), (1, 0.5), (2, 0.6)):
        n = int(volume.geometry.shape[axis] * share)
        image, labels = volume.array.take(n, axis).T[::-1], found.take(n, axis).T[::-1]
        across, down = (s for a, s in enumerate(volume.geometry.spacing_mm) if a != axis)
        size = (round(image.shape[0] * down), round(image.shape[1] * across))
        rows, columns = (
            np.linspace(0, n - 1, m).round().astype(int)
            for n, m in zip(image.shape, size, strict=True)
        )
        grey = np.clip((image[np.ix_(rows, columns)] - low) / (high - low), 0, 1) * 255
        colour = COLOURS[labels[np.ix_(rows, columns)]]
        plain = np.repeat(grey[..., None], 3, axis=2)
        mixed = np.where(colour.any(axis=2, keepdims=True), 0.55 * plain + 0.45 * colour, plain)
        panels.append(np.concatenate([plain, mixed], axis=0))
    height = max(p.shape[0] for p in panels)
    padded = [np.pad(p, ((0, height - p.shape[0]), (0, 4), (0, 0))) for p in panels]
    write_png(np.concatenate(padded, axis=1).astype(np.uint8), path)


def write_png(rgb: np.ndarray, path: Path) -> None:
    """PNG (ISO/IEC 15948) by hand: no library of pictures is needed for it."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    height, width, _ = rgb.shape
    raw = b"".join(b"\0" + row.tobytes() for row in rgb)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw, 9)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="head")
    parser.add_argument("--contrasts", type=int, default=20)
    parser.add_argument("--maps", type=int, nargs="+", default=[19, 20])
    parser.add_argument("--clean", action="store_true", help="images that show all there is")
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--skip-real", action="store_true")
    parser.add_argument("--only-refusals", action="store_true", help="scans without a head alone")
    parser.add_argument("--tta", action="store_true", help="mean with the mirror image")
    given = parser.parse_args()
    data, model = Path(os.environ["MEDRECON_DATA"]), find(given.model)
    if given.only_refusals:
        refusals(data, model)
        return
    network = build_network(model.manifest.network, load_weights(model))
    if given.tta:
        network = Flipped(network, (Flip((0,)),))
    columns = (*HEAD_LABELS, "whole head")
    print(f"{'map':28}", *(f"{x:>14}" for x in columns), "  mean (worst) Dice")
    for number in given.maps:
        path = data / "labelmaps_head" / MAP.format(f"{number:02}")
        template = head_template(read_maps([Case(path.name, path)])[0])
        seeds = [(number, n) for n in range(given.contrasts)]
        how = CLEAN if given.clean else HEAD_SYNTHESIS
        report(
            f"map {number}, {given.contrasts} contrasts",
            synthetic(network, model.manifest.intensity, template, seeds, how),
        )
        if number == 19 and not given.clean:
            craniectomy(network, model.manifest.intensity, template, max(3, given.contrasts // 2))
    if given.skip_real:
        return
    refused_heads(network, data, given.contrasts)
    mr = Acquisition(Modality.MR, HuStatus.NOT_CT, "a template")
    template = nifti.read_volume(data / "mr_head_template" / "spm152.nii.gz", acquisition=mr)
    real_scan("template", template, model, given.pictures)
    from medrecon.loading import load_volume

    for name, place in (
        ("ge_tilt", "dicom/dcm_qa_ct_GE_tilt18.5"),
        ("chest", "ct_chest_lidc/ct_chest_lidc_0314.zip"),
    ):
        scan = load_volume(data / place, LoadOptions(fill_gaps=True), Recorder(silent))
        real_scan(name, scan, model, given.pictures)
    refusals(data, model)


def refusals(data: Path, model: InstalledModel) -> None:
    """How many scans without a head are told from one."""
    refused = [is_refused(data / place, modality, model) for place, modality in NO_HEADS]
    print(f"refused: {sum(refused)} of {len(refused)} further scans without a head")


def is_refused(path: Path, modality: Modality, model: InstalledModel) -> bool:
    from medrecon.loading import load_volume

    scan = load_volume(path, LoadOptions(modality=modality), Recorder(silent))
    # Forced, a model is not asked whether it fits: only whether a head is shown counts here.
    found = UnetSegmenter(model, "cpu", force=True).segment(scan)
    try:
        require_head(found.fields)
    except ModelUntrustedError as error:
        print(f"{path.parent.name}/{path.name}: {error}")
        return True
    print(f"{path.parent.name}/{path.name}: taken for a head")
    return False


if __name__ == "__main__":
    main()
