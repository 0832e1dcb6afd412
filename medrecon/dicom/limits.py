"""How much medrecon reads before it refuses: one frozen object, each field with its reason."""

from __future__ import annotations

from dataclasses import dataclass

GIB = 1 << 30
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Budgets of one scan and one read. What goes over is refused by name, not attempted.

    Parameters
    ----------
    volume_bytes : int
        Decoded pixels of one volume. 8 GiB holds 16,000 slices of 512²; it is
        compared with the header *before* anything is decoded.
    header_bytes : int
        One file's header. Enhanced multi-frame files of some thousand frames need
        tens of MiB.
    files : int
        Files looked at in a folder or archive.
    depth : int
        Folders inside folders.
    archive_bytes : int
        Uncompressed size of an archive, all members together.
    archive_ratio : float
        Uncompressed over compressed size of one member. Deflate cannot pass 1032;
        an image of one constant value comes near, real slices stay under 20.
    frames : int
        Frames of one file.
    decode_seconds : float
        Time that the decoding process may take over one frame before it is stopped;
        three seconds per million pixels come on top, twenty times what JPEG 2000 takes.
    """

    volume_bytes: int = 8 * GIB
    header_bytes: int = 128 * MIB
    files: int = 200_000
    depth: int = 64
    archive_bytes: int = 64 * GIB
    archive_ratio: float = 1100.0
    frames: int = 100_000
    decode_seconds: float = 4.0
