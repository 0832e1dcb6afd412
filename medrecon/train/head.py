"""How the shipped model `head` is made from head label maps alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from medrecon.core import Modality, label
from medrecon.models.intensity import normalise
from medrecon.models.manifest import (
    Intensity,
    IntensityKind,
    Licences,
    Sampling,
    Training,
)
from medrecon.train.appearance import Contrast
from medrecon.train.artefacts import Artefacts
from medrecon.train.head_maps import (
    CHANNEL,
    COMPACT,
    CT_HU,
    FLUID,
    HEAD_LABELS,
    SKIN,
    SOFT,
    TISSUES,
)
from medrecon.train.options import Augmentation, Schedule, TrainOptions
from medrecon.train.plan import network_for
from medrecon.train.samples import Sample, SampleMaker
from medrecon.train.synthetic import Shape, Synthesis, Template, synthesise

HEAD_SPACING_MM = 2.5
HEAD_STEPS = 40_000
# After a stride of 1 what is seen and what it is part of are looked at together: without it a
# decoder only adds both up. Two at 2.5 mm, for thin bone and thin horns of ventricles (the last
# layer is linear: with one, image and surroundings met in nothing but a sum), one at 5.
HEAD_FEATURES = (8, 8, 32, 16, 64, 96, 128, 128)
HEAD_STRIDES = (1, 1, 2, 1, 2, 2, 2)
# Two and a half times cheaper than a whole patch: more images in the same time, of most of what
# a head has around each place. The run ends on whole patches.
HEAD_EARLY_PATCH = (48, 64, 48)
# Brain and ventricles differ by a hundredth of a CT's range: they must be seen apart.
HEAD_INTENSITY = Intensity(IntensityKind.EQUALISED, low=0.5, high=99.5)
# Every seed from here on makes its image from a map that is not trained on.
VALIDATION_SEEDS = range(1_000_000, 1_000_008)
MUCOSA = 19
INTACT_SKULL = "model head has seen intact skulls only: where bone is missing it may invent it"

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
"""What images of heads are judged on: the curve's, and those of the maps held out."""

TRAINING_SYNTHESIS = replace(
    HEAD_SYNTHESIS,
    shape=Shape(
        narrow=0.35,
        narrow_mm=45.0,
        bare=(CHANNEL["brain"], CHANNEL["ventricles"]),
        bare_share=0.06,
    ),
)
"""What is trained on: also narrow fields, oblique ones, and brains without a head."""


def head_recipe(steps: int = HEAD_STEPS, minutes: float | None = None) -> TrainOptions:
    """The options of the shipped model.

    A patch of 160 × 200 × 160 mm shows most of a head, so that a dark skull is told
    from dark air by where it lies.
    """
    labels = tuple(label(name) for name in HEAD_LABELS)
    network = network_for(
        "UNet",
        HEAD_FEATURES,
        len(labels) + 1,
        residual_units=0,
        strides=HEAD_STRIDES,
        activation="LEAKYRELU",
    )
    return TrainOptions(
        name="head",
        title="Head in MR of any contrast and CT",
        labels=labels,
        sampling=Sampling((HEAD_SPACING_MM,) * 3, "LPS", (64, 80, 64), 0.5),
        intensity=HEAD_INTENSITY,
        network=network,
        train_seeds=range(VALIDATION_SEEDS.start),
        validation_seeds=VALIDATION_SEEDS,
        schedule=Schedule(
            steps, minutes, learning_rate=4e-3, averaging=0.998, validate_every=1000, save_every=200
        ),
        augmentation=Augmentation(
            shift=0.0,
            scale=0.0,
            noise=0.01,
            blur_voxels=0.0,
            cut=0.0,
            focus=0.4,
            gamma=0.2,
            # No label has a side.
            mirror=(0,),
        ),
        pool=24,
        renew_every=3,
        early_patch=HEAD_EARLY_PATCH,
        # One head's ventricles are eleven times another's.
        calibration=0,
        licences=Licences("Apache-2.0", "Apache-2.0"),
        training=Training(
            "images synthesised from label maps 01 to 18 of the SynthSeg project "
            "(Apache-2.0; Billot et al. 2023, doi:10.1016/j.media.2023.102789); "
            "no image of any person; intact skulls only",
            "medrecon train FOLDER --head -o DIR",
            "trained with medrecon",
        ),
        present_only=True,
        half_weights=True,
        # Two eyes, a jaw apart from the skull, ventricles whose narrow passages are not seen.
        scattered=("skull", "ventricles", "eyes", "air_spaces"),
        from_hu_in_ct=("skull",),
        checks=("head",),
        never_print=(("skull", INTACT_SKULL),),
        modalities=(Modality.MR, Modality.CT),
        body_parts=("HEAD", "BRAIN", "SKULL"),
    )


def head_samples(
    training: Sequence[Template], validation: Sequence[Template], spacing_mm: float
) -> SampleMaker:
    """Normalised samples by seed; those from `VALIDATION_SEEDS` on show other people."""

    def sample(seed: int) -> Sample:
        judged = seed >= VALIDATION_SEEDS.start
        templates = validation if judged else training
        how = HEAD_SYNTHESIS if judged else TRAINING_SYNTHESIS
        found = synthesise(templates, spacing_mm, how, (7, seed))
        return Sample(normalise(found.image, HEAD_INTENSITY), found.target)

    return sample
