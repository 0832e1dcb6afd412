"""C-STORE to send; C-GET and C-MOVE to fetch (PS3.4 B and C, PS3.7 9.1).

pynetdicom does the protocol; it is an extra, `medrecon[archive]`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from medrecon.archive.destination import Peer, is_here
from medrecon.dicom import tags
from medrecon.dicom.attributes import Attributes
from medrecon.dicom.headers import read_header
from medrecon.dicom.limits import Limits
from medrecon.dicom.sources import FileSource
from medrecon.dicom.walker import MalformedError
from medrecon.errors import (
    MedreconError,
    RemoteInputError,
    RemoteOutputError,
    UnreadableInputError,
    UsageError,
)

TIMEOUT_SECONDS = 120.0
SUCCESS, PENDING = 0x0000, (0xFF00, 0xFF01)
# Stored, with a remark (PS3.4 B.2.3): coerced, does not match, elements discarded.
STORED = (SUCCESS, 0xB000, 0xB006, 0xB007)
# Presentation contexts of one association (PS3.8 9.3.2.2: odd numbers up to 255).
MOST_CONTEXTS = 128
# What is fetched: images of CT, MR and PET, and what is derived of them (PS3.4 B.5).
FETCHED = (
    "1.2.840.10008.5.1.4.1.1.2",
    "1.2.840.10008.5.1.4.1.1.2.1",
    "1.2.840.10008.5.1.4.1.1.4",
    "1.2.840.10008.5.1.4.1.1.4.1",
    "1.2.840.10008.5.1.4.1.1.128",
    "1.2.840.10008.5.1.4.1.1.66.4",
    "1.2.840.10008.5.1.4.1.1.66.7",
    "1.2.840.10008.5.1.4.1.1.481.3",
    "1.2.840.10008.5.1.4.1.1.104.3",
    "1.2.840.10008.5.1.4.1.1.104.4",
)
# Transfer syntaxes that objects may come in. Each has a context of its own with every kind,
# so that nothing is transcoded: 10 × 12 and one to ask with fit in the 128.
SYNTAXES = (
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.5",
    "1.2.840.10008.1.2.4.50",
    "1.2.840.10008.1.2.4.51",
    "1.2.840.10008.1.2.4.57",
    "1.2.840.10008.1.2.4.70",
    "1.2.840.10008.1.2.4.80",
    "1.2.840.10008.1.2.4.81",
    "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.4.91",
    "1.2.840.10008.1.2.4.201",
)

Kind = type[RemoteInputError] | type[RemoteOutputError]
Receive = Callable[[bytes], None]


def store(peer: Peer, files: Sequence[Path], progress: Callable[[float], None]) -> None:
    """Send files by C-STORE, in the transfer syntax that they are in.

    Raises
    ------
    RemoteOutputError
        If the peer cannot be reached, rejects the association, or does not store one.
    UnreadableInputError
        If a file is not DICOM.
    """
    contexts = sorted({_kind(path) for path in files})
    if len(contexts) > MOST_CONTEXTS:
        raise UsageError(f"{len(contexts)} kinds of object; at most {MOST_CONTEXTS} at a time")
    entity = _entity(peer)
    for sop_class, syntax in contexts:
        entity.add_requested_context(sop_class, syntax)
    with _association(entity, peer, RemoteOutputError) as link:
        for n, path in enumerate(files, 1):
            try:
                status = link.send_c_store(str(path)).get("Status")
            except ValueError:
                raise RemoteOutputError(
                    f"the archive does not take object {n} of {len(files)}: kind or encoding"
                ) from None
            if status not in STORED:
                raise RemoteOutputError(
                    f"the archive did not store object {n} of {len(files)}: {_words(status)}"
                )
            progress(n / len(files))


def get(peer: Peer, study: str, series: str, receive: Receive) -> int:
    """Fetch a study or series by C-GET over the same association; how many objects.

    Raises
    ------
    RemoteInputError
        If the peer cannot be reached, does not know C-GET, or fails on the way.
    """
    from pynetdicom import build_role, evt

    entity = _entity(peer)
    entity.add_requested_context(_GET)
    for sop_class in FETCHED:
        for syntax in SYNTAXES:
            entity.add_requested_context(sop_class, syntax)
    keep = _Keeper(receive)
    link = _associate(
        entity,
        peer,
        RemoteInputError,
        ext_neg=[build_role(c, scp_role=True) for c in FETCHED],
        evt_handlers=[(evt.EVT_C_STORE, keep)],
    )
    with _released(link):
        _follow(link.send_c_get(_wanted(study, series), _GET), keep)
    return keep.count


def move(peer: Peer, study: str, series: str, receive: Receive, *, port: int) -> int:
    """Fetch a study or series by C-MOVE to this machine's `port`; how many objects.

    The archive must know the caller's title, host name and that port.

    Raises
    ------
    RemoteInputError
        As `get`.
    """
    from pynetdicom import AE, evt

    keep = _Keeper(receive)
    listener = AE(ae_title=peer.caller)
    listener.require_called_aet = True
    for sop_class in FETCHED:
        listener.add_supported_context(sop_class, list(SYNTAXES))
    entity = _entity(peer)
    entity.add_requested_context(_MOVE)
    try:
        server: Any = listener.start_server(
            (_own_side(peer), port), block=False, evt_handlers=[(evt.EVT_C_STORE, keep)]
        )
    except OSError as error:
        raise UsageError(f"port {port} cannot be listened on: {error.strerror}") from error
    try:
        with _association(entity, peer, RemoteInputError) as link:
            _follow(link.send_c_move(_wanted(study, series), peer.caller, _MOVE), keep)
    finally:
        server.shutdown()
    return keep.count


# Study Root Query/Retrieve: C-GET and C-MOVE (PS3.4 C.6.2.1).
_GET, _MOVE = "1.2.840.10008.5.1.4.1.2.2.3", "1.2.840.10008.5.1.4.1.2.2.2"


class _Keeper:
    """Takes what the archive sends; an error is kept for the caller's thread."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.count = 0
        self.error: MedreconError | None = None

    def __call__(self, event: Any) -> int:
        try:
            self._receive(event.encoded_dataset())
        except MedreconError as error:
            self.error = error
            return 0xA700  # out of resources (PS3.4 B.2.3)
        self.count += 1
        return SUCCESS


