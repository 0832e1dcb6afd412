"""A series' pixels as one volume, or as a stack where the slices are no grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medrecon.core import SliceStack, Volume
from medrecon.dicom.acquisition import acquisition
from medrecon.dicom.decode import Decoder
from medrecon.dicom.fetch import Fetched, fetch
from medrecon.dicom.geometry import SAME_POSITION_MM, Kind, Layout, lay_out
from medrecon.dicom.limits import Limits
from medrecon.dicom.pixels import TooWideError, Transform, transform
from medrecon.dicom.series import Series
from medrecon.dicom.slices import Slice
from medrecon.errors import (
    DuplicateSliceError,
    GapError,
    NoSeriesError,
    PixelDataError,
    ResourceError,
    UnsupportedEncodingError,
    UsageError,
)

# 32-bit stored values times this stay within float32.
LARGEST_SCALE = 1e20
# Slices compared at a time: a series copied twice must not take its memory twice.
TWINS_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What the user allows.

    Parameters
    ----------
    frame : int or None
        Which volume of a 4-D series, from 1.
    fill_gaps : bool
        Interpolate across missing slices; the stretch is marked as unmeasured.
    skip_bad : bool
        Leave out slices whose pixels cannot be read. A gap that comes of it is
        still a gap.
    native : bool
        Return a tilted series as stored voxels with its sheared affine.
    """

    frame: int | None = None
    fill_gaps: bool = False
    skip_bad: bool = False
    native: bool = False


def read(
    series: Series,
    *,
    frame: int | None = None,
    fill_gaps: bool = False,
    skip_bad: bool = False,
    native: bool = False,
    limits: Limits | None = None,
    decoder: Decoder | None = None,
) -> Volume | SliceStack:
    """The series as a `Volume` on its native grid, or as a `SliceStack` if it has none.

    Parameters
    ----------
    series : Series
        From `choose`.
    frame : int or None
        Which volume of a 4-D series, from 1.
    fill_gaps : bool
        Accept missing slices; the result is a stack that names the stretches.
    skip_bad : bool
        Leave out slices whose pixels cannot be read.
    native : bool
        Give a tilted series its sheared affine instead of a stack.
    limits : Limits or None
    decoder : Decoder or None
        A decoding process to use again and again; None starts one if need be.

    Returns
    -------
    Volume or SliceStack
        int16, or float32 where slope, intercept or range ask for it; HU for CT if
        `acquisition.hu` says so. Slices increase along row × column.

    Raises
    ------
    GapError, DuplicateSliceError, MissingSpacingError, GeometryError
        If the slices make no volume.
    PixelDataError
        If pixels are truncated or corrupt.
    UnsupportedEncodingError
        If the pixels are stored in a way that is not decoded.
    ResourceError
        If the volume is over the memory budget.
    UsageError
        If a 4-D series is read without `frame`.
    """
    options = ReadOptions(frame, fill_gaps, skip_bad, native)
    budgets = limits or Limits()
    layout = _chosen(series, options)
    if series.damaged and not skip_bad:
        raise PixelDataError(
            f"{series.damaged} broken DICOM files may belong to series {series.number}; "
            "copy it again or pass --skip-bad"
        )
    if decoder is not None:
        return _Reading(series, options, budgets, decoder).result(layout)
    with Decoder(budgets) as own:
        return _Reading(series, options, budgets, own).result(layout)


def _chosen(series: Series, options: ReadOptions) -> Layout:
    if series.finding.refusal is not None:
        error = series.finding.refusal
        raise type(error)(f"series {series.number}: {error}")
    if options.frame is None and series.frames > 1:
        raise UsageError(
            f"series {series.number} holds {series.frames} volumes in time; choose one with "
            f"--frame 1 to --frame {series.frames}"
        )
    k = 0 if options.frame is None else options.frame - 1
    if not 0 <= k < series.frames:
        raise UsageError(f"no frame {k + 1}; series {series.number} holds {series.frames}")
    return series.layouts[k]


