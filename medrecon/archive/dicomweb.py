"""DICOMweb: STOW-RS to store, QIDO-RS to find, WADO-RS to retrieve.

References
----------
PS3.18 10.5 (Store), 10.6 (Search), 10.4 (Retrieve); F.2 (DICOM JSON model).
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import IO, Any, NoReturn
from urllib.parse import quote, urlencode

from medrecon.archive.destination import WebArchive
from medrecon.archive.multipart import Body, Parts, boundary_of
from medrecon.errors import RemoteInputError, RemoteOutputError

# Seconds without a byte before an archive counts as gone.
TIMEOUT_SECONDS = 120.0
# Bytes of one store request, unless one file is larger: servers hold a request in memory.
STORE_AT_ONCE = 64 << 20
# An answer in JSON: a study of 20,000 instances has some 20 MB.
_MOST_JSON = 256 << 20
_DICOM = 'multipart/related; type="application/dicom"; transfer-syntax=*'

Target = Callable[[], AbstractContextManager[IO[bytes]]]
Kind = type[RemoteInputError] | type[RemoteOutputError]

STUDY, SERIES = "0020000D", "0020000E"
MODALITY, INSTANCES = "00080060", "00201209"
ACCESSION = "00080050"
ACCEPTED = 202
FAILED, FAILURE_REASON = "00081198", "00081197"


@dataclass(frozen=True, slots=True)
class RemoteSeries:
    """A series as the archive lists it. Nothing about the patient.

    Parameters
    ----------
    study, series : str
        UIDs.
    modality : str
    instances : int or None
        How many, where the archive says.
    """

    study: str
    series: str
    modality: str
    instances: int | None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirected request would take its credentials along, wherever it leads."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        """Follow none."""
        return


class DicomWeb:
    """A client of one service.

    Parameters
    ----------
    archive : WebArchive
    """

    def __init__(self, archive: WebArchive) -> None:
        self._archive = archive
        handlers: list[Any] = [urllib.request.ProxyHandler({}), _NoRedirect]
        if archive.url.startswith("https:"):
            handlers.append(urllib.request.HTTPSHandler(context=archive.trust.context()))
        self._opener = urllib.request.build_opener(*handlers)

    def store(self, files: Sequence[Path], progress: Callable[[float], None]) -> None:
        """Store files as they are, some at a time.

        Raises
        ------
        RemoteOutputError
            If the archive refuses any of them, or cannot be reached.
        """
        done = 0
        for group in in_groups(files):
            body = Body(group)
            headers = {
                "Content-Type": body.content_type,
                "Content-Length": str(body.length),
                "Accept": "application/dicom+json",
            }
            with self._request("/studies", headers, body=body) as response:
                _check_stored(response)
            done += len(group)
            progress(done / len(files))

    def find_series(self, study: str, series: str = "") -> tuple[RemoteSeries, ...]:
        """Series of a study, ordered by their UIDs.

        Raises
        ------
        RemoteInputError
            If the archive cannot be reached or answers otherwise.
        """
        fields = [("includefield", tag) for tag in (MODALITY, INSTANCES)]
        matching = [("SeriesInstanceUID", series)] if series else []
        rows = self._json(f"/studies/{quote(study)}/series?{urlencode([*matching, *fields])}")
        # There are archives that do not look at what they are asked to match.
        found = [_remote_series(row, study) for row in rows]
        found = [s for s in found if s.series and s.series == (series or s.series)]
        return tuple(sorted(found, key=lambda s: s.series))

    def find_studies(self, accession: str) -> tuple[str, ...]:
        """UIDs of the studies of an Accession Number, none of any other.

        `*` and `?` are wild cards to an archive (PS3.4 C.2.2.2.4): what it found by them has
        another number.
        """
        rows = self._json("/studies?" + urlencode({"AccessionNumber": accession}))
        same = [row for row in rows if _value(row, ACCESSION).strip() in ("", accession.strip())]
        return tuple(sorted({_value(row, STUDY) for row in same} - {""}))

    def retrieve(self, study: str, series: str, target: Target, most_bytes: int) -> int:
        """Every instance of a series, each into a stream that `target` opens; how many.

        Raises
        ------
        RemoteInputError
            If the archive cannot be reached, has no such series, breaks off, or sends
            an object without a byte in it.
        """
        path = f"/studies/{quote(study)}/series/{quote(series)}"
        with self._request(path, {"Accept": _DICOM}) as response:
            boundary = boundary_of(response.headers.get("Content-Type", ""))
            parts, count = Parts(response, boundary, most_bytes), 0
            while True:
                with target() as stream:
                    if not parts.copy_next(stream):
                        return count
                    if not stream.tell():
                        raise RemoteInputError("the archive sent an object without a byte in it")
                count += 1

    def _json(self, path: str) -> list[Mapping[str, Any]]:
        with self._request(path, {"Accept": "application/dicom+json"}) as response:
            _check_complete(response)
            raw = response.read(_MOST_JSON + 1)
        if len(raw) > _MOST_JSON:
            raise RemoteInputError("the archive's list is over the limit")
        try:
            rows = json.loads(raw) if raw.strip() else []
        except ValueError:
            raise RemoteInputError("the archive's list is no JSON") from None
        if not isinstance(rows, list) or not all(isinstance(r, dict) for r in rows):
            raise RemoteInputError("the archive's list is no DICOM JSON")
        return rows

    @contextmanager
    def _request(
        self, path: str, headers: dict[str, str], *, body: Body | None = None
    ) -> Iterator[HTTPResponse]:
        # Data that are set later would take the Content-Length out again, and go in chunks,
        # which not every archive takes.
        request = urllib.request.Request(
            self._archive.url + path,
            data=body,
            headers=headers,
            method="GET" if body is None else "POST",
        )
        for name, value in _authorization(self._archive).items():
            request.add_unredirected_header(name, value)
        kind: Kind = RemoteInputError if body is None else RemoteOutputError
        try:
            with self._opener.open(request, timeout=TIMEOUT_SECONDS) as response:
                yield response
        except urllib.error.HTTPError as error:
            _refused(error, kind)
        except (OSError, HTTPException) as error:
            _unreachable(error, kind)


def in_groups(files: Sequence[Path]) -> Iterator[list[Path]]:
    """Files in their order, as many together as one request should hold."""
    group: list[Path] = []
    size = 0
    for path in files:
        own = path.stat().st_size
        if group and size + own > STORE_AT_ONCE:
            yield group
            group, size = [], 0
        group.append(path)
        size += own
    if group:
        yield group


def _authorization(archive: WebArchive) -> dict[str, str]:
    secrets = archive.credentials
    if secrets.token:
        return {"Authorization": f"Bearer {secrets.token}"}
    if secrets.user:
        pair = b64encode(f"{secrets.user}:{secrets.password}".encode()).decode()
        return {"Authorization": f"Basic {pair}"}
    return {}


def _check_stored(response: HTTPResponse) -> None:
    """202 Accepted says that some were not stored, or with a remark (PS3.18 10.5.3).

    There are archives that answer 200 and name failures all the same.
    """
    failures = _failures(response.read(_MOST_JSON))
    if failures is None and response.status == ACCEPTED:
        raise RemoteOutputError(
            "the archive answered HTTP 202 and does not say what it stored; look there"
        )
    if failures:
        raise RemoteOutputError(
            f"the archive did not store {len(failures)} object(s): reason "
            f"{', '.join(sorted(set(failures)))} (PS3.18 I.2)"
        )


def _failures(raw: bytes) -> list[str] | None:
    """Why each object that failed did; None where the answer cannot be read."""
    try:
        said = json.loads(raw)
        rows = said if isinstance(said, list) else [said]
        failed = [item for row in rows for item in row.get(FAILED, {}).get("Value", ())]
        return [_value(item, FAILURE_REASON) or "not stated" for item in failed]
    except (ValueError, AttributeError, TypeError, IndexError, KeyError):
        return None


def _check_complete(response: HTTPResponse) -> None:
    """Refuse a list that says it goes on (PS3.18 8.3.4.4): what is missing would stay behind."""
    for warning in response.headers.get_all("Warning", []):
        if warning.startswith("299") and "additional results" in warning:
            raise RemoteInputError(
                "the archive lists only a part of what it holds; name one series, or have its "
                "keeper raise the limit"
            )


def _refused(error: urllib.error.HTTPError, kind: Kind) -> NoReturn:
    """The status only: an answer's text may repeat what it was sent."""
    hints = {
        401: "set MEDRECON_ARCHIVE_USER and …_PASSWORD, or …_TOKEN",
        403: "the credentials do not allow it",
        404: "it has no such study or series, or this is not the base of its DICOMweb",
        409: "it refused the objects",
        413: "the request is too large for it",
    }
    moved = "it redirects, which is not followed: use the address it leads to"
    hint = moved if 300 <= error.code < 400 else hints.get(error.code, "ask its keeper")
    error.close()
    raise kind(f"the archive answered HTTP {error.code}: {hint}") from None


def _unreachable(error: OSError | HTTPException, kind: Kind) -> NoReturn:
    reason = getattr(error, "reason", error)
    words = getattr(reason, "strerror", None) or type(reason).__name__
    raise kind(f"the archive cannot be reached: {words}; see its address and TLS options") from None


def _remote_series(row: Mapping[str, Any], study: str) -> RemoteSeries:
    count = _value(row, INSTANCES)
    return RemoteSeries(
        study, _value(row, SERIES), _value(row, MODALITY), int(count) if count.isdigit() else None
    )


def _value(row: Mapping[str, Any], tag: str) -> str:
    values = row.get(tag, {}).get("Value") or [""]
    return str(values[0])
