"""The studies of a tree, under names that tell nobody who they are."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from medrecon.errors import OutputError, UsageError
from medrecon.files.atomic import as_output_error

KEY_FILE = "batch.key"
KEY_BYTES = 32
ID_BYTES = 8


@dataclass(frozen=True, slots=True)
class Study:
    """Files of one study.

    Parameters
    ----------
    id : str
        16 hexadecimal digits: a keyed hash, the same in every run of one batch.
    files : tuple of Path
    """

    id: str
    files: tuple[Path, ...]

    def __repr__(self) -> str:
        return f"<Study {self.id}: {len(self.files)} files>"


def named_studies(found: Mapping[str, Sequence[Path]], key: bytes) -> tuple[Study, ...]:
    """Each study's files, by what identifies it, as studies in order of their ids."""
    studies = (Study(study_id(name, key), tuple(files)) for name, files in found.items())
    return tuple(sorted(studies, key=lambda s: s.id))


def study_id(name: str, key: bytes) -> str:
    """Keyed BLAKE2b of what identifies a study: without the key nobody can try a name."""
    return hashlib.blake2b(name.encode(), key=key, digest_size=ID_BYTES).hexdigest()


def batch_key(folder: Path) -> bytes:
    """The batch's key, made by whichever of its processes comes first.

    It is linked into place whole, so that no shard ever reads half of it.

    Raises
    ------
    OutputError
        If it cannot be written, or is no key.
    """
    path = folder / KEY_FILE
    with as_output_error():
        if not path.exists():
            draft = folder / f".{KEY_FILE}.{secrets.token_hex(8)}"
            with draft.open("x") as stream:
                stream.write(secrets.token_hex(KEY_BYTES) + "\n")
                stream.flush()
                os.fsync(stream.fileno())
            draft.chmod(0o600)
            with suppress(FileExistsError):
                os.link(draft, path)
            draft.unlink()
    key = kept_key(folder)
    assert key is not None
    return key


def kept_key(folder: Path) -> bytes | None:
    """The key of the batch that was begun in a folder; None if none was.

    Raises
    ------
    OutputError
        If it cannot be read, or is no key.
    """
    path = folder / KEY_FILE
    if not path.exists():
        return None
    with as_output_error():
        text = path.read_text("ascii", "replace").strip()
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise OutputError(f"{KEY_FILE} in the output folder is damaged; start in a new folder")
    return key


def shard_of(studies: Sequence[Study], index: int, count: int) -> tuple[Study, ...]:
    """Those studies of which shard `index` of `count` (from 1) takes care.

    Ids are evenly spread hashes, so shards need no coordinator and are about equal.

    Raises
    ------
    UsageError
        Unless 1 ≤ index ≤ count.
    """
    if not 1 <= index <= count:
        raise UsageError(f"shard {index} of {count}; 1 to {max(count, 1)} expected")
    return tuple(s for s in studies if int(s.id, 16) % count == index - 1)
