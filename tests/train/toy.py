"""A trivial phantom: a bright ball on the left, a dimmer one on the right."""

from __future__ import annotations

import numpy as np

from medrecon.core import (
    Acquisition,
    Geometry,
    HuStatus,
    Label,
    LabelMap,
    Modality,
    SnomedCode,
    Volume,
)
from medrecon.models.manifest import (
    Intensity,
    IntensityKind,
    Licences,
    NetworkSpec,
    Sampling,
    Training,
)
from medrecon.train import (
    Augmentation,
    SampleMaker,
    Schedule,
    TrainOptions,
    on_network_grid,
)

LEFT = Label(11, "kidney_left", (185, 102, 83), SnomedCode("18639004", "Left kidney"))
RIGHT = Label(12, "kidney_right", (205, 122, 100))
CT_PHANTOM = Acquisition(Modality.CT, HuStatus.VERIFIED, "a phantom", is_phantom=True)


def toy_pair(seed: int) -> tuple[Volume, LabelMap]:
    """Balls of 200 and 100 HU in water, 24 voxels of 3 mm a side; x grows to the left."""
    rng = np.random.default_rng(seed)
    geometry = Geometry((24, 24, 24), (3.0, 3.0, 3.0), (-34.5, -34.5, -34.5))
    x, y, z = np.meshgrid(*3 * [np.arange(24) * 3.0 - 34.5], indexing="ij")
    image = np.zeros(geometry.shape, np.float32)
    labels = np.zeros(geometry.shape, np.uint8)
    for side, hu, label in ((18.0, 200.0, LEFT), (-18.0, 100.0, RIGHT)):
        cx, cy, cz = side + rng.uniform(-3, 3), *rng.uniform(-6, 6, 2)
        ball = (x - cx) ** 2 + (y - cy) ** 2 + (z - cz) ** 2 < rng.uniform(10, 14) ** 2
        image[ball] = hu
        labels[ball] = label.index
    image += rng.normal(0, 10, image.shape).astype(np.float32)
    return Volume(image, geometry, CT_PHANTOM), LabelMap(labels, geometry, (LEFT, RIGHT))


def toy_options(steps: int = 60, **changes: object) -> TrainOptions:
    """A network of a few thousand weights that learns the balls in seconds."""
    arguments = {
        "spatial_dims": 3,
        "in_channels": 1,
        "out_channels": 3,
        "channels": [8, 16, 32],
        "strides": [2, 2],
        "norm": "INSTANCE",
    }
    options: dict[str, object] = {
        "name": "toy",
        "title": "Two balls",
        "labels": (LEFT, RIGHT),
        "sampling": Sampling((3.0, 3.0, 3.0), "LPS", (24, 24, 24)),
        "intensity": Intensity(IntensityKind.WINDOW, low=-100.0, high=300.0),
        "network": NetworkSpec("UNet", arguments),
        "train_seeds": range(100),
        "validation_seeds": range(1000, 1002),
        "schedule": Schedule(steps, learning_rate=1e-2, warmup=5, validate_every=20, save_every=10),
        "augmentation": Augmentation(shift=5, scale=0.02, noise=10, blur_voxels=0.4, cut=0.0),
        "licences": Licences("Apache-2.0", "Apache-2.0"),
        "training": Training("two balls made by a formula", "pytest", "tests"),
        "pool": 16,
    }
    return TrainOptions(**(options | changes))  # type: ignore[arg-type]


def toy_samples() -> SampleMaker:
    """The balls on the grid of `toy_options`."""
    options = toy_options()
    return on_network_grid(toy_pair, options.sampling, options.labels, options.intensity)
