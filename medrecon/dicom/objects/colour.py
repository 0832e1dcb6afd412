"""Colours as DICOM recommends them to viewers: CIELab, 16 bits a channel."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

# sRGB primaries to CIE XYZ under D50, adapted by Bradford's matrix: the white of the ICC
# profile connection space, which PS3.3 C.10.7.1.1 refers to. Rows X, Y, Z.
_XYZ_D50 = np.array(
    [
        [0.4360747, 0.3850649, 0.1430804],
        [0.2225045, 0.7168786, 0.0606169],
        [0.0139322, 0.0971045, 0.7141733],
    ]
)
_WHITE_D50 = _XYZ_D50.sum(axis=1)
_KNEE = 6 / 29


def cielab_from_srgb(color: tuple[int, int, int]) -> tuple[int, int, int]:
    """L*, a* and b* scaled to 0–65535 as Recommended Display CIELab Value holds them.

    L* 0–100 becomes 0–65535; a* and b* −128–127 become 0–65535.

    References
    ----------
    PS3.3 C.10.7.1.1 (encoding of CIELab values); IEC 61966-2-1 (sRGB).

    Examples
    --------
    >>> cielab_from_srgb((255, 255, 255))
    (65535, 32896, 32896)
    """
    encoded = np.asarray(color, dtype=np.float64) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    x, y, z = _lightness(_XYZ_D50 @ linear / _WHITE_D50)
    lab = np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])
    scaled = (lab + np.array([0, 128, 128])) / np.array([100, 255, 255]) * 65535
    first, second, third = np.clip(np.rint(scaled), 0, 65535).astype(int).tolist()
    return first, second, third


def _lightness(ratio: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The cube root of CIE 1976, linear near black."""
    linear = ratio / (3 * _KNEE**2) + 4 / 29
    return np.where(ratio > _KNEE**3, np.cbrt(ratio), linear)


def srgb_from_cielab(value: tuple[int, int, int]) -> tuple[int, int, int]:
    """The nearest sRGB colour of a Recommended Display CIELab Value.

    Examples
    --------
    >>> srgb_from_cielab(cielab_from_srgb((216, 60, 61)))
    (216, 60, 61)
    """
    lightness, a, b = np.asarray(value, np.float64) / 65535 * [100, 255, 255] - [0, 128, 128]
    y = (lightness + 16) / 116
    ratio = np.array([y + a / 500, y, y - b / 200])
    xyz = np.where(ratio > _KNEE, ratio**3, 3 * _KNEE**2 * (ratio - 4 / 29)) * _WHITE_D50
    linear = np.clip(np.linalg.solve(_XYZ_D50, xyz), 0, 1)
    encoded = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    red, green, blue = np.rint(encoded * 255).astype(int).tolist()
    return red, green, blue