def _follow(answers: Iterator[tuple[Any, Any]], keep: _Keeper) -> None:
    """Read the answers to the last, which must be a success."""
    status = None
    for answer, _ in answers:
        status = answer.get("Status")
        if status not in PENDING:
            break
    if keep.error is not None:
        raise keep.error
    if status != SUCCESS:
        raise RemoteInputError(f"the archive did not send everything: {_words(status)}")


def _wanted(study: str, series: str) -> Any:
    from pydicom.dataset import Dataset

    wanted = Dataset()
    wanted.QueryRetrieveLevel = "SERIES" if series else "STUDY"
    wanted.StudyInstanceUID = study
    if series:
        wanted.SeriesInstanceUID = series
    return wanted


def _kind(path: Path) -> tuple[str, str]:
    """SOP class and transfer syntax of a file."""
    try:
        opened = read_header(FileSource(path, path.stat().st_size), Limits())
    except OSError as error:
        raise UnreadableInputError(f"a file cannot be read: {error.strerror}") from error
    except MalformedError:
        raise UnreadableInputError("a file to send is damaged DICOM; nothing was sent") from None
    if opened is None:
        raise UnreadableInputError("a file to send is not DICOM")
    a = Attributes(opened[1].elements)
    sop_class = a.text(tags.MEDIA_SOP_CLASS) or a.text(tags.SOP_CLASS)
    return sop_class, a.text(tags.TRANSFER_SYNTAX) or opened[1].transfer_syntax


def _entity(peer: Peer) -> Any:
    try:
        from pynetdicom import AE
    except ImportError:
        raise UsageError(
            'dicom:// needs pynetdicom: python3 -m pip install "medrecon[archive]"'
        ) from None
    entity = AE(ae_title=peer.caller)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = TIMEOUT_SECONDS
    entity.connection_timeout = TIMEOUT_SECONDS
    return entity


@contextmanager
def _association(entity: Any, peer: Peer, kind: Kind) -> Iterator[Any]:
    link = _associate(entity, peer, kind)
    with _released(link):
        yield link


def _associate(
    entity: Any, peer: Peer, kind: Kind, evt_handlers: Sequence[Any] = (), **more: Any
) -> Any:
    from pynetdicom import evt

    opened: list[bool] = []
    secure = (peer.trust.context(), peer.host) if peer.secure else None
    link = entity.associate(
        peer.host,
        peer.port,
        ae_title=peer.title,
        tls_args=secure,
        bind_address=(_own_side(peer), 0),
        evt_handlers=[(evt.EVT_CONN_OPEN, lambda _: opened.append(True)), *evt_handlers],
        **more,
    )
    if not link.is_established:
        # A peer that closes at once can do so before its rejection is read.
        _not_established(kind, answered=link.is_rejected or bool(opened))
    return link


def _own_side(peer: Peer) -> str:
    """Address to talk from: an archive on this machine is none of the network's business."""
    return "127.0.0.1" if is_here(peer.host) else ""


@contextmanager
def _released(link: Any) -> Iterator[None]:
    """Release at the end; abort if something went wrong in between."""
    try:
        yield
    except BaseException:
        link.abort()
        raise
    if link.is_established:
        link.release()


def _not_established(kind: Kind, *, answered: bool) -> NoReturn:
    if answered:
        raise kind(
            "the archive rejects the association: is the AE title known there, and does it "
            "speak TLS where you do?"
        )
    raise kind("the archive cannot be reached: see host, port and TLS options")


def _words(status: int | None) -> str:
    return "no answer" if status is None else f"status {status:04X} (PS3.7 C)"
