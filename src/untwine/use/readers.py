"""Readers: what the factors of an observation are, by search among known ones or by inversion."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from ..checks import check_size
from ..data import Downsampled, FactorDataset, LightTunnel, Subset
from ..data.seeds import check_seed

__all__ = ["Reader", "nearest_reader", "reader_of", "tunnel_reader"]

Reader = Callable[[Tensor], np.ndarray]
"""Observations ``(B, ...)`` to levels of factors ``(B, K)``, and places between them: a renderer's
inverse, or a probe."""

_LAMP = 255
_SMALLEST = 16  # pixels a side, below which marks are smeared


def reader_of(data: FactorDataset, n: int = 10_000, *, seed: int = 0) -> Reader:
    """The best reader there is for some data.

    Args:
        data: Observations with factors.
        n: How many of them `nearest_reader` searches.
        seed: Of their draw.

    Returns:
        `tunnel_reader` for a `LightTunnel`, a part of one and one made smaller (down to 16 x 16);
        `nearest_reader` for anything else.
    """
    whole, by = data, 1
    while isinstance(whole, Subset | Downsampled):
        by *= whole.by if isinstance(whole, Downsampled) else 1
        whole = whole.data
    if isinstance(whole, LightTunnel) and LightTunnel.shape[-1] // by >= _SMALLEST:
        return tunnel_reader(by)
    return nearest_reader(data, n, seed=seed)


def nearest_reader(
    data: FactorDataset, n: int = 10_000, *, components: int = 64, seed: int = 0
) -> Reader:
    """A reader that looks the most similar observation up: inversion of a renderer by search.

    Args:
        data: Observations with factors.
        n: How many to search.
        components: Principal components in which they are compared.
        seed: Of the draw.

    Returns:
        Observations ``(B, ...)`` to factors ``(B, K)``.
    """
    from sklearn.decomposition import PCA
    from sklearn.neighbors import NearestNeighbors

    check_size("n", n)
    rng = np.random.default_rng(check_seed(seed))
    rows = np.sort(rng.choice(len(data), min(n, len(data)), replace=False))
    parts = np.array_split(rows, -(-len(rows) // 500))
    x = np.concatenate([data.observations(part).flatten(1).float().numpy() for part in parts])
    pca = PCA(min(components, *x.shape), svd_solver="randomized", random_state=0).fit(x)
    search = NearestNeighbors(n_neighbors=1).fit(pca.transform(x))
    factors = data.factors[rows]

    def read(observations: Tensor) -> np.ndarray:
        flat = observations.flatten(1).float().cpu().numpy()
        return factors[search.kneighbors(pca.transform(flat), return_distance=False)[:, 0]]

    return read


def tunnel_reader(by: int = 1) -> Reader:
    r"""Reads the colors and both angles of a `LightTunnel` off its pictures, by its renderer.

    The angle of a polarizer is the one whose mark fits its ring best, by the cosine of centered
    templates of whole degrees. With the light :math:`\ell` of the disc over the dark one and
    Malus's law, a color is

    .. math::
        255 \, \ell / \max(\cos^2(\hat\theta_1 - \hat\theta_2), 0.02)

    clipped to 0 to 255 and rounded. Where next to no light passes it cannot be told, and where the
    picture is as bright as it can be, by up to 15.

    Args:
        by: The side of the squares of pixels that were averaged, see `Downsampled`.

    Returns:
        Observations ``(B, 3, 64 / by, 64 / by)`` to red, green, blue and the angles, ``(B, 5)``.

    Raises:
        ValueError: for a side that does not divide 64, or that leaves less than 16 pixels.
    """
    side = LightTunnel.shape[-1]
    check_size("by", by)
    if side % by or side // by < _SMALLEST:
        raise ValueError(f"by is {by}; expected 1, 2 or 4: pictures of {side} pixels a side")
    size = side // by

    def drawn(*values: list[int]) -> np.ndarray:
        return avg_pool2d(LightTunnel(n=1).images(np.array(values)), by).numpy()

    y, x = np.indices((size, size)) - (size - 1) / 2
    outside = np.hypot(x, y) > 19.5 / by  # the disc changes with the angle, too
    lit = [_LAMP] * 3
    fits = []
    for turned in ([1, 0], [0, 1]):
        marks = drawn(*([*lit, turned[0] * angle, turned[1] * angle] for angle in range(180)))
        ring = (np.ptp(marks, axis=0).max(0) > 0.1) & outside
        templates = marks[:, :, ring].reshape(180, -1)
        center = templates.mean(0)
        templates = templates - center
        fits.append((ring, center, templates / np.linalg.norm(templates, axis=1, keepdims=True)))
    dark, bright = drawn([0] * 5, [*lit, 0, 0])
    disc = (bright - dark).min(0) > 0.9

    def read(observations: Tensor) -> np.ndarray:
        pixels = torch.as_tensor(observations).float().cpu().numpy()
        angles = []
        for ring, center, templates in fits:
            part = pixels[:, :, ring].reshape(len(pixels), -1)
            angles.append(((part - center) @ templates.T).argmax(1))
        passes = np.maximum(np.cos(np.deg2rad(angles[0] - angles[1])) ** 2, 0.02)
        light = (pixels[:, :, disc] - dark[:, disc]).mean(-1) / passes[:, None]
        colors = np.clip(np.rint(_LAMP * light), 0, _LAMP)
        return np.concatenate([colors, np.stack(angles, 1)], 1)

    return read
