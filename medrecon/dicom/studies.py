"""Which files of a large tree belong to one study."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from medrecon.dicom import tags
from medrecon.dicom.archive import is_zip
from medrecon.dicom.attributes import Attributes
from medrecon.dicom.discover import Found
from medrecon.dicom.headers import read_header
from medrecon.dicom.limits import Limits
from medrecon.dicom.sources import FileSource
from medrecon.dicom.walker import MalformedError
from medrecon.errors import DamagedInputError

# A whole archive of scans, not one patient's.
MOST_FILES = 50_000_000
# Media Storage Directory (PS3.4 Annex B): a list of files, no file of a study.
DICOMDIR_CLASS = "1.2.840.10008.1.3.10"
DICOM_SUFFIXES = (".dcm", ".ima", ".dicom")
VOLUME_SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd")


@dataclass
class _Sorted:
    """Files by what they say they belong to; broken ones by their folder."""

    root: Path
    studies: dict[str, list[Path]] = field(default_factory=lambda: defaultdict(list))
    of_folder: dict[Path, set[str]] = field(default_factory=lambda: defaultdict(set))
    homeless: dict[Path, list[Path]] = field(default_factory=lambda: defaultdict(list))
    aside: int = 0

    def add(self, key: str, path: Path) -> None:
        self.studies[key].append(path)
        self.of_folder[path.parent].add(key)

    def settle(self) -> Mapping[str, list[Path]]:
        """Broken files join the one study of their folder; else the folder is a study."""
        for folder, paths in self.homeless.items():
            keys = self.of_folder[folder]
            name = folder.relative_to(self.root).as_posix()
            key = next(iter(keys)) if len(keys) == 1 else f"folder:{name}"
            self.studies[key].extend(paths)
        return dict(self.studies)


def files_by_study(
    root: Path, limits: Limits | None = None
) -> tuple[Mapping[str, list[Path]], int]:
    """Files of each study below a folder, and the number of files that belong to none.

    DICOM files are told apart by Study Instance UID (0020,000D), wherever they lie; one
    without it, or one that is broken, belongs to its folder. An archive and a NIfTI,
    NRRD or MetaImage volume is a study of its own.

    Parameters
    ----------
    root : Path
        A folder.
    limits : Limits, optional

    Returns
    -------
    mapping of str to list of Path
        By a key that identifies the study, and so perhaps the patient: it stays in memory.
    int
        Files that are no image.

    Raises
    ------
    UnreadableInputError
        If the folder cannot be opened.
    """
    budgets = replace(limits or Limits(), files=MOST_FILES)
    found = _Sorted(root.resolve())
    for source in Found([root], budgets):
        assert isinstance(source, FileSource)
        _sort(source, budgets, found)
    return found.settle(), found.aside


def _sort(source: FileSource, limits: Limits, found: _Sorted) -> None:
    path, name = source.path, source.path.name.lower()
    own = path.relative_to(found.root).as_posix()
    if is_zip(source.head(4)):
        found.add(f"archive:{own}", path)
        return
    if name.endswith(VOLUME_SUFFIXES):
        found.add(f"volume:{own}", path)
        return
    try:
        opened = read_header(source, limits)
    except (MalformedError, DamagedInputError):
        found.homeless[path.parent].append(path)
        return
    if opened is None:
        if name.endswith(DICOM_SUFFIXES):
            found.homeless[path.parent].append(path)
        else:
            found.aside += 1
        return
    attributes = Attributes(opened[1].elements)
    study = attributes.text(tags.STUDY_INSTANCE)
    if study:
        found.add(f"study:{study}", path)
    elif attributes.text(tags.MEDIA_SOP_CLASS) == DICOMDIR_CLASS:
        found.aside += 1
    else:
        found.homeless[path.parent].append(path)
