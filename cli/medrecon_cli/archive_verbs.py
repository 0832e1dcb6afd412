"""`send` and `fetch`: to and from an archive on the network."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medrecon.errors import UsageError
from medrecon_cli import options as opt
from medrecon_cli.grouped import grouped
from medrecon_cli.groups import Talking

if TYPE_CHECKING:
    from medrecon.archive.destination import Peer, WebArchive

# Credentials come from here and from nowhere else: a command line is seen by every user of
# the machine, and kept by the shell.
USER, PASSWORD = "MEDRECON_ARCHIVE_USER", "MEDRECON_ARCHIVE_PASSWORD"
TOKEN = "MEDRECON_ARCHIVE_TOKEN"

_ADDRESS = "https://host/dicom-web, dicom://TITLE@host:port, or dicoms://… with TLS."
Authority = Annotated[
    Path | None,
    typer.Option("--ca", metavar="PEM", help="Certificates to believe, if not the system's."),
]
Certificate = Annotated[
    Path | None, typer.Option("--cert", metavar="PEM", help="Your certificate, if it is asked for.")
]
Key = Annotated[Path | None, typer.Option("--key", metavar="PEM", help="Its private key.")]
Caller = Annotated[
    str | None,
    typer.Option(
        "--calling-aet", metavar="TITLE", help="Your AE title, for dicom://. Default: MEDRECON."
    ),
]


@dataclass(frozen=True)
class Connecting:
    """As whom to call an archive, and whom to believe."""

    ca: Authority = None
    cert: Certificate = None
    key: Key = None
    calling_aet: Caller = None

    def archive_at(self, address: str) -> WebArchive | Peer:
        """The archive of that address, with the credentials of the environment."""
        from medrecon.archive.destination import Credentials, Trust, archive_at

        credentials = Credentials(
            os.environ.get(USER, ""), os.environ.get(PASSWORD, ""), os.environ.get(TOKEN, "")
        )
        trust = Trust(self.ca, self.cert, self.key)
        return archive_at(address, credentials=credentials, trust=trust, caller=self.calling_aet)


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    app.command("send")(grouped(send))
    app.command("fetch")(grouped(fetch))


def send(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH…", help="DICOM files, or folders of them.")
    ],
    to: Annotated[str, typer.Option("--to", metavar="ADDRESS", help=_ADDRESS)],
    *,
    connecting: Connecting,
    talking: Talking,
) -> None:
    """Store DICOM objects in an archive by STOW-RS or C-STORE."""
    from medrecon.recipes.archive import send as send_files

    terminal = talking.terminal()
    archive = connecting.archive_at(to)
    with terminal.progress() as report:
        count = send_files(paths, archive, progress=report)
    terminal.say(f"{count} objects stored")
    terminal.result({"stored": count})


def fetch(
    source: Annotated[str, typer.Option("--from", metavar="ADDRESS", help=_ADDRESS)],
    study: Annotated[str, typer.Option("--study", metavar="UID")] = "",
    series: Annotated[str, typer.Option("--series", metavar="UID")] = "",
    accession: Annotated[
        str, typer.Option("--accession", metavar="NUMBER", help="Instead of --study; DICOMweb.")
    ] = "",
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Folder to write.")] = None,
    only_list: Annotated[
        bool, typer.Option("--list", help="List the study's series and fetch nothing.")
    ] = False,
    move_port: Annotated[
        int | None,
        typer.Option(
            "--move-port", min=1, max=65535, help="Fetch by C-MOVE to this port, not by C-GET."
        ),
    ] = None,
    force: opt.ForceInto = False,
    *,
    connecting: Connecting,
    talking: Talking,
) -> None:
    """Fetch a study or series from an archive by WADO-RS, C-GET or C-MOVE."""
    from medrecon.recipes.archive import Callback, Wanted, list_series
    from medrecon.recipes.archive import fetch as fetch_files

    if study and accession:
        raise UsageError("--study and --accession: name the study by one of them")
    terminal = talking.terminal()
    archive = connecting.archive_at(source)
    wanted = Wanted(study, series, accession)
    if only_list:
        if output is not None or force or move_port is not None:
            raise UsageError("--list fetches nothing: leave out --output, --force and --move-port")
        found = list_series(archive, wanted)
        rows = [(s.series, s.modality, str(s.instances or "")) for s in found]
        terminal.table(("series", "modality", "objects"), rows)
        listed = [{"uid": s.series, "modality": s.modality, "objects": s.instances} for s in found]
        terminal.result({"series": listed})
        return
    if output is None:
        raise UsageError("name the folder to write with --output")
    callback = None if move_port is None else Callback(move_port)
    with terminal.progress() as report:
        files = fetch_files(
            archive, wanted, output, callback=callback, overwrite=force, progress=report
        )
    terminal.say(f"{len(files)} objects written to {output}")
    terminal.result({"output": str(output), "files": len(files)})
