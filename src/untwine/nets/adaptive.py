"""Adaptive discriminator augmentation: transformations as likely as overfitting demands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ..checks import check_scale
from ..spec import Recorded

__all__ = ["AdaptiveAugment"]

Transformation = Literal["flip", "rotation", "scale", "translation", "color"]
_KINDS: tuple[Transformation, ...] = ("flip", "rotation", "scale", "translation", "color")


class AdaptiveAugment(Recorded, nn.Module):
    r"""Augmentation of what a discriminator sees, each transformation with probability p.

    Below some p what is done to images cannot leak into the generated ones, since most images are
    left as they are. p follows how surely the discriminator takes real images for real:

    .. math::
        r = \mathbb{E}[\mathrm{sign}(d(x))], \qquad
        p \leftarrow \mathrm{clip}\Big( p + \frac{B}{N} \, \mathrm{sign}(r - r^*), 0, 1 \Big)

    for logits d(x) of B real images. It is kept as a buffer, so that a run that is resumed goes on
    with it.

    ``"flip"``: left and right. ``"rotation"``: by any angle. ``"scale"``: by a factor between 0.8
    and 1.25. ``"translation"``: by up to an eighth of width and height. What comes in from outside
    is reflected. ``"color"``: brightness by up to 0.2 either way, contrast by a factor of 0.5 to
    1.5 and, of images with three channels, saturation by one of 0 to 2.

    Args:
        kinds: Which of the five; leave out what the data does not allow, such as flips of letters.
        p: To begin with.
        target: :math:`r^*`.
        images: N, how many images it takes p to go from 0 to 1; 0 keeps it.

    Raises:
        ValueError: for another word, none, or a probability outside [0, 1].
        ImportError: without kornia, ``pip install "untwine[augment]"``.

    Shape:
        ``(B, C, H, W)``, both ways.

    References:
        Karras, Aittala, Hellsten, Laine, Lehtinen, Aila, "Training Generative Adversarial Networks
        with Limited Data", 2020, https://arxiv.org/abs/2006.06676, sections 2 and 3;
        transformations are kornia's.

    Deviations:
        Five kinds of transformation out of the paper's eighteen; p moves after every step, by as
        much as in four steps there every fourth.
    """

    p: Tensor

    def __init__(
        self,
        kinds: Sequence[Transformation] = _KINDS,
        *,
        p: float = 0.0,
        target: float = 0.6,
        images: int = 500_000,
    ) -> None:
        super().__init__()
        if not kinds or any(kind not in _KINDS for kind in kinds):
            raise ValueError(f"kinds is {kinds!r}; expected some of {', '.join(map(repr, _KINDS))}")
        for name, value in {"p": p, "target": target}.items():
            if not 0 <= value <= 1:
                raise ValueError(f"{name} is {value}; expected 0 to 1")
        check_scale("images", images, zero=True)
        try:
            from kornia import augmentation as kornia
        except ImportError as error:
            raise ImportError(
                'kornia, which augments images, is not installed: pip install "untwine[augment]"'
            ) from error
        self.kinds, self.target, self.images = tuple(kinds), target, images
        self.register_buffer("p", torch.tensor(float(p)))
        outside: dict[str, Any] = {"padding_mode": "reflection", "p": 1.0}
        made = {
            "flip": (kornia.RandomHorizontalFlip(p=1.0),),
            "rotation": (kornia.RandomAffine(180.0, **outside),),
            "scale": (kornia.RandomAffine(0.0, scale=(0.8, 1.25), **outside),),
            "translation": (kornia.RandomAffine(0.0, translate=(0.125, 0.125), **outside),),
            "color": (
                kornia.RandomBrightness((0.8, 1.2), clip_output=False, p=1.0),
                kornia.RandomContrast((0.5, 1.5), clip_output=False, p=1.0),
                kornia.RandomSaturation((0.0, 2.0), p=1.0),
            ),
        }
        self.changes = nn.ModuleList(change for kind in self.kinds for change in made[kind])
        self._saturation = kornia.RandomSaturation

    def forward(self, x: Tensor) -> Tensor:
        """The images, each augmented by what falls to it."""
        for change in self.changes:
            if isinstance(change, self._saturation) and x.shape[1] != 3:
                continue
            chosen = torch.rand(len(x), device=x.device) < self.p
            x = torch.where(chosen[:, None, None, None], change(x), x)
        return x

    @torch.no_grad()
    def adapt(self, real: Tensor) -> None:
        """Moves p by logits of augmented real images, ``(B, ...)``."""
        if self.images:
            step = (real.sign().mean() - self.target).sign() * (len(real) / self.images)
            self.p.add_(step).clamp_(0, 1)

    def extra_repr(self) -> str:
        """The kinds."""
        return ", ".join(self.kinds)
