"""Pictures: of formats that decoders alone read, and of sizes that memory holds."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from .files import opened

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["FORMATS", "open_picture"]

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
"""What is read, by content; PostScript and the like go to interpreters, and are not."""

_PIXELS = 1 << 26


@contextmanager
def open_picture(source: Path | bytes, name: str = "") -> Iterator[Image]:
    """A picture whose header has been read; its pixels are read when they are asked for.

    Args:
        source: The file, or its content.
        name: Of a content, for messages.

    Raises:
        ValueError: naming the file, for another format, for more than 67 million pixels, and for
            whatever its decoder refuses.
        OSError: if it cannot be opened.
    """
    import PIL.Image

    with io.BytesIO(source) if isinstance(source, bytes) else opened(source) as file:
        try:
            with PIL.Image.open(file, formats=FORMATS) as picture:
                if picture.width * picture.height > _PIXELS:
                    raise ValueError(
                        f"it has {picture.width} x {picture.height} pixels, more than {_PIXELS:,}: "
                        "make it smaller"
                    )
                yield picture
        except Exception as error:  # decoders fail in any way on a file that is damaged
            text = str(error).replace(repr(file), "the file")
            raise ValueError(
                f"{name or source!s} cannot be read as an image ({', '.join(FORMATS)}): {text}"
            ) from error
