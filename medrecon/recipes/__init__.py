"""The errands beside the road: one file for each, each composed of stages."""

from medrecon.outputs.opened import OpenedRun, open_run

__all__ = ["OpenedRun", "open_run"]
