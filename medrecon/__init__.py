"""medrecon: from a CT or MRI scan to surfaces one can trust."""

__version__ = "0.1.0"
