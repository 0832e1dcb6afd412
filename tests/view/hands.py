"""A viewer off-screen, and hands that press its keys and move its mouse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pictures import pixels
from vtkmodules.vtkInteractionStyle import vtkInteractorStyleTrackballCamera
from vtkmodules.vtkRenderingUI import vtkGenericRenderWindowInteractor

from medrecon.view.content import Content


class Hands:
    """A session with an interactor that takes scripted events."""

    def __init__(self, folder: Path, content: Content, size: tuple[int, int], **more: Any) -> None:
        from medrecon.view.session import Session

        self.folder = folder
        self.session = Session(
            content,
            view_file=folder / "view.json",
            pictures=folder,
            offscreen=True,
            size=size,
            **more,
        )
        self.interactor = vtkGenericRenderWindowInteractor()
        self.interactor.SetRenderWindow(self.session.drawing.plotter.window)
        self.interactor.SetInteractorStyle(vtkInteractorStyleTrackballCamera())
        self.interactor.Initialize()
        self.session.listen(self.interactor)
        self.session.drawing.render()

    def keys(self, *keysyms: str) -> None:
        for keysym in keysyms:
            self.interactor.SetEventInformation(0, 0, 0, 0, "\0", 0, keysym)
            self.interactor.KeyPressEvent()
            self.interactor.CharEvent()
            self.interactor.KeyReleaseEvent()

    def picture(self, name: str = "now") -> np.ndarray:
        path = self.folder / f"{name}.png"
        self.session.picture(path)
        return pixels(path)
