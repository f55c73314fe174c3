"""MNIST and Fashion-MNIST, from their published files."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from ..reading import expanded
from .binary import read_idx
from .download import Published, published_file
from .mapped import ImageArray
from .space import FactorSpace

__all__ = ["MNIST", "FashionMNIST"]

Part = Literal["train", "test", "all"]
_FILES = {
    "train": ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
    "test": ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"),
}


class IdxImages(ImageArray):
    """Images and labels in IDX files; a base class.

    Attributes:
        files: The published files, by name.
        factor: What the labels are called.
    """

    files: ClassVar[dict[str, Published]]
    factor: ClassVar[str]

    def __init__(
        self, part: Part = "train", path: str | Path | None = None, *, download: bool = False
    ) -> None:
        if part not in ("train", "test", "all"):
            raise ValueError(f"part is {part!r}; expected 'train', 'test' or 'all'")
        name = type(self).__name__
        if path is not None and not expanded(path).is_dir():
            raise FileNotFoundError(
                f"path is {path}, which is no folder; {name} needs the folder of its files, such "
                f"as {_FILES['train'][0]}"
            )
        self.part = part
        images, labels = [], []
        for half in ("train", "test") if part == "all" else (part,):
            pixels, digits = (read_idx(self._place(file, path, download)) for file in _FILES[half])
            if pixels.ndim != 3 or digits.shape != pixels.shape[:1]:
                raise ValueError(
                    f"the {half} part has images {pixels.shape} and labels {digits.shape}; "
                    "expected (N, H, W) and (N,)"
                )
            if len(digits) and digits.max() > 9:
                raise ValueError(f"the {half} part has the label {digits.max()}; expected 0 to 9")
            images.append(pixels)
            labels.append(digits)
        self.space = FactorSpace((self.factor,), (10,), ("nominal",))
        self._keep(np.concatenate(images), np.concatenate(labels).astype(np.int64)[:, None])

    def _place(self, file: str, path: str | Path | None, download: bool) -> Path:
        plain = file.removesuffix(".gz")
        if path is not None:
            folder = expanded(path)
            names = (file, plain, plain.replace("-idx", ".idx"))
            for name in names:
                if (folder / name).is_file():
                    return folder / name
            raise FileNotFoundError(f"there is no {file} in {folder}, nor {plain}")
        return published_file(self.files[file], None, download, type(self).__name__)


def _published(folder: str, host: str, digests: tuple[str, ...]) -> dict[str, Published]:
    names = [name for part in _FILES.values() for name in part]
    return {
        name: Published(folder, name, "30 MB in all", (f"{host}/{name}",), f"md5:{digest}")
        for name, digest in zip(names, digests, strict=True)
    }


class MNIST(IdxImages):
    """MNIST (28 x 28, grey): 60,000 handwritten digits to train on and 10,000 to test on.

    Args:
        part: "train", "test", or "all", the test part after the train part.
        path: The folder of the four files ``train-images-idx3-ubyte.gz`` and so on, compressed or
            not; without it, that of earlier downloads.
        download: Whether to fetch files that are not there.

    Raises:
        FileNotFoundError: if a file is not there, saying what to do.
        ConnectionError: if no address answers.
        ValueError: for a file of another kind, and a download with another checksum.

    References:
        Gradient-Based Learning Applied to Document Recognition, LeCun, Bottou, Bengio, Haffner,
        1998 (CC BY-SA 3.0).
    """

    needs = "a file"
    factor = "digit"
    files = _published(
        "mnist",
        "https://ossci-datasets.s3.amazonaws.com/mnist",
        (
            "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "d53e105ee54ea40749a09fcbcd1e9432",
            "9fb629c4189551a2d022fa330f9573f3",
            "ec29112dd5afa0611ce80d1b7f02629c",
        ),
    )


class FashionMNIST(IdxImages):
    """Fashion-MNIST (28 x 28, grey): 60,000 pieces of clothing to train on and 10,000 to test on.

    Args:
        part: "train", "test", or "all", the test part after the train part.
        path: The folder of the four files, called as those of `MNIST` are; without it, that of
            earlier downloads.
        download: Whether to fetch files that are not there.

    Raises:
        FileNotFoundError: if a file is not there, saying what to do.
        ConnectionError: if no address answers.
        ValueError: for a file of another kind, and a download with another checksum.

    References:
        Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning Algorithms, Xiao,
        Rasul, Vollgraf, 2017, https://arxiv.org/abs/1708.07747 (MIT).
    """

    needs = "a file"
    factor = "clothing"
    values = {
        "clothing": (
            "T-shirt",
            "trouser",
            "pullover",
            "dress",
            "coat",
            "sandal",
            "shirt",
            "sneaker",
            "bag",
            "ankle boot",
        )
    }
    files = _published(
        "fashion-mnist",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
        (
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "25c81989df183df01b3e8a0aad5dffbe",
            "bef4ecab320f06d8554ea6380940ec79",
            "bb300cfdad3c16e7a12a480ee83cd310",
        ),
    )
