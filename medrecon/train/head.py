"""How the shipped model `head` is made from head label maps alone."""

from __future__ import annotations

from collections.abc import Sequence

from medrecon.core import Modality, label
from medrecon.models.intensity import normalise
from medrecon.models.manifest import (
    Licences,
    NetworkSpec,
    Sampling,
    Training,
)
from medrecon.train.appearance import Contrast
from medrecon.train.artefacts import Artefacts
from medrecon.train.head_maps import COMPACT, CT_HU, FLUID, HEAD_LABELS, SKIN, SOFT, TISSUES
from medrecon.train.options import Augmentation, Schedule, TrainOptions
from medrecon.train.samples import Sample, SampleMaker
from medrecon.train.synthetic import MADE_UP_INTENSITY, Shape, Synthesis, Template, synthesise

HEAD_SPACING_MM = 2.5
HEAD_STEPS = 6000
# Every seed from here on makes its image from a map that is not trained on.
VALIDATION_SEEDS = range(1_000_000, 1_000_008)
MUCOSA = 19

HEAD_SYNTHESIS = Synthesis(
    Shape(),
    Contrast(
        len(TISSUES),
        CT_HU,
        mixed=frozenset({SOFT, SKIN, MUCOSA}),
        # What often looks alike: white matter, grey matter, fluids; compact bone and air.
        twins=((1, 5), (2, 6, 8, 9), (3, 4, FLUID), (0, COMPACT)),
    ),
    Artefacts(),
)


def head_recipe(steps: int = HEAD_STEPS) -> TrainOptions:
    """The options of the shipped model.

    A patch of 160 × 200 × 160 mm shows most of a head, so that a dark skull is told
    from dark air by where it lies.
    """
    labels = tuple(label(name) for name in HEAD_LABELS)
    network = NetworkSpec(
        "UNet",
        {
            "spatial_dims": 3,
            "in_channels": 1,
            "out_channels": len(labels) + 1,
            "channels": [16, 32, 64, 96, 96],
            "strides": [2, 2, 2, 2],
            "num_res_units": 0,
            "norm": "INSTANCE",
        },
    )
    return TrainOptions(
        name="head",
        title="Head in MR of any contrast and CT",
        labels=labels,
        sampling=Sampling((HEAD_SPACING_MM,) * 3, "LPS", (64, 80, 64), 0.5),
        intensity=MADE_UP_INTENSITY,
        network=network,
        train_seeds=range(VALIDATION_SEEDS.start),
        validation_seeds=VALIDATION_SEEDS,
        schedule=Schedule(steps, learning_rate=4e-3, averaging=0.995, validate_every=200),
        augmentation=Augmentation(
            shift=0.0, scale=0.0, noise=0.03, blur_voxels=0.3, cut=0.0, focus=0.5, gamma=0.3
        ),
        pool=24,
        renew_every=4,
        licences=Licences("Apache-2.0", "Apache-2.0"),
        training=Training(
            "images synthesised from label maps 01 to 18 of the SynthSeg project "
            "(Apache-2.0; Billot et al. 2023, doi:10.1016/j.media.2023.102789); "
            "no image of any person; intact skulls only",
            "medrecon train FOLDER --head -o DIR",
            "trained with medrecon",
        ),
        half_weights=True,
        modalities=(Modality.MR, Modality.CT),
        body_parts=("HEAD", "BRAIN", "SKULL"),
    )


def head_samples(
    training: Sequence[Template], validation: Sequence[Template], spacing_mm: float
) -> SampleMaker:
    """Normalised samples by seed; those from `VALIDATION_SEEDS` on show other people."""

    def sample(seed: int) -> Sample:
        templates = validation if seed >= VALIDATION_SEEDS.start else training
        found = synthesise(templates, spacing_mm, HEAD_SYNTHESIS, (7, seed))
        return Sample(normalise(found.image, MADE_UP_INTENSITY), found.target)

    return sample
