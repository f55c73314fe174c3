r"""Images with nuisance variation: colors, noise and backgrounds that no factor names.

Each transforms the grey images of another data set when they are used. Its randomness is a pure
function of (seed, index, draw): without a draw every image has its own fixed noise, so that codes
and scores repeat; a `Loader` draws anew at each step, as the study below did.

References:
    Challenging Common Assumptions in the Unsupervised Learning of Disentangled Representations,
    Locatello et al., 2019, https://arxiv.org/abs/1811.12359, Section 5 (data sets) and the code
    released with it.
"""

from __future__ import annotations

from abc import abstractmethod
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..reading import open_picture, regular_file
from .dataset import FactorDataset, Index, as_index
from .dsprites import DSprites
from .files import existing_file
from .seeds import check_seed, noise_for

__all__ = [
    "Binarized",
    "ColorDSprites",
    "Colored",
    "Noisy",
    "NoisyDSprites",
    "OnBackground",
    "ScreamDSprites",
    "Transformed",
    "swirl",
]


class Transformed(FactorDataset):
    """The images of another data set, each changed at random; a base class.

    Args:
        data: The data set, of grey images.
        seed: Of the random changes.

    Raises:
        ValueError: for a data set whose observations are not grey images.
    """

    def __init__(self, data: FactorDataset, seed: int = 0) -> None:
        if len(data.shape) != 3 or data.shape[0] != 1:
            raise ValueError(
                f"observations of data, a {type(data).__name__}, have the shape {data.shape}; "
                f"{type(self).__name__} changes grey images, (1, H, W)"
            )
        self.data, self.seed = data, check_seed(seed)
        self.space, self.values = data.space, data.values
        self.covariates = data.covariates
        self.shape = (3, *data.shape[1:])

    def __len__(self) -> int:
        return len(self.data)

    @property
    def factors(self) -> np.ndarray:
        return self.data.factors

    def observations(self, index: Index, draw: int = 0) -> Tensor:
        numbers = as_index(index, len(self))
        x = self.data.observations(numbers, draw).expand(-1, 3, -1, -1)
        return self.transform(x, [noise_for(self.seed, int(i), draw) for i in numbers])

    @abstractmethod
    def transform(self, x: Tensor, generators: list[np.random.Generator]) -> Tensor:
        """The images changed, each by its own generator.

        Shape:
            x ``(B, 3, H, W)``; B generators; returns ``(B, 3, H, W)``.
        """


class Binarized(Transformed):
    r"""Every pixel 1 or 0, with its grey value for the probability of 1: :math:`x' \sim B(x)`.

    With a `Loader` it is dynamic binarization: pixels are drawn anew at each step.

    Args:
        data: The data set, of grey images.
        seed: Of the draws.

    Raises:
        ValueError: for images that are not grey.

    References:
        On the Quantitative Analysis of Deep Belief Networks, Salakhutdinov and Murray, 2008,
        https://doi.org/10.1145/1390156.1390266, section 5.
    """

    needs = "a data set"

    def __init__(self, data: FactorDataset, seed: int = 0) -> None:
        super().__init__(data, seed)
        self.shape = data.shape

    def observations(self, index: Index, draw: int = 0) -> Tensor:
        return super().observations(index, draw)[:, :1]

    def transform(self, x: Tensor, generators: list[np.random.Generator]) -> Tensor:
        noise = [g.random(self.shape, dtype=np.float32) for g in generators]
        return (_stack(noise, self.shape) < x).to(x.dtype)


class Colored(Transformed):
    r"""Every image in a color of its own: :math:`x' = c \, x` with :math:`c \sim U(low, high)^3`.

    Args:
        data: The data set, of grey images.
        low: The smallest share of red, green or blue.
        high: The largest.
        seed: Of the colors.

    Raises:
        ValueError: unless 0 <= low <= high <= 1, and for images that are not grey.
    """

    needs = "a data set"

    def __init__(
        self, data: FactorDataset, low: float = 0.5, high: float = 1.0, seed: int = 0
    ) -> None:
        if not 0 <= low <= high <= 1:
            raise ValueError(f"low is {low} and high {high}; expected 0 <= low <= high <= 1")
        super().__init__(data, seed)
        self.low, self.high = low, high

    def transform(self, x: Tensor, generators: list[np.random.Generator]) -> Tensor:
        colors = _stack([g.uniform(self.low, self.high, 3) for g in generators], (3,))
        return x * colors[:, :, None, None]


class Noisy(Transformed):
    r"""White noise behind every object: :math:`x' = \min(x + u, 1)` with :math:`u \sim U(0, 1)`.

    The noise is independent for every pixel and color.

    Args:
        data: The data set, of grey images.
        seed: Of the noise.

    Raises:
        ValueError: for images that are not grey.
    """

    needs = "a data set"

    def transform(self, x: Tensor, generators: list[np.random.Generator]) -> Tensor:
        noise = [g.random(self.shape, dtype=np.float32) for g in generators]
        return (x + _stack(noise, self.shape)).clamp_(max=1)


