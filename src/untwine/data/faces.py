"""Drawn faces: a crossed grid of ten factors with complete labels, composed of layers."""

from __future__ import annotations

from functools import cache, cached_property

import numpy as np
import torch
from torch import Tensor

from .dataset import FactorDataset, Index, as_index
from .space import FactorSpace

__all__ = ["DrawnFaces"]

_FINE = 4  # samples along each side of a pixel
_SKIN = ((255, 224, 196), (240, 194, 152), (214, 160, 116), (166, 112, 74), (106, 68, 46))
_HAIR = ((38, 30, 30), (96, 58, 34), (158, 62, 28), (226, 182, 96), (172, 172, 178))
_GROUND = ((164, 206, 236), (246, 208, 150), (176, 220, 172), (224, 178, 204))
_SHIRT = (72, 98, 138)
_TILTS = (-11, 0, 11)
_WIDTHS = (0.40, 0.46, 0.52)


class DrawnFaces(FactorDataset):
    """Drawn faces (64 x 64, color): every combination of ten factors, 324,000 in all.

    Background, skin, hair color and style, width of the head, gaze, brows, mouth, glasses and tilt
    of the head. Each shape is drawn once, with sixteen samples a pixel; a face is composed of them
    when it is asked for.

    Deviations:
        Of own shapes; no person, photograph or other drawing stands behind them.

    Example:
        >>> data = DrawnFaces()
        >>> len(data), data.shape, data.values["mouth"]
        (324000, (3, 64, 64), ('frown', 'straight', 'smile', 'laugh'))
    """

    needs = "nothing"
    shape = (3, 64, 64)
    space = FactorSpace(
        (
            "background",
            "skin",
            "hair_color",
            "hair_style",
            "width",
            "gaze",
            "brows",
            "mouth",
            "glasses",
            "tilt",
        ),
        (4, 5, 5, 5, 3, 3, 3, 4, 2, 3),
        (
            "nominal",
            "ordinal",
            "nominal",
            "nominal",
            "ordinal",
            "ordinal",
            "ordinal",
            "ordinal",
            "nominal",
            "ordinal",
        ),
    )
    values = {
        "background": ("sky", "sand", "meadow", "rose"),
        "hair_color": ("black", "brown", "red", "blond", "grey"),
        "hair_style": ("bald", "short", "fringe", "long", "curly"),
        "gaze": ("left", "ahead", "right"),
        "brows": ("worried", "level", "angry"),
        "mouth": ("frown", "straight", "smile", "laugh"),
        "glasses": ("without", "with"),
        "tilt": ("left", "upright", "right"),
    }

    def __len__(self) -> int:
        return len(self.space)

    @cached_property
    def factors(self) -> np.ndarray:
        """The factors of every face, ``(324000, 10)`` of int64."""
        return self.space.factors(np.arange(len(self.space)))

    def observations(self, index: Index, draw: int = 0) -> Tensor:
        f = self.space.factors(as_index(index, len(self)))
        ground, skin_color, hair_color, style, width, gaze, brows, mouth, glasses, tilt = f.T
        masks = _masks()
        skin = np.array(_SKIN, np.float32)[skin_color]
        hair = np.array(_HAIR, np.float32)[hair_color]
        x = np.empty((len(f), 3, 64, 64), np.float32)
        x[:] = np.array(_GROUND, np.float32)[ground][:, :, None, None]

        def paint(mask: np.ndarray, color: np.ndarray | tuple[int, int, int]) -> None:
            shade = np.broadcast_to(np.asarray(color, np.float32), (len(f), 3))
            nonlocal x
            x += mask[:, None] * (shade[:, :, None, None] - x)

        paint(masks["hair behind"][style, width, tilt], hair * 0.8)
        paint(np.broadcast_to(masks["shirt"], (len(f), 64, 64)), _SHIRT)
        paint(masks["neck"][tilt], skin * 0.86)
        paint(masks["ears"][width, tilt], skin * 0.9)
        paint(masks["head"][width, tilt], skin)
        paint(0.28 * masks["cheeks"][width, tilt], (232, 92, 92))
        paint(masks["white"][tilt], (250, 250, 250))
        paint(masks["iris"][gaze, tilt], (64, 92, 110))
        paint(masks["pupil"][gaze, tilt], (16, 16, 20))
        paint(masks["lid"][tilt], skin * 0.45)
        paint(masks["nose"][tilt], skin * 0.72)
        paint(masks["lips"][mouth, tilt], (150, 44, 54))
        paint(masks["teeth"][mouth, tilt], (250, 248, 244))
        paint(masks["brows"][brows, tilt], hair * 0.6)
        paint(masks["hair"][style, width, tilt], hair)
        paint(masks["glasses"][glasses, tilt], (34, 34, 44))
        return torch.from_numpy(x.clip(0, 255) / np.float32(255))


