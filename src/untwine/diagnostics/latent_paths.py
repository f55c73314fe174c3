"""Smoothness and linear separability of a generator's codes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ..methods.abilities import Decodes
from ..nets import Features
from .estimates import Estimate, Finding

__all__ = ["Separability", "linear_separability", "perceptual_path_length"]


@torch.no_grad()
def perceptual_path_length(
    generator: Decodes | Callable[[Tensor], Tensor],
    one: Tensor,
    two: Tensor,
    *,
    features: Features | None = None,
    epsilon: float = 1e-2,
    spherical: bool = False,
    ends: bool = False,
    seed: int = 0,
    batch_size: int = 100,
) -> Estimate:
    r"""How much images change along the path from one code to another.

    .. math::
        \mathbb{E} \, \frac{1}{\epsilon^2} \, d\big( G(\mathrm{lerp}(w_1, w_2; t)),
        G(\mathrm{lerp}(w_1, w_2; t + \epsilon)) \big), \qquad t \sim \mathcal{U}[0, 1]

    with a squared distance d: of pixels, summed; or of ``features``, whose channels are scaled to
    length one at each place, summed over channels, averaged over places and summed over layers.

    Args:
        generator: What decodes, or a function of codes.
        one: Codes at which paths begin.
        two: Codes at which they end.
        features: What d compares, such as `nets.VGG16`; pixels by default.
        epsilon: :math:`\epsilon`.
        spherical: Whether paths follow great circles, as between codes from a normal; otherwise
            they are straight, as in w.
        ends: Whether t is 0, so that no code lies off what the generator is given.
        seed: Of t.
        batch_size: Images at once.

    Shape: codes ``(N, D)``.

    References:
        Karras, Laine, Aila, "A Style-Based Generator Architecture for Generative Adversarial
        Networks", 2019, https://arxiv.org/abs/1812.04948, equations 2 and 3.

    Deviations:
        Layers of the features weigh the same, where the paper's distance has weights that were
        learned. :math:`\epsilon` is 0.01 (the paper's 0.0001 is lost in single precision for images
        that hardly change).

    Example:
        >>> line = perceptual_path_length(lambda z: 3 * z, torch.zeros(4, 1), torch.ones(4, 1))
        >>> round(line.value, 3)
        9.0
    """
    random = torch.Generator().manual_seed(seed)
    t = torch.zeros(len(one)) if ends else torch.rand(len(one), generator=random)
    t = t.to(one)[:, None]
    between = _slerp if spherical else torch.lerp
    values = []
    for rows in torch.arange(len(one)).split(batch_size):
        images = [
            _images(generator, between(one[rows], two[rows], place))
            for place in (t[rows], t[rows] + epsilon)
        ]
        values.append(_squared(features, *images) / epsilon**2)
    return Estimate.of(torch.cat(values))


@dataclass(frozen=True)
class Separability(Finding):
    """How well hyperplanes in a code tell attributes of what is generated from it.

    Attributes:
        value: The exponential of the sum of entropies: 1 where all are told, and 2 to the power of
            the number of even attributes where none is.
        entropies: Of each attribute, given which side its code is on, nats.
        accuracy: The share on the right side, of each.
    """

    value: float
    entropies: tuple[float, ...]
    accuracy: tuple[float, ...]

    def __str__(self) -> str:
        lead = ", ".join(f"{h:.2f}" for h in self.entropies[:5])
        return f"separability {self.value:.2f}; conditional entropies {lead} nats"


def linear_separability(
    codes: ArrayLike, probabilities: ArrayLike, *, share: float = 0.5, seed: int = 0
) -> Separability:
    r"""What a linear classifier of codes leaves unknown of attributes of their images.

    .. math::
        \exp\Big( \sum_i H(Y_i \mid X_i) \Big)

    :math:`Y_i` is whether an image has attribute i, :math:`X_i` on which side of a linear
    support vector machine its code is; of the images, the ``share`` of which a classifier of images
    is most sure is kept for each attribute.

    Args:
        codes: Of generated images.
        probabilities: Of each attribute in each image, by classifiers of images.
        share: How many images are kept.
        seed: Of the support vector machine.

    Shape: ``(N, D)`` and ``(N, K)``.

    Raises:
        ValueError: for other shapes, and for an attribute that all or none of those kept have.

    References:
        Karras et al. 2019 (as in `perceptual_path_length`), section 4.2.

    Example:
        >>> codes = np.linspace(-1, 1, 100)[:, None]
        >>> round(linear_separability(codes, 0.5 + codes / 2).value, 3)
        1.0
    """
    from sklearn.svm import LinearSVC

    z, p = np.asarray(codes, float), np.asarray(probabilities, float)
    if z.ndim != 2 or p.ndim != 2 or len(z) != len(p):
        raise ValueError(
            f"codes have shape {z.shape} and probabilities {p.shape}; expected (N, D) and (N, K)"
        )
    if not 0 < share <= 1:
        raise ValueError(f"share is {share}; expected more than 0, at most 1")
    entropies, accuracy = [], []
    for k, of_images in enumerate(p.T):
        sure = np.argsort(-np.abs(of_images - 0.5), kind="stable")[: max(2, round(share * len(z)))]
        y = of_images[sure] > 0.5
        if y.all() or not y.any():
            raise ValueError(
                f"all images kept agree in attribute {k}: give more images, or another attribute"
            )
        side = LinearSVC(random_state=seed, max_iter=10_000).fit(z[sure], y).predict(z[sure])
        entropies.append(_conditional_entropy(y, side))
        accuracy.append(float((y == side).mean()))
    return Separability(float(np.exp(sum(entropies))), tuple(entropies), tuple(accuracy))


def _conditional_entropy(y: np.ndarray, x: np.ndarray) -> float:
    """H(Y|X) of two binary variables, nats."""
    joint = np.array([[np.mean((y == i) & (x == j)) for j in (0, 1)] for i in (0, 1)])
    logs = np.log(np.where(joint > 0, joint / np.maximum(joint.sum(0), 1e-300), 1.0))
    return float(-(joint * logs).sum())


def _images(generator: Decodes | Callable[[Tensor], Tensor], w: Tensor) -> Tensor:
    return generator.decode(w).mean if isinstance(generator, Decodes) else generator(w)


def _slerp(one: Tensor, two: Tensor, t: Tensor) -> Tensor:
    """The point of the great circle at a share t of the angle, of unit length."""
    a, b = (z / z.norm(dim=-1, keepdim=True) for z in (one, two))
    across = b - (a * b).sum(-1, keepdim=True) * a
    angle = torch.atan2(across.norm(dim=-1, keepdim=True), (a * b).sum(-1, keepdim=True))
    across = across / across.norm(dim=-1, keepdim=True).clamp(min=1e-12)
    return a * (t * angle).cos() + across * (t * angle).sin()


def _squared(features: Features | None, x: Tensor, y: Tensor) -> Tensor:
    """Squared distances of images, ``(B,)``."""
    if features is None:
        return (x - y).square().flatten(1).sum(1)
    total = torch.zeros(len(x), dtype=x.dtype, device=x.device)
    for a, b in zip(features(x), features(y), strict=True):
        a, b = (h / (h.square().sum(1, keepdim=True) + 1e-10).sqrt() for h in (a, b))
        total = total + (a - b).square().sum(1).flatten(1).mean(1)
    return total