class OnBackground(Transformed):
    r"""Every object as the negative of a random piece of a picture, in a random tint.

    With a crop :math:`a` of the picture and :math:`t \sim U(0, 1)^3`, the background is
    :math:`b = (a + t) / 2`; where :math:`x` is above one half, the image is :math:`1 - b`.

    Args:
        data: The data set, of grey images.
        image: The picture, scaled down to fit into 350 x 274 pixels (width x height) if it is
            larger; by default a swirling sky made by `swirl`.
        seed: Of crops and tints.

    Raises:
        FileNotFoundError: if there is no such picture.
        ValueError: for a picture that cannot be read or is smaller than the data set's images, and
            for images that are not grey.

    Deviations:
        The released code never takes the last possible row and column of a crop; here all are
        equally likely. Its condition, x equal to 1, is the same for images of zeros and ones.
    """

    needs = "a data set"

    def __init__(self, data: FactorDataset, image: str | Path | None = None, seed: int = 0) -> None:
        super().__init__(data, seed)
        self.image = None if image is None else existing_file(image)

    @cached_property
    def picture(self) -> np.ndarray:
        """The picture that backgrounds are cut from, ``(3, H, W)`` of float32 in [0, 1]."""
        height, width = self.shape[1:]
        if self.image is None:
            return swirl(max(274, 2 * height), max(350, 2 * width))
        picture = _read_picture(self.image)
        if picture.shape[1] < height or picture.shape[2] < width:
            raise ValueError(
                f"{self.image} has {picture.shape[1]} x {picture.shape[2]} pixels (height x "
                f"width, after fitting it into 274 x 350): too small for images of "
                f"{height} x {width}"
            )
        return picture

    def transform(self, x: Tensor, generators: list[np.random.Generator]) -> Tensor:
        height, width = self.shape[1:]
        down, right = self.picture.shape[1] - height, self.picture.shape[2] - width
        backgrounds = []
        for g in generators:
            r, c = g.integers(0, (down, right), endpoint=True)
            crop = self.picture[:, r : r + height, c : c + width]
            backgrounds.append((crop + g.random((3, 1, 1), dtype=np.float32)) / 2)
        b = _stack(backgrounds, self.shape)
        return torch.where(x > 0.5, 1 - b, b)


class ColorDSprites(Colored):
    """dSprites with every sprite in a random color of at least half brightness.

    Args:
        path: The published file of dSprites; without it images are rendered.
        seed: Of the colors.
    """

    needs = "nothing"

    def __init__(self, path: str | Path | None = None, seed: int = 0) -> None:
        super().__init__(DSprites(path), seed=seed)


class NoisyDSprites(Noisy):
    """dSprites with white sprites on a background of colored noise.

    Args:
        path: The published file of dSprites; without it images are rendered.
        seed: Of the noise.
    """

    needs = "nothing"

    def __init__(self, path: str | Path | None = None, seed: int = 0) -> None:
        super().__init__(DSprites(path), seed=seed)


class ScreamDSprites(OnBackground):
    """dSprites with sprites that invert a random piece of a painting.

    The study used a photograph of Munch's The Scream; give yours as ``image``. Without one a
    swirling sky is generated, so that scores are comparable only with the same background.

    Args:
        path: The published file of dSprites; without it images are rendered.
        image: The painting.
        seed: Of crops and tints.
    """

    needs = "nothing"

    def __init__(
        self, path: str | Path | None = None, image: str | Path | None = None, seed: int = 0
    ) -> None:
        super().__init__(DSprites(path), image, seed)


def swirl(height: int = 274, width: int = 350) -> np.ndarray:
    """A picture of swirling bands, warm above and cold below, computed without random numbers.

    Shape:
        Returns ``(3, height, width)`` of float32 in [0, 1].

    Example:
        >>> swirl(64, 80).shape
        (3, 64, 80)
    """
    v, u = np.meshgrid(np.linspace(0, 4, height), np.linspace(0, 5, width), indexing="ij")
    sky = v / 4
    for frequency in (0.9, 2.1, 4.3):  # each pass bends the coordinates by a finer swirl
        u, v = (
            u + 0.7 / frequency * np.sin(frequency * v + 1.7 * frequency),
            v + 0.7 / frequency * np.cos(frequency * u - 0.9 * frequency),
        )
    broad, fine = np.sin(8 * v + 2 * np.sin(2.3 * u)), np.sin(31 * v + 5 * np.sin(3.1 * u))
    bands = 0.5 + 0.35 * broad + 0.15 * fine
    dusk = 1 / (1 + np.exp(9 * (sky - 0.5) + 1.5 * np.sin(3 * u)))
    warm = np.stack([0.75 + 0.25 * bands, 0.25 + 0.5 * bands, 0.1 + 0.15 * bands])
    cold = np.stack([0.1 + 0.3 * bands, 0.15 + 0.35 * bands, 0.3 + 0.45 * bands])
    return (dusk * warm + (1 - dusk) * cold).astype(np.float32)


def _read_picture(path: Path) -> np.ndarray:
    with open_picture(regular_file(path)) as opened:
        image = opened.convert("RGB")
    image.thumbnail((350, 274))
    return np.moveaxis(np.asarray(image, np.float32) / 255, -1, 0)


def _stack(parts: list[np.ndarray], shape: tuple[int, ...]) -> Tensor:
    array = np.stack(parts) if parts else np.empty((0, *shape))
    return torch.from_numpy(array.astype(np.float32, copy=False))
