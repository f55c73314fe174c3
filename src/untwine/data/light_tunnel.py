r"""Light tunnel: a colored lamp seen through two polarizers, with a known causal model.

References:
    Causal chambers as a real-world physical testbed for AI methodology, Gamella, Peters, Bühlmann,
    2025, https://doi.org/10.1038/s42256-024-00964-x (the device whose physics this is).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from .dataset import FactorDataset, Index, as_index
from .seeds import check_seed
from .space import FactorSpace

__all__ = ["LightTunnel"]

_NAMES = ("red", "green", "blue", "polarizer_1", "polarizer_2")
_SIZES = (256, 256, 256, 180, 180)
_EDGES = (
    ("red", "green", 0.6),
    ("green", "blue", -0.5),
    ("red", "polarizer_1", 0.5),
    ("blue", "polarizer_2", 0.6),
)
_ORDER = np.arange(64)


class LightTunnel(FactorDataset):
    r"""A light tunnel (64 x 64, color) in closed form: a causal world with true counterfactuals.

    Three colors of a lamp (0 to 255) and the angles of two polarizers (0 to 179 degrees) cause one
    another by a structural causal model: in an order in which causes come first,

    .. math::
        v_j = \operatorname{clip} \Big( u_j + \sum_i w_{ij} (v_i - \tfrac{1}{2}) \Big), \qquad
        u_j \sim U(0, 1)

    with each variable scaled to [0, 1], and rounded to its whole numbers. What passes both
    polarizers follows Malus's law, :math:`\cos^2(\theta_1 - \theta_2)`; the image shows it as a
    disc, and the angle of each polarizer as a mark on its frame.

    An intervention (``do``) sets variables and leaves the noise :math:`u` of every row as it was:
    row i of two tunnels of one seed are counterfactuals of each other.

    Args:
        n: How many observations.
        seed: Of the noise.
        edges: Cause, effect and weight :math:`w` of each arrow; no cycles.
        do: Variables that are set, and to what.

    Attributes:
        noise: :math:`u` of every observation, ``(N, 5)``.

    Raises:
        ValueError: for fewer than one observation, arrows between variables that there are none of
            or in a cycle, and values that a variable cannot have.

    References:
        Causal chambers as a real-world physical testbed for AI methodology, Gamella, Peters,
        Bühlmann, 2025, https://doi.org/10.1038/s42256-024-00964-x.

    Deviations:
        A model of such a device, not data of it: its measurements and pictures are published with
        the paper.

    Example:
        >>> data = LightTunnel(n=1000)
        >>> changed = LightTunnel(n=1000, do={"green": 255})
        >>> same = [(data.factors == changed.factors)[:, k].all() for k in range(5)]
        >>> dict(zip(data.space.names, map(bool, same)))  # red is no effect of green, blue is
        {'red': True, 'green': False, 'blue': False, 'polarizer_1': True, 'polarizer_2': False}
    """

    needs = "nothing"
    shape = (3, 64, 64)
    space = FactorSpace(_NAMES, _SIZES, ("real", "real", "real", "real", "real"))

    def __init__(
        self,
        n: int = 100_000,
        seed: int = 0,
        edges: Sequence[tuple[str, str, float]] = _EDGES,
        do: Mapping[str, int] | None = None,
    ) -> None:
        if n < 1:
            raise ValueError(f"n is {n}; expected at least 1 observation")
        self.n, self.seed = n, check_seed(seed)
        self.edges = tuple((str(a), str(b), float(w)) for a, b, w in edges)
        self.do = dict(do or {})
        for name, value in self.do.items():
            size = self.space.sizes[self.space.position(name)]
            if not 0 <= value < size:
                raise ValueError(f"do sets {name!r} to {value}; expected 0 to {size - 1}")
        self._order = self._causes_first()

    def __len__(self) -> int:
        return self.n

    @property
    def weights(self) -> np.ndarray:
        """The weight of each arrow, from row to column, 0 where there is none, ``(5, 5)``."""
        weights = np.zeros((5, 5))
        for cause, effect, weight in self.edges:
            weights[self.space.position(cause), self.space.position(effect)] = weight
        return weights

    @cached_property
    def noise(self) -> np.ndarray:
        return np.random.default_rng(self.seed).random((self.n, 5))

    @cached_property
    def factors(self) -> np.ndarray:
        """The variables of every observation, ``(N, 5)`` of int64."""
        return self.effects(self.noise)

    def effects(self, noise: np.ndarray, do: Mapping[str, int] | None = None) -> np.ndarray:
        """The variables that follow from noise under the model, and from interventions.

        Args:
            noise: :math:`u`, such as some rows of ``data.noise``.
            do: Variables that are set; by default those of this tunnel.

        Shape:
            noise ``(B, 5)``; returns ``(B, 5)`` of int64.
        """
        do = self.do if do is None else do
        top = np.array(_SIZES) - 1
        values = np.zeros(noise.shape, np.int64)
        weights = self.weights
        for j in self._order:
            name = _NAMES[j]
            if name in do:
                values[:, j] = do[name]
                continue
            pull = (weights[:, j] * (values / top - 0.5)).sum(axis=1)
            values[:, j] = np.rint(np.clip(noise[:, j] + pull, 0, 1) * top[j])
        return values

    def sensors(self, index: Index) -> np.ndarray:
        r"""What light sensors and an ammeter would read, without noise.

        The current is the sum of the colors; light before the polarizers is that sum, too, half of
        it passes the first polarizer, and :math:`\frac{1}{2} \cos^2(\theta_1 - \theta_2)` both.

        Shape:
            index ``(B,)``; returns ``(B, 4)``: current, before, between, behind; in [0, 3].
        """
        values = self.factors[as_index(index, len(self))]
        light = values[:, :3].sum(axis=1) / 255
        passes = _malus(values)
        return np.stack([light, light, light / 2, light / 2 * passes], axis=1)

    def observations(self, index: Index, draw: int = 0) -> Tensor:
        return self.images(self.factors[as_index(index, len(self))])

    def images(self, values: np.ndarray) -> Tensor:
        """What the tunnel would show with these variables, whatever caused them.

        Shape:
            values ``(B, 5)`` of integers; returns ``(B, 3, 64, 64)`` of float32.

        Raises:
            ValueError: for values that a variable cannot have.
        """
        values = self.space.check(values)
        color = (values[:, :3] / 255 * _malus(values)[:, None]).astype(np.float32)
        image = 0.06 + color[:, :, None, None] * _DISC
        for ring, angles, tint in ((_OUTER, values[:, 3], _BRASS), (_INNER, values[:, 4], _STEEL)):
            image = image * (1 - ring) + tint * (ring * (0.45 + 0.55 * _mark(angles)))[:, None]
        return torch.from_numpy(np.clip(image, 0, 1))

    def _causes_first(self) -> list[int]:
        """The variables in an order in which causes come before effects."""
        for cause, effect, _ in self.edges:
            self.space.position(cause), self.space.position(effect)
        order: list[int] = []
        while len(order) < 5:
            free = [
                j
                for j, name in enumerate(_NAMES)
                if j not in order
                and all(_NAMES.index(a) in order for a, b, _ in self.edges if b == name)
            ]
            if not free:
                raise ValueError(f"edges go in a circle: {[edge[:2] for edge in self.edges]}")
            order += free
        return order


def _malus(values: np.ndarray) -> np.ndarray:
    """The share of polarized light that passes the second polarizer."""
    return np.cos(np.deg2rad(values[:, 3] - values[:, 4])) ** 2


def _grid() -> tuple[np.ndarray, np.ndarray]:
    """Distance from the center and direction of each pixel."""
    y, x = np.meshgrid(_ORDER - 31.5, _ORDER - 31.5, indexing="ij")
    return np.sqrt(x * x + y * y), np.rad2deg(np.arctan2(-y, x))


def _between(low: float, high: float) -> np.ndarray:
    """How much of each pixel lies between two circles, with soft edges one pixel wide."""
    radius = _grid()[0]
    inside = np.clip(radius - low + 0.5, 0, 1) * np.clip(high - radius + 0.5, 0, 1)
    return inside.astype(np.float32)


_DISC = _between(-9, 19)
_INNER = _between(20, 24)
_OUTER = _between(25.5, 29.5)
_BRASS = np.array([0.95, 0.75, 0.35], np.float32)[:, None, None]
_STEEL = np.array([0.75, 0.85, 1.0], np.float32)[:, None, None]
_DIRECTION = _grid()[1]
_WIDTH = 9.0  # degrees to either side of a mark


def _mark(angles: np.ndarray) -> np.ndarray:
    """A bright mark at an angle and opposite of it, since a polarizer looks the same turned."""
    away = np.abs((_DIRECTION - angles[:, None, None] + 90) % 180 - 90)
    return np.clip((_WIDTH - away) / 3 + 0.5, 0, 1).astype(np.float32)
