"""Colours and light that the viewer and the pictures share."""

from __future__ import annotations

from vtkmodules.vtkRenderingCore import vtkLightKit, vtkProperty, vtkRenderer

TOP = (0.86, 0.89, 0.92)
BOTTOM = (0.99, 0.99, 0.99)
INK = (0.13, 0.15, 0.18)
PALE = (0.95, 0.95, 0.95)
ACCENT = (0.11, 0.37, 0.66)


def light(renderer: vtkRenderer) -> None:
    """A key light from above the viewer's left shoulder, fill, back and head lights."""
    kit = vtkLightKit()
    kit.SetKeyLightIntensity(0.82)
    kit.SetKeyLightWarmth(0.52)
    kit.SetFillLightWarmth(0.5)
    kit.SetHeadLightWarmth(0.5)
    kit.SetKeyLightAngle(45, -20)
    kit.SetKeyToFillRatio(2.2)
    kit.SetKeyToBackRatio(3.0)
    kit.SetKeyToHeadRatio(2.6)
    kit.AddLightsToRenderer(renderer)
    renderer.LightFollowCameraOn()


def shine(look: vtkProperty) -> None:
    """Matt, with a soft highlight."""
    look.SetInterpolationToPhong()
    look.SetAmbient(0.06)
    look.SetDiffuse(0.95)
    look.SetSpecular(0.16)
    look.SetSpecularPower(22)


def see_through(renderer: vtkRenderer) -> None:
    """Translucent surfaces in the right order, edges smoothed."""
    # Depth peeling and multisampling exclude each other: edges are smoothed by FXAA instead.
    renderer.SetUseFXAA(True)
    renderer.SetUseDepthPeeling(True)
    renderer.SetMaximumNumberOfPeels(12)
    renderer.SetOcclusionRatio(0.02)


def ground(renderer: vtkRenderer) -> None:
    """A pale background, a little darker above."""
    renderer.GradientBackgroundOn()
    renderer.SetBackground(*BOTTOM)
    renderer.SetBackground2(*TOP)
