"""Putting a model into a person's own folder, and taking it out again."""

from __future__ import annotations

import lzma
import re
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from medrecon.errors import (
    ArchiveError,
    ModelError,
    ModelMissingError,
    ModelUntrustedError,
    OutputError,
    OutputExistsError,
    UsageError,
)
from medrecon.models import terms
from medrecon.models.bundle import read_bundle
from medrecon.models.bundle_files import CONFIGS, METADATA, SUFFIXES, is_bundle
from medrecon.models.manifest_toml import (
    MANIFEST_NAME,
    MAX_MANIFEST_BYTES,
    read_manifest,
    write_manifest,
)
from medrecon.models.nnunet_plans import DATASET, PLANS, results_folders
from medrecon.models.parts import join_parts, renamed
from medrecon.models.store import (
    InstalledModel,
    find,
    installed,
    open_model,
    shipped_folder,
    user_folder,
    verify,
)
from medrecon.models.terms import Terms, settle

# What is copied beside manifest and weights: words for people, nothing that could run.
TEXTS = (
    "README.md",
    "LICENSE",
    "LICENSE.txt",
    "LICENSE.md",
    "data_license.txt",
    "curve.csv",
    "curve.svg",
)
# How reading a zip's member says that it is damaged: zip's word, and those of its packers.
DAMAGED_MEMBER = (zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError, OSError)
BUNDLE_WEIGHTS = re.compile(r"models/[^/\\]+")
CHECKPOINT = re.compile(r"fold_(\d+|all)/checkpoint_(final|best)\.pth")
MAX_TEXT_BYTES = 4 << 20
MAX_WEIGHTS_BYTES = 8 << 30


def add(
    source: Path | Sequence[Path],
    *,
    name: str = "",
    terms: Terms | None = None,
    folder: Path | None = None,
    replace: bool = False,
) -> InstalledModel:
    """Install a model from a folder or a zip; nothing of it is run.

    Of a model folder only the manifest, the weights it names and plain texts are taken,
    after the weights' hash was checked. Of a MONAI bundle the configuration is read as
    data and the weights are saved anew as safetensors (`bundle`), and so of an nnU-Net
    v2 results folder (`nnunet_install`). The model appears under its name only when
    whole.

    Parameters
    ----------
    source : Path or sequence of Path
        A folder with a ``manifest.toml``, a MONAI bundle or a trained nnU-Net v2
        configuration, or a zip of one. Several are the parts of one model.
    name : str
        What the model is called; its own name if empty.
    terms : Terms, optional
        Whether its licence is accepted.
    folder : Path, optional
        Where models are installed; the person's own folder if not given.
    replace : bool
        Whether a model of that name may be replaced.

    Raises
    ------
    ModelMissingError
        If there is no manifest in the source.
    ModelError, ModelHashError, ModelUntrustedError
        If the manifest is wrong, the weights are others, or are no safetensors; untrusted
        also if the licence must be accepted and was not.
    UsageError
        If several parts have no name for the whole.
    ArchiveError
        If the zip is damaged or holds files too large to be what they claim.
    OutputExistsError
        If a model of that name is there and `replace` is not set.
    OutputError
        If the folder cannot be written.
    """
    root = user_folder() if folder is None else folder
    sources = [source] if isinstance(source, Path) else list(source)
    with _writing(root), tempfile.TemporaryDirectory(dir=root, prefix=".adding-") as work:
        staged = Path(work) / "model"
        staged.mkdir()
        _stage_all(sources, staged, name)
        settle(staged, terms or Terms())
        model = open_model(staged)
        verify(model)
        target = root / model.manifest.name
        if target.exists():
            if not replace:
                raise OutputExistsError(f"model {target.name} is installed; remove it first")
            target.rename(Path(work) / "old")
        staged.rename(target)
    return open_model(target)


def remove(name: str, *, folder: Path | None = None) -> None:
    """Take an installed model out of a person's own folder.

    Raises
    ------
    ModelMissingError
        If none of that name is installed.
    UsageError
        If it came with medrecon: shipped models stay.
    OutputError
        If the folder cannot be written.
    """
    root = user_folder() if folder is None else folder
    own = {m.manifest.name: m for m in installed([root])}
    if name not in own:
        if name in {m.manifest.name for m in installed([shipped_folder()])}:
            raise UsageError(f"model {name} is part of medrecon and cannot be removed")
        find(name, [root])
        raise ModelMissingError(f"no model {name!r} is installed in {root}")
    with _writing(root):
        shutil.rmtree(own[name].folder)


