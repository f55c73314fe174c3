"""Likelihoods of categories and ranks in the columns of a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from ...checks import check_size
from ..columns import ColumnLevels
from .base import Likelihood, observations_of

__all__ = ["Categorical", "LevelsLikelihood", "Ordinal"]


class LevelsLikelihood(Likelihood):
    """Columns of levels; what `Categorical` and `Ordinal` have in common.

    Args:
        levels: How many levels each column has; one number for all columns.

    Raises:
        ValueError: for fewer than two levels.
    """

    def __init__(self, levels: int | Sequence[int]) -> None:
        super().__init__()
        self.levels = levels
        for number in self._levels(1 if isinstance(levels, int) else len(levels)):
            if number < 2:
                raise ValueError(f"a column has {number} levels; expected at least 2")
            check_size("a number of levels", number)
        if not isinstance(levels, int) and not levels:
            raise ValueError("levels is empty; expected a number of levels for each column")

    def _levels(self, columns: int) -> list[int]:
        if isinstance(self.levels, int):
            return [self.levels] * columns
        return list(self.levels)

    def features(self, shape: Sequence[int]) -> tuple[int, ...]:
        """One number per column, here; see the families."""
        levels = self._levels(shape[0])
        if len(shape) != 1 or len(levels) != shape[0]:
            raise ValueError(
                f"observations have shape {tuple(shape)}, but the likelihood, "
                f"{type(self).__name__}, has {len(levels)} columns"
            )
        return tuple(shape)

    def adapted(self, data: Any, covariates: int = 0) -> Self:
        """A copy; every observed level must be one of those there are.

        Raises:
            ValueError: for a level that is no whole number, or too large.
        """
        self.features(data.shape)
        head = super().adapted(data, covariates)
        head.check(observations_of(data))
        return head

    def problem(self, x: Tensor) -> str | None:
        """Values are numbers of levels, or negative."""
        most = torch.tensor(self._levels(x.shape[-1]), device=x.device)
        wrong = (x != x.round()) | (x >= most)
        if not wrong.any():
            return None
        row, column = wrong.reshape(-1, x.shape[-1]).nonzero()[0].tolist()
        value = x.reshape(-1, x.shape[-1])[row, column].item()
        return (
            f"holds {value:g} in column {column}, but {type(self).__name__} takes 0 to "
            f"{int(most[column]) - 1} there, or a negative number where unknown"
        )


class Categorical(LevelsLikelihood):
    r"""Columns of categories: :math:`p(x_j = k | z) = \mathrm{softmax}(h_j)_k`.

    An observation holds the number of its category in each column. A negative one is unknown and
    adds nothing to the log likelihood. ``.mean`` is the likeliest category.

    Args:
        levels: How many categories each column has; one number for all columns.

    Example:
        >>> p = Categorical([2, 3])(torch.zeros(1, 5))
        >>> round(p.log_prob(torch.tensor([[1.0, 2.0]])).exp().item(), 4)
        0.1667
    """

    def features(self, shape: Sequence[int]) -> tuple[int, ...]:
        """One logit per category and column."""
        super().features(shape)
        return (sum(self._levels(shape[0])),)

    def forward(self, h: Tensor, c: Tensor | None = None) -> ColumnLevels:
        """Logits, column after column, to categories."""
        columns = h.shape[-1] // self.levels if isinstance(self.levels, int) else len(self.levels)
        parts = h.split(self._levels(columns), -1)
        return ColumnLevels([part.log_softmax(-1) for part in parts], expected=False)


class Ordinal(LevelsLikelihood):
    r"""Columns of ranks, by the cumulative logit model.

    .. math::
        p(x_j \le k | z) = \sigma(c_{jk} - \eta_j(z)), \qquad c_{j0} < c_{j1} < \dots

    The cut points :math:`c` are trained and ordered by construction. A negative observation is
    unknown and adds nothing. ``.mean`` is the expected rank.

    Args:
        levels: How many ranks each column has; one number for all columns.

    References:
        McCullagh, "Regression Models for Ordinal Data", 1980,
        https://doi.org/10.1111/j.2517-6161.1980.tb01109.x, equation 1.2.

    Example:
        >>> p = Ordinal([3])(torch.zeros(1, 1))
        >>> [round(v, 4) for v in p.probs[0][0].tolist()]
        [0.3333, 0.3333, 0.3333]
    """

    def __init__(self, levels: int | Sequence[int]) -> None:
        super().__init__(levels)
        each = [levels] if isinstance(levels, int) else levels
        self.cuts = nn.ParameterList(nn.Parameter(_even_cuts(number)) for number in each)

    def adapted(self, data: Any, covariates: int = 0) -> Self:
        """A copy with cut points for each column."""
        head = super().adapted(data, covariates)
        level_list = head._levels(data.shape[0])
        head.cuts = nn.ParameterList(nn.Parameter(_even_cuts(number)) for number in level_list)
        return head

    def cut_points(self, column: int) -> Tensor:
        """The cut points of a column, ``(levels - 1,)``, in order."""
        first, steps = self.cuts[column][:1], self.cuts[column][1:]
        return torch.cat([first, first + steps.exp().cumsum(0)])

    def forward(self, h: Tensor, c: Tensor | None = None) -> ColumnLevels:
        """Locations of the columns to ranks."""
        if len(self.cuts) != h.shape[-1]:
            raise ValueError(
                f"there are cut points for {len(self.cuts)} columns but {h.shape[-1]} locations: "
                "use Ordinal(...).adapted(data), as Method.build does"
            )
        log_probs = []
        for j in range(h.shape[-1]):
            above = self.cut_points(j) - h[..., j : j + 1]
            # sigma(a) - sigma(b) = sigma(a) sigma(-b) (1 - exp(b - a)), without any cancellation
            gaps = torch.log(-torch.expm1(-self.cuts[j][1:].exp()))
            middle = logsigmoid(above[..., 1:]) + logsigmoid(-above[..., :-1]) + gaps
            log_probs.append(
                torch.cat([logsigmoid(above[..., :1]), middle, logsigmoid(-above[..., -1:])], -1)
            )
        return ColumnLevels(log_probs, expected=True)


def _even_cuts(levels: int) -> Tensor:
    """Parameters of cut points that make all levels alike likely at location 0."""
    cuts = torch.logit(torch.arange(1, levels) / levels)
    return torch.cat([cuts[:1], cuts.diff().log()])
