"""Models that can be fetched: addresses, hashes and licences, as data."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

from medrecon.errors import ModelMissingError


@dataclass(frozen=True, slots=True)
class KnownModel:
    """One row of `presets/known_models.toml`.

    Parameters
    ----------
    name, title, version : str
    kind : str
        ``monai-bundle`` or ``medrecon``: what the archive holds.
    modality : str
    url : str
        Address of a zip.
    code_licence, weights_licence : str
    sha1, sha256 : str
        Of the zip; whichever its publisher states, at least one.
    accept_license : bool
        Whether a person must accept the licence before it is fetched.
    megabytes : float or None
        Size of the zip; None where its publisher states none for this version.
    """

    name: str
    title: str
    version: str
    kind: str
    modality: str
    url: str
    code_licence: str
    weights_licence: str
    sha1: str = ""
    sha256: str = ""
    accept_license: bool = False
    megabytes: float | None = None

    def __post_init__(self) -> None:
        if len(self.sha256) != 64 and len(self.sha1) != 40:
            raise ValueError(f"known model {self.name} without a hash")

    @property
    def size(self) -> str:
        """The zip's size in words."""
        return "size unknown" if self.megabytes is None else f"{self.megabytes:g} MB"


def known_models() -> Mapping[str, KnownModel]:
    """Every model that can be fetched, by name."""
    text = resources.files("medrecon.presets").joinpath("known_models.toml").read_text("utf-8")
    return {n: KnownModel(name=n, **row) for n, row in tomllib.loads(text)["model"].items()}


def known_model(name: str) -> KnownModel:
    """The known model of that name.

    Raises
    ------
    ModelMissingError
        If there is none; the message says which there are.
    """
    models = known_models()
    if name not in models:
        raise ModelMissingError(f"no known model {name!r}; known are: {', '.join(sorted(models))}")
    return models[name]
