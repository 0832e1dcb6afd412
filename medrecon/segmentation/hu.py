"""Are the values Hounsfield units? The histogram's answer beside the header's.

A header can say CT and HU where the numbers are neither: cone-beam CT with its own
grey scale, iodine maps, monoenergetic and material images. On the Hounsfield scale air
is −1000 and fat and muscle lie between −150 and +100 by definition; a clinical scan
shows at least soft tissue, and most show air.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from medrecon.core import HuStatus, Modality, Volume

# HU. Air is -1000 by definition; scanners in the field are within 30, 3 mm resampling
# and scatter take another 20.
AIR_HU = (-1075, -925)
# HU. Fat is at -120 to -70, muscle and organs at 30 to 70, with contrast to 100.
SOFT_HU = (-150, 100)
SOFT_TEXT = f"{SOFT_HU[0]} to {SOFT_HU[1]} HU"
# HU. Padding and the corners outside the reconstruction circle lie at or below -1024 in
# most scanners (-2000, -3024, -2048); some fill the corners with exactly -1000 or -1024.
PADDING_HU = -1100
# Values looked at: enough for a histogram of 10 HU to be smooth to a per cent.
SAMPLES = 2_000_000
# HU per histogram bin: wider than rounding, narrower than the noise.
BIN_HU = 10
# Share of the measured voxels. In a chest, soft tissue holds 20-40 % of all voxels, in
# a leg in a wide field 5 %; a cone-beam scan's soft tissue has no place on the scale.
SOFT_SHARE = 0.03
# Share of the measured voxels that makes a peak below -600 HU worth a look.
AIR_SHARE = 0.02
# A skull holds 15 % of bone above 700 HU; more means an offset of the scale.
DENSE_HU, DENSE_SHARE = 700, 0.3
# Any crop of a patient has fat, lung, air or at least noise below -10 HU; an iodine map,
# clipped at zero, has none.
LIGHT_HU, LIGHT_SHARE = -10, 0.001


@dataclass(frozen=True, slots=True)
class HuFinding:
    """What the histogram says.

    Parameters
    ----------
    air_peak_hu : float or None
        Most frequent value below −600 HU, padding left out; None if there is no air.
    soft_peak_hu : float or None
        Most frequent value above −600 HU; None if there is none.
    reason : str
        Why the values cannot be HU; empty if they can.
    """

    air_peak_hu: float | None
    soft_peak_hu: float | None
    reason: str


def verify_hu(volume: Volume) -> Volume:
    """The volume with its HU status confirmed, or refused with the reason.

    A status that the header refused stays refused: the histogram only takes away.
    """
    acquisition = volume.acquisition
    if acquisition.modality is not Modality.CT:
        status, reason = HuStatus.NOT_CT, "not a CT image"
    elif acquisition.hu is HuStatus.UNVERIFIED:
        status, reason = HuStatus.UNVERIFIED, acquisition.hu_reason or "the header does not say so"
    else:
        finding = examine(volume)
        status = HuStatus.UNVERIFIED if finding.reason else HuStatus.VERIFIED
        reason = finding.reason or acquisition.hu_reason
    return replace(volume, acquisition=replace(acquisition, hu=status, hu_reason=reason))


def examine(volume: Volume) -> HuFinding:
    """What the volume's histogram says, whatever its header says."""
    values = _sample(volume)
    if len(values) < 100:
        return HuFinding(None, None, "too few measured voxels to tell")
    bins = np.arange(PADDING_HU, 3100, BIN_HU, dtype=np.float64)
    counts, _ = np.histogram(values, bins)
    middle = bins[:-1] + BIN_HU / 2
    air = _peak(counts, middle, middle < -600, AIR_SHARE * len(values))
    soft = _peak(counts, middle, middle > -600, SOFT_SHARE * len(values))
    return HuFinding(air, soft, _reason(values, air, soft))


def _scale(values: npt.NDArray[np.float32]) -> str:
    """Why the spread of the values cannot be that of HU; empty if it can."""
    dense = float(np.mean(values > DENSE_HU))
    if dense > DENSE_SHARE:
        return f"{100 * dense:.0f} % of the voxels are above {DENSE_HU} HU, as no anatomy is"
    if float(np.mean(values < LIGHT_HU)) < LIGHT_SHARE:
        return f"nothing is below {LIGHT_HU} HU: neither fat, lung nor air"
    return ""


def _reason(values: npt.NDArray[np.float32], air: float | None, soft: float | None) -> str:
    share = float(np.mean((values > SOFT_HU[0]) & (values < SOFT_HU[1])))
    if soft is None or share < SOFT_SHARE:
        return f"{100 * share:.1f} % of the voxels lie in {SOFT_TEXT}, where soft tissue belongs"
    if not SOFT_HU[0] <= soft <= SOFT_HU[1]:
        return f"the soft-tissue peak is at {soft:.0f}; expected in {SOFT_TEXT}"
    if air is not None and not _is_air(air):
        return f"the air peak is at {air:.0f}; expected in {AIR_HU[0]} to {AIR_HU[1]} HU"
    return _scale(values)


def _is_air(peak_hu: float) -> bool:
    """Air, or lung: a crop inside the chest has no outside air but lung at −900 to −700."""
    return AIR_HU[0] <= peak_hu <= AIR_HU[1] or -930 <= peak_hu <= -650


def _peak(
    counts: npt.NDArray[np.int64],
    middle: npt.NDArray[np.floating],
    where: npt.NDArray[np.bool_],
    at_least: float,
) -> float | None:
    """Most frequent value of a smoothed part of the histogram, if it holds enough."""
    part = np.where(where, counts, 0)
    if part.sum() < at_least:
        return None
    smooth = np.convolve(part, np.ones(5) / 5, mode="same")
    return float(middle[int(np.argmax(smooth))])


def _sample(volume: Volume) -> npt.NDArray[np.float32]:
    """Every n-th measured value, padding left out."""
    step = max(1, round((volume.array.size / SAMPLES) ** (1 / 3)))
    pick = (slice(None, None, step),) * 3
    values = volume.array[pick]
    measured = values >= PADDING_HU
    if volume.unmeasured is not None:
        measured &= ~np.broadcast_to(volume.unmeasured, volume.array.shape)[pick]
    return values[measured].astype(np.float32)
