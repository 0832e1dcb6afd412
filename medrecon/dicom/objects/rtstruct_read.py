"""RT Structure Sets as regions of closed planar contours."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from medrecon.core import Label
from medrecon.dicom.objects.naming import distinct_names, safe_name
from medrecon.dicom.objects.segments import ReadContours, Roi
from medrecon.errors import GeometryError

_CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
_GREY = (200, 200, 200)


def read_rtstruct(ds: Dataset) -> ReadContours:
    """Regions of a structure set that have closed contours.

    Points, open lines and contours of fewer than three points bound nothing and are left
    out, and said.

    Raises
    ------
    GeometryError
        If a contour's coordinates are not triples of finite numbers.

    References
    ----------
    PS3.3 C.8.8.5, C.8.8.6.
    """
    described = {int(r.ROINumber): r for r in ds.get("StructureSetROISequence") or []}
    drawn = list(ds.get("ROIContourSequence") or [])
    numbers = [int(c.get("ReferencedROINumber", 0)) for c in drawn]
    names = distinct_names(
        [
            safe_name([str(described.get(n, Dataset()).get("ROIName", ""))], "", f"roi_{n}")
            for n in numbers
        ]
    )
    regions, findings = [], []
    for index, (item, name) in enumerate(zip(drawn, names, strict=True), 1):
        all_contours = item.get("ContourSequence") or []
        contours = tuple(_closed(all_contours))
        left = len(all_contours) - len(contours)
        if left:
            findings.append(f"{name}: {left} points or open lines bound nothing; left out")
        if contours:
            regions.append(Roi(Label(index, name, _color(item)), contours))
    empty = len(drawn) - len(regions)
    if empty:
        findings.append(f"{empty} of {len(drawn)} regions have no closed contour")
    return ReadContours(tuple(regions), tuple(findings))


def _closed(items: list[Dataset]) -> Iterator[npt.NDArray[np.float64]]:
    for item in items:
        if str(item.get("ContourGeometricType", "")) not in _CLOSED:
            continue
        try:
            numbers = np.array([float(v) for v in item.get("ContourData") or []])
        except (TypeError, ValueError):
            raise GeometryError("a contour with a coordinate that is no number") from None
        if len(numbers) % 3 or not np.isfinite(numbers).all():
            raise GeometryError(f"a contour of {len(numbers)} numbers; three a point expected")
        if len(numbers) >= 9:
            yield numbers.reshape(-1, 3)


def _color(item: Dataset) -> tuple[int, int, int]:
    value = item.get("ROIDisplayColor")
    if value is None or len(value) != 3:
        return _GREY
    red, green, blue = (min(max(int(v), 0), 255) for v in value)
    return red, green, blue
