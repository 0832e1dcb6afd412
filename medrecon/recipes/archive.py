"""Send objects to an archive on the network, and fetch series from one."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from medrecon.archive.destination import Peer, WebArchive
from medrecon.archive.dicomweb import DicomWeb, RemoteSeries
from medrecon.dicom import tags
from medrecon.dicom.attributes import Attributes
from medrecon.dicom.headers import read_header
from medrecon.dicom.limits import Limits
from medrecon.dicom.sources import FileSource
from medrecon.dicom.studies import DICOMDIR_CLASS
from medrecon.dicom.walker import MalformedError
from medrecon.errors import (
    MedreconError,
    NoSeriesError,
    RemoteInputError,
    UnreadableInputError,
    UsageError,
)
from medrecon.files.atomic import as_output_error
from medrecon.files.new_folder import NewFolder
from medrecon.recorder import Progress, silent

# UIDs of study, series and instance.
_Identity = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to fetch.

    Parameters
    ----------
    study : str
        Study Instance UID; empty to look it up by `accession`.
    series : str
        Series Instance UID; empty for all of the study.
    accession : str
        Accession Number that names exactly one study; DICOMweb only.
    """

    study: str = ""
    series: str = ""
    accession: str = ""


@dataclass(frozen=True, slots=True)
class Callback:
    """C-MOVE instead of C-GET: the archive calls back on this port."""

    port: int


def send(paths: Sequence[Path], archive: WebArchive | Peer, *, progress: Progress = silent) -> int:
    """Store DICOM files as they are, those below folders too; how many.

    Raises
    ------
    NoSeriesError
        If none of the paths holds a DICOM file.
    UnreadableInputError
        If a file that is named is none, or one below a folder is DICOM in a form that no
        archive takes.
    RemoteOutputError
        If the archive does not take them all.
    """
    files = [file for path in paths for file in _dicom_files(path)]
    if not files:
        raise NoSeriesError("nothing to send: no DICOM file among what was named")

    def report(fraction: float) -> None:
        progress("send", fraction)

    if isinstance(archive, WebArchive):
        DicomWeb(archive).store(files, report)
    else:
        from medrecon.archive import dimse

        dimse.store(archive, files, report)
    return len(files)


def list_series(archive: WebArchive | Peer, wanted: Wanted) -> tuple[RemoteSeries, ...]:
    """What the archive holds of a study.

    Raises
    ------
    UsageError
        If the archive is no DICOMweb.
    RemoteInputError
        If it cannot be reached, or the accession number names no study or several.
    """
    if isinstance(archive, Peer):
        raise UsageError("listing needs a DICOMweb address, https://host/dicom-web")
    client = DicomWeb(archive)
    return client.find_series(_study(client, wanted), wanted.series)


