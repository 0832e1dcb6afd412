"""Groups of slices that can be one volume: by what must agree, then by what tells twins apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence

import numpy as np

from medrecon.dicom.consensus import plane
from medrecon.dicom.geometry import SAME_PLANE, SAME_POSITION_MM
from medrecon.dicom.slices import Slice
from medrecon.errors import GeometryError

# More planes than this in one series are no volumes: the rest is refused as one.
MOST_PLANES = 200

# Told apart even where nothing collides: the first three values of Image Type say
# what an image is (PS3.3 C.7.6.1.1.2), the further ones how it was made.
TYPE_VALUES = 3

# Seconds. No series takes twenty hours: times that far apart lie on both sides of midnight.
ACROSS_MIDNIGHT = 20 * 3600.0
DAY = 24 * 3600.0

Group = list[Slice]


def same_nature(slices: Iterable[Slice]) -> list[Group]:
    """Slices that agree in patient, series, frame of reference, kind, kernel and matrix.

    Groups and their members come in an order that depends on content alone.
    """
    groups: dict[Hashable, Group] = defaultdict(list)
    for s in sorted(slices, key=_content):
        groups[_nature(s)].append(s)
    return list(groups.values())


def same_plane(slices: Group) -> list[Group]:
    """Slices of one orientation and pixel spacing, within `SAME_PLANE`."""
    groups: list[tuple[np.ndarray[tuple[int], np.dtype[np.float64]] | None, Group]] = []
    for s in slices:
        p = s.placement
        vector = None
        if p.orientation is not None:
            vector = np.array([*p.orientation, *(p.spacing_mm or (0.0, 0.0))])
        for known, members in groups[:MOST_PLANES]:
            if vector is None or known is None:
                if vector is known:
                    members.append(s)
                    break
            elif np.abs(known - vector).max() <= SAME_PLANE:
                members.append(s)
                break
        else:
            if len(groups) <= MOST_PLANES:
                groups.append((vector, []))
            groups[-1][1].append(s)
    return [members for _, members in groups]


def contrasts(slices: Group) -> list[Group]:
    """Volumes of different kind at the same positions: image type, echo, b-value, part.

    Slices that do not collide stay together whatever their kind: scanners change
    the later values of Image Type inside one volume. Echoes and b-values that alternate
    from slice to slice are volumes whose positions differ.
    """
    for key in _CONTRASTS:
        parts = _split(slices, key)
        if parts:
            return [volume for part in parts for volume in contrasts(part)]
    for key in _NEVER_WOVEN:
        parts = _unwoven(slices, key)
        if parts:
            return [volume for part in parts for volume in contrasts(part)]
    return [slices]


def moments(slices: Group) -> list[Group]:
    """Volumes of one kind at the same positions, or between each other's, in order of time."""
    keys = (*_MOMENTS, _clock(slices))
    for key in keys:
        parts = _split(slices, key)
        if parts:
            return [volume for part in parts for volume in moments(part)]
    for key in keys:
        parts = _ranks(slices, key)
        if parts:
            return parts
    for key in _NEVER_WOVEN_TIMES:
        parts = _unwoven(slices, key)
        if parts:
            return [volume for part in parts for volume in moments(part)]
    return [slices]


def _nature(s: Slice) -> Hashable:
    i, m = s.identity, s.meaning
    number = None if i.series else m.series_number
    return (
        *(i.patient, i.study, i.series, i.frame_of_reference, number, m.modality, m.sop_class),
        *(m.image_type[:TYPE_VALUES], m.kernel, m.stack, s.shape, s.pixels.samples),
    )


def _content(s: Slice) -> tuple[str | float, ...]:
    m, p, number = s.meaning, s.placement, s.identity.instance_number
    return (
        *(s.identity.study, s.identity.series, s.identity.instance, s.identity.patient),
        *(s.frame, -1 if s.tile is None else s.tile.row * 65536 + s.tile.column),
        *(p.position_mm or (0.0, 0.0, 0.0)),
        *(-1 if number is None else number, "\\".join(m.image_type)),
    )


Key = Callable[[Slice], "float | str | None"]

