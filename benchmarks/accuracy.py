"""Mean distance of medrecon's surfaces to analytic truth, in voxels, in both directions.

    python benchmarks/accuracy.py             everything, some minutes
    python benchmarks/accuracy.py mask torus  the lines whose names hold one of these words

Each line is the mean over five random sub-voxel offsets. "there" is the distance of
points on the mesh to the shape, "back" that of points on the shape to the mesh, "bias"
the signed mean (outward +), "volume" the mesh's against the formula. A line with a limit
ends with "ok" or "MISSED"; the command fails if one is missed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from analytic import Errors, Placed, Shape, ball, errors, place, screw, shell, torus

from medrecon.core import (
    Acquisition,
    Geometry,
    HuStatus,
    Label,
    LabelMap,
    Mesh,
    Modality,
    Segmentation,
    SoftField,
    Volume,
    away_from_zero,
)
from medrecon.models.manifest import Components, Head, ModelLabel
from medrecon.segmentation.curvature import without_blur_shift
from medrecon.segmentation.logits import LogitMap, fields_from_logits
from medrecon.segmentation.refine import TISSUE, refine
from medrecon.segmentation.stores import AllLogits
from medrecon.surface.extract import extract_surface
from medrecon.surface.from_labels import fields_from_labels
from medrecon.surface.upsample import finest
from medrecon.surface.validity import judge

OFFSETS = 5
PSFS = (0.5, 0.8, 1.2)
NOISES = (0.0, 0.03)
Rng = np.random.Generator
Maker = Callable[[Placed, Rng], Mesh]


@dataclass(frozen=True)
class Line:
    """One figure: what is made into a mesh, how, and how good it must be."""

    name: str
    shape: Shape
    make: Maker
    limit: float | None = None
    bias: float | None = None
    volume: float | None = None
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)


def field_of(values: np.ndarray, grid: Geometry, name: str = "kidney_left") -> SoftField:
    return SoftField(Label(1, name), away_from_zero(values.astype(np.float32)), grid)


def mesh_of(field: SoftField) -> Mesh:
    """As the road makes it: on finer voxels where the structure is thin."""
    return finest(field, extract_surface(field)).mesh


def ct(seen: np.ndarray, grid: Geometry, inside: float, outside: float) -> Volume:
    hu = np.rint(outside + (inside - outside) * seen).astype(np.int16)
    return Volume(hu, grid, Acquisition(Modality.CT, HuStatus.VERIFIED))


def scanned(psf: float, noise: float, *, corrected: bool = True) -> Maker:
    """An image whose level is known, half way."""

    def make(placed: Placed, rng: Rng) -> Mesh:
        field = field_of(placed.seen(psf, noise, rng) - 0.5, placed.grid)
        return mesh_of(without_blur_shift(field, 1.0)[0] if corrected else field)

    return make


def from_coarse_network(psf: float, noise: float) -> Maker:
    """A network half a voxel too large, its boundary placed by the image's own levels."""

    def make(placed: Placed, rng: Rng) -> Mesh:
        rough = field_of(placed.depth() + 0.5, placed.grid)
        image = ct(placed.seen(psf, noise, rng), placed.grid, 150, -50)
        found = Segmentation(placed.grid, (rough,), "coarse network")
        return mesh_of(refine(found, image).fields[0])

    return make


def bone(psf: float, noise: float) -> Maker:
    """A dense bone by the fixed threshold of 226 HU, its boundary placed as bone's."""

    def make(placed: Placed, rng: Rng) -> Mesh:
        image = ct(placed.seen(psf, noise, rng), placed.grid, 1200, 40)
        rough = SoftField(Label(2, "bone"), 2 * (image.array - np.int16(226)) + 1, placed.grid)
        found = Segmentation(placed.grid, (rough,), TISSUE)
        return mesh_of(refine(found, image).fields[0])

    return make


def ideal_logit(placed: Placed, rng: Rng) -> Mesh:
    return mesh_of(field_of(placed.depth(), placed.grid))


def plain_logit(placed: Placed, rng: Rng) -> Mesh:
    return extract_surface(field_of(placed.depth(), placed.grid))


def thick_slices(placed: Placed, rng: Rng) -> Mesh:
    """Logits on slices three voxels apart, brought to an image of cubes."""
    logits = np.stack([np.zeros(placed.grid.shape), placed.depth()]).astype(np.float32)
    i, j, k = placed.grid.shape
    affine = placed.grid.affine_lps
    affine[2, 2], affine[2, 3] = 1.0, -1.0
    cubes = Geometry.from_affine(affine, (i, j, 3 * k))
    label = ModelLabel(1, Label(1, "liver"), Components.LARGEST)
    store = LogitMap(AllLogits(logits), placed.grid, Head.SOFTMAX)
    (field,), _ = fields_from_logits(store, cubes, [label])
    return mesh_of(field)


def mask_alone(placed: Placed, rng: Rng) -> Mesh:
    labels = LabelMap(placed.mask().astype(np.uint8), placed.grid, (Label(1, "mask"),))
    (field,) = fields_from_labels(labels)
    return mesh_of(field)


