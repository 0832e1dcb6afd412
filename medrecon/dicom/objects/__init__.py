"""Derived objects: SEG, RTSTRUCT and encapsulated models, written beside a source and read.

Writers take plain values (masks on the source's planes, contours, the bytes of a mesh) and
the `SourceSeries` that lends them its identity; the readers give values back.
"""
