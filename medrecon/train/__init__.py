"""Training: samples in, a model folder that the store can install out."""

from medrecon.train.loop import train
from medrecon.train.options import Augmentation, Schedule, TrainOptions
from medrecon.train.recipes import PHANTOM_SHAPE, PHANTOM_SPACING_MM, PHANTOM_STEPS, phantom_recipe
from medrecon.train.samples import SampleMaker

__all__ = [
    "PHANTOM_SHAPE",
    "PHANTOM_SPACING_MM",
    "PHANTOM_STEPS",
    "Augmentation",
    "SampleMaker",
    "Schedule",
    "TrainOptions",
    "phantom_recipe",
    "train",
]
