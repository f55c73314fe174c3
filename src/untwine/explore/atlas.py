"""Map of codes: a data set that is encoded little by little, as points in a plane."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..encoding import Codes

__all__ = ["Atlas"]

_FIRST = 2_000
_CHUNK = 128
_PATIENCE = 0.25  # seconds without a question, after which encoding goes on


class Atlas:
    """Codes of observations drawn at random, the first of them at once and the others meanwhile.

    Args:
        method: In evaluation mode.
        data: What is encoded.
        n: How many observations; all of a data set that has fewer.
        seed: Of the draw.
        lock: Held while method or data are asked.

    Attributes:
        rows: Numbers of the observations in the data set, in the order of encoding, ``(n,)``.
        first: Codes of the first of them, with what is known of posterior and prior.
        mean: Codes, of which `count` are there, ``(n, D)``.
    """

    def __init__(self, method: Any, data: Any, n: int, seed: int, lock: threading.RLock) -> None:
        if n < 2:
            raise ValueError(f"n is {n}; expected at least 2 observations to encode")
        size = len(data)
        rng = np.random.default_rng(seed)
        self.rows = rng.choice(size, min(n, size), replace=False)
        self.factors = np.asarray(data.factors)[self.rows]
        self._method, self._data, self._lock = method, data, lock
        self._quiet_from = 0.0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.count = min(_FIRST, len(self.rows))
        self.first = self._codes(0, self.count)
        self.mean = np.zeros((len(self.rows), self.first.mean.shape[1]), np.float32)
        self.mean[: self.count] = self.first.mean
        self._center = self.first.mean.mean(0)
        self._axes = _principal(self.first.mean - self._center)

    @property
    def axes(self) -> list[str]:
        """What a map can have as an axis: two principal components, and every dimension."""
        return [*(f"pc{k + 1}" for k in range(len(self._axes))), *self.dimensions]

    @property
    def dimensions(self) -> list[str]:
        """The names of the dimensions."""
        return [f"z{j}" for j in range(self.mean.shape[1])]

    def advance(self) -> bool:
        """Encodes some more; returns whether there are any left."""
        start, stop = self.count, min(self.count + _CHUNK, len(self.rows))
        if start < stop:
            self.mean[start:stop] = self._codes(start, stop).mean
            self.count = stop
        return stop < len(self.rows)

    def begin(self) -> None:
        """Encodes what is left in a thread, while nobody asks for anything."""
        if self._thread is None and self.count < len(self.rows):
            self._thread = threading.Thread(target=self._work, name="untwine-atlas", daemon=True)
            self._thread.start()

    def wait(self) -> None:
        """Lets a question go first: encoding rests for a moment."""
        self._quiet_from = time.monotonic() + _PATIENCE

    def close(self) -> None:
        """Stops encoding."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(30)

    def column(self, axis: str, start: int = 0) -> np.ndarray:
        """The points on an axis, ``(count - start,)`` of float32.

        Raises:
            ValueError: for an axis that there is not.
        """
        names = self.axes
        if axis not in names:
            raise ValueError(f"axis is {axis[:40]!r}; expected one of {', '.join(names)}")
        mean = self.mean[start : self.count]
        k = names.index(axis)
        if k < len(self._axes):
            return ((mean - self._center) @ self._axes[k]).astype(np.float32)
        return mean[:, k - len(self._axes)]

    def color(self, name: str, start: int = 0) -> np.ndarray:
        """A factor or an axis of the points, ``(count - start,)`` of float32; unknown is NaN.

        Raises:
            ValueError: for a name that neither has.
        """
        names = self._data.space.names
        if name not in names:
            return self.column(name, start)
        values = self.factors[start : self.count, names.index(name)].astype(np.float32)
        return np.where(values < 0, np.float32(np.nan), values)

    def check(self, points: Sequence[int]) -> np.ndarray:
        """Points by number.

        Raises:
            ValueError: for a number that no point has (yet).
        """
        index = np.asarray(points, np.int64).reshape(-1)
        if len(index) and not (index.min() >= 0 and index.max() < self.count):
            raise ValueError(f"points have numbers from 0 to {self.count - 1}")
        return index

    def _codes(self, start: int, stop: int) -> Codes:
        with self._lock:
            return Codes.of(self._method, self._data.subset(self.rows[start:stop]), progress=False)

    def _work(self) -> None:
        while not self._stop.is_set():
            rest = self._quiet_from - time.monotonic()
            if rest > 0:
                self._stop.wait(rest)
            elif not self.advance():
                return


def _principal(centered: np.ndarray) -> np.ndarray:
    """The first two principal directions, ``(2, D)``; one where the code has one dimension."""
    _, _, directions = np.linalg.svd(centered, full_matrices=False)
    top = directions[: min(2, centered.shape[1])]
    signs = np.sign(top[np.arange(len(top)), np.abs(top).argmax(1)])
    return top * np.where(signs == 0, 1, signs)[:, None]
