"""Several images of one patient as the channels of one network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from medrecon.core import Volume
from medrecon.errors import UsageError
from medrecon.models.manifest import Manifest
from medrecon.resampling import resample_volume


def in_channel_order(
    manifest: Manifest,
    volume: Volume,
    others: Mapping[str, Volume],
    *,
    registered: bool,
    image_channel: str = "",
) -> tuple[Volume, ...]:
    """The images in the order of the model's channels, all on the first image's grid.

    Parameters
    ----------
    manifest : Manifest
    volume : Volume
        The image that results lie on; it is the channel that `others` leaves out.
    others : mapping of str to Volume
        Further images by channel's name, upper or lower case.
    registered : bool
        Whether the person declares the images to be registered to one another.
    image_channel : str
        Which channel the image is said to be, if that was said.

    Raises
    ------
    UsageError
        If a channel is missing or unknown, or an image neither shares the first one's
        frame of reference nor is declared registered.
    """
    names = [name.lower() for name in manifest.channels]
    given = {name.lower(): image for name, image in others.items()}
    wanted = f"model {manifest.identity} takes {', '.join(manifest.channels)}"
    unknown = sorted({*given, *([image_channel.lower()] if image_channel else [])} - set(names))
    missing = [name for name in names if name not in given]
    if unknown:
        raise UsageError(f"--channel {unknown[0]}: {wanted}")
    if len(missing) != 1:
        raise UsageError(
            f"{wanted}: name all but one with --channel NAME=PATH, the other is IN; "
            f"{len(given)} given"
        )
    if image_channel and image_channel.lower() != missing[0]:
        raise UsageError(f"{wanted}: {missing[0]} is missing, {image_channel} was given twice")
    for name, image in given.items():
        require_one_frame(name, volume, image, registered=registered)
    images = [volume if name == missing[0] else given[name] for name in names]
    return tuple(_onto(image, volume) for image in images)


def require_one_frame(name: str, first: Volume, image: Volume, *, registered: bool) -> None:
    """Refuse an image that may lie anywhere relative to the first.

    Raises
    ------
    UsageError
        If it has another frame of reference (0020,0052) or states none.
    """
    one, two = first.acquisition.frame, image.acquisition.frame
    if registered or (one and one == two):
        return
    if one and two:
        raise UsageError(
            f"channel {name} has another frame of reference than the first image; register it to "
            "the first and pass --registered"
        )
    raise UsageError(
        f"channel {name} or the first image states no frame of reference; pass --registered if "
        "they are registered to one another"
    )


def _onto(image: Volume, first: Volume) -> Volume:
    """The image on the first one's grid; itself where it lies there already."""
    if image is first or image.geometry.is_close(first.geometry):
        return image
    exact = replace(image, array=image.array.astype(np.float32))
    return resample_volume(exact, first.geometry)
