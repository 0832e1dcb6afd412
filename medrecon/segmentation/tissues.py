"""The tissue engine: anatomy that Hounsfield units alone tell apart, without a network."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from medrecon.core import HuStatus, Segmentation, Volume
from medrecon.errors import UnverifiedHuError, UsageError
from medrecon.segmentation.body import Body, find_body
from medrecon.segmentation.bone import find_bone
from medrecon.segmentation.contract import Progress
from medrecon.segmentation.found import Found
from medrecon.segmentation.hu import verify_hu
from medrecon.segmentation.lungs import find_air
from medrecon.segmentation.presets import preset
from medrecon.segmentation.skin import find_skin
from medrecon.segmentation.soft import find_soft

# In the order of work; a request is answered in this order whatever its own.
TISSUES = ("skin", "bone", "lung_left", "lung_right", "airway", "fat", "muscle")
GROUPS = {"lungs": ("lung_left", "lung_right")}


class TissueSegmenter:
    """Segments a CT by its Hounsfield units.

    Parameters
    ----------
    names : sequence of str
        Of `TISSUES`; "lungs" stands for both. Double and unordered names are fine.

    Raises
    ------
    UsageError
        If a name is unknown or there is none.

    Examples
    --------
    >>> TissueSegmenter(["bone", "lungs"]).names
    ('bone', 'lung_left', 'lung_right')
    """

    def __init__(self, names: Sequence[str] = TISSUES) -> None:
        asked = {single for name in names for single in GROUPS.get(name, (name,))}
        unknown = sorted(asked - set(TISSUES))
        if unknown or not asked:
            known = ", ".join((*TISSUES, *GROUPS))
            raise UsageError(f"no tissue {', '.join(unknown) or 'was named'}; known are: {known}")
        self.names = tuple(name for name in TISSUES if name in asked)

    def segment(self, volume: Volume, *, progress: Progress | None = None) -> Segmentation:
        """Fields of the tissues found, on the volume's grid, at their first level.

        A tissue that is not in the image has no field but a finding that says why.
        `refine.refine` moves each surface to the local half-maximum.

        Raises
        ------
        UnverifiedHuError
            If the values are not proven to be Hounsfield units.
        """
        checked = verify_hu(volume)
        if checked.acquisition.hu is not HuStatus.VERIFIED:
            raise UnverifiedHuError(
                f"tissues need Hounsfield units, and these are not verified: "
                f"{checked.acquisition.hu_reason}; use a model made for this image instead"
            )
        body = find_body(volume, preset("body"))
        found: dict[str, Found] = {}
        steps = _steps(self.names)
        for number, step in enumerate(steps):
            found.update(step(volume, body))
            if progress is not None:
                progress((number + 1) / len(steps))
        return Segmentation(
            grid=volume.geometry,
            fields=tuple(f for n in self.names if (f := found[n].field) is not None),
            source="tissue",
            findings={n: found[n].findings for n in self.names if found[n].findings},
        )


Step = Callable[[Volume, Body], dict[str, Found]]


def _steps(names: Sequence[str]) -> list[Step]:
    """What has to be done for these tissues, each once."""
    steps: list[Step] = []
    if "skin" in names:
        steps.append(lambda volume, body: {"skin": find_skin(volume, body, preset("body"))})
    if "bone" in names:
        steps.append(lambda volume, body: {"bone": find_bone(volume, body, preset("bone"))})
    if not {"lung_left", "lung_right", "airway"}.isdisjoint(names):
        steps.append(find_air)
    soft = tuple(name for name in ("fat", "muscle") if name in names)
    if soft:
        steps.append(lambda volume, body: find_soft(volume, body, soft))
    return steps
