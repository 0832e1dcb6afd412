"""Fetching a known model: the only thing in medrecon's models that touches the network."""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from medrecon.errors import ModelError, ModelHashError, ModelUntrustedError, OutputError
from medrecon.models.install import add
from medrecon.models.known import KnownModel, known_model
from medrecon.models.store import InstalledModel, user_folder
from medrecon.models.terms import Terms

Progress = Callable[[int, int | None], None]
"""Told the bytes that are there, and how many there will be if the server says so."""

BLOCK_BYTES = 1 << 20
TIMEOUT_S = 60.0
MAX_ARCHIVE_BYTES = 16 << 30


def pull(
    name: str, *, accept_license: bool = False, progress: Progress | None = None
) -> InstalledModel:
    """Fetch a known model and install it among the person's own.

    Raises
    ------
    ModelMissingError
        If no model of that name is known.
    ModelError, ArchiveError, OutputError
        As `fetch` and `install.add`.
    """
    known = known_model(name)
    archive = fetch(known, accept_license=accept_license, progress=progress)
    return add(archive, terms=Terms(accept_license, known.weights_licence, known.accept_license))


def fetch(
    known: KnownModel,
    *,
    accept_license: bool = False,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> Path:
    """The model's archive, downloaded and hash-checked; what is there already is kept.

    An interrupted download goes on where it stopped, if the server can. The archive
    is trusted for nothing but its hash: installing it is `add`'s work.

    Parameters
    ----------
    known : KnownModel
    accept_license : bool
        Whether the person accepts the terms, where the model has any.
    folder : Path, optional
        Where archives are kept; beside the person's own models if not given.
    progress : callable, optional

    Raises
    ------
    ModelUntrustedError
        If the licence must be accepted and was not.
    ModelHashError
        If the archive is another than the table says; it is deleted.
    ModelError
        If it cannot be fetched; what came is kept for the next try.
    OutputError
        If the folder cannot be written.
    """
    if known.accept_license and not accept_license:
        raise ModelUntrustedError(
            f"model {known.name}: {known.weights_licence}; read its terms and pass --accept-license"
        )
    root = (user_folder().parent / "archives") if folder is None else folder
    archive = root / f"{known.name}-{known.version}.zip"
    part = archive.with_suffix(".part")
    try:
        root.mkdir(parents=True, exist_ok=True)
        if not archive.exists():
            _download(known, part, progress)
            part.replace(archive)
        _require_hash(known, archive)
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError) as error:
        reason = getattr(error, "reason", None) or error
        raise ModelError(f"model {known.name} cannot be fetched: {reason}") from error
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise OutputError(f"the archive of {known.name} cannot be written: {reason}") from error
    return archive


def _download(known: KnownModel, part: Path, progress: Progress | None) -> None:
    """Append to the part until the server has no more."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"Range": f"bytes={have}-"} if have else {}
    request = urllib.request.Request(known.url, headers=headers)
    try:
        answer = urllib.request.urlopen(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        error.close()
        # 416: the part is whole already, or longer than the file; the hash will tell.
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            return
        raise
    with answer:
        resumed = answer.status == http.HTTPStatus.PARTIAL_CONTENT
        have = have if resumed else 0
        length = answer.headers.get("Content-Length")
        total = have + int(length) if length else None
        with part.open("ab" if resumed else "wb") as file:
            while block := answer.read(BLOCK_BYTES):
                have += len(block)
                if have > MAX_ARCHIVE_BYTES:
                    raise ModelError(
                        f"the archive of {known.name} exceeds {MAX_ARCHIVE_BYTES} bytes"
                    )
                file.write(block)
                if progress is not None:
                    progress(have, total)
    if total is not None and have < total:
        raise http.client.IncompleteRead(b"", total - have)


def _require_hash(known: KnownModel, archive: Path) -> None:
    kind, expected = ("sha256", known.sha256) if known.sha256 else ("sha1", known.sha1)
    with archive.open("rb") as file:
        found = hashlib.file_digest(file, kind).hexdigest()
    if found != expected:
        archive.unlink()
        raise ModelHashError(
            f"the archive of {known.name} has {kind} {found[:12]}…, {expected[:12]}… expected; "
            "it was deleted, pull again or fetch it by hand and use models add"
        )
