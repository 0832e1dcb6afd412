"""The files of a MONAI bundle, found and parsed: JSON or YAML, never more than data."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Any

from medrecon.errors import ModelMissingError, ModelUntrustedError
from medrecon.models.bundle_values import BundleConfig

METADATA = "configs/metadata.json"
CONFIGS = ("configs/inference.json", "configs/inference.yaml", "configs/inference.yml")
WEIGHTS = ("models/model.safetensors", "models/model.pt")
SUFFIXES = (".safetensors", ".pt", ".pth")
MAX_CONFIG_BYTES = 4 << 20


def is_bundle(folder: Path) -> bool:
    """Whether a folder looks like a MONAI bundle."""
    return (folder / METADATA).is_file()


def read_table(path: Path) -> dict[str, Any]:
    """The table in a JSON or YAML file.

    Raises
    ------
    ModelMissingError
        If it cannot be read, or is YAML and PyYAML is not installed.
    ModelUntrustedError
        If it is too large, no table, or holds a YAML tag that would make an object.
    """
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise ModelUntrustedError(f"{path.name} is larger than {MAX_CONFIG_BYTES} bytes")
        text = path.read_text("utf-8")
        rows = _yaml(text, path.name) if path.suffix in (".yaml", ".yml") else json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise ModelMissingError(f"the bundle's {path.name} cannot be read: {error}") from error
    if not isinstance(rows, dict) or not all(isinstance(key, str) for key in rows):
        raise ModelUntrustedError(f"the bundle's {path.name} is no table")
    return rows


def _yaml(text: str, name: str) -> Any:
    try:
        import yaml
    except ImportError as error:
        raise ModelMissingError(
            f"{name} needs the package PyYAML: pip install 'medrecon[bundles]'"
        ) from error
    try:
        # SafeLoader makes numbers, texts, lists and tables; a tag for anything else fails.
        return yaml.load(text, Loader=yaml.SafeLoader)
    except yaml.constructor.ConstructorError as error:
        raise ModelUntrustedError(f"the bundle's {name} holds {error.problem}") from error
    except yaml.YAMLError as error:
        line = str(error).splitlines()[0]
        raise ModelMissingError(f"the bundle's {name} is no YAML: {line}") from error


def config_path(folder: Path) -> Path:
    """The inference configuration of a bundle.

    Raises
    ------
    ModelMissingError
        If there is none.
    """
    return _first(folder, CONFIGS)


def weights_path(folder: Path, config: BundleConfig) -> Path:
    """The weights: those that the configuration's loader names, else the usual names.

    Raises
    ------
    ModelMissingError
        If there are none.
    """
    return _first(folder, (*_stated(config), *WEIGHTS))


def _stated(config: BundleConfig) -> list[str]:
    """Plain names below ``models/`` that a checkpoint loader loads."""
    found = []
    for key, text in config.strings():
        if key.rsplit("#", 1)[-1] != "load_path":
            continue
        try:
            value = config.value(key)
        except ModelUntrustedError:
            # A path that has to be worked out by a program names nothing here.
            continue
        path = PurePosixPath(str(value))
        if text and path.parent.name == "models" and path.suffix in SUFFIXES:
            found.append(f"models/{path.name}")
    return found


def _first(folder: Path, names: tuple[str, ...]) -> Path:
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise ModelMissingError(
        f"the bundle {folder.name} holds no {' or '.join(dict.fromkeys(names))}"
    )
