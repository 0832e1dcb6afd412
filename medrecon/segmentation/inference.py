"""A network over a whole image: planned, run tile by tile, and answered when memory ends."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch

from medrecon.errors import ModelError, ResourceError
from medrecon.models.networks import finest
from medrecon.models.sampling import Blend, Sampling
from medrecon.segmentation.contract import Progress, Tell
from medrecon.segmentation.device import repeatable_inference
from medrecon.segmentation.stores import TOP, AllLogits, LogitStore, TopLogits
from medrecon.segmentation.tiles import HALF_SUMS_BYTES, Predictor, Shape, Tiling, run_tiles

FloatField = npt.NDArray[np.float32]

# Above this, only the largest logits of each voxel are kept. A constant and not a share
# of this machine's memory: the same image must give the same bytes everywhere.
ALL_LOGITS_BYTES = 3 << 29
GPU_BATCH = 4
# Networks halve their input up to five times; a tile's size must stay a multiple of this.
TILE_STEP = 32
# From this many tiles on, one more to learn how long they take costs little.
TILES_WORTH_TIMING = 16


@dataclass(frozen=True, slots=True)
class Plan:
    """How a network will be run over a grid.

    Parameters
    ----------
    grid : tuple of int
        Voxels of the network's grid, padded to at least one tile.
    tile : tuple of int
    overlap : float
    classes : int
    device : torch.device
    batch : int
        Tiles at a time.
    blend : Blend
        How tiles are spread and weighed.
    pad_edge : bool
        Whether a grid smaller than a tile is padded with its edge instead of zeros.
    sums_on_cpu : bool
        Whether the layer's sums are kept on the CPU.
    exclusive : bool
        Whether labels exclude one another, so that the largest logits are enough.
    exact : bool
        Whether to compute in float32 even where half precision pays.
    notes : tuple of str
        What had to be changed on the way, in order.
    """

    grid: Shape
    tile: Shape
    overlap: float
    classes: int
    device: torch.device
    batch: int
    blend: Blend = Blend.GAUSSIAN
    pad_edge: bool = False
    sums_on_cpu: bool = False
    exclusive: bool = True
    exact: bool = False
    notes: tuple[str, ...] = ()

    @property
    def tiling(self) -> Tiling:
        """The tiles."""
        return Tiling(self.grid, self.tile, self.overlap, self.blend)

    @property
    def keeps_all(self) -> bool:
        """Whether every logit is kept, or only the largest of each voxel."""
        return self.classes * math.prod(self.grid) * 4 <= ALL_LOGITS_BYTES

    @property
    def memory_bytes(self) -> int:
        """Bytes of the sums and of what is kept, without the network's own."""
        layer = math.prod(self.grid) // max(self.grid) * self.tile[self.tiling.axis]
        sums = 4 * layer * self.classes
        kept = (4 if self.keeps_all else 2) * self.classes
        if self.exclusive and not self.keeps_all:
            kept = 3 * min(TOP, self.classes)
        half = 2 if sums > HALF_SUMS_BYTES else 1
        return sums // half + 4 * layer + kept * math.prod(self.grid)

    def __str__(self) -> str:
        tile = "×".join(map(str, self.tile))
        size = f"{self.memory_bytes / 1e9:.1f} GB"
        return f"{self.tiling.count} tiles of {tile} on {self.device}, {size} for logits"


def plan_inference(
    shape: Shape,
    classes: int,
    sampling: Sampling,
    device: torch.device,
    *,
    exclusive: bool = True,
) -> Plan:
    """The plan for an image of that shape on the network's grid."""
    tile = shape if sampling.blend is Blend.WHOLE else sampling.patch
    i, j, k = (max(n, t) for n, t in zip(shape, tile, strict=True))
    batch = GPU_BATCH if device.type == "cuda" else 1
    return Plan(
        (i, j, k),
        tile,
        sampling.overlap,
        classes,
        device,
        batch,
        sampling.blend,
        sampling.pad_edge,
        exclusive=exclusive,
    )


def predict_logits(
    network: torch.nn.Module,
    image: FloatField,
    plan: Plan,
    *,
    progress: Progress | None = None,
    tell: Tell | None = None,
) -> tuple[LogitStore, Plan]:
    """Logits of every class on the image's grid, and the plan that was carried out.

    Tiles overlap and are averaged with Gaussian weights, so that a tile counts least
    where it sees least around a voxel. Out of memory is answered, step by step, with
    fewer tiles at a time, sums on the CPU and smaller tiles, each noted in the plan.

    Parameters
    ----------
    network : Module
        On any device; moved to the plan's.
    image : ndarray of float32, shape (channel, i, j, k)
        Normalised, on the model's grid. Padded with zeros to at least one tile; the
        result covers the image alone.
    plan : Plan
    progress : callable, optional
    tell : callable, optional
        Told the plan before the start, how long it takes, and every change of it.

    Raises
    ------
    ModelError
        If the network's result is not one volume of finite logits, or it cannot take the
        tiles that its manifest states.
    ResourceError
        If memory ends even with the smallest tiles.
    """
    network = network.to(plan.device, memory_format=torch.channels_last_3d)
    for attempt in _attempts(plan):
        plan = attempt
        try:
            if tell is not None:
                tell(_announced(network, image, plan))
            return _run(network, image, plan, progress), plan
        except (RuntimeError, MemoryError) as error:
            if is_out_of_memory(error):
                continue
            if isinstance(error, MemoryError):
                raise
            why = str(error).splitlines()[0] if str(error) else type(error).__name__
            tile = "×".join(map(str, plan.tile))
            raise ModelError(f"the network cannot take tiles of {tile} voxels: {why}") from error
    raise ResourceError(
        f"memory ended on {plan.device} even with tiles of {plan.tile} voxels "
        f"({plan.memory_bytes / 1e9:.1f} GB for logits alone); use --device cpu, a smaller "
        "--labels choice or a machine with more memory"
    )


