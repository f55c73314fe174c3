"""Workbench: one method with its data, as codes that are turned and pictures of them."""

from __future__ import annotations

import io
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..data import FactorDataset, Images
from ..data.seeds import check_seed
from ..encoding import batch_of, carried, placement
from ..methods import Classifies, HasPrior, Swaps
from ..plots.compute import posterior_span
from ..plots.pictures import drawable, pictures, vector_bounds
from ..report.findings import rank
from ..report.inline_decoder import CannotInline, InlineDecoder, inline_decoder
from ..use.coding import CodePart, check_coder, parts_of
from .atlas import Atlas
from .direction import Direction, separate
from .knobs import knobs_of
from .lines import python_lines
from .upload import observation

__all__ = ["Start", "Workbench"]

_SCALE = 64  # observations that the scale of vectors is taken from
_MOST_CODES = 256
_MOST_FRAMES = 120
_FILM_SIDE = 256
_LARGEST = 1e6


@dataclass(frozen=True)
class Start:
    """An observation with its code.

    Attributes:
        code: ``(D,)``.
        picture: Of the observation, ``(H, W, 3)`` of ``uint8``.
        row: Its number in the data set; ``None`` for a picture that a user brought.
        factors: Its factors in words.
    """

    code: np.ndarray
    picture: np.ndarray
    row: int | None = None
    factors: Mapping[str, str] | None = None