@cache
def _masks() -> dict[str, np.ndarray]:
    """How much of each pixel each shape covers, by the factors that move it, float32 in [0, 1]."""
    shapes = [_Shapes(tilt) for tilt in _TILTS]

    def each(*axes: int, draw: str) -> np.ndarray:
        drawn = [
            [getattr(shape, draw)(*np.unravel_index(i, axes)) for shape in shapes]
            for i in range(int(np.prod(axes)))
        ]
        return np.array(drawn, np.float32).reshape(*axes, len(_TILTS), 64, 64)

    return {
        "shirt": shapes[1].shirt(),
        "neck": each(1, draw="neck")[0],
        "ears": each(3, draw="ears"),
        "head": each(3, draw="head"),
        "cheeks": each(3, draw="cheeks"),
        "white": each(1, draw="white")[0],
        "iris": each(3, draw="iris"),
        "pupil": each(3, draw="pupil"),
        "lid": each(1, draw="lid")[0],
        "nose": each(1, draw="nose")[0],
        "lips": each(4, draw="lips"),
        "teeth": each(4, draw="teeth"),
        "brows": each(3, draw="brows"),
        "glasses": each(2, draw="glasses"),
        "hair": each(5, 3, draw="hair"),
        "hair behind": each(5, 3, draw="hair_behind"),
    }


