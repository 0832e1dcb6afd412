"""Send objects to an archive on the network, and fetch series from one."""

from __future__ import annotations

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
from medrecon.errors import MedreconError, NoSeriesError, RemoteInputError, UsageError
from medrecon.files.atomic import as_output_error
from medrecon.files.new_folder import NewFolder
from medrecon.recorder import Progress, silent


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
        If nothing is named to fetch, or a DICOMweb is to call back.
    RemoteInputError
        If something is missing, or the archive cannot be reached.
    OutputError
        If it cannot be written.
    """
    if callback is not None and isinstance(archive, WebArchive):
        raise UsageError("--move-port is for C-MOVE from dicom://; a DICOMweb does not call back")
    with NewFolder(output, overwrite=overwrite) as folder:
        if isinstance(archive, WebArchive):
            _fetch_by_web(archive, wanted, folder.staging, progress)
        else:
            _fetch_by_dimse(archive, wanted, folder.staging, callback)
        files = _number(folder.staging)
        if not files:
            raise RemoteInputError("the archive holds nothing of that study or series")
        folder.finish()
    return tuple(output / f for f in files)


def _fetch_by_web(archive: WebArchive, wanted: Wanted, folder: Path, progress: Progress) -> None:
    client = DicomWeb(archive)
    listed = client.find_series(_study(client, wanted), wanted.series)
    for n, series in enumerate(listed, 1):
        arrived = _Arriving(folder)
        count = client.retrieve(
            series.study, series.series, arrived.next_file, Limits().archive_bytes
        )
        if series.instances is not None and count != series.instances:
            raise RemoteInputError(
                f"series {n} of {len(listed)}: {count} objects came, {series.instances} are listed"
            )
        progress("fetch", n / len(listed))


def _fetch_by_dimse(peer: Peer, wanted: Wanted, folder: Path, callback: Callback | None) -> None:
    from medrecon.archive import dimse

    if not wanted.study:
        raise UsageError("dicom:// fetches by --study, and --series if you like")
    arrived = _Arriving(folder)
    if callback is None:
        dimse.get(peer, wanted.study, wanted.series, arrived.keep)
    else:
        dimse.move(peer, wanted.study, wanted.series, arrived.keep, port=callback.port)


class _Arriving:
    """Files in the order in which they come; the last may be empty."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def next_file(self) -> Iterator[IO[bytes]]:
        """A file to write to; removed if nothing was written."""
        with as_output_error():
            path = self._folder / f"{sum(1 for _ in self._folder.iterdir()):06d}.part"
            with path.open("wb") as stream:
                yield stream
            if not path.stat().st_size:
                path.unlink()

    def keep(self, content: bytes) -> None:
        """Write one whole object."""
        with self.next_file() as stream:
            stream.write(content)


def _number(folder: Path) -> list[Path]:
    """Name what came by series and instance: `1/0001.dcm`; the relative paths."""
    found = sorted((_identity(path), path) for path in folder.iterdir())
    series = {s: n for n, s in enumerate(dict.fromkeys(i[0] for i, _ in found), 1)}
    counts: dict[str, int] = {}
    names = []
    with as_output_error():
        for (uid, _), path in found:
            counts[uid] = counts.get(uid, 0) + 1
            name = Path(str(series[uid])) / f"{counts[uid]:04d}.dcm"
            (folder / name).parent.mkdir(exist_ok=True)
            path.rename(folder / name)
            names.append(name)
    return names


def _identity(path: Path) -> tuple[str, str]:
    """Series and instance of a file that came.

    Raises
    ------
    RemoteInputError
        If it is no DICOM object.
    """
    try:
        opened = read_header(FileSource(path, path.stat().st_size), Limits())
    except MedreconError:
        opened = None
    if opened is None:
        raise RemoteInputError("the archive sent something that is no DICOM object")
    a = Attributes(opened[1].elements)
    return a.text(tags.SERIES_INSTANCE), a.text(tags.SOP_INSTANCE)


def _study(client: DicomWeb, wanted: Wanted) -> str:
    if wanted.study:
        return wanted.study
    if not wanted.accession:
        raise UsageError("name what to fetch with --study or --accession")
    found = client.find_studies({"AccessionNumber": wanted.accession})
    if len(found) != 1:
        raise RemoteInputError(f"{len(found)} studies have that accession number; one expected")
    return found[0]


def _dicom_files(path: Path) -> list[Path]:
    """The path itself, or every DICOM file below it, by name."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise UsageError("a path to send does not exist")
    files = sorted(p for p in path.rglob("*") if p.is_file() and not p.is_symlink())
    return [p for p in files if _is_dicom(p)]


def _is_dicom(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(132)[128:] == b"DICM"
