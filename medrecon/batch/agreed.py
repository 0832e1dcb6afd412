"""What every study of a batch is asked: checked first, then kept in `batch.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medrecon.errors import DamagedInputError, UsageError
from medrecon.files.atomic import write_json
from medrecon.options import AUTO, Options, as_plain
from medrecon.outputs.run import software_versions, without_paths

BATCH_FILE = "batch.json"
SCHEMA_VERSION = 1


def check_options(options: Options) -> None:
    """Refuse what no study could be made with, before one is begun.

    Raises
    ------
    UsageError
        If there is no such mesh format, tissue or device.
    """
    from medrecon.files.meshes import mesh_format
    from medrecon.segmentation.tissues import TissueSegmenter

    for name in options.output.formats:
        mesh_format(name)
    if options.segment.tissues is not None:
        TissueSegmenter(options.segment.tissues)
    device = options.segment.device
    if device not in ("auto", "cpu", "cuda", "mps") and not device.removeprefix("cuda:").isdigit():
        raise UsageError(f"--device {device}; auto, cpu, cuda, cuda:N or mps expected")


def options_to_keep(options: Options) -> dict[str, Any]:
    """The options without paths, and which models those are that were named.

    A folder's name can be a patient's, and a model can be replaced under its name; its
    fingerprint tells one from another.

    Raises
    ------
    ModelMissingError
        If a model is neither installed nor in a folder.
    """
    from medrecon.models.store import find, fingerprint

    named = [name for name in options.segment.models or () if name != AUTO]
    return {
        "options": without_paths(as_plain(options)),
        "models_sha256": [fingerprint(find(name)) for name in named],
    }


def agree_on_options(folder: Path, options: Options, asked: Mapping[str, Any]) -> None:
    """Keep the batch's options, or compare with those that are kept.

    Parameters
    ----------
    folder : Path
        Of the batch.
    options : Options
    asked : mapping
        The same as `options_to_keep` made it.

    Raises
    ------
    UsageError
        If others are kept.
    DamagedInputError
        If what is kept cannot be read.
    """
    path = folder / BATCH_FILE
    if not path.exists():
        content = {"schema_version": SCHEMA_VERSION, "software": software_versions()}
        write_json(path, {**content, **asked})
        return
    try:
        content = json.loads(path.read_text("utf-8"))
        kept, hashes = content["options"], content.get("models_sha256")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DamagedInputError(f"{BATCH_FILE} is damaged; start in a new folder") from None
    # Before there were hashes, models stood there by their paths.
    wanted = as_plain(options) if hashes is None else asked["options"]
    # Where and with how many it runs may change; what it makes of a study may not.
    differing = [
        f"{room}.{name}"
        for room, values in wanted.items()
        for name, value in values.items()
        if kept.get(room, {}).get(name) != value
    ]
    if hashes not in (None, asked["models_sha256"]) and "segment.models" not in differing:
        differing.append("segment.models")
    if differing:
        raise UsageError(
            f"the output folder holds a batch with other options ({', '.join(differing)}); "
            "use the same, or a new folder"
        )
