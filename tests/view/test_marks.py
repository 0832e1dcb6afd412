"""Letters and the scale bar are read over whatever lies behind them."""

from __future__ import annotations

import numpy as np
import pytest
from pictures import pixels

from medrecon.view.style import INK, PALE


def drawn(folder, ink, behind) -> np.ndarray:
    """Marks of one ink over an even ground, seen along y: 300 × 200 pixels."""
    from vtkmodules.vtkIOImage import vtkPNGWriter
    from vtkmodules.vtkRenderingCore import vtkRenderer, vtkRenderWindow, vtkWindowToImageFilter

    # Registers VTK's back ends too, without which a window has none.
    from medrecon.view.scene import Marks

    window, renderer = vtkRenderWindow(), vtkRenderer()
    window.SetOffScreenRendering(1)
    window.SetSize(300, 200)
    renderer.SetBackground(*behind)
    window.AddRenderer(renderer)
    camera = renderer.GetActiveCamera()
    camera.ParallelProjectionOn()
    camera.SetPosition(0, -100, 0)
    camera.SetFocalPoint(0, 0, 0)
    camera.SetViewUp(0, 0, 1)
    camera.SetParallelScale(100)
    Marks(renderer, ink, 20)
    window.Render()
    grab = vtkWindowToImageFilter()
    grab.SetInput(window)
    grab.ReadFrontBufferOff()
    writer = vtkPNGWriter()
    writer.SetFileName(str(folder / "marks.png"))
    writer.SetInputConnection(grab.GetOutputPort())
    writer.Write()
    window.Finalize()
    return pixels(folder / "marks.png")


@pytest.mark.opengl
@pytest.mark.parametrize("ink", [INK, PALE])
def test_the_bar_and_the_letters_stand_out_from_a_ground_of_their_own_shade(tmp_path, ink):
    picture = drawn(tmp_path, ink, ink)
    own = np.array(ink) * 255
    apart = np.abs(picture - own).max(axis=-1)
    # 200 pixels show 200 mm: the longest round length within a third of 300 is 100 mm, from
    # 24 to 124; its rim of two pixels lies above and below, on rows 24 and 31 from the foot.
    assert (apart[200 - 31 : 200 - 22, 30:118].max(axis=0) > 100).all()
    # The plate under R, 20 pixels from the left edge at half height, is half the other shade.
    assert apart[90:110, 10:30].max() > 60


@pytest.mark.opengl
def test_the_bar_keeps_its_ink_within_the_rim(tmp_path):
    picture = drawn(tmp_path, INK, (0.0, 0.0, 0.0))
    bar = picture[200 - 28 : 200 - 25, 40:110]
    assert np.abs(bar - np.array(INK) * 255).max() < 12
