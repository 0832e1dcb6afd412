"""Numbers drawn from a seed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from medrecon.core.geometry import Triple
from medrecon.phantom.primitives import rotation_about


class Draw:
    """Uniform draws around a nominal value.

    The order of the calls is part of a seed's meaning: a call put between others
    changes every person drawn.
    """

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng([seed, 0])

    def about(self, value: float, spread: float) -> float:
        """A number in value ± spread."""
        return float(self._rng.uniform(value - spread, value + spread))

    def point(self, centre: Triple, spread: float) -> Triple:
        """A point in a cube of half-side `spread` around the centre."""
        x, y, z = (self.about(v, spread) for v in centre)
        return x, y, z

    def sizes(self, semi_axes: Triple, fraction: float) -> Triple:
        """Three lengths, each off by at most that fraction."""
        x, y, z = (self.about(v, fraction * v) for v in semi_axes)
        return x, y, z

    def turn(self, degrees: float) -> npt.NDArray[np.float64]:
        """A rotation about a random axis by at most that angle, 3×3."""
        x, y, z = (self.about(0, 1) for _ in range(3))
        return rotation_about((x, y, z + 1e-3), self.about(0, degrees))

    def side(self) -> str:
        """Left or right, evenly."""
        return "left" if self._rng.random() < 0.5 else "right"
