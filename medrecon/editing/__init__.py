"""Corrections by hand, as data: each edit is a few numbers in LPS mm, and can be replayed."""

from medrecon.editing.script import Edit, apply_edits, edits_json, origins, read_edits

__all__ = ["Edit", "apply_edits", "edits_json", "origins", "read_edits"]