class Workbench:
    """A method and its data, ready to be explored; it knows nothing of pages and servers.

    A code is what `represent` gives. Where a decoder is told a class beside it, as M2's, the code
    has further entries at its end, one for each class, of which the largest counts.

    Args:
        method: With ``represent`` and ``decode``.
        data: Images of 1 or 3 channels, or vectors.
        name: What it is called.
        run: The folder of the run, for `lines`.
        trust: Packages of one's own that the run's spec may name, for `lines`.
        n: Observations on the map.
        seed: Of their choice, and of what is drawn.

    Attributes:
        knobs: The dimensions, the most active one first.
        parts: The code's named parts.
        atlas: The map.
        size: Height and width of a picture.
        label_dim: How many entries at the end of a code are classes.

    Raises:
        TypeError: for a method that cannot represent and decode, and for data of another kind.
        ValueError: for observations that cannot be drawn, ``n`` below 2, and codes that are not
            finite.

    Example:
        >>> from untwine.methods import VAE
        >>> data = FactorDataset.from_arrays(np.random.default_rng(0).random((60, 1, 16, 16)))
        >>> bench = Workbench(VAE.build(data, latent_dim=3, seed=0), data)
        >>> bench.decode([bench.start(7).code]).shape
        (1, 16, 16, 3)
    """

    def __init__(
        self,
        method: Any,
        data: Any,
        *,
        name: str = "",
        run: str | None = None,
        trust: Sequence[str] = (),
        n: int = 10_000,
        seed: int = 0,
    ) -> None:
        check_seed(seed)
        kind = type(method).__name__
        check_coder(method)
        if not isinstance(data, FactorDataset):
            raise TypeError(
                f"data is a {type(data).__name__}; expected a FactorDataset, such as "
                "ut.FactorDataset.from_arrays(images)"
            )
        if not drawable(tuple(data.shape)):
            raise ValueError(
                f"observations of shape {tuple(data.shape)} cannot be drawn: expected images of 1 "
                "or 3 channels, or vectors"
            )
        if isinstance(method, torch.nn.Module):
            method.eval()
        self.method, self.data, self.name = method, data, name or kind
        self._run, self._trust, self._seed = run, tuple(trust), seed
        self._lock = threading.RLock()
        self.atlas = Atlas(method, data, n, seed, self._lock)
        findings = rank(self.atlas.first)
        self.knobs, self.measure = knobs_of(findings), findings.which.measure
        with self._lock, torch.no_grad():
            batch = batch_of(method, data, self.atlas.rows[:_SCALE])
            self.parts: tuple[CodePart, ...] = parts_of(method.represent(carried(batch)))
            self.latent_dim = self.atlas.mean.shape[1]
            self.label_dim = self._classes(batch)
            if self.label_dim:
                places = range(self.latent_dim, self.latent_dim + self.label_dim)
                self.parts = (
                    *(self.parts or (CodePart("code", tuple(range(self.latent_dim)), "values"),)),
                    CodePart("class", tuple(places), "classes"),
                )
            x = batch.tensor.float().cpu()
            self._bounds = None
            if x.ndim == 2:
                back = self._decoded(self._codes_of(batch), batch.c)
                self._bounds = vector_bounds(x, back)
        self.size = pictures(x[:1], 1, self._bounds).shape[1:3]

    @property
    def code_dim(self) -> int:
        """How many entries a code has, classes included."""
        return self.latent_dim + self.label_dim

    @property
    def measure_in_words(self) -> str:
        """What activity is, and its unit."""
        return "KL divergence from the prior, in nats" if self.measure == "KL" else "deviation"

    @property
    def takes_pictures(self) -> bool:
        """Whether a picture can be an observation."""
        return len(self.data.shape) == 3

    @cached_property
    def inline(self) -> InlineDecoder | None:
        """The decoder as data, for a page that runs it; ``None`` where it cannot, or is told more.

        See `untwine.report.inline_decoder`.
        """
        if self.label_dim or self.data.covariates is not None or not self.takes_pictures:
            return None
        codes = self.atlas.first.mean
        span = posterior_span(codes, self.atlas.first.stddev)
        try:
            with self._lock:
                return inline_decoder(self.method, torch.from_numpy(codes[:8]), spread=span)
        except CannotInline:
            return None

    def start(self, row: int) -> Start:
        """An observation of the data set.

        Raises:
            IndexError: for a number that no observation has.
        """
        if not 0 <= row < len(self.data):
            raise IndexError(f"row is {row}; the data has observations 0 to {len(self.data) - 1}")
        self.atlas.wait()
        with self._lock, torch.no_grad():
            batch = batch_of(self.method, self.data, [row])
            code = self._codes_of(batch)[0]
            x = batch.tensor.float().cpu()
        values = np.asarray(self.data.factors)[row]
        return Start(code.numpy(), pictures(x, 1, self._bounds)[0], row, self.in_words(values))

    def encode(self, content: bytes, row: int | None = None) -> Start:
        """The code of a picture that a user brings.

        Args:
            content: Of its file.
            row: The observation whose covariates it is taken to have.

        Raises:
            ValueError: for what is no picture, or too large, and where observations are no images.
        """
        x = observation(content, self.data.shape)[None]
        self.atlas.wait()
        with self._lock, torch.no_grad():
            device, dtype = placement(self.method)
            batch = batch_of(self.method, self.data, [0 if row is None else row])
            code = self._codes_of(Images(x.to(device, dtype), batch.c))[0]
        return Start(code.numpy(), pictures(x, 1)[0])

    def draw(self, seed: int) -> np.ndarray:
        """A code from the prior, ``(D,)``.

        Without a prior of the whole code it is from a normal like the data's codes.
        """
        self.atlas.wait()
        rng = np.random.default_rng(seed)
        mean = self.atlas.first.mean
        z = rng.normal(mean.mean(0), mean.std(0)).astype(np.float32)
        if isinstance(self.method, HasPrior):
            with self._lock, torch.no_grad(), torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                drawn = self.method.prior().sample((1,))[0].float().cpu().numpy()
            z = drawn if drawn.shape == z.shape else z
        if not self.label_dim:
            return z
        label = np.zeros(self.label_dim, np.float32)
        label[rng.integers(self.label_dim)] = 1
        return np.concatenate([z, label])

    def decode(self, codes: Any, row: int | None = None) -> np.ndarray:
        """Pictures of codes.

        Args:
            codes: ``(B, D)``, 256 at most.
            row: The observation whose covariates the decoder is given, if it takes any.

        Shape:
            - Output: ``(B, H, W, 3)`` of ``uint8``.

        Raises:
            ValueError: for codes of another shape, or not finite.
        """
        array = self.check(codes)
        self.atlas.wait()
        with self._lock, torch.no_grad():
            decoded = self._decoded(torch.from_numpy(array), self._covariate(row))
        return pictures(decoded, 1, self._bounds)

    def check(self, codes: Any) -> np.ndarray:
        """Codes as an array, ``(B, D)``.

        Raises:
            ValueError: for codes of another shape or number, or not finite.
        """
        array = np.asarray(codes, np.float32)
        if array.ndim != 2 or array.shape[1] != self.code_dim or not 0 < len(array) <= _MOST_CODES:
            raise ValueError(
                f"codes have shape {array.shape}; expected 1 to {_MOST_CODES} codes of "
                f"{self.code_dim} numbers"
            )
        if not (np.abs(array) <= _LARGEST).all():
            raise ValueError(f"codes are not finite, or beyond {_LARGEST:g}")
        return array

    def film(self, codes: Any, row: int | None = None, milliseconds: int = 60) -> bytes:
        """Pictures of codes as an animated GIF, 256 pixels or more at the longer side.

        Args:
            codes: ``(S, D)``, 120 at most.
            row: See `decode`.
            milliseconds: Of each frame, 20 to 1000.

        Raises:
            ValueError: for what `decode` refuses, for more frames, and another pace.
        """
        from PIL import Image

        if not 20 <= milliseconds <= 1000 or len(codes) > _MOST_FRAMES:
            raise ValueError(
                f"a film of {len(codes)} frames of {milliseconds} ms; expected at most "
                f"{_MOST_FRAMES}, of 20 to 1000 ms"
            )
        frames = self.decode(codes, row)
        factor = max(1, -(-_FILM_SIDE // max(frames.shape[1:3])))
        images = [Image.fromarray(f.repeat(factor, 0).repeat(factor, 1)) for f in frames]
        buffer = io.BytesIO()
        images[0].save(
            buffer, "GIF", save_all=True, append_images=images[1:], duration=milliseconds, loop=0
        )
        return buffer.getvalue()

    def direction(self, first: Sequence[int], second: Sequence[int]) -> Direction:
        """What separates two groups of points of the map, see `separate`.

        Raises:
            ValueError: for an empty group, and for points that are not there.
        """
        one, two = (self.atlas.mean[self.atlas.check(points)] for points in (first, second))
        return separate(one, two, self._seed)

    def table(self, points: Sequence[int]) -> tuple[list[str], list[list[str | int | float]]]:
        """The names of the columns, and a row for each point: its number, factors and code.

        Raises:
            ValueError: for points that are not there.
        """
        index = self.atlas.check(points)
        names = list(self.data.space.names)
        header = ["observation", *names, *self.atlas.dimensions]
        rows: list[list[str | int | float]] = [
            [int(self.atlas.rows[i])]
            + list(self.in_words(self.atlas.factors[i]).values())
            + [round(float(value), 4) for value in self.atlas.mean[i]]
            for i in index
        ]
        return header, rows

    def lines(self, code: Sequence[float], row: int | None = None) -> str:
        """Lines of Python that decode a code, see `python_lines`."""
        label = int(np.argmax(code[self.latent_dim :])) if self.label_dim else None
        return python_lines(
            code[: self.latent_dim],
            run=self._run,
            trust=self._trust,
            row=(0 if row is None else row) if self.data.covariates is not None else None,
            label=label,
        )

    def in_words(self, values: np.ndarray) -> dict[str, str]:
        """Factors of an observation by name; values that have names by those."""
        words = {}
        for name, value in zip(self.data.space.names, values.tolist(), strict=True):
            known = self.data.values.get(name, ())
            if value < 0:
                words[name] = "unknown"
            else:
                words[name] = known[int(value)] if int(value) < len(known) else f"{value:g}"
        return words

    def _covariate(self, row: int | None) -> Tensor | None:
        if self.data.covariates is None:
            return None
        return batch_of(self.method, self.data, [0 if row is None else row]).c

    def _classes(self, batch: Any) -> int:
        """How many classes the decoder is told beside the code."""
        if not (isinstance(self.method, Swaps) and isinstance(self.method, Classifies)):
            return 0
        parts = self.method.take_apart(batch)
        if not any(part.ndim == 1 for part in parts.values()):
            return 0
        return self.method.classify(batch).probs.shape[1]

    def _codes_of(self, batch: Any) -> Tensor:
        z = self.method.represent(carried(batch)).mean
        if isinstance(self.method, Classifies) and self.label_dim:
            y = self.method.classify(batch).probs.argmax(1)
            z = torch.cat([z, torch.nn.functional.one_hot(y, self.label_dim).to(z)], 1)
        return z.float().cpu()

    def _decoded(self, codes: Tensor, c: Tensor | None) -> Tensor:
        device, dtype = placement(self.method)
        codes = codes.to(device, dtype)
        given: dict[str, Tensor] = {}
        if c is not None:
            given["c"] = c.to(device).expand(len(codes), -1)
        if self.label_dim:
            given["y"] = codes[:, self.latent_dim :].argmax(1)
        return self.method.decode(codes[:, : self.latent_dim], **given).mean.float().cpu()
