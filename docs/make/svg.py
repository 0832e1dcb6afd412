"""The few SVG elements that the drawings of the documentation are made of."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

Point = tuple[float, float]
INK, GREY, BLUE, RED, PALE = "#1f2933", "#9aa5b1", "#2563a8", "#b3261e", "#e6eef7"


def line(a: Point, b: Point, color: str = INK, width: float = 1.5, arrow: bool = False) -> str:
    """A straight line, with a head at its end if asked for."""
    end = ' marker-end="url(#head)"' if arrow else ""
    return (
        f'<line x1="{a[0]:g}" y1="{a[1]:g}" x2="{b[0]:g}" y2="{b[1]:g}" stroke="{color}" '
        f'stroke-width="{width:g}"{end}/>'
    )


def path(points: Sequence[Point], color: str = INK, width: float = 2, fill: str = "none") -> str:
    """A line through points."""
    at = " ".join(f"{x:.2f},{y:.2f}" for x, y in points)
    return f'<polyline points="{at}" fill="{fill}" stroke="{color}" stroke-width="{width:g}"/>'


def box(x: float, y: float, w: float, h: float, fill: str = "none", color: str = GREY) -> str:
    """A rectangle."""
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{w:g}" height="{h:g}" fill="{fill}" stroke="{color}"/>'
    )


def dot(at: Point, radius: float = 3, color: str = INK) -> str:
    """A filled circle."""
    return f'<circle cx="{at[0]:.2f}" cy="{at[1]:.2f}" r="{radius:g}" fill="{color}"/>'


def ring(at: Point, radius: float, color: str = INK, width: float = 2) -> str:
    """A circle's line."""
    return (
        f'<circle cx="{at[0]:.2f}" cy="{at[1]:.2f}" r="{radius:g}" fill="none" '
        f'stroke="{color}" stroke-width="{width:g}"/>'
    )


def text(at: Point, words: str, color: str = INK, size: float = 14, anchor: str = "start") -> str:
    """Words at a point of their base line."""
    return (
        f'<text x="{at[0]:g}" y="{at[1]:g}" fill="{color}" font-size="{size:g}" '
        f'text-anchor="{anchor}">{escape(words)}</text>'
    )


def page(width: int, height: int, title: str, parts: Sequence[str]) -> str:
    """The whole picture, on white, with what it shows in words."""
    head = (
        '<marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" '
        'markerHeight="7" orient="auto-start-reverse">'
        '<path d="M0 0 10 5 0 10z" fill="context-stroke"/></marker>'
    )
    top = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        'font-family="sans-serif">'
    )
    ground = f'<rect width="{width}" height="{height}" fill="white"/>'
    return "\n".join(
        [top, f"<title>{escape(title)}</title><defs>{head}</defs>", ground, *parts, "</svg>\n"]
    )
