"""Colours of a surface's vertices out of the image, without a texture."""

from __future__ import annotations

import dataclasses

import numpy as np

from medrecon.core.mesh import Mesh
from medrecon.core.trilinear import sample_with_gradient
from medrecon.core.volume import Volume


def colored_by_image(mesh: Mesh, volume: Volume, *, low: float, high: float) -> Mesh:
    """The mesh in greys of the image at its vertices, tinted by nothing.

    Parameters
    ----------
    mesh : Mesh
        In LPS.
    volume : Volume
        Of the same patient; outside of it the border's values go on.
    low, high : float
        Values that become black and white: a window of −160 to 240 HU shows soft tissue.

    Raises
    ------
    ValueError
        If the window is empty.
    """
    if not low < high:
        raise ValueError(f"a window from {low:g} to {high:g}; from less to more expected")
    index = volume.geometry.index_from_mm(mesh.vertices_mm.astype(np.float64))
    value, _ = sample_with_gradient(volume.array, index)
    grey = np.round(np.clip((value - low) / (high - low), 0, 1) * 255).astype(np.uint8)
    return dataclasses.replace(mesh, colors=np.repeat(grey[:, None], 3, axis=1))


def colored_by_scalar(mesh: Mesh, *, limit: float) -> Mesh:
    """The mesh in colours of its scalars: blue below, white at zero, red above.

    Parameters
    ----------
    mesh : Mesh
        With scalars, a deviation in mm for example.
    limit : float
        Scalars of this size and beyond have the full colour.

    Raises
    ------
    ValueError
        If the mesh has no scalars, or the limit is not positive.
    """
    if mesh.scalars is None or limit <= 0:
        raise ValueError("a mesh with scalars and a limit above 0 expected")
    part = np.clip(mesh.scalars.astype(np.float64) / limit, -1, 1)
    fade = 1 - np.abs(part)
    red, blue = np.where(part >= 0, 1, fade), np.where(part <= 0, 1, fade)
    colors = np.round(np.stack([red, fade, blue], axis=1) * 255).astype(np.uint8)
    return dataclasses.replace(mesh, colors=colors)