def _stage_all(sources: Sequence[Path], staged: Path, name: str) -> None:
    """One model folder from one source, or from the parts of a model."""
    if len(sources) == 1:
        _stage(sources[0], staged)
        if name:
            manifest = read_manifest(staged / MANIFEST_NAME)
            write_manifest(renamed(manifest, name), staged / MANIFEST_NAME)
        return
    if not name:
        raise UsageError(f"{len(sources)} parts of one model: say what it is called with --name")
    parts = [staged.parent / f"part{n}" for n in range(len(sources))]
    for source, part in zip(sources, parts, strict=True):
        part.mkdir()
        _stage(source, part)
    join_parts(parts, staged, name)
    for part in parts:
        for text in TEXTS:
            if (part / text).is_file() and text in terms.TEXTS:
                _add_text((part / text).read_bytes(), staged / text)
            elif (part / text).is_file() and not (staged / text).exists():
                shutil.copyfile(part / text, staged / text)


def _add_text(text: bytes, target: Path) -> None:
    """Write a text below what is there, unless it stands there already."""
    there = target.read_bytes() if target.is_file() else b""
    if text not in there:
        target.write_bytes(there + b"\n\n" * bool(there) + text)


def _stage(source: Path, staged: Path) -> None:
    if source.is_dir():
        _stage_folder(source, staged)
    elif source.is_file():
        _stage_zip(source, staged)
    else:
        raise ModelMissingError(f"{source.name} is neither a folder nor a file")


def _stage_folder(source: Path, staged: Path) -> None:
    if is_bundle(source):
        # Loads torch, which a model of medrecon's own does not need to be installed.
        from medrecon.models.bundle_install import write_as_model

        write_as_model(read_bundle(source), staged)
        _copy_texts(source, staged)
        return
    if not (source / MANIFEST_NAME).is_file() and (trained := results_folders(source)):
        from medrecon.models.nnunet_install import write_as_part

        if len(trained) > 1:
            names = ", ".join(str(t.relative_to(source)) for t in trained)
            raise UsageError(
                f"{source.name} holds {len(trained)} trained configurations: {names}; add one of "
                "them, or several as the parts of one model with --name"
            )
        write_manifest(write_as_part(trained[0], staged), staged / MANIFEST_NAME)
        _copy_texts(trained[0], staged)
        return
    if not (source / MANIFEST_NAME).is_file():
        raise ModelMissingError(f"{source.name} holds no {MANIFEST_NAME}")
    shutil.copyfile(source / MANIFEST_NAME, staged / MANIFEST_NAME)
    for part in open_model(staged).manifest.every_part:
        weights = part.weights.file
        if not (source / weights).is_file():
            raise ModelMissingError(f"{source.name} holds no {weights}, which its manifest names")
        shutil.copyfile(source / weights, staged / weights)
    _copy_texts(source, staged)


def _copy_texts(source: Path, staged: Path) -> None:
    """What there is to read: beside the model, or where bundles keep it."""
    for text in TEXTS:
        for path in (source / text, source / "docs" / text):
            if path.is_file() and path.stat().st_size <= MAX_TEXT_BYTES:
                shutil.copyfile(path, staged / text)
                break


def _stage_zip(source: Path, staged: Path) -> None:
    """Members are read by exact name and written under fixed names: no path is followed."""
    try:
        with zipfile.ZipFile(source) as archive:
            _require_tame(archive, source.name)
            if _stage_bundle_zip(archive, staged) or _stage_nnunet_zip(archive, staged):
                return
            base = _base(archive, source.name)
            _extract(archive, base + MANIFEST_NAME, staged / MANIFEST_NAME, MAX_MANIFEST_BYTES)
            for part in open_model(staged).manifest.every_part:
                size = min(part.weights.bytes, MAX_WEIGHTS_BYTES)
                _extract(archive, base + part.weights.file, staged / part.weights.file, size)
            for text in TEXTS:
                if base + text in archive.namelist():
                    _extract(archive, base + text, staged / text, MAX_TEXT_BYTES)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise ArchiveError(f"{source.name} cannot be read as a zip: {error}") from error


