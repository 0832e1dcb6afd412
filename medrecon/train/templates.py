"""Label maps of any anatomy as templates for made-up images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medrecon.core import Geometry
from medrecon.errors import UsageError
from medrecon.files import nifti
from medrecon.models.grid import oriented_axes
from medrecon.train.pairs import Case
from medrecon.train.synthetic import Template

MOST_TISSUES = 255


@dataclass(frozen=True, slots=True, eq=False)
class CodedMap:
    """Codes of a label map and its grid."""

    codes: npt.NDArray[np.uint16]
    geometry: Geometry

    def oriented(self) -> npt.NDArray[np.uint16]:
        """The codes on axes that run to L, P and S."""
        order, signs = oriented_axes(self.geometry, "LPS")
        turned = self.codes.transpose(order)
        return turned[tuple(slice(None, None, sign) for sign in signs)]

    @property
    def oriented_spacing_mm(self) -> tuple[float, float, float]:
        """Spacing along those axes."""
        order, _ = oriented_axes(self.geometry, "LPS")
        i, j, k = (float(self.geometry.spacing_mm[axis]) for axis in order)
        return i, j, k


def read_maps(cases: Sequence[Case]) -> tuple[CodedMap, ...]:
    """The label maps of some cases."""
    return tuple(CodedMap(*nifti.read_labels(case.labels)) for case in cases)


def values_in(maps: Sequence[CodedMap]) -> tuple[int, ...]:
    """Every value of the maps in order, 0 (air) first.

    Raises
    ------
    UsageError
        If there are more than a byte can number.
    """
    found = sorted({0, *(int(v) for m in maps for v in np.unique(m.codes))})
    if len(found) > MOST_TISSUES:
        raise UsageError(f"{len(found)} different values in the label maps; at most {MOST_TISSUES}")
    return tuple(found)


def plain_templates(
    maps: Sequence[CodedMap], tissues: Sequence[int], values: Mapping[str, Sequence[int]]
) -> tuple[Template, ...]:
    """Templates in which each value is a tissue, and the structures that are learnt.

    Parameters
    ----------
    maps : sequence of CodedMap
    tissues : sequence of int
        Every value that occurs, 0 first.
    values : mapping of str to sequence of int
        Structures in the order of the network's channels.
    """
    tissue_of = np.zeros(1 << 16, np.uint8)
    tissue_of[list(tissues)] = np.arange(len(tissues))
    channel_of = np.zeros(1 << 16, np.uint8)
    for channel, members in enumerate(values.values(), start=1):
        channel_of[list(members)] = channel
    return tuple(
        Template(tissue_of[m.oriented()], channel_of[m.oriented()], m.oriented_spacing_mm)
        for m in maps
    )
