"""Train the models that medrecon ships."""

from __future__ import annotations

from pathlib import Path

from medrecon.core import LabelMap, Volume
from medrecon.recorder import Progress, silent


def train_phantom_torso(
    output: Path, *, steps: int | None = None, device: str = "cpu", progress: Progress = silent
) -> str:
    """Train the shipped phantom model from synthetic torsos; its identity.

    One thread, so that the same command gives the same bytes on the same processor.
    """
    from medrecon.phantom import training_pair
    from medrecon.train import (
        PHANTOM_SHAPE,
        PHANTOM_SPACING_MM,
        PHANTOM_STEPS,
        phantom_recipe,
        train,
    )

    def sample(seed: int) -> tuple[Volume, LabelMap]:
        return training_pair(seed, PHANTOM_SPACING_MM, PHANTOM_SHAPE)

    def report(fraction: float) -> None:
        progress("train", fraction)

    recipe = phantom_recipe(PHANTOM_STEPS if steps is None else steps)
    model = train(sample, recipe, output=output, device=device, threads=1, progress=report)
    return model.manifest.identity
