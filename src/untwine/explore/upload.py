"""Pictures that a user brings, as observations of a data set's shape."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..reading import open_picture

__all__ = ["MOST_PIXELS", "observation"]

MOST_PIXELS = 24_000_000
"""Pixels of a picture that is taken; its decoded form is then below 100 MB."""


def observation(content: bytes, shape: Sequence[int]) -> Tensor:
    """A picture as one observation: upright, cut to the data's proportions, scaled, in [0, 1].

    What is transparent is black.

    Args:
        content: Of a file; see `untwine.reading.FORMATS`.
        shape: Of one observation, ``(C, H, W)`` with 1 or 3 channels.

    Raises:
        ValueError: for what is no picture, for one of too many pixels, and for a data set whose
            observations are no images.

    Example:
        >>> import io
        >>> from PIL import Image
        >>> file = io.BytesIO()
        >>> Image.new("RGB", (40, 20), "red").save(file, "PNG")
        >>> observation(file.getvalue(), (3, 8, 8))[:, 0, 0].tolist()
        [1.0, 0.0, 0.0]
    """
    from PIL import Image, ImageOps

    if len(shape) != 3 or shape[0] not in (1, 3):
        raise ValueError(
            f"observations have shape {tuple(shape)}: a picture can be encoded only where they are "
            "images of 1 or 3 channels"
        )
    channels, height, width = shape
    with open_picture(content, "the picture") as picture:
        if picture.width * picture.height > MOST_PIXELS:
            raise ValueError(
                f"it has {picture.width} x {picture.height} pixels, more than {MOST_PIXELS:,}: "
                "make it smaller"
            )
        upright = ImageOps.exif_transpose(picture).convert("RGBA")
    black = Image.new("RGBA", upright.size, (0, 0, 0, 255))
    opaque = Image.alpha_composite(black, upright).convert("L" if channels == 1 else "RGB")
    cut = ImageOps.fit(opaque, (width, height), Image.Resampling.LANCZOS)
    array = np.asarray(cut, np.float32).reshape(height, width, channels) / 255
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(array, 2, 0)))