class _Shapes:
    """The shapes of a head that is tilted by some degrees, on a grid from -1 to 1, y downwards."""

    def __init__(self, tilt: float) -> None:
        place = (np.arange(64 * _FINE) + 0.5) / (32 * _FINE) - 1
        self.page_y, self.page_x = np.meshgrid(place, place, indexing="ij")
        angle = np.deg2rad(tilt)
        x, y = self.page_x, self.page_y - 0.7  # the neck's end, around which it tilts
        self.x = np.cos(angle) * x + np.sin(angle) * y
        self.y = np.cos(angle) * y - np.sin(angle) * x + 0.7

    def _cover(self, inside: np.ndarray) -> np.ndarray:
        return inside.reshape(64, _FINE, 64, _FINE).mean(axis=(1, 3))

    def _ellipse(self, x: float, y: float, across: float, down: float) -> np.ndarray:
        return ((self.x - x) / across) ** 2 + ((self.y - y) / down) ** 2 < 1

    def _both(self, x: float, y: float, across: float, down: float) -> np.ndarray:
        return self._ellipse(-x, y, across, down) | self._ellipse(x, y, across, down)

    def _face(self, width: int, grow: float = 0.0) -> np.ndarray:
        """A head, narrower at the chin, perhaps a little larger."""
        across = _WIDTHS[width] + grow
        lower = np.clip(self.y - 0.05, 0, None)
        return (np.abs(self.x) / (across * (1 - 0.28 * lower))) ** 2.3 + (
            np.abs(self.y - 0.02) / (0.60 + grow)
        ) ** 2.3 < 1

    def shirt(self) -> np.ndarray:
        x, y = self.page_x, self.page_y
        return self._cover((x / 0.78) ** 2 + ((y - 1.12) / 0.40) ** 2 < 1).astype(np.float32)

    def neck(self, _: int) -> np.ndarray:
        return self._cover((np.abs(self.x) < 0.17) & (self.y > 0.3) & (self.y < 0.84))

    def ears(self, width: int) -> np.ndarray:
        return self._cover(self._both(_WIDTHS[width] - 0.01, 0.06, 0.085, 0.13))

    def head(self, width: int) -> np.ndarray:
        return self._cover(self._face(width))

    def cheeks(self, width: int) -> np.ndarray:
        return self._cover(self._both(_WIDTHS[width] - 0.16, 0.20, 0.10, 0.07))

    def white(self, _: int) -> np.ndarray:
        return self._cover(self._both(0.19, -0.02, 0.105, 0.075))

    def _gazing(self, gaze: int, radius: float) -> np.ndarray:
        shift = 0.05 * (gaze - 1)
        inside = self._ellipse(-0.19 + shift, -0.02, radius, radius)
        inside |= self._ellipse(0.19 + shift, -0.02, radius, radius)
        return self._cover(inside & self._both(0.19, -0.02, 0.105, 0.075))

    def iris(self, gaze: int) -> np.ndarray:
        return self._gazing(gaze, 0.062)

    def pupil(self, gaze: int) -> np.ndarray:
        return self._gazing(gaze, 0.032)

    def lid(self, _: int) -> np.ndarray:
        outer, inner = self._both(0.19, -0.02, 0.125, 0.098), self._both(0.19, -0.005, 0.115, 0.085)
        return self._cover(outer & ~inner & (self.y < -0.01))

    def nose(self, _: int) -> np.ndarray:
        bridge = self._stroke(0.0, 0.05, 0.035, 0.16, 0.016)
        tip = self._ellipse(0.0, 0.175, 0.07, 0.035) & (self.y > 0.175)
        return self._cover(bridge | tip)

    def _stroke(self, x0: float, y0: float, x1: float, y1: float, radius: float) -> np.ndarray:
        """All that is nearer to a line than a radius."""
        dx, dy = x1 - x0, y1 - y0
        along = ((self.x - x0) * dx + (self.y - y0) * dy) / (dx * dx + dy * dy)
        along = np.clip(along, 0, 1)
        away = (self.x - x0 - along * dx) ** 2 + (self.y - y0 - along * dy) ** 2
        return away < radius**2

    def lips(self, mouth: int) -> np.ndarray:
        if mouth == 3:
            return self._cover(self._laughing())
        bend = (0.9, 0.0, -1.0)[mouth]
        middle = 0.345 + bend * (self.x**2 - 0.012)
        return self._cover((np.abs(self.y - middle) < 0.026) & (np.abs(self.x) < 0.185))

    def _laughing(self) -> np.ndarray:
        return self._ellipse(0, 0.295, 0.19, 0.155) & (self.y > 0.295)

    def teeth(self, mouth: int) -> np.ndarray:
        if mouth != 3:
            return np.zeros((64, 64))
        return self._cover(self._laughing() & (self.y < 0.345) & (np.abs(self.x) < 0.165))

    def brows(self, brows: int) -> np.ndarray:
        slope = 0.055 * (brows - 1)
        one_side = self._stroke(-0.30, -0.175 - slope, -0.10, -0.175 + slope, 0.030)
        return self._cover(
            one_side | self._stroke(0.10, -0.175 + slope, 0.30, -0.175 - slope, 0.030)
        )

    def glasses(self, glasses: int) -> np.ndarray:
        if not glasses:
            return np.zeros((64, 64))
        rims = np.zeros_like(self.x, np.bool_)
        for x in (-0.19, 0.19):
            rims |= self._ellipse(x, -0.01, 0.175, 0.150) & ~self._ellipse(x, -0.01, 0.142, 0.117)
        rims |= self._stroke(-0.035, -0.03, 0.035, -0.03, 0.017)
        rims |= self._stroke(-0.47, -0.05, -0.36, -0.03, 0.017)
        rims |= self._stroke(0.36, -0.03, 0.47, -0.05, 0.017)
        return self._cover(rims)

    def hair(self, style: int, width: int) -> np.ndarray:
        if style == 0:
            return np.zeros((64, 64))
        cap = self._face(width, 0.05)
        if style == 1:
            return self._cover(cap & (self.y < -0.30 + 0.35 * np.abs(self.x)))
        if style == 2:
            fringe = -0.24 + 0.04 * np.cos(22 * self.x) + 0.45 * np.abs(self.x) ** 2
            return self._cover(cap & (self.y < fringe))
        parting = -0.34 + 1.6 * np.abs(self.x - 0.08) ** 1.6
        sides = cap & (self.y < parting) & (self.y < 0.2)
        if style == 3:
            return self._cover(sides)
        return self._cover((cap & (self.y < -0.26 + 0.3 * np.abs(self.x))) | self._curls(width))

    def _curls(self, width: int) -> np.ndarray:
        curls = np.zeros_like(self.x, np.bool_)
        for angle in np.deg2rad(np.arange(-195, 16, 19)):
            x, y = _WIDTHS[width] * 1.06 * np.cos(angle), -0.14 + 0.46 * np.sin(angle)
            curls |= self._ellipse(x, y, 0.145, 0.145)
        return curls & ~(self._face(width, -0.09) & (self.y > -0.30))

    def hair_behind(self, style: int, width: int) -> np.ndarray:
        if style == 3:
            across = _WIDTHS[width] + 0.13
            top = (self.x / across) ** 2 + ((self.y + 0.05) / 0.63) ** 2 < 1
            fall = (np.abs(self.x) < across) & (self.y > -0.05) & (self.y < 0.72)
            return self._cover(top | fall)
        if style == 4:
            return self._cover(self._ellipse(0, -0.22, _WIDTHS[width] + 0.12, 0.5))
        return np.zeros((64, 64))