@cache
def network():
    from tiny_net import trained

    return trained()


def trained_logit(placed: Placed, rng: Rng) -> Mesh:
    from tiny_net import logit

    return mesh_of(field_of(logit(network(), placed, 0.7, rng), placed.grid))


def trained_argmax(placed: Placed, rng: Rng) -> Mesh:
    from tiny_net import logit

    inside = logit(network(), placed, 0.7, rng) > 0
    return extract_surface(field_of(np.where(inside, 1.0, -1.0), placed.grid))


def lines() -> Iterator[Line]:
    for psf in PSFS:
        for noise in NOISES:
            how = f"PSF {psf}, noise {noise:.0%}"
            yield Line(f"scanned ball R20, {how}", ball(20), scanned(psf, noise), limit=0.035)
    for psf in PSFS:
        how = f"PSF {psf}, noise 3%"
        yield Line(
            f"  the same, blur left in, {how}", ball(20), scanned(psf, 0.03, corrected=False)
        )
    for shape in (ball(20), ball(5), torus()):
        for psf in PSFS:
            how = f"PSF {psf}, noise 3%"
            yield Line(
                f"scanned {shape.name}, coarse network, {how}",
                shape,
                from_coarse_network(psf, 0.03),
            )
    for psf in PSFS:
        for noise in NOISES:
            yield Line(
                f"bone R20 by half-maximum, PSF {psf}, noise {noise:.0%}",
                ball(20),
                bone(psf, noise),
                limit=0.08,
                bias=0.06,
            )
    yield Line("torus r4, ideal logit, not upsampled", torus(), plain_logit)
    yield Line("torus r4, ideal logit", torus(), ideal_logit, limit=0.01)
    yield Line("screw, ideal logit, not upsampled", screw(), plain_logit)
    yield Line("screw, ideal logit", screw(), ideal_logit, limit=0.03)
    for shape in (ball(20), torus(), screw()):
        yield Line(f"{shape.name}, trained net's logit", shape, trained_logit)
        yield Line(f"{shape.name}, the same net's argmax", shape, trained_argmax)
    for shape in (ball(20), torus()):
        yield Line(
            f"{shape.name}, logits on 3x thick slices", shape, thick_slices, 0.08, spacing=(1, 1, 3)
        )
    yield Line("ball R20, binary mask alone", ball(20), mask_alone, limit=0.10, volume=0.005)
    yield Line("ball R5, binary mask alone", ball(5), mask_alone, limit=0.10, volume=0.02)
    yield Line("torus r4, binary mask alone", torus(), mask_alone, limit=0.10)
    yield Line(
        "ball R20, mask in 3x thick slices", ball(20), mask_alone, limit=0.10, spacing=(1, 1, 3)
    )


def measured(line: Line, offsets: int = OFFSETS) -> Errors:
    """The line's mean over so many offsets; its volume is the mean of absolute errors."""
    rows = []
    for seed in range(offsets):
        rng = np.random.default_rng(seed)
        placed = place(line.shape, rng, line.spacing)
        rows.append(errors(line.make(placed, rng), placed))
    there, back, bias = (float(np.mean([getattr(r, n) for r in rows])) for n in FIGURES)
    return Errors(there, back, bias, float(np.mean([abs(r.volume) for r in rows])))


FIGURES = ("there", "back", "bias")


def holds(line: Line, found: Errors) -> bool:
    """Whether all of the line's limits are kept."""
    return (
        (line.limit is None or found.mean <= line.limit)
        and (line.bias is None or abs(found.bias) <= line.bias)
        and (line.volume is None or found.volume <= line.volume)
    )


def thin_shell(psf: float, seed: int) -> bool:
    """Whether a wall of 1.5 voxels comes out as two surfaces, one in the other."""
    rng = np.random.default_rng(seed)
    placed = place(shell(), rng)
    found = judge(mesh_of(field_of(placed.seen(psf, 0.03, rng) - 0.5, placed.grid)))
    return found.valid and (found.components, found.cavities, found.euler) == (2, 1, 4)


def main() -> int:
    words = sys.argv[1:]
    missed = 0
    for line in lines():
        if words and not any(word in line.name for word in words):
            continue
        found = measured(line)
        ok = holds(line, found)
        missed += not ok
        limit = "" if line.limit is None else f"limit {line.limit} " + ("ok" if ok else "MISSED")
        print(
            f"{line.name:45s} there {found.there:.4f} back {found.back:.4f} bias {found.bias:+.4f} "
            f"volume {found.volume:.2%}  {limit}",
            flush=True,
        )
    if not words or "shell" in words:
        for psf in (0.5, 0.8):
            right = sum(thin_shell(psf, seed) for seed in range(OFFSETS))
            print(f"shell of 1.5 voxels, PSF {psf}, noise 3%: right topology {right} of {OFFSETS}")
            missed += right < OFFSETS and psf == 0.5
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
