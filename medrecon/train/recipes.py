"""Recipes of the models that medrecon ships."""

from __future__ import annotations

from medrecon.core import label
from medrecon.models.manifest import (
    IntendedUse,
    Intensity,
    IntensityKind,
    Licences,
    Sampling,
    Training,
)
from medrecon.train.options import Schedule, TrainOptions
from medrecon.train.plan import network_for

PHANTOM_LABELS = ("liver", "kidney_left", "kidney_right", "tumor", "aorta")
# Grid of the training pairs: the whole torso, 360×288×336 mm.
PHANTOM_SPACING_MM = 3.0
PHANTOM_SHAPE = (120, 96, 112)
PHANTOM_STEPS = 2600
PHANTOM_FEATURES = (16, 32, 64, 96, 96)


def phantom_recipe(steps: int = PHANTOM_STEPS) -> TrainOptions:
    """How `phantom_torso` is made from `phantom.torso.training_pair`.

    The caller makes the pairs with `PHANTOM_SPACING_MM` and `PHANTOM_SHAPE`: this room
    knows nothing of phantoms.

    Seeds 0–1999 train, 8000–8005 validate; 2026 (the sample) and 9000–9099 (for
    tests) are never seen. A patch holds nearly the whole width of the torso, so that left can be
    told from right.
    """
    labels = tuple(label(name) for name in PHANTOM_LABELS)
    network = network_for("UNet", PHANTOM_FEATURES, len(labels) + 1, residual_units=0)
    return TrainOptions(
        name="phantom_torso",
        title="Organs of medrecon's synthetic torso",
        labels=labels,
        sampling=Sampling((PHANTOM_SPACING_MM,) * 3, "LPS", (96, 80, 48), 0.5),
        intensity=Intensity(IntensityKind.WINDOW, low=-200.0, high=500.0),
        network=network,
        train_seeds=range(2000),
        validation_seeds=range(8000, 8006),
        schedule=Schedule(steps=steps, learning_rate=5e-3, validate_every=200),
        pool=48,
        renew_every=12,
        licences=Licences("Apache-2.0", "Apache-2.0"),
        training=Training(
            "synthetic torsos of medrecon.phantom only (Apache-2.0); no image of any person",
            "medrecon train --phantom-torso -o DIR",
            "trained with medrecon",
        ),
        intended_use=IntendedUse.PHANTOM_ONLY,
        half_weights=True,
    )
