"""Hazards of files and containers; importing this completes `HAZARDS`."""

from __future__ import annotations

import os
import shutil
import stat
import struct
import zipfile
from pathlib import Path

from hazards import hazard, plain
from pydicom.dataset import Dataset
from series_maker import (
    EXPLICIT,
    Array,
    Plan,
    sequence,
    stack,
    uid,
    write_series,
)

# --- files and containers ----------------------------------------------------------------


@hazard()
def no_preamble_and_no_meta(folder: Path) -> Plan:
    plan = plain(folder)
    for path in folder.iterdir():
        raw = path.read_bytes()
        length = struct.unpack_from("<I", raw, 140)[0]
        path.write_bytes(raw[144 + length :])
    return plan


@hazard("pixel-data")
def a_file_cut_inside_its_header(folder: Path) -> None:
    plain(folder)
    path = folder / "im011.dcm"
    path.write_bytes(path.read_bytes()[:700])


@hazard()
def nested_folders_and_odd_names(folder: Path) -> Plan:
    names = [
        "A/x",
        "A/B/C/.hidden",
        "A/B/ünïcode name",
        "1.2.3.4.5",
        "z",
        "IM_0001.txt",
        "a.zip.dcm",
    ]
    plan = stack()
    write_series(plan, folder, names=lambda k: names[k] if k < len(names) else f"d{k}/{k}")
    return plan


@hazard()
def links_and_fifos_in_the_folder(folder: Path) -> Plan:
    outside = folder.parent / (folder.name + "-outside")
    plain(outside, "", stack(series="outside", shape=(48, 36)))
    plan = plain(folder)
    (folder / "link").symlink_to(outside)
    (folder / "loop").symlink_to(folder)
    (folder / "file").symlink_to(outside / "im000.dcm")
    (folder / "broken").symlink_to("nowhere")
    os.mkfifo(folder / "fifo")
    return plan


@hazard(entry="DICOMDIR")
def a_stale_dicomdir(folder: Path) -> Plan:
    plan = plain(folder / "IMAGES")
    write_dicomdir(folder / "DICOMDIR")
    return plan


def write_dicomdir(path: Path) -> None:
    """A DICOMDIR that lists a file which is not there."""
    ds = Dataset()
    ds.FileSetID = "STALE"
    record = {"DirectoryRecordType": "IMAGE", "ReferencedFileID": ["GONE", "IM0001"]}
    ds.DirectoryRecordSequence = sequence(record)
    ds.SOPClassUID = "1.2.840.10008.1.3.10"
    ds.SOPInstanceUID = uid("dicomdir")
    from pydicom.dataset import FileMetaDataset

    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = EXPLICIT
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.save_as(path, enforce_file_format=True)


@hazard(entry="series.zip")
def a_zip_archive(folder: Path) -> Plan:
    plan = plain(folder / "in")
    with zipfile.ZipFile(folder / "series.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((folder / "in").iterdir()):
            archive.write(path, f"study/{path.name}")
    shutil.rmtree(folder / "in")
    return plan


@hazard(entry="series.zip")
def a_zip_with_traversal_links_and_absolute_names(folder: Path) -> Plan:
    plan = plain(folder / "in")
    with zipfile.ZipFile(folder / "series.zip", "w") as archive:
        for n, path in enumerate(sorted((folder / "in").iterdir())):
            prefix = ("../../", "/tmp/medrecon-escape/", "C:\\", "ok/")[n % 4]
            archive.write(path, f"{prefix}{path.name}")
        link = zipfile.ZipInfo("link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    shutil.rmtree(folder / "in")
    return plan


@hazard("archive", entry="series.zip")
def a_truncated_zip(folder: Path) -> None:
    a_zip_archive(folder)
    path = folder / "series.zip"
    path.write_bytes(path.read_bytes()[:-200])


@hazard("unreadable", entry="notes.txt")
def a_text_file_named_outright(folder: Path) -> None:
    (folder / "notes.txt").parent.mkdir(parents=True, exist_ok=True)
    (folder / "notes.txt").write_text("no image at all, only words\n" * 20)


@hazard("no-series")
def a_folder_of_text_files(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for n in range(5):
        (folder / f"{n}.txt").write_text("words\n" * 100)


@hazard("no-series")
def an_empty_folder(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)


@hazard()
def large_private_elements_before_the_pixels(folder: Path) -> Plan:
    def change(_: int, ds: Dataset, __: Array) -> None:
        block = ds.private_block(0x0029, "VENDOR", create=True)
        block.add_new(0x01, "OB", bytes(range(256)) * 400)
        block.add_new(0x02, "SQ", sequence({"PatientComments": "x" * 5000}))

    return plain(folder, "", None, change)


@hazard()
def sequences_of_undefined_length(folder: Path) -> Plan:
    def change(_: int, ds: Dataset, __: Array) -> None:
        ds.ReferencedImageSequence = sequence({"ReferencedSOPInstanceUID": uid("x")}, {})
        ds["ReferencedImageSequence"].is_undefined_length = True
        for item in ds.ReferencedImageSequence:
            item.is_undefined_length_sequence_item = True

    return plain(folder, "", None, change)
