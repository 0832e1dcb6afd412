"""The errands beside the road: one file for each, each composed of stages."""