class _Reading:
    """One read: the same options for every try."""

    def __init__(
        self, series: Series, options: ReadOptions, limits: Limits, decoder: Decoder
    ) -> None:
        self.series = series
        self.options = options
        self.limits = limits
        self.decoder = decoder

    def result(self, layout: Layout) -> Volume | SliceStack:
        while True:
            self._refuse_gaps(layout)
            array, fetched = self._pixels(layout)
            if not fetched.failed:
                break
            layout = self._without(layout, fetched)
        if fetched.measured_nothing(len(layout.slices)):
            raise PixelDataError(
                f"all pixels of series {self.series.number} are padding by what the header says; "
                "nothing was measured"
            )
        self._compare_twins(layout, array)
        self._fill(array, fetched)
        return self._assemble(layout, array, fetched)

    def _refuse_gaps(self, layout: Layout) -> None:
        f = layout.finding
        if len(layout.slices) < 2 and layout.twins:
            raise DuplicateSliceError(
                f"all {1 + len(layout.twins)} slices of series {self.series.number} lie at one "
                "position; a volume needs several"
            )
        if len(layout.slices) < 2:
            raise NoSeriesError(f"series {self.series.number} is a single slice, not a volume")
        if f.gaps_mm and not self.options.fill_gaps:
            widest = max(high - low for low, high in f.gaps_mm)
            raise GapError(
                f"{len(f.gaps_mm)} gap(s) in series {self.series.number}: largest step "
                f"{widest:.2f} mm, expected {f.step_mm:.2f} mm; export the series again or pass "
                "--fill-gaps"
            )

    def _pixels(self, layout: Layout) -> tuple[npt.NDArray[np.generic], Fetched]:
        transforms = _transforms(layout.slices, self.series)
        whole = all(t.is_whole and t.layout.bits_allocated <= 16 for t in transforms)
        if whole:
            try:
                return self._fetch(layout, transforms, np.dtype(np.int16))
            except TooWideError:
                pass
        return self._fetch(layout, transforms, np.dtype(np.float32))

    def _fetch(
        self, layout: Layout, transforms: Sequence[Transform], dtype: np.dtype[np.generic]
    ) -> tuple[npt.NDArray[np.generic], Fetched]:
        i, j, k = layout.shape
        needed = i * j * k * dtype.itemsize
        if needed > self.limits.volume_bytes:
            raise ResourceError(
                f"series {self.series.number} needs {needed / 2**30:.1f} GiB; at most "
                f"{self.limits.volume_bytes / 2**30:.1f} GiB are allowed (--max-memory)"
            )
        fetched = fetch(layout.slices, transforms, dtype, self.limits, self.decoder)
        return fetched.array, fetched

    def _without(self, layout: Layout, fetched: Fetched) -> Layout:
        """The layout less its unreadable slices, if that is allowed."""
        first, reason = next(iter(sorted(fetched.failed.items())))
        if not self.options.skip_bad:
            raise PixelDataError(
                f"slice {first + 1} of {len(layout.slices)} in series {self.series.number}: "
                f"{reason}; {len(fetched.failed)} such slice(s); copy the series again or pass "
                "--skip-bad"
            )
        twins = dict(reversed(layout.twins))
        left = [s if n not in fetched.failed else twins.get(n) for n, s in enumerate(layout.slices)]
        good = [s for s in left if s is not None]
        if len(good) < 2:
            raise PixelDataError(f"no readable slices in series {self.series.number}; {reason}")
        rest = [s for at, s in layout.twins if at not in fetched.failed]
        return lay_out([*good, *rest])

    def _compare_twins(self, layout: Layout, array: npt.NDArray[np.generic]) -> None:
        """Further slices at a position must hold the same values, else nobody knows which."""
        for start in range(0, len(layout.twins), TWINS_AT_ONCE):
            part = layout.twins[start : start + TWINS_AT_ONCE]
            slices = [s for _, s in part]
            transforms = _transforms(slices, self.series)
            try:
                found = fetch(slices, transforms, array.dtype, self.limits, self.decoder)
            except TooWideError:
                raise self._differ(layout) from None
            for n, (at, twin) in enumerate(part):
                if n in found.failed and self.options.skip_bad:
                    continue
                if n in found.failed:
                    raise PixelDataError(
                        f"a second slice at one position of series {self.series.number}: "
                        f"{found.failed[n]}; pass --skip-bad to use the first"
                    )
                same = np.array_equal(found.array[:, :, n], array[:, :, at])
                if not (same and _same_place(twin, layout.positions_mm[at])):
                    raise self._differ(layout)

    def _differ(self, layout: Layout) -> DuplicateSliceError:
        return DuplicateSliceError(
            f"{len(layout.twins)} slice(s) of series {self.series.number} share a position with "
            "another whose pixels differ; export the series again"
        )

    def _fill(self, array: npt.NDArray[np.generic], fetched: Fetched) -> None:
        """Padding that has no stated stand-in becomes the lowest measured value."""
        if not fetched.unfilled:
            return
        lowest = fetched.lowest(array)
        for k in sorted(fetched.unfilled):
            mask = fetched.masks[k]
            array[:, :, k].T[mask] = lowest

    def _assemble(
        self, layout: Layout, array: npt.NDArray[np.generic], fetched: Fetched
    ) -> Volume | SliceStack:
        made = acquisition(layout, self.series.modality)
        unmeasured = fetched.unmeasured(len(layout.slices))
        f = layout.finding
        is_grid = not f.gaps_mm and (
            f.kind is Kind.REGULAR or (self.options.native and f.kind is Kind.TILTED)
        )
        if is_grid or self.options.native:
            return Volume(array, layout.grid(), made, unmeasured)  # type: ignore[arg-type]
        return SliceStack(
            array,  # type: ignore[arg-type]
            layout.positions_mm,
            layout.row,
            layout.column,
            layout.spacing_mm,
            made,
            unmeasured,
            f.gaps_mm,
        )


