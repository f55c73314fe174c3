"""Pictures of what the methods of `adversarial.py` learned, as small PNG files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import common
import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

import untwine as ut
from untwine.plots.style import figure, quiet

__all__ = ["DRAW", "codes_of_priors"]

_CODES = 4000  # of test digits, in a map


def sheet(path: Path, rows: Tensor) -> None:
    """Rows of digits ``(R, C, 1, H, W)`` or ``(R, C, H W)``, black on white."""
    side = rows[0, 0].numel() ** 0.5
    digits = rows.detach().reshape(*rows.shape[:2], round(side), round(side)).clamp(0, 1)
    ink = torch.cat([torch.cat(list(row), 1) for row in digits], 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = (255 * (1 - ink)).round().to(torch.uint8).numpy()
    Image.fromarray(pixels).save(path, optimize=True)


@torch.no_grad()
def classes(method: Any, test: ut.FactorDataset, folder: Path) -> None:
    """A row for each class: one style for each column, as it is drawn from the prior."""
    _, of_style = method.priors()
    style = of_style.sample((12,)).repeat(method.classes, 1)
    y = torch.arange(method.classes).repeat_interleave(12)
    x = method.decode(style, y=y).mean
    sheet(folder / "SemiSupervisedAAE-classes.png", x.unflatten(0, (method.classes, 12)))


@torch.no_grad()
def heads(method: Any, test: ut.FactorDataset, folder: Path) -> None:
    """Each cluster's head, and after it the eight test digits that are surest to be in it."""
    q = torch.from_numpy(common.of_all(method.cluster, test))
    surest = test.observations(q.topk(8, 0).indices.T.flatten()).unflatten(0, (q.shape[1], 8))
    rows = torch.cat([method.heads()[:, None], surest], 1)
    half = len(rows) // 2
    sheet(folder / "ClusteringAAE-heads.png", torch.cat([rows[:half], rows[half : 2 * half]], 1))


def traversals(name: str) -> Callable[..., None]:
    """A row for each noise: every class; below, continuous codes from -1 to 1 in a class each."""

    def drawn(method: Any, test: ut.FactorDataset, folder: Path) -> None:
        with torch.no_grad():
            prior = method.prior()
            dim, (k,) = prior.event_shape[0], prior["category"].event_shape
            noise = method.noise(5).repeat_interleave(k, 0)
            c = torch.zeros(5 * k, dim)
            c[:, :k] = torch.eye(k).repeat(5, 1)
            rows = [method.generate(c, noise).unflatten(0, (5, k))]
            for j in range(k, dim):
                c = torch.zeros(3 * k, dim)
                c[:, :k] = torch.eye(k)[:3].repeat_interleave(k, 0)
                c[:, j] = torch.linspace(-1, 1, k).repeat(3)
                noise = method.noise(1).expand(3 * k, -1)
                rows.append(method.generate(c, noise).unflatten(0, (3, k)))
            sheet(folder / f"{name}-traversals.png", torch.cat(rows))

    return drawn


def scatter(axes: Any, codes: np.ndarray, y: np.ndarray, title: str) -> None:
    """Codes of test digits, a color for each digit."""
    points = axes.scatter(*codes.T, c=y, s=2, cmap="tab10", vmin=-0.5, vmax=9.5, linewidths=0)
    axes.set_title(title)
    axes.set_aspect("equal")
    quiet(axes)
    for digit in range(10):
        axes.text(
            *np.median(codes[y == digit], 0),
            str(digit),
            color="black",
            bbox={"facecolor": points.to_rgba(digit), "pad": 1.5, "alpha": 0.7},
        )


def reduced(method: Any, test: ut.FactorDataset, folder: Path) -> None:
    """The map of test digits, and the heads on it."""
    rows = np.arange(_CODES)
    codes = common.of_all(lambda x: method.represent(x).mean, test, rows)
    drawing: Figure = figure(5, 5)
    axes = drawing.add_subplot()
    scatter(axes, codes, test.factors[rows, 0], "")
    axes.scatter(*method.prior.heads().detach().numpy().T, marker="x", c="black", s=20)
    common.save(drawing, folder / "ReducingAAE-map.png", 90)


def codes_of_priors(methods: Mapping[str, Any], test: ut.FactorDataset, folder: Path) -> None:
    """Codes of test digits under each prior, beside a sample of it."""
    rows = np.arange(_CODES)
    drawing = figure(3 * len(methods), 6)
    for place, (name, method) in enumerate(methods.items(), 1):
        codes = common.of_all(lambda x, of=method: of.represent(x).mean, test, rows)
        with torch.no_grad():
            drawn = method.prior().sample((_CODES,)).numpy()
        above = drawing.add_subplot(2, len(methods), place)
        above.scatter(*drawn.T, s=1, c="gray", linewidths=0)
        above.set_title(name)
        above.set_aspect("equal")
        quiet(above)
        below = drawing.add_subplot(2, len(methods), place + len(methods))
        scatter(below, codes, test.factors[rows, 0], "")
        below.set_xlim(above.get_xlim())
        below.set_ylim(above.get_ylim())
    common.save(drawing, folder / "AAE-priors.png", 90)


DRAW: dict[str, Callable[..., None]] = {
    "semi": classes,
    "clusters": heads,
    "map": reduced,
    "infogan": traversals("InfoGAN"),
    "elastic": traversals("ElasticInfoGAN"),
}
