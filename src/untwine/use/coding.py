"""Codes of observations and images of codes, with the classes that a decoder takes beside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Distribution

from ..data import Batch, Data
from ..distributions import Angles, Blocks, OneHot
from ..encoding import batch_of, carried, evaluating, placement
from ..methods import Classifies, Decodes, Method
from ..methods.abilities import Represents

__all__ = ["CodePart", "Coder", "check_coder", "parts_of"]

_ROWS = 256


@dataclass(frozen=True)
class CodePart:
    """A named part of a code.

    Attributes:
        name: As the method calls it; ``"class"`` for what the decoder takes beside the code.
        columns: Of the code.
        kind: ``"values"``; ``"classes"``, a one-hot vector; ``"angles"``, cosine and sine in turn.
    """

    name: str
    columns: tuple[int, ...]
    kind: Literal["values", "classes", "angles"]


class Coder:
    """Codes and images of a method.

    Where the decoder takes a class beside the code (`M2`), the likeliest one is part of the code
    here, one-hot at its end.

    Args:
        method: With ``represent`` and ``decode``.

    Raises:
        TypeError: for a method without one of them.
    """

    def __init__(self, method: Any) -> None:
        check_coder(method)
        self.method: Any = method
        self.classes: int | None = None
        if isinstance(method, Method) and isinstance(method, Classifies):
            self.classes = method.classes_beside_code
        self.parts: tuple[CodePart, ...] = ()

    @torch.no_grad()
    def encode(self, x: Batch | Tensor) -> tuple[Tensor, Tensor | None]:
        """Codes ``(B, D)`` of observations, and their covariates."""
        device, dtype = placement(self.method)
        batch = Batch.of(x).to(device, dtype=dtype)
        with evaluating(self.method):
            q = self.method.represent(carried(batch))
            z = q.mean
            parts = parts_of(q)
            if self.classes is not None:
                y = self.method.classify(carried(batch)).probs.argmax(-1)
                columns = tuple(range(z.shape[1], z.shape[1] + self.classes))
                z = torch.cat([z, torch.nn.functional.one_hot(y, self.classes).to(z)], 1)
                parts = (*parts, CodePart("class", columns, "classes"))
        if z.ndim != 2:
            raise ValueError(f"codes have shape {tuple(z.shape)}; expected vectors, (B, D)")
        self.parts = parts
        return z, batch.c

    def encode_rows(self, data: Data, rows: np.ndarray) -> tuple[Tensor, Tensor | None]:
        """Codes of rows of a data set."""
        pairs = [
            self.encode(batch_of(self.method, data, rows[start : start + _ROWS]))
            for start in range(0, len(rows), _ROWS)
        ]
        z = torch.cat([one for one, _ in pairs])
        covariates = [c for _, c in pairs if c is not None]
        return z, torch.cat(covariates) if covariates else None

    @torch.no_grad()
    def decode(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """Means of p(x|z) of codes, ``(B, ...)``."""
        images = []
        with evaluating(self.method):
            for start in range(0, len(z), _ROWS):
                code = z[start : start + _ROWS]
                beside = {} if c is None else {"c": c[start : start + _ROWS]}
                if self.classes is not None:
                    beside["y"] = code[:, -self.classes :].argmax(-1)
                    code = code[:, : -self.classes]
                image = self.method.decode(code, **beside).mean
                if not isinstance(image, Tensor):
                    raise ValueError(
                        "observations are of several modalities, of which no one image is made"
                    )
                images.append(image.float().cpu())
        return torch.cat(images)

    def valid(self, z: Tensor) -> Tensor:
        """Codes with probabilities and points of circles where those must be."""
        z = z.clone()
        for part in self.parts:
            columns = list(part.columns)
            if part.kind == "classes":
                share = z[:, columns].clamp(min=0)
                total = share.sum(1, keepdim=True)
                z[:, columns] = torch.where(total > 0, share / total.clamp(min=1e-12), share)
            elif part.kind == "angles":
                pairs = z[:, columns].unflatten(1, (-1, 2))
                z[:, columns] = torch.nn.functional.normalize(pairs, dim=-1).flatten(1)
        return z


def check_coder(method: Any) -> None:
    """Refuses what does not give observations codes and codes observations.

    Raises:
        TypeError: naming what is missing.
    """
    if isinstance(method, type) or not isinstance(method, Represents):
        raise TypeError(f"method is {method!r:.60}; expected an object with represent(x)")
    if not isinstance(method, Decodes):
        raise TypeError(
            f"{type(method).__name__} has no decode(z): codes cannot be turned into observations"
        )


def parts_of(q: Distribution) -> tuple[CodePart, ...]:
    """The named parts of a code, none where it has no names."""
    if not isinstance(q, Blocks):
        return ()
    parts = []
    for name, part in q.parts.items():
        kind: Literal["values", "classes", "angles"] = "values"
        if isinstance(part, OneHot):
            kind = "classes"
        elif isinstance(part, Angles):
            kind = "angles"
        columns = tuple(range(q.slices[name].start, q.slices[name].stop))
        parts.append(CodePart(name, columns, kind))
    return tuple(parts)
