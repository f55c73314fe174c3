"""SmallNORB: photographs of 50 toys from 9 elevations and 18 azimuths in 6 lightings."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from ..reading import expanded
from .binary import read_matrix
from .download import Published, published_file
from .mapped import ImageArray
from .space import FactorSpace

__all__ = ["SmallNORB"]

_PARTS = {
    "train": (
        "smallnorb-5x46789x9x18x6x2x96x96-training",
        (
            "66054832f9accfe74a0f4c36a75bc0a2",
            "23c8b86101fbf0904a000b43d3ed2fd9",
            "51dee1210a742582ff607dfd94e332e3",
        ),
    ),
    "test": (
        "smallnorb-5x01235x9x18x6x2x96x96-testing",
        (
            "e4ad715691ed5a3a5f138751a4ceb071",
            "5aa791cd7e6016cf957ce9bdb93b8603",
            "a9454f3864d7fd4bb3ea7fc3eb84924e",
        ),
    ),
}
_HOST = "https://cs.nyu.edu/~ylclab/data/norb-v1.0-small"
_SPACE = FactorSpace(
    ("category", "instance", "elevation", "azimuth", "lighting"),
    (5, 10, 9, 18, 6),
    ("nominal", "nominal", "ordinal", "angle", "nominal"),
)


class SmallNORB(ImageArray):
    """SmallNORB (64 x 64, grey): 5 categories x 10 toys, 48,600 photographs of the left camera.

    The two published parts hold different toys of each category: 4, 6, 7, 8, 9 to train on and
    0, 1, 2, 3, 5 to test on. Images of 96 x 96 are scaled with Lanczos' filter.

    Args:
        part: "train", "test", or "all", the test part after the train part; together they are
            every combination of the factors once.
        path: The folder of the files ``smallnorb-...-dat.mat``, ``-cat.mat`` and ``-info.mat``,
            compressed with gzip or not; without it, that of earlier downloads.
        size: Height and width of an image, up to 96.
        download: Whether to fetch files that are not there.

    Raises:
        FileNotFoundError: if a file is not there, saying what to do.
        ConnectionError: if no address answers.
        ValueError: for a file of another kind, and a download with another checksum.

    References:
        Learning Methods for Generic Object Recognition with Invariance to Pose and Lighting,
        LeCun, Huang, Bottou, 2004. For research use.
    """

    needs = "a file"
    space = _SPACE
    values = {"category": ("animal", "human", "airplane", "truck", "car")}

    def __init__(
        self,
        part: Literal["train", "test", "all"] = "all",
        path: str | Path | None = None,
        *,
        size: int = 64,
        download: bool = False,
    ) -> None:
        if part not in ("train", "test", "all"):
            raise ValueError(f"part is {part!r}; expected 'train', 'test' or 'all'")
        if not 1 <= size <= 96:
            raise ValueError(f"size is {size}; expected 1 to 96 pixels")
        self.part, self.size = part, size
        images, factors = [], []
        for half in ("train", "test") if part == "all" else (part,):
            pixels, table = _read(half, path, size, download)
            images.append(pixels)
            factors.append(table)
        self._keep(np.concatenate(images), np.concatenate(factors))


def _read(
    part: str, path: str | Path | None, size: int, download: bool
) -> tuple[np.ndarray, np.ndarray]:
    stem, digests = _PARTS[part]
    arrays = []
    for kind, digest in zip(("dat", "cat", "info"), digests, strict=True):
        name = f"{stem}-{kind}.mat.gz"
        source = Published("smallnorb", name, "200 MB", (f"{_HOST}/{name}",), f"md5:{digest}")
        place = path
        if path is not None and (expanded(path) / name.removesuffix(".gz")).is_file():
            place = expanded(path) / name.removesuffix(".gz")
        arrays.append(read_matrix(published_file(source, place, download, "SmallNORB")))
    pairs, category, info = arrays
    n = len(pairs)
    shapes = pairs.shape[1:], category.shape, info.shape
    if shapes != ((2, 96, 96), (n,), (n, 4)) or pairs.dtype != np.uint8:
        raise ValueError(
            f"the {part} part has images {pairs.shape}, categories {category.shape} and info "
            f"{info.shape}; expected (N, 2, 96, 96), (N,) and (N, 4)"
        )
    factors = np.column_stack([category, info]).astype(np.int64)
    if (factors[:, 3] % 2).any():
        raise ValueError(f"the {part} part has odd azimuths; its files say 0 to 34, even")
    factors[:, 3] //= 2
    return _scaled(pairs[:, 0], size), _SPACE.check(factors)


def _scaled(images: np.ndarray, size: int) -> np.ndarray:
    from PIL import Image

    if size == images.shape[1]:
        return images
    small = np.empty((len(images), size, size), np.uint8)
    for row, image in enumerate(images):
        picture = Image.fromarray(image)
        small[row] = np.asarray(picture.resize((size, size), Image.Resampling.LANCZOS))
    return small
