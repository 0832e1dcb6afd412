"""The models that are installed: shipped ones in the package, a person's own in a folder."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from medrecon.errors import ModelError, ModelHashError, ModelMissingError, ModelUntrustedError
from medrecon.models.manifest import Manifest
from medrecon.models.manifest_toml import MANIFEST_NAME, read_manifest

if TYPE_CHECKING:
    from medrecon.models.weights import StateDict

PICKLE_NAMES = frozenset({".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".bin", ".ts", ".npy", ".npz"})


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """A model folder: its manifest, where it lies, and whether it came with medrecon."""

    manifest: Manifest
    folder: Path
    shipped: bool = False

    @property
    def weights_path(self) -> Path:
        """The file with the weights."""
        return self.folder / self.manifest.weights.file

    @property
    def every_part(self) -> tuple[InstalledModel, ...]:
        """One model for each network of it, in order; itself if it is one network."""
        return tuple(
            replace(self, manifest=replace(part, parts=())) for part in self.manifest.every_part
        )

    def __repr__(self) -> str:
        return f"<InstalledModel {self.manifest.identity}>"


def shipped_folder() -> Path:
    """Folder of the models that are part of medrecon."""
    return Path(str(resources.files("medrecon.models"))) / "shipped"


def user_folder() -> Path:
    """Folder that a person's own models are installed in; it need not exist."""
    return platformdirs.user_data_path("medrecon", appauthor=False) / "models"


def default_folders() -> tuple[Path, ...]:
    """The folders that are searched, a person's own before the shipped ones."""
    return user_folder(), shipped_folder()


def installed(folders: Sequence[Path] | None = None) -> tuple[InstalledModel, ...]:
    """Every installed model, by name; of two with one name, the first folder's.

    A folder without a readable manifest is no model and is left out.
    """
    found: dict[str, InstalledModel] = {}
    for root in default_folders() if folders is None else folders:
        for path in sorted(root.glob(f"*/{MANIFEST_NAME}")):
            try:
                model = open_model(path.parent)
            except ModelError:
                continue
            found.setdefault(model.manifest.name, model)
    return tuple(found[name] for name in sorted(found))


def find(name_or_path: str | Path, folders: Sequence[Path] | None = None) -> InstalledModel:
    """The installed model of that name, or the one in that folder.

    A name wins over a folder of the same name in the working directory; write
    ``./name`` to mean the folder.

    Raises
    ------
    ModelMissingError
        If there is neither; the message says what there is.
    ModelError
        If the folder's manifest cannot be read.
    """
    models = installed(folders)
    for model in models:
        if str(name_or_path) == model.manifest.name:
            return model
    folder = Path(name_or_path)
    roots = default_folders() if folders is None else folders
    # A path means that folder alone: no other of its last name is taken for it.
    is_bare = str(name_or_path) == folder.name
    for path in [*(root / folder.name for root in roots if is_bare), folder]:
        if (path / MANIFEST_NAME).is_file():
            return open_model(path)
    names = ", ".join(m.manifest.name for m in models) or "none"
    raise ModelMissingError(
        f"no model {folder.name!r} is installed and no such folder holds a {MANIFEST_NAME}; "
        f"installed: {names}"
    )


def open_model(folder: Path) -> InstalledModel:
    """The model in a folder. Reads the manifest only; the weights are checked when loaded.

    Raises
    ------
    ModelError
        If the manifest cannot be read.
    """
    manifest = read_manifest(folder / MANIFEST_NAME)
    return InstalledModel(manifest, folder, folder.parent == shipped_folder())


def fingerprint(model: InstalledModel) -> str:
    """SHA-256 of its manifest, which states its weights': what it is, whatever its name."""
    return hashlib.sha256((model.folder / MANIFEST_NAME).read_bytes()).hexdigest()


def verify(model: InstalledModel) -> None:
    """Read the weights once and compare them with the manifest.

    Raises
    ------
    ModelMissingError
        If the weights are not there.
    ModelHashError
        If size or SHA-256 differ.
    ModelUntrustedError
        If the file is not safetensors by its name.
    """
    for part in model.every_part:
        read_weights_bytes(part)


def read_weights_bytes(model: InstalledModel) -> bytes:
    """The verified bytes of the weights: what was hashed is what will be loaded.

    Raises
    ------
    ModelMissingError, ModelHashError, ModelUntrustedError
        As `verify`.
    """
    path, expected = model.weights_path, model.manifest.weights
    if path.suffix.lower() != ".safetensors":
        kind = "a pickle can run code" if path.suffix.lower() in PICKLE_NAMES else "unknown format"
        raise ModelUntrustedError(
            f"weights of {model.manifest.name} in {path.name}: {kind}; safetensors expected"
        )
    try:
        content = path.read_bytes()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ModelMissingError(
            f"weights of {model.manifest.name}: {path.name} cannot be read ({reason}); "
            "install the model again"
        ) from error
    found = hashlib.sha256(content).hexdigest()
    if found != expected.sha256 or len(content) != expected.bytes:
        raise ModelHashError(
            f"weights of {model.manifest.name}: SHA-256 {found[:12]}… and {len(content)} bytes, "
            f"the manifest says {expected.sha256[:12]}… and {expected.bytes}; "
            "the file was changed or damaged, install the model again"
        )
    return content


def load_weights(model: InstalledModel) -> StateDict:
    """The verified weights as float32 tensors on the CPU, by name. Loads torch.

    Raises
    ------
    ModelMissingError, ModelHashError, ModelUntrustedError
        As `verify`; untrusted also if the bytes are no safetensors.
    """
    from medrecon.models.weights import tensors_from_bytes

    return tensors_from_bytes(read_weights_bytes(model), model.manifest.name)