def _require_tame(archive: zipfile.ZipFile, name: str) -> None:
    """Refuse a zip made to write elsewhere: nothing of it would be, but it is no model.

    Raises
    ------
    ModelUntrustedError
        Names the first member that leads out of the archive or is a link.
    """
    for member in archive.infolist():
        parts = member.filename.replace("\\", "/").split("/")
        outside = ".." in parts or parts[0] == "" or ":" in parts[0]
        if outside or stat.S_ISLNK(member.external_attr >> 16):
            raise ModelUntrustedError(
                f"{name} holds {member.filename[:80]!r}, which leads out of it or is a link"
            )


def _stage_bundle_zip(archive: zipfile.ZipFile, staged: Path) -> bool:
    """Install a zipped bundle from the few files of it that are read; False if it is none."""
    bases = [m.removesuffix(METADATA) for m in archive.namelist() if m.endswith(METADATA)]
    if len(bases) != 1 or bases[0].count("/") > 1 or ".." in bases[0]:
        return False
    with tempfile.TemporaryDirectory(dir=staged.parent) as name:
        # The folder's name becomes the model's: the zip's own folder, or the zip's.
        folder = Path(name) / (bases[0].strip("/") or Path(archive.filename or "bundle").stem)
        texts = (*TEXTS, *(f"docs/{text}" for text in TEXTS))
        members = [m.removeprefix(bases[0]) for m in archive.namelist()]
        weights = [m for m in members if BUNDLE_WEIGHTS.fullmatch(m) and m.endswith(SUFFIXES)]
        for part in (METADATA, *CONFIGS, *weights, *texts):
            if bases[0] + part in archive.namelist():
                limit = MAX_WEIGHTS_BYTES if part in weights else MAX_MANIFEST_BYTES
                (folder / part).parent.mkdir(parents=True, exist_ok=True)
                _extract(archive, bases[0] + part, folder / part, limit)
        _stage_folder(folder, staged)
    return True


def _stage_nnunet_zip(archive: zipfile.ZipFile, staged: Path) -> bool:
    """Install a zipped nnU-Net configuration from the files of it that are read."""
    plans = [m for m in archive.namelist() if m.split("/")[-1] == PLANS and ".." not in m]
    if len(plans) != 1:
        return False
    base = plans[0].removesuffix(PLANS)
    with tempfile.TemporaryDirectory(dir=staged.parent) as work:
        folder = Path(work) / (base.strip("/").rsplit("/", 1)[-1] or "model")
        folder.mkdir()
        for member in archive.namelist():
            part = member.removeprefix(base)
            if not member.startswith(base) or not (
                part in (PLANS, DATASET, *TEXTS) or CHECKPOINT.fullmatch(part)
            ):
                continue
            (folder / part).parent.mkdir(exist_ok=True)
            _extract(archive, member, folder / part, MAX_WEIGHTS_BYTES)
        _stage_folder(folder, staged)
    return True


def _base(archive: zipfile.ZipFile, name: str) -> str:
    """The one folder of the zip with a manifest, as a prefix."""
    parents = [
        PurePosixPath(member).parent
        for member in archive.namelist()
        if PurePosixPath(member).name == MANIFEST_NAME
    ]
    near = [p for p in parents if len(p.parts) <= 1 and ".." not in p.parts]
    if len(near) != 1:
        raise ModelMissingError(f"{name} holds {len(near)} {MANIFEST_NAME}; one expected")
    return "" if near[0] == PurePosixPath(".") else f"{near[0]}/"


def _extract(archive: zipfile.ZipFile, member: str, target: Path, limit_bytes: int) -> None:
    if member not in archive.namelist():
        raise ModelMissingError(f"the zip holds no {member}")
    with target.open("wb") as file:
        left = limit_bytes
        # What is unpacked is counted: a zip's own sizes can lie.
        for block in _unpacked(archive, member):
            left -= len(block)
            if left < 0:
                raise ArchiveError(f"{member} is larger than {limit_bytes} bytes")
            file.write(block)


def _unpacked(archive: zipfile.ZipFile, member: str) -> Iterator[bytes]:
    """A member's bytes, block by block; a disk that is full is no fault of theirs."""
    try:
        with archive.open(member) as packed:
            while block := packed.read(1 << 20):
                yield block
    except DAMAGED_MEMBER as error:
        raise ArchiveError(f"{member} in the zip is damaged: {error}") from error


@contextmanager
def _writing(root: Path) -> Iterator[None]:
    """Failures to write below the folder of models as this project's own errors."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        yield
    except ModelError:
        raise
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise OutputError(f"the folder of models {root} cannot be written: {reason}") from error
