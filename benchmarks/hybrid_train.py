"""A small network of bone at 3 mm, trained on random balls, plates, pairs and sockets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hybrid_scenes import (
    BONE_HU,
    GRID,
    NOISE_HU,
    SOFT_HU,
    Scene,
    balls,
    joint,
    plate,
    points_of,
    socket,
)

from medrecon.core import Geometry, Modality, label
from medrecon.models.manifest import (
    Components,
    IntendedUse,
    Intensity,
    IntensityKind,
    Licences,
    NetworkSpec,
    Sampling,
    Training,
)
from medrecon.models.store import InstalledModel
from medrecon.train import Augmentation, Machine, Sample, Schedule, TrainOptions, train

COARSE = GRID.isotropic(3.0)
COARSE_GRID = Geometry((24, 24, 24), (3.0, 3.0, 3.0), (-34.5, -34.5, -34.5))


def training_scene(seed: int) -> Scene:
    rng = np.random.default_rng([11, seed])
    kind = seed % 4
    if kind == 0:
        return balls(float(rng.uniform(4, 24)), 1000 + seed)
    if kind == 1:
        return plate(float(rng.uniform(1, 6)), 1000 + seed)
    return (joint, socket)[kind - 2](float(rng.uniform(1, 6)), 1000 + seed)


def sample(seed: int) -> Sample:
    """As linear interpolation of a 1 mm scan on 3 mm voxels shows it, and the truth."""
    scene = training_scene(seed)
    points = points_of(COARSE_GRID)
    rng = np.random.default_rng([12, seed])
    hu = SOFT_HU + (BONE_HU - SOFT_HU) * scene.share(points)
    hu = hu + NOISE_HU * rng.standard_normal(hu.shape)
    target = (scene.depth(points) > 0).astype(np.uint8)
    shape = COARSE_GRID.shape
    return Sample(hu.reshape(shape).astype(np.float32), target.reshape(shape))


def recipe(steps: int) -> TrainOptions:
    return TrainOptions(
        name="shapes",
        title="Bone-like balls and plates at 3 mm",
        labels=(label("bone"),),
        sampling=Sampling((3.0, 3.0, 3.0), "LPS", (24, 24, 24), 0.5),
        intensity=Intensity(IntensityKind.WINDOW, low=-200.0, high=1300.0),
        network=NetworkSpec(
            "UNet",
            {
                "spatial_dims": 3,
                "in_channels": 1,
                "out_channels": 2,
                "channels": [8, 16, 32],
                "strides": [2, 2],
                "num_res_units": 1,
                "norm": "INSTANCE",
            },
        ),
        train_seeds=range(4000),
        validation_seeds=range(10_000, 10_008),
        schedule=Schedule(steps, batch=2, learning_rate=1e-2, warmup=10, validate_every=200),
        licences=Licences("Apache-2.0", "Apache-2.0"),
        training=Training("shapes by formula", "python benchmarks/hybrid.py", "benchmarks"),
        augmentation=Augmentation(shift=5, scale=0.02, noise=10, blur_voxels=0, cut=0, focus=0),
        pool=64,
        renew_every=2,
        components=Components.ALL,
        intended_use=IntendedUse.PHANTOM_ONLY,
        modalities=(Modality.CT,),
    )


def trained(folder: Path, steps: int) -> InstalledModel:
    return train(sample, recipe(steps), output=folder, machine=Machine("cpu", threads=1))