def _announced(network: torch.nn.Module, image: FloatField, plan: Plan) -> str:
    """The plan in words, with the time that a first tile lets expect."""
    changes = "; ".join(plan.notes)
    words = f"{plan}; {changes}" if changes else str(plan)
    if plan.tiling.count < TILES_WORTH_TIMING:
        return words
    empty = torch.zeros((plan.batch, len(image), *plan.tile))
    with repeatable_inference(plan.device, exact=plan.exact):
        run = _counted(network, plan, None)
        if plan.device.type == "cuda":
            # The first call chooses kernels and reserves memory: it says nothing of the rest.
            run(empty).sum().item()
        begun = time.perf_counter()
        run(empty).sum().item()
    seconds = (time.perf_counter() - begun) * plan.tiling.count / plan.batch
    return f"{words}, about {_duration(seconds)}"


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception is PyTorch's or Python's way to say that memory ended."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    text = str(error).lower()
    return "can't allocate memory" in text or "not enough memory" in text


def _attempts(plan: Plan) -> Iterator[Plan]:
    """The plan, then ever more modest ones, each with a note on what changed."""
    yield plan
    if plan.batch > 1:
        plan = replace(plan, batch=1, notes=(*plan.notes, "out of memory: one tile at a time"))
        yield plan
    if plan.device.type != "cpu":
        notes = (*plan.notes, "out of memory: sums kept on the CPU")
        plan = replace(plan, sums_on_cpu=True, notes=notes)
        yield plan
    while (smaller := _smaller(plan.tile)) is not None:
        text = "out of memory: tiles of " + "×".join(map(str, smaller))
        plan = replace(plan, tile=smaller, notes=(*plan.notes, text))
        yield plan


def _smaller(tile: Shape) -> Shape | None:
    """The tile with its longest side halved, if a network can still take it."""
    axis = int(np.argmax(tile))
    half = tile[axis] // 2 // TILE_STEP * TILE_STEP
    if half < TILE_STEP:
        return None
    i, j, k = (half if n == axis else size for n, size in enumerate(tile))
    return i, j, k


def _run(
    network: torch.nn.Module, image: FloatField, plan: Plan, progress: Progress | None
) -> LogitStore:
    shape = (image.shape[1], image.shape[2], image.shape[3])
    before = [(g - n) // 2 for g, n in zip(plan.grid, shape, strict=True)]
    after = [g - n - b for g, n, b in zip(plan.grid, shape, before, strict=True)]
    margins = ((0, 0), *zip(before, after, strict=True))
    around = np.pad(image, margins, mode="edge") if plan.pad_edge else np.pad(image, margins)
    padded = torch.from_numpy(np.ascontiguousarray(around))
    store: LogitStore
    if plan.keeps_all or not plan.exclusive:
        store = AllLogits.empty(plan.classes, plan.grid, half=not plan.keeps_all)
    else:
        store = TopLogits.empty(plan.classes, plan.grid)
    sums = torch.device("cpu") if plan.sums_on_cpu else plan.device
    with repeatable_inference(plan.device, exact=plan.exact):
        predict = _counted(network, plan, progress)
        run_tiles(
            predict,
            padded,
            plan.tiling,
            store,
            batch=plan.batch,
            device=sums,
            exclusive=plan.exclusive,
        )
    i, j, k = (slice(b, b + n) for b, n in zip(before, shape, strict=True))
    return store.cut((i, j, k))


def _counted(network: torch.nn.Module, plan: Plan, progress: Progress | None) -> Predictor:
    done, total = 0, plan.tiling.count

    def run(tiles: torch.Tensor) -> torch.Tensor:
        nonlocal done
        given = tiles.to(plan.device).contiguous(memory_format=torch.channels_last_3d)
        logits = finest(network(given))
        _require_logits(logits, tiles, plan.classes)
        done += len(tiles)
        if progress is not None:
            progress(done / total)
        return logits

    return run


def _require_logits(logits: torch.Tensor, tiles: torch.Tensor, classes: int) -> None:
    expected = (len(tiles), classes, *tiles.shape[2:])
    if tuple(logits.shape) != expected:
        raise ModelError(f"the network returns {tuple(logits.shape)}; {expected} expected")
    # A sum is ten times faster than a look at each, and not finite if one of them is not.
    if not bool(torch.isfinite(logits.sum(dtype=torch.float32))):
        raise ModelError("the network returned logits that are not finite; its weights are damaged")