def _same_place(twin: Slice, position_mm: npt.NDArray[np.float64]) -> bool:
    """Whether a slice at the same height also lies at the same place in its plane."""
    stated = np.asarray(twin.placement.position_mm, dtype=np.float64)
    return bool(np.abs(stated - position_mm).max() <= SAME_POSITION_MM)


def _transforms(slices: Sequence[Slice], series: Series) -> list[Transform]:
    """Each slice's transformation, if all of them state the same kind of thing.

    Raises
    ------
    PixelDataError
        If some slices state a rescale and others none, or a slope is zero.
    UnsupportedEncodingError
        If a lookup table stands in the rescale's place, or the bits make no sense.
    """
    is_ct = series.modality.value == "CT"
    stated = sum(s.scale.is_stated for s in slices)
    if 0 < stated < len(slices):
        raise PixelDataError(
            f"{len(slices) - stated} of {len(slices)} slices in series {series.number} state no "
            "rescale and the others do; export the series again"
        )
    if any(s.scale.is_unreadable for s in slices):
        raise PixelDataError(
            f"a rescale slope or intercept in series {series.number} is no number; values are lost"
        )
    if any(s.scale.slope == 0 for s in slices):
        raise PixelDataError(f"a rescale slope of 0 in series {series.number}; values are lost")
    if any(max(map(abs, s.scale.numbers)) > LARGEST_SCALE for s in slices):
        raise PixelDataError(
            f"a rescale slope or intercept over {LARGEST_SCALE:.0e} in series {series.number}; "
            "no measured value is that large"
        )
    if any(s.scale.lookup for s in slices):
        raise UnsupportedEncodingError(
            f"series {series.number} stores values through a lookup table; export it with "
            "rescale slope and intercept"
        )
    made: dict[tuple[object, object], Transform] = {}
    for s in slices:
        key = (s.pixels, s.scale)
        if key not in made:
            made[key] = transform(s.pixels, s.scale, is_ct=is_ct)
    return [made[s.pixels, s.scale] for s in slices]
