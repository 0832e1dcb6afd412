"""Images whose content is known exactly: analytic shapes and synthetic torsos."""

from medrecon.phantom.render import Scanner
from medrecon.phantom.torso import Phantom, make_torso, training_pair
from medrecon.phantom.truth import Structure, Truth

__all__ = ["Phantom", "Scanner", "Structure", "Truth", "make_torso", "training_pair"]
