"""Headers of a whole input, grouped into numbered series. No pixel is touched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from medrecon.core import Modality
from medrecon.dicom import tags
from medrecon.dicom.archive import ENCRYPTED, PACKED, is_zip
from medrecon.dicom.attributes import Attributes
from medrecon.dicom.discover import NESTED_ARCHIVE, Found
from medrecon.dicom.geometry import lay_out
from medrecon.dicom.headers import read_header
from medrecon.dicom.intake import reason_for_frame, reason_to_leave, slices_of, with_modality
from medrecon.dicom.limits import Limits
from medrecon.dicom.recurring import Recurring
from medrecon.dicom.separate import Group, contrasts, moments, same_nature, same_plane
from medrecon.dicom.series import Scan, Series, parts_elsewhere, refused
from medrecon.dicom.slices import Slice
from medrecon.dicom.sources import Source
from medrecon.dicom.walker import Header, MalformedError
from medrecon.errors import DamagedInputError, GeometryError, MedreconError, UnreadableInputError

NOT_DICOM = "not DICOM"
BROKEN = "broken DICOM file"


def scan(path: str | Path | Sequence[str | Path], *, limits: Limits | None = None) -> Scan:
    """Every CT and MR series in a folder, files, a DICOMDIR or a zip archive.

    Parameters
    ----------
    path : str, Path or sequence of these
    limits : Limits or None
        Budgets; None for the standard ones.

    Raises
    ------
    UnreadableInputError
        If the input cannot be opened, or a file named outright is no image.
    ArchiveError
        If an archive is damaged or over its budget.
    ResourceError
        If there are more files or nested folders than the limits allow.
    """
    budgets = limits or Limits()
    paths = [path] if isinstance(path, str | Path) else path
    found = Found([Path(p) for p in paths], budgets)
    gathered = _Gathered()
    for source in found:
        gathered.add(source, budgets)
    gathered.aside.update(found.left_aside)
    # What cannot be opened may be slices of what can.
    locked = sum(found.left_aside[reason] for reason in (ENCRYPTED, PACKED))
    if locked and gathered.slices:
        gathered.broken[""] += locked
    if found.named_files and not gathered.dicom_files and not gathered.broken:
        raise UnreadableInputError("not an image: a DICOM file, folder or zip archive is expected")
    return gathered.result()


@dataclass
class Parts:
    """Files that are there of an image which was cut into several (PS3.3 C.7.6.16.2.2.4)."""

    numbers: set[int] = field(default_factory=set)
    total: int = 0

    @property
    def count(self) -> int:
        """How many there should be: the stated total may be absent."""
        return max(self.total, *self.numbers)

    @property
    def missing(self) -> int:
        """How many are not there."""
        return self.count - len(self.numbers - {0})


class _Gathered:
    """Slices so far, and counts of the rest."""

    def __init__(self) -> None:
        self.slices: list[Slice] = []
        self.aside: Counter[str] = Counter()
        self.broken: Counter[str] = Counter()
        self.dicom_files = 0
        self.recurring = Recurring()
        self.concatenations: dict[str, Parts] = {}

    def add(self, source: Source, limits: Limits) -> None:
        try:
            opened = read_header(source, limits)
        except MalformedError as error:
            self._add_broken(error)
            return
        except DamagedInputError:
            self.broken[""] += 1
            return
        if opened is None:
            self.aside[NESTED_ARCHIVE if is_zip(source.head(4)) else NOT_DICOM] += 1
            return
        self.dicom_files += 1
        self._add_image(*opened, limits)

    def _add_image(self, source: Source, header: Header, limits: Limits) -> None:
        reason = reason_to_leave(header)
        if reason:
            self.aside[reason] += 1
            return
        try:
            slices = slices_of(source, header, limits, self.recurring)
        except MalformedError as error:
            error.elements = header.elements
            self._add_broken(error)
            return
        except GeometryError:
            self.aside["mosaic that does not say how its slices lie"] += 1
            return
        if tags.CONCATENATION in header.elements:
            self._note_part(header)
        for s in slices:
            reason = reason_for_frame(s)
            if reason:
                self.aside[reason] += 1
            else:
                self.slices.append(with_modality(s))

    def _note_part(self, header: Header) -> None:
        a = Attributes(header.elements, big_endian=header.big_endian)
        whole = a.text(tags.CONCATENATION)
        if whole:
            parts = self.concatenations.setdefault(whole, Parts())
            parts.numbers.add(a.short(tags.CONCATENATION_NUMBER) or 0)
            parts.total = max(parts.total, a.short(tags.CONCATENATION_TOTAL) or 0)

    def _add_broken(self, error: MalformedError) -> None:
        """Count a broken file, unless its header says that it is no slice anyway."""
        self.dicom_files += 1
        a = Attributes(error.elements or {})
        modality = a.text(tags.MODALITY).upper()
        if modality and modality not in ("CT", "MR"):
            self.aside["other modality"] += 1
            return
        self.broken[a.text(tags.SERIES_INSTANCE)] += 1

    def result(self) -> Scan:
        series = sorted(self._series(), key=_shelf)
        numbered = tuple(replace(s, number=n) for n, s in enumerate(series, 1))
        if self.broken:
            self.aside[BROKEN] += sum(self.broken.values())
        damaged = sum(self.broken.values())
        return Scan(numbered, self.aside, self._warnings(numbered), damaged)

    def _series(self) -> Iterable[Series]:
        groups: dict[tuple[str, str], int] = {}
        for nature in same_nature(self.slices):
            i = nature[0].identity
            group = groups.setdefault((i.study, i.series), len(groups))
            parts = self.concatenations.get(i.concatenation)
            damaged = self.broken[""] + (self.broken[i.series] if i.series else 0)
            for flat in same_plane(nature):
                for volume in contrasts(flat):
                    series = _one_series(volume, group, damaged)
                    yield series if parts is None or not parts.missing else _cut(series, parts)

    def _warnings(self, series: Sequence[Series]) -> tuple[str, ...]:
        warnings = []
        for s in series:
            parts = parts_elsewhere(series, s)
            if parts:
                names = ", ".join(str(part.number) for part in parts)
                warnings.append(
                    f"series {s.number} lacks {sum(part.images for part in parts)} slice(s) of the "
                    f"same series identifier, which differ and are series {names}"
                )
        if any(not s.identity.series for s in self.slices):
            warnings.append(
                "no series identifier in some files: slices were grouped by what they share"
            )
        if self.broken:
            warnings.append(f"{sum(self.broken.values())} DICOM files are broken")
        return tuple(warnings)


def _cut(series: Series, parts: Parts) -> Series:
    error = GeometryError(
        f"{parts.missing} of {parts.count} files are missing that together are one image (a "
        "concatenation); copy the series again"
    )
    return replace(series, layouts=(), finding=refused(error, series.images))


def _one_series(volume: Group, group: int, damaged: int) -> Series:
    """A series, refused ones included: the reading raises what was found here."""
    meaning = volume[0].meaning
    try:
        layouts = tuple(lay_out(part) for part in moments(volume))
        finding = layouts[0].finding
    except MedreconError as error:
        layouts, finding = (), refused(error, len(volume))
    return Series(
        number=0,
        modality=Modality(meaning.modality),
        layouts=layouts,
        finding=finding,
        meaning=meaning,
        group=group,
        pixels=sum(s.shape[0] * s.shape[1] for s in volume),
        images=len(volume),
        damaged=damaged,
    )


def _shelf(s: Series) -> tuple[object, ...]:
    """Order of the series: the scanner's numbers, then size, then place, then identity."""
    number = s.meaning.series_number
    first = s.layouts[0].slices[0] if s.layouts else None
    return (
        number is None,
        number or 0,
        -s.voxels,
        first.placement.position_mm if first else (),
        first.identity.series if first else "",
        "\\".join(s.meaning.image_type),
        (first.moment.echo or 0.0, first.moment.b_value or 0.0) if first else (),
        s.group,
    )
