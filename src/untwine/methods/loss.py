"""Named, weighted terms of a loss."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

__all__ = ["Loss", "Terms"]

Weight = float | Tensor
Terms = Mapping[str, Tensor | tuple[Weight, Tensor]]
"""What a `Loss` is made of: by name, a tensor, or a pair ``(weight, tensor)``."""


class Loss(Mapping[str, "Tensor | tuple[Weight, Tensor]"]):
    r"""Named, weighted terms: :math:`\mathcal{L} = \sum_i w_i \, \overline{\ell_i}`.

    A loss is a value. Losses are added, scaled and renamed, example by example, and averaged over
    the batch last: by `terms` and `total`, and nowhere else.

    Args:
        **terms: Each a tensor, or a pair ``(weight, tensor)``. A term has one value per example,
            ``(B,)``, or is a scalar, a number of the whole batch.

    Raises:
        TypeError: if a term is no tensor.
        ValueError: if a term has more than one axis: averaging it would divide it by the number of
            features.

    Example:
        >>> loss = Loss(nll=torch.tensor([1.0, 3.0]), kl=(4.0, torch.tensor([0.5, 0.5])))
        >>> loss.total.item(), loss.terms["nll"].item()
        (4.0, 2.0)
        >>> (Loss(nll=torch.ones(2)) + {"kl": (2.0, torch.ones(2))}).per_example()
        tensor([3., 3.])
        >>> (loss * 0.5).suffix("_style")
        1 nll_style=1 + 4 kl_style=0.25
    """

    def __init__(self, **terms: Tensor | tuple[Weight, Tensor]) -> None:
        self._terms = terms
        self._weighted: dict[str, tuple[Weight, Tensor]] = {}
        self._means: dict[str, Tensor] | None = None
        for name, term in terms.items():
            weight, value = term if isinstance(term, tuple) else (1.0, term)
            if not isinstance(value, Tensor):
                raise TypeError(f"term {name!r} is a {type(value).__name__}; expected a Tensor")
            if value.ndim > 1:
                raise ValueError(
                    f"term {name!r} has shape {tuple(value.shape)}; expected one value for each "
                    "example, (B,), or a scalar: sum over an example's features first, as a "
                    "distribution does whose features are Independent(..., n)"
                )
            self._weighted[name] = weight, value

    @property
    def weights(self) -> dict[str, Weight]:
        """The terms' weights."""
        return {name: weight for name, (weight, _) in self._weighted.items()}

    @property
    def terms(self) -> dict[str, Tensor]:
        """The terms without their weights, each averaged over the batch."""
        if self._means is None:
            self._means = {name: value.mean() for name, (_, value) in self._weighted.items()}
        return self._means

    @property
    def total(self) -> Tensor:
        """The weighted sum, a scalar that gradients flow from."""
        return torch.stack(
            [_weighed(w, self.terms[name]) for name, w in self.weights.items()]
        ).sum()

    def per_example(self) -> Tensor:
        """The weighted sum before it is averaged, ``(B,)``, of terms of equal length."""
        values = [_weighed(weight, value) for weight, value in self._weighted.values()]
        total = values[0]
        for value in values[1:]:
            total = total + value
        return total

    def suffix(self, ending: str) -> Loss:
        """The same terms under names that end in ``ending``."""
        return Loss(**{f"{name}{ending}": term for name, term in self._terms.items()})

    def __add__(self, other: Terms) -> Loss:
        """The terms of both.

        Raises:
            ValueError: if both have a term of one name.
        """
        for name in other:
            if name in self._terms:
                raise ValueError(
                    f"both losses have a term {name!r}: rename those of one, as in "
                    f"loss.suffix('_2'), since terms are logged and weighted by name"
                )
        return Loss(**self._terms, **other)

    def __radd__(self, other: Terms) -> Loss:
        return Loss(**other) + self

    def __mul__(self, scale: Weight) -> Loss:
        """Every term times a number, or times a value for each example, ``(B,)``.

        A value for each example leaves scalar terms, which belong to no example, as they are.
        """
        single = not isinstance(scale, Tensor) or scale.ndim == 0
        return Loss(
            **{
                name: (weight, value * scale if single or value.ndim else value)
                for name, (weight, value) in self._weighted.items()
            }
        )

    __rmul__ = __mul__

    def __getitem__(self, name: str) -> Tensor | tuple[Weight, Tensor]:
        """A term as it was given, ``(B,)`` or a scalar, with its weight if it was given one."""
        return self._terms[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._terms)

    def __len__(self) -> int:
        return len(self._terms)

    def __repr__(self) -> str:
        return " + ".join(
            f"{float(self.weights[n]):g} {n}={float(t.detach()):.4g}" for n, t in self.terms.items()
        )


def _weighed(weight: Weight, value: Tensor) -> Tensor:
    """A value times its weight; nothing is launched for a weight of one."""
    return value if isinstance(weight, float | int) and weight == 1 else weight * value
