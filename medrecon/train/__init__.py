"""Training: samples in, a model folder that the store can install out."""

from medrecon.train.bundle_out import write_bundle
from medrecon.train.head import HEAD_SPACING_MM, HEAD_STEPS, head_recipe, head_samples
from medrecon.train.head_maps import head_template
from medrecon.train.loop import Machine, train
from medrecon.train.options import Augmentation, Schedule, TrainOptions
from medrecon.train.pairs import (
    Case,
    Split,
    dataset_labels,
    find_cases,
    find_label_maps,
    read_pair,
    split_cases,
)
from medrecon.train.recipes import PHANTOM_SHAPE, PHANTOM_SPACING_MM, PHANTOM_STEPS, phantom_recipe
from medrecon.train.samples import PairMaker, Sample, SampleMaker, on_network_grid
from medrecon.train.step import Precision

__all__ = [
    "HEAD_SPACING_MM",
    "HEAD_STEPS",
    "PHANTOM_SHAPE",
    "PHANTOM_SPACING_MM",
    "PHANTOM_STEPS",
    "Augmentation",
    "Case",
    "Machine",
    "PairMaker",
    "Precision",
    "Sample",
    "SampleMaker",
    "Schedule",
    "Split",
    "TrainOptions",
    "dataset_labels",
    "find_cases",
    "find_label_maps",
    "head_recipe",
    "head_samples",
    "head_template",
    "on_network_grid",
    "phantom_recipe",
    "read_pair",
    "split_cases",
    "train",
    "write_bundle",
]
