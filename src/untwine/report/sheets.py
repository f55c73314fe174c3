"""Pictures as data URIs: nothing that a page shows is loaded from anywhere."""

from __future__ import annotations

import base64
import io
import re
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup, escape
from PIL import Image

from ..plots.style import ACCENT, GRID, INK, MUTED, WARM

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["inline_svg", "png", "sheet", "shrunk"]

_VARIABLES = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    GRID: "var(--line)",
    ACCENT: "var(--data)",
    WARM: "var(--warm)",
    "#ffffff": "var(--on-data)",
}


def png(picture: np.ndarray) -> str:
    """A picture ``(H, W, 3)`` or ``(H, W, 4)`` as the data URI of a PNG file.

    Pictures without color are stored in gray; colored ones with a palette of their own, so that
    a page of them stays small.

    Example:
        >>> png(np.zeros((2, 2, 3), np.uint8))[:22]
        'data:image/png;base64,'
    """
    image = Image.fromarray(picture)
    if picture.shape[-1] == 3:
        gray = (picture[..., :1] == picture).all()
        image = image.convert("L") if gray else image.quantize(256, dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def sheet(cells: np.ndarray) -> str:
    """Frames in rows and columns, ``(R, S, H, W, 3)``, without gaps, as one data URI."""
    rows, columns, height, width, _ = cells.shape
    return png(cells.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, 3))


def shrunk(cells: np.ndarray, side: int = 128) -> np.ndarray:
    """Pictures ``(..., H, W, 3)``, scaled down so that neither side exceeds ``side``.

    Example:
        >>> shrunk(np.zeros((2, 300, 150, 3), np.uint8), 100).shape
        (2, 100, 50, 3)
    """
    height, width = cells.shape[-3:-1]
    if max(height, width) <= side:
        return cells
    scale = side / max(height, width)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    flat = cells.reshape(-1, *cells.shape[-3:])
    small = [np.asarray(Image.fromarray(c).resize(size, Image.Resampling.LANCZOS)) for c in flat]
    return np.stack(small).reshape(*cells.shape[:-3], *small[0].shape)


def inline_svg(figure: Figure, name: str, description: str) -> Markup:
    """A figure as SVG inside a page, in the page's colors and as wide as there is room.

    Args:
        figure: Drawn with the colors of `untwine.plots`.
        name: Unique on the page; identifiers inside the figure begin with it.
        description: For those who do not see the figure.
    """
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "path", "svg.hashsalt": "untwine"}):
        metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(buffer, format="svg", transparent=True, dpi=144, metadata=metadata)
    svg = buffer.getvalue()
    svg = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.S)
    svg = re.sub(r'\s+xmlns(:xlink)?="[^"]*"', "", svg).replace("xlink:href=", "href=")
    svg = re.sub(r'"data:[^"]*"', lambda uri: "".join(uri[0].split()), svg)
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    for color, variable in _VARIABLES.items():
        svg = svg.replace(color, variable)
    width, height = (float(side) * 4 / 3 for side in figure.get_size_inches() * 72)
    head = (
        f'<svg role="img" aria-label="{escape(description)}" '
        f'style="--natural: {width:.0f}px" viewBox="0 0 {width * 0.75:g} {height * 0.75:g}"'
    )
    content = re.sub(r"<svg\b[^>]*", "", svg.strip(), count=1)
    return Markup(head + _compact(content, name))


def _compact(svg: str, name: str) -> str:
    """The same picture in fewer bytes: a style said twice is a class, a place has two digits.

    Names that nothing refers to and empty groups are left out. Glyphs keep the digits of their
    scale: they are drawn in units of thousands.
    """
    counts = Counter(re.findall(r' style="([^"]*)"', svg))
    often = {style: f"{name}-s{k}" for k, style in enumerate(s for s, n in counts.items() if n > 1)}
    used = set(re.findall(r'(?:href="|url\()#([^")]*)', svg))
    short = {anchor: f"{name}-{k}" for k, anchor in enumerate(sorted(used))}

    def style(match: re.Match[str]) -> str:
        return f' class="{often[match[1]]}"' if match[1] in often else match[0]

    def anchor(match: re.Match[str]) -> str:
        return f"{match[1]}{short[match[2]]}{match[3]}" if match[2] in short else ""

    def place(match: re.Match[str]) -> str:
        text = re.sub(
            r"\d+\.\d{3,}", lambda n: f"{float(n[0]):.2f}".rstrip("0").rstrip("."), match[0]
        )
        return re.sub(r"\s+", " ", text)

    svg = re.sub(r' style="([^"]*)"', style, svg)
    svg = re.sub(r'( id="|href="#|url\(#)([^")]*)("|\))', anchor, svg)
    svg = re.sub(r' (?:d|x|y|points)="[^"]*"|translate\([^)]*\)', place, svg)
    svg = re.sub(r">\s+<", "><", svg)
    while (bare := re.sub(r"<g/>|<g></g>|<defs/>", "", svg)) != svg:
        svg = bare
    rules = "".join(f".{label}{{{style}}}" for style, label in often.items())
    return svg.replace("</style>", f"{rules}</style>", 1)