def fetch(
    archive: WebArchive | Peer,
    wanted: Wanted,
    output: Path,
    *,
    callback: Callback | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> tuple[Path, ...]:
    """Files of a study or series, as the archive holds them, in a folder of their own.

    They are numbered by their SOP Instance UIDs; the folder appears when all are there.

    Parameters
    ----------
    archive : WebArchive or Peer
    wanted : Wanted
    output : Path
        One folder below it for each series.
    callback : Callback, optional
        Fetch by C-MOVE; not from a DICOMweb.
    overwrite : bool
    progress : callable

    Raises
    ------
    UsageError
        If nothing is named to fetch, a DICOMweb is to call back, or an archive is to do so
        in clear that is called over TLS.
    RemoteInputError
        If something is missing, an object of another study or series came, or the archive
        cannot be reached.
    OutputError
        If it cannot be written.
    """
    if callback is not None and isinstance(archive, WebArchive):
        raise UsageError("--move-port is for C-MOVE from dicom://; a DICOMweb does not call back")
    if callback is not None and isinstance(archive, Peer) and archive.secure:
        raise UsageError(
            "by C-MOVE the objects come back in clear, and dicoms:// asks for TLS; leave out "
            "--move-port"
        )
    with NewFolder(output, overwrite=overwrite) as folder:
        if isinstance(archive, WebArchive):
            listed = _fetch_by_web(archive, wanted, folder.staging, progress)
        else:
            listed = _fetch_by_dimse(archive, wanted, folder.staging, callback)
        came = sorted((_identity(path), path) for path in folder.staging.iterdir())
        _check_came([identity for identity, _ in came], listed)
        files = _number(came, folder.staging)
        folder.finish()
    return tuple(output / f for f in files)


def _fetch_by_web(
    archive: WebArchive, wanted: Wanted, folder: Path, progress: Progress
) -> tuple[RemoteSeries, ...]:
    client = DicomWeb(archive)
    listed = client.find_series(_study(client, wanted), wanted.series)
    arrived = _Arriving(folder)
    for n, series in enumerate(listed, 1):
        client.retrieve(series.study, series.series, arrived.next_file, Limits().archive_bytes)
        progress("fetch", n / len(listed))
    return listed


def _fetch_by_dimse(
    peer: Peer, wanted: Wanted, folder: Path, callback: Callback | None
) -> tuple[RemoteSeries, ...]:
    from medrecon.archive import dimse

    if not wanted.study:
        raise UsageError("dicom:// fetches by --study, and --series if you like")
    arrived = _Arriving(folder)
    if callback is None:
        dimse.get(peer, wanted.study, wanted.series, arrived.keep)
    else:
        dimse.move(peer, wanted.study, wanted.series, arrived.keep, port=callback.port)
    return (RemoteSeries(wanted.study, wanted.series, "", None),)


class _Arriving:
    """Files in the order in which they come; the last may be empty.

    A peer may send over several associations at once, each in a thread of its own.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count()

    @contextmanager
    def next_file(self) -> Iterator[IO[bytes]]:
        """A file to write to; removed if nothing was written."""
        with as_output_error():
            path = self._folder / f"{next(self._numbers):06d}.part"
            with path.open("xb") as stream:
                yield stream
            if not path.stat().st_size:
                path.unlink()

    def keep(self, content: bytes) -> None:
        """Write one whole object."""
        with self.next_file() as stream:
            stream.write(content)


def _check_came(came: Sequence[_Identity], listed: Sequence[RemoteSeries]) -> None:
    """Refuse what was not asked for, and less than was listed."""
    if not came:
        raise RemoteInputError("the archive holds nothing of that study or series")
    asked = {(s.study, s.series) for s in listed}
    for study, series, _ in came:
        if not {(study, series), (study, "")} & asked:
            raise RemoteInputError(
                f"among {len(came)} objects that came there are some of another study or series; "
                "nothing was kept"
            )
    for n, row in enumerate(listed, 1):
        count = len({i for i in came if i[:2] == (row.study, row.series)})
        if row.instances not in (None, count):
            raise RemoteInputError(
                f"series {n} of {len(listed)}: {count} objects came, {row.instances} are listed"
            )


def _number(came: Sequence[tuple[_Identity, Path]], folder: Path) -> list[Path]:
    """Name what came by series and instance: `1/0001.dcm`; the relative paths."""
    series = {s: n for n, s in enumerate(dict.fromkeys(i[1] for i, _ in came), 1)}
    counts: dict[str, int] = {}
    names = []
    with as_output_error():
        for (_, uid, _), path in came:
            counts[uid] = counts.get(uid, 0) + 1
            name = Path(str(series[uid])) / f"{counts[uid]:04d}.dcm"
            (folder / name).parent.mkdir(exist_ok=True)
            path.rename(folder / name)
            names.append(name)
    return names


def _identity(path: Path) -> _Identity:
    """Study, series and instance of a file that came.

    Raises
    ------
    RemoteInputError
        If it is no DICOM object.
    """
    try:
        opened = read_header(FileSource(path, path.stat().st_size), Limits())
    except (MedreconError, MalformedError):
        opened = None
    if opened is None:
        raise RemoteInputError("the archive sent something that is no DICOM object")
    a = Attributes(opened[1].elements)
    return a.text(tags.STUDY_INSTANCE), a.text(tags.SERIES_INSTANCE), a.text(tags.SOP_INSTANCE)


def _study(client: DicomWeb, wanted: Wanted) -> str:
    if wanted.study:
        return wanted.study
    if not wanted.accession:
        raise UsageError("name what to fetch with --study or --accession")
    found = client.find_studies(wanted.accession)
    if len(found) != 1:
        raise RemoteInputError(f"{len(found)} studies have that accession number; one expected")
    return found[0]


def _dicom_files(path: Path) -> list[Path]:
    """The path itself, or every DICOM file below it, by name."""
    if path.is_file():
        if not _is_dicom(path):
            raise UnreadableInputError("a file to send is no DICOM object; nothing was sent")
        return [path]
    if not path.is_dir():
        raise UsageError("a path to send does not exist")
    files = sorted(p for p in path.rglob("*") if p.is_file() and not p.is_symlink())
    return [p for p in files if _is_dicom(p)]


def _is_dicom(path: Path) -> bool:
    """Whether a file is an object that an archive takes; a DICOMDIR only lists some."""
    try:
        opened = read_header(FileSource(path, path.stat().st_size), Limits())
    except (MedreconError, MalformedError):
        opened = None
    except OSError as error:
        raise UnreadableInputError(f"a file to send cannot be read: {error.strerror}") from error
    with path.open("rb") as stream:
        is_file_format = stream.read(132)[128:] == b"DICM"
    if opened is not None and not is_file_format:
        raise UnreadableInputError(
            "a file to send is DICOM without the file header of PS3.10 7.1, or packed with gzip; "
            "archives take neither, and nothing was sent"
        )
    if opened is not None:
        a = Attributes(opened[1].elements)
        return a.text(tags.MEDIA_SOP_CLASS) != DICOMDIR_CLASS
    return is_file_format
