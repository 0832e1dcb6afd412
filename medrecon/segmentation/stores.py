"""What is kept of a network's logits: all of them, or the largest few of each voxel."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch

FloatField = npt.NDArray[np.float32]
Box = tuple[slice, slice, slice]

# Classes kept for each voxel when not all are: a label, the two it can meet at an
# edge, and one more.
TOP = 4


class LogitStore(Protocol):
    """Logits of every class on the network's grid."""

    classes: int

    def write(self, start: int, axis: int, slab: torch.Tensor) -> None:
        """Take finished logits (class, i, j, k), a slab that begins at `start` along an axis."""
        ...

    def winners(self) -> npt.NDArray[np.integer]:
        """The class with the largest logit at each voxel; of equals, the lowest."""
        ...

    def channel(self, number: int, box: Box) -> FloatField:
        """One class's logits in a box."""
        ...

    def rivals(self, number: int, box: Box) -> list[int]:
        """The other classes that can be the largest somewhere in a box, ascending."""
        ...

    def cut(self, box: Box) -> LogitStore:
        """The same in a box of the grid, sharing memory."""
        ...


class AllLogits:
    """Every logit of every voxel, float32, or float16 where that takes too much."""

    def __init__(self, values: FloatField | npt.NDArray[np.float16]) -> None:
        self.values = values
        self.classes = len(values)

    @classmethod
    def empty(cls, classes: int, shape: tuple[int, int, int], *, half: bool = False) -> AllLogits:
        """Room for a grid's logits."""
        if half:
            return cls(np.zeros((classes, *shape), np.float16))
        return cls(np.zeros((classes, *shape), np.float32))

    def write(self, start: int, axis: int, slab: torch.Tensor) -> None:
        """Take a slab."""
        place: list[slice] = [slice(None)] * 4
        place[axis + 1] = slice(start, start + slab.shape[axis + 1])
        self.values[tuple(place)] = slab.cpu().numpy()

    def winners(self) -> npt.NDArray[np.integer]:
        """A running maximum: numpy's argmax along the first axis is an order slower."""
        best = self.values[0].copy()
        winner = np.zeros(best.shape, np.uint16)
        for number in range(1, self.classes):
            better = self.values[number] > best
            winner[better] = number
            np.maximum(best, self.values[number], out=best)
        return winner

    def channel(self, number: int, box: Box) -> FloatField:
        """A view where they are float32."""
        return self.values[(number, *box)].astype(np.float32, copy=False)

    def rivals(self, number: int, box: Box) -> list[int]:
        """All others."""
        return [n for n in range(self.classes) if n != number]

    def cut(self, box: Box) -> AllLogits:
        """A view."""
        return AllLogits(self.values[(slice(None), *box)])


class TopLogits:
    """The largest logits of each voxel and whose they are: float16 and uint8 or uint16.

    Kept is by how much each is below the voxel's largest: comparing classes after any
    linear interpolation gives the same, and float16 tells small differences from none.
    Only for labels that exclude one another: a logit's own zero is lost.

    A class that is not among a voxel's largest is given the smallest kept logit there:
    never less than its own, and never the voxel's largest.
    """

    def __init__(
        self,
        classes: int,
        values: npt.NDArray[np.float16],
        numbers: npt.NDArray[np.uint8] | npt.NDArray[np.uint16],
    ) -> None:
        self.classes = classes
        self._values, self._numbers = values, numbers

    @classmethod
    def empty(cls, classes: int, shape: tuple[int, int, int], keep: int = TOP) -> TopLogits:
        """Room for the largest logits of a grid."""
        room = (min(keep, classes), *shape)
        numbers = np.zeros(room, np.uint8 if classes <= 256 else np.uint16)
        return cls(classes, np.zeros(room, np.float16), numbers)

    def write(self, start: int, axis: int, slab: torch.Tensor) -> None:
        """Take a slab, keeping its largest logits."""
        for n in range(slab.shape[axis + 1]):
            top = torch.topk(slab.select(axis + 1, n), len(self._values), dim=0)
            place: list[int | slice] = [slice(None)] * 4
            place[axis + 1] = start + n
            below = top.values - top.values[:1]
            self._values[tuple(place)] = below.half().cpu().numpy()
            self._numbers[tuple(place)] = top.indices.cpu().numpy()

    def winners(self) -> npt.NDArray[np.integer]:
        """The first of each voxel."""
        winner: npt.NDArray[np.integer] = self._numbers[0]
        return winner

    def channel(self, number: int, box: Box) -> FloatField:
        """Exact to float16 where it is among the largest."""
        inside = (slice(None), *box)
        values, numbers = self._values[inside], self._numbers[inside]
        result: FloatField = values[-1].astype(np.float32)
        for value, found in zip(values, numbers, strict=True):
            here = found == number
            result[here] = value[here]
        return result

    def rivals(self, number: int, box: Box) -> list[int]:
        """Classes among the two largest of any voxel in the box."""
        first = np.unique(self._numbers[(slice(0, 2), *box)])
        return [int(n) for n in first if n != number]

    def cut(self, box: Box) -> TopLogits:
        """A view."""
        inside = (slice(None), *box)
        return TopLogits(self.classes, self._values[inside], self._numbers[inside])
