"""One folder per hazard: what scanners, archives and people do to a series.

Each hazard says what must come out: the right volume (then `truth` is the plan whose
field its voxels must hold) or a refusal with one of the given codes. Used by the tests
and by `benchmarks/hazards.py`, which runs other readers over the same folders.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from series_maker import (
    Array,
    Plan,
    dataset,
    stack,
    stored,
    uid,
    without,
    words,
    write,
    write_series,
)


@dataclass(frozen=True)
class Hazard:
    """A folder to make and what must come of it.

    `truth` is None where a refusal is due; `codes` are then the error codes that are
    right. `entry` names what is read inside the folder, "" for the folder itself.
    """

    name: str
    make: Callable[[Path], Plan | None]
    codes: tuple[str, ...] = ()
    entry: str = ""
    verified_hu: bool = True
    tolerance: float = 1.01


HAZARDS: list[Hazard] = []


def hazard(
    *codes: str, entry: str = "", verified_hu: bool = True, tolerance: float = 1.01
) -> Callable[[Callable[[Path], Plan | None]], Callable[[Path], Plan | None]]:
    """Register a maker under its name."""

    def register(make: Callable[[Path], Plan | None]) -> Callable[[Path], Plan | None]:
        HAZARDS.append(Hazard(make.__name__, make, codes, entry, verified_hu, tolerance))
        return make

    return register


Change = Callable[[int, Dataset, Array], Array | None]


def plain(
    folder: Path, tag: str = "", plan: Plan | None = None, change: Change | None = None
) -> Plan:
    """The plan as files whose names begin with the tag."""
    plan = plan or stack()
    write_series(plan, folder, names=lambda k: f"{tag}im{k:03d}.dcm", change=change)
    return plan


RESCALE = ("RescaleSlope", "RescaleIntercept", "RescaleType")
CORNERS = np.zeros((18, 24), bool)
CORNERS[:3, :4] = CORNERS[-3:, -4:] = True


def tilted(degrees: float, **changes: Any) -> Plan:
    """A gantry tilt: rows stay along x, slices lean about it, and go along z."""
    a = np.radians(degrees)
    column = (0.0, float(np.cos(a)), float(-np.sin(a)))
    # Way per mm of normal: (0, 0, 1/cos a) = normal + shear, with normal (0, sin a, cos a).
    shear = (0.0, -float(np.sin(a)), float(1 / np.cos(a) - np.cos(a)))
    return stack(column=column, shear=shear, **changes)


def turned(x: float, y: float, z: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Row and column after rotations about x, y and z in degrees."""
    a, b, c = np.radians([x, y, z])
    rx = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    ry = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    rz = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    m = rz @ ry @ rx
    return tuple(m[:, 0]), tuple(m[:, 1])


# --- the seventeen of the evidence ------------------------------------------------------


@hazard()
def clean(folder: Path) -> Plan:
    return plain(folder)


@hazard()
def reversed_order(folder: Path) -> Plan:
    plan = stack()
    last = len(plan.positions) - 1

    def change(k: int, ds: Dataset, _: Array) -> None:
        ds.InstanceNumber = last - k + 1

    write_series(plan, folder, names=lambda k: f"{last - k:03d}", change=change)
    return plan


@hazard("gap")
def missing_slice(folder: Path) -> None:
    plain(folder, "", without(stack(), 5))


@hazard("duplicate")
def duplicate_position(folder: Path) -> None:
    plan = plain(folder)
    ds = dataset(plan, 4)
    ds.SOPInstanceUID, ds.InstanceNumber = uid("twin"), 99
    write(folder / "twin.dcm", ds, words(plan, stored(plan, 5)))


@hazard()
def step_changes_from_2_to_3_mm(folder: Path) -> Plan:
    return plain(folder, "", stack([2.0] * 6 + [3.0] * 4))


@hazard()
def gantry_tilt_20_degrees(folder: Path) -> Plan:
    return plain(folder, "", tilted(20))


@hazard()
def slope_differs_per_slice(folder: Path) -> Plan:
    plan = stack(bits=(16, 16, 15))

    def change(k: int, ds: Dataset, _: Array) -> Array:
        slope, intercept = 0.25 + 0.01 * k, -1024.0 - 3 * k
        ds.RescaleSlope, ds.RescaleIntercept = f"{slope:.4g}", f"{intercept:g}"
        return words(plan, stored(replace(plan, slope=slope, intercept=intercept), k))

    return plain(folder, "", plan, change)


@hazard(verified_hu=False)
def no_rescale(folder: Path) -> Plan:
    # Stored values are the field itself, shifted up to be unsigned: slope and intercept
    # are not there, so the stored values are what a reader must return.
    plan = stack(slope=1.0, intercept=0.0, signed=True, drop=RESCALE)
    return plain(folder, "", plan)


@hazard("series-tie")
def two_equal_series(folder: Path) -> None:
    plain(folder, "a")
    plain(folder, "b", stack(series="b", number=2))


@hazard("mixed-orientation")
def second_orientation_under_the_same_uid(folder: Path) -> None:
    plain(folder, "a")
    row, column = (0.0, 1.0, 0.0), (0.0, 0.0, -1.0)
    plain(folder, "b", stack([2.0] * 4, row=row, column=column))


@hazard("no-series")
def single_slice(folder: Path) -> None:
    plain(folder, "", stack([]))


@hazard("pixel-data")
def truncated_file(folder: Path) -> None:
    plain(folder)
    path = folder / "im006.dcm"
    path.write_bytes(path.read_bytes()[:-300])


@hazard()
def junk_files_among(folder: Path) -> Plan:
    plan = plain(folder)
    (folder / "readme.txt").write_text("notes")
    (folder / "im999.dcm").write_bytes(bytes(range(256)) * 20)
    (folder / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    (folder / "empty.dcm").write_bytes(b"")
    return plan


@hazard()
def padding_minus_2000(folder: Path) -> Plan:
    plan = stack(intercept=0.0, signed=True, extra={"PixelPaddingValue": -2000})

    def change(k: int, ds: Dataset, pixels: Array) -> Array:
        ds["PixelPaddingValue"].VR = "SS"
        padded = pixels.copy()
        padded[CORNERS] = np.uint16(65536 - 2000)
        return padded

    return plain(folder, "", plan, change)


@hazard()
def monochrome1(folder: Path) -> Plan:
    return plain(folder, "", stack(extra={"PhotometricInterpretation": "MONOCHROME1"}))


@hazard()
def dirty_bits_above_bits_stored(folder: Path) -> Plan:
    plan = stack(bits=(16, 12, 11))
    return plain(folder, "", plan, lambda k, ds, p: p | np.uint16(0xA000 if k % 2 else 0x5000))


@hazard("no-spacing")
def no_pixel_spacing(folder: Path) -> None:
    plain(folder, "", stack(drop=("PixelSpacing",)))
