"""A training as a film: traversals and the rate of each dimension, step by step."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np

from ..plots import curves
from ..plots.pictures import mosaic, pictures
from ..training.watching import read_frames, read_rates
from .sheets import inline_svg

__all__ = ["film", "rates"]

_SECONDS = 8.0
_MOST = 120


def film(folder: Path | None) -> dict[str, Any] | None:
    """The frames that `TraversalFrames` kept, as an animated GIF in a data URI."""
    from PIL import Image

    if folder is None or not (folder / "traversals").is_dir():
        return None
    try:
        frames = read_frames(folder)
    except ValueError:
        return None
    steps = sorted(frames)
    steps = [steps[i] for i in np.unique(np.linspace(0, len(steps) - 1, _MOST).astype(int))]
    images = [Image.fromarray(mosaic(pictures(frames[s] / 255.0, 2), 2)) for s in steps]
    buffer = io.BytesIO()
    pause = max(40, round(1000 * _SECONDS / len(images)))
    durations = [pause] * (len(images) - 1) + [2000]
    images[0].save(
        buffer, "GIF", save_all=True, append_images=images[1:], duration=durations, loop=0
    )
    uri = "data:image/gif;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
    return {"uri": uri, "first": steps[0], "last": steps[-1], "count": len(images),
            "width": images[0].width}  # fmt: skip


def rates(folder: Path | None) -> Any:
    """The rate of each dimension over steps, which `RateWatch` noted, as inline SVG."""
    if folder is None or not (folder / "rates.jsonl").exists():
        return None
    try:
        noted = read_rates(folder)
    except ValueError:
        return None
    steps = sorted(noted)
    values = np.stack([noted[s] for s in steps])
    order = np.argsort(-values[-1])
    series = {f"z{j}": (np.array(steps), values[:, j]) for j in order[:12]}
    figure = curves(series, xlabel="step", ylabel="KL (nats)", points=False)
    last = ", ".join(f"z{j} {values[-1, j]:.2f}" for j in order)
    return inline_svg(figure, "rates", f"Rates of dimensions through training; at the end {last}")
