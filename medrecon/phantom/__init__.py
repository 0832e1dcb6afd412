"""Images whose content is known exactly: analytic shapes and synthetic torsos."""

from medrecon.phantom.phantom import Phantom
from medrecon.phantom.scanner import Scanner
from medrecon.phantom.shape_scan import scan_shape
from medrecon.phantom.torso import make_torso, torso_geometry, torso_truth, training_pair
from medrecon.phantom.truth import Structure, Truth
from medrecon.phantom.write import PhantomKind, write_phantom

__all__ = [
    "Phantom",
    "PhantomKind",
    "Scanner",
    "Structure",
    "Truth",
    "make_torso",
    "scan_shape",
    "torso_geometry",
    "torso_truth",
    "training_pair",
    "write_phantom",
]
