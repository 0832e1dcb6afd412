"""Trees of small synthetic studies, some of them poisoned."""

from __future__ import annotations

from pathlib import Path

from medrecon.core import Acquisition, Geometry, HuStatus, Modality, Volume
from medrecon.dicom.write_ct import CtSeries, write_ct_series
from medrecon.phantom import shapes
from medrecon.phantom.scanner import Scanner
from medrecon.phantom.shape_scan import scan_shape

GRID = Geometry((22, 21, 20), (1.6, 1.6, 1.6), (-16.8, -16.0, -15.2))
POISONS = ("hang", "segfault", "memory", "bad")


def small_volume() -> Volume:
    """A ball of 12 mm radius, 1000 HU in −100 HU, on 9,240 voxels: a tenth of a second's work."""
    ball = shapes.make_sphere(12.0).moved((0.3, -0.2, 0.4))
    scanned = scan_shape(ball, GRID, scanner=Scanner(noise_hu=0.0), hu=(1000.0, -100.0))
    ct = Acquisition(Modality.CT, HuStatus.VERIFIED, is_phantom=True)
    return Volume(scanned.volume.array, GRID, ct)


def write_studies(root: Path, count: int, *, every: int = 10) -> dict[str, list[str]]:
    """`count` studies, every n-th of them poisoned in turn; folder names by kind."""
    volume = small_volume()
    made: dict[str, list[str]] = {"good": []} | {p: [] for p in POISONS}
    for n in range(count):
        kind = POISONS[n // every % len(POISONS)] if n % every == every - 1 else "good"
        name = f"study-{n:04d}"
        series = CtSeries(uid_seed=f"study {n}", patient_name=f"Nobody^{n}")
        files = write_ct_series(volume, root / name, series=series)
        if kind == "bad":
            # Cut in the middle of the pixels: the header is whole, the image is not.
            files[5].write_bytes(files[5].read_bytes()[:-200])
        elif kind != "good":
            (root / name / f"poison-{kind}.dcm").write_bytes(b"DICM")
        made[kind].append(name)
    return made