_CONTRASTS: tuple[Key, ...] = (
    lambda s: "\\".join(s.meaning.image_type),
    lambda s: s.moment.echo,
    lambda s: s.moment.b_value,
    lambda s: s.moment.contrast,
)
_MOMENTS: tuple[Key, ...] = (
    lambda s: s.moment.temporal,
    lambda s: s.moment.trigger,
    lambda s: s.moment.acquisition,
)
_NEVER_WOVEN: tuple[Key, ...] = (lambda s: s.moment.echo, lambda s: s.moment.b_value)
# Of an MR the acquisitions may well alternate: odd slices first, then the even ones.
_NEVER_WOVEN_TIMES: tuple[Key, ...] = (
    lambda s: s.moment.temporal,
    lambda s: s.moment.acquisition if s.meaning.modality == "CT" else None,
)


def _clock(slices: Group) -> Key:
    """Time of day, going on past midnight."""
    times = [s.moment.time for s in slices if s.moment.time is not None]
    late = bool(times) and max(times) - min(times) > ACROSS_MIDNIGHT

    def time(s: Slice) -> float | None:
        t = s.moment.time
        return t + DAY if late and t is not None and t < DAY / 2 else t

    return time


def _parts(slices: Group, key: Key) -> list[list[int]] | None:
    """Numbers of the slices by the key's value, in its order; None if it does not divide them."""
    parts: dict[float | str, list[int]] = defaultdict(list)
    for n, s in enumerate(slices):
        value = key(s)
        if value is None:
            return None
        parts[value].append(n)
    return [parts[value] for value in sorted(parts, key=_sortable)] if len(parts) > 1 else None


def _unwoven(slices: Group, key: Key) -> list[Group] | None:
    """Parts by the key's value, if each alone spans more than half of the whole stack.

    Blocks of a scan that follow each other span less; parts that alternate, nearly all.
    """
    places = _places(slices)
    parts = _parts(slices, key)
    if parts is None:
        return None
    for part in parts:
        own = [places[n] for n in part]
        if len(own) < 3 or 2 * (max(own) - min(own)) <= max(places):
            return None
    return [[slices[n] for n in part] for part in parts]


def _split(slices: Group, key: Key) -> list[Group] | None:
    """Parts by the key's value, if slices collide and each part is most of a volume.

    A single odd slice is not a volume of its own: then nothing is split, and the
    collision is left for the pixels to judge.
    """
    places = _places(slices)
    distinct = len(set(places))
    if distinct == len(slices):
        return None
    parts = _parts(slices, key)
    if parts is None:
        return None
    covered = [len({places[n] for n in part}) for part in parts]
    if any(2 * c < distinct or c < min(3, distinct) for c in covered):
        return None
    if distinct == 1:
        return None
    return [[slices[n] for n in part] for part in parts]


def _ranks(slices: Group, key: Key) -> list[Group] | None:
    """Parts by the key's rank at each position: the times of a cine differ from slice to slice."""
    at: dict[int, list[tuple[float, Slice]]] = defaultdict(list)
    for place, s in zip(_places(slices), slices, strict=True):
        value = key(s)
        if not isinstance(value, float | int):
            return None
        at[place].append((float(value), s))
    counts = {len(v) for v in at.values()}
    if len(at) < 2 or len(counts) != 1 or counts == {1}:
        return None
    if any(len({t for t, _ in v}) != len(v) for v in at.values()):
        return None
    ranked = [[s for _, s in sorted(v, key=lambda p: p[0])] for _, v in sorted(at.items())]
    return [list(part) for part in zip(*ranked, strict=True)]


def _places(slices: Sequence[Slice]) -> list[int]:
    """Number of each slice's position along the normal; all 0 where positions lack."""
    orientation = slices[0].placement.orientation
    if orientation is None or any(s.placement.position_mm is None for s in slices):
        return [0] * len(slices)
    try:
        normal = np.cross(*plane(orientation))
    except GeometryError:
        return [0] * len(slices)
    heights = np.array([s.placement.position_mm for s in slices], float) @ normal
    order = np.argsort(heights, kind="stable")
    new = np.diff(heights[order], prepend=heights[order[0]]) >= SAME_POSITION_MM
    places = np.empty(len(slices), int)
    places[order] = np.cumsum(new)
    return [int(p) for p in places]


def _sortable(value: float | str) -> tuple[bool, float, str]:
    return isinstance(value, str), value if not isinstance(value, str) else 0.0, str(value)
