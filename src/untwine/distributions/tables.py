"""Heads for tables: categories, ranks, heavy tails, and columns of several kinds."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any, Literal, Self

import torch
import torch.distributions as td
from torch import Tensor, nn
from torch.distributions import Distribution, constraints
from torch.nn.functional import logsigmoid

from ..checks import check_size
from .likelihoods import Likelihood

__all__ = ["Categorical", "ColumnLevels", "Columns", "Mixed", "Ordinal", "StudentT"]


class StudentT(Likelihood):
    r"""Real values with heavy tails, so that outliers do not pull.

    .. math::
        p(x|z) = \prod_i \frac{\Gamma(\frac{\nu + 1}{2})}{\Gamma(\frac{\nu}{2}) \sqrt{\nu \pi} s}
        \Big( 1 + \frac{(x_i - \mu_i)^2}{\nu s^2} \Big)^{-\frac{\nu + 1}{2}}

    Args:
        df: :math:`\nu`, a number above 1, so that there is a mean; or ``"learned"``, one for all
            elements, above 2 and 4 at first.
        scale: :math:`s`, a positive number; or ``"learned"``, one for all elements.

    Raises:
        ValueError: for numbers out of range, or an unknown word.
    """

    def __init__(
        self, df: float | Literal["learned"] = 4.0, scale: float | Literal["learned"] = 1.0
    ) -> None:
        super().__init__()
        for name, value, least in (("df", df, 1), ("scale", scale, 0)):
            if value != "learned" and (isinstance(value, str) or not least < value < math.inf):
                raise ValueError(
                    f"{name} is {value!r}; expected a number above {least} or 'learned'"
                )
        self.df, self.scale = df, scale
        self.log_df = nn.Parameter(torch.tensor(2.0).log()) if df == "learned" else None
        self.log_scale = nn.Parameter(torch.zeros(())) if scale == "learned" else None

    def forward(self, h: Tensor, c: Tensor | None = None) -> td.Independent:
        """Locations to observations."""
        df: Any = self.df if self.log_df is None else 2 + self.log_df.exp()
        scale: Any = self.scale if self.log_scale is None else self.log_scale.exp()
        base = td.StudentT(df, h, scale, validate_args=False)
        return td.Independent(base, len(base.batch_shape) - 1, validate_args=False)


class ColumnLevels(Distribution):
    """Independent columns, each of which takes one of a few levels 0, 1, 2, ...

    Args:
        log_probs: Of the levels, one tensor per column.
        expected: Whether ``.mean`` is the expected level; otherwise it is the likeliest one.

    Shape:
        log_probs ``F`` times ``(B, levels)``. Batch shape ``(B,)``, event shape ``(F,)``.
    """

    arg_constraints: dict[str, constraints.Constraint] = {}
    has_rsample = False

    def __init__(self, log_probs: Sequence[Tensor], expected: bool) -> None:
        self.log_probs, self.expected = tuple(log_probs), expected
        super().__init__(
            self.log_probs[0].shape[:-1], torch.Size([len(self.log_probs)]), validate_args=False
        )

    @property
    def probs(self) -> tuple[Tensor, ...]:
        """Probabilities of the levels, ``(B, levels)`` for each column."""
        return tuple(log_p.exp() for log_p in self.log_probs)

    @property
    def mean(self) -> Tensor:
        """Of each column, the expected level of ranks, the likeliest level of categories."""
        if not self.expected:
            return torch.stack([p.argmax(-1) for p in self.log_probs], -1).to(self.log_probs[0])
        return torch.stack([p @ torch.arange(p.shape[-1]).to(p) for p in self.probs], -1)

    def log_prob(self, value: Tensor) -> Tensor:
        """Summed over columns, in nats; a negative value is unknown and adds nothing."""
        total = torch.zeros_like(value[..., 0])
        for j, log_p in enumerate(self.log_probs):
            level = value[..., j]
            known = level >= 0
            index = torch.where(known, level, 0).long().unsqueeze(-1)
            shape = (*index.shape[:-1], log_p.shape[-1])
            found = log_p.expand(shape).gather(-1, index).squeeze(-1)
            total = total + torch.where(known, found, torch.zeros_like(found))
        return total

    @torch.no_grad()
    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Levels, as numbers of the parameters' floating type."""
        size = torch.Size(sample_shape)
        drawn = [td.Categorical(p, validate_args=False).sample(size) for p in self.probs]
        return torch.stack(drawn, -1).to(self.log_probs[0])


class Levels(Likelihood):
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
                f"{type(self).__name__} has {len(levels)} columns but observations have shape "
                f"{tuple(shape)}"
            )
        return tuple(shape)

    def adapted(self, data: Any, covariates: int = 0) -> Self:
        """A copy; every observed level must be one of those there are.

        Raises:
            ValueError: for a level that is no whole number, or too large.
        """
        self.features(data.shape)
        x = data.observations(
            torch.arange(min(len(data), 2000)) * len(data) // min(len(data), 2000)
        )
        most = torch.tensor(self._levels(data.shape[0]))
        wrong = (x != x.round()) | (x >= most)
        if wrong.any():
            row, column = wrong.nonzero()[0].tolist()
            raise ValueError(
                f"column {column} holds {x[row, column].item():g}; expected 0 to "
                f"{int(most[column]) - 1}, or a negative number where unknown"
            )
        return copy.deepcopy(self)


class Categorical(Levels):
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


class Ordinal(Levels):
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
        other = super().adapted(data, covariates)
        each = other._levels(data.shape[0])
        other.cuts = nn.ParameterList(nn.Parameter(_even_cuts(number)) for number in each)
        return other

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


class Columns(Distribution):
    """Independent groups of columns of one table, each with a distribution of its own.

    Args:
        parts: The distributions of the groups.
        columns: The columns of each group, ``(columns,)`` integers.

    Shape:
        Batch shape ``(B,)``, event shape ``(F,)``.
    """

    arg_constraints: dict[str, constraints.Constraint] = {}
    has_rsample = False

    def __init__(self, parts: Sequence[Distribution], columns: Sequence[Tensor]) -> None:
        self.parts, self.columns = tuple(parts), tuple(columns)
        width = sum(len(column) for column in self.columns)
        super().__init__(self.parts[0].batch_shape, torch.Size([width]), validate_args=False)

    def _joined(self, values: Sequence[Tensor]) -> Tensor:
        joined = torch.empty_like(torch.cat(list(values), -1))
        for value, column in zip(values, self.columns, strict=True):
            joined = joined.index_copy(-1, column, value.to(joined.dtype))
        return joined

    @property
    def mean(self) -> Tensor:
        """The means of all columns, in the table's order."""
        return self._joined([part.mean for part in self.parts])

    def log_prob(self, value: Tensor) -> Tensor:
        """Summed over columns, in nats."""
        logs = [
            part.log_prob(value.index_select(-1, column))
            for part, column in zip(self.parts, self.columns, strict=True)
        ]
        return torch.stack(logs).sum(0)

    @torch.no_grad()
    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Rows of the table."""
        size = torch.Size(sample_shape)
        return self._joined([part.sample(size) for part in self.parts])


class Mixed(Likelihood):
    r"""A table whose columns are of several kinds: :math:`\log p(x|z) = \sum_g \log p_g(x_g|z)`.

    Args:
        parts: The likelihoods.
        columns: The columns of the table that each of them explains.

    Raises:
        ValueError: if a column has no likelihood or two.

    Example:
        >>> from untwine.data import FactorDataset
        >>> table = torch.tensor([[0.3, 1.0, 2.0], [-1.2, 0.0, 0.0]])
        >>> kinds = Mixed([StudentT(), Categorical([2]), Ordinal([3])], [[0], [1], [2]])
        >>> p = kinds.adapted(FactorDataset.from_arrays(table))(torch.zeros(2, 4))
        >>> p.log_prob(table).shape, p.mean.shape
        (torch.Size([2]), torch.Size([2, 3]))
    """

    def __init__(self, parts: Sequence[Likelihood], columns: Sequence[Sequence[int]]) -> None:
        super().__init__()
        if not all(len(group) for group in columns):
            raise ValueError(f"a group of columns is empty: {[list(group) for group in columns]}")
        if len(parts) != len(columns) or not parts:
            raise ValueError(
                f"there are {len(parts)} likelihoods but {len(columns)} groups of columns"
            )
        every = sorted(j for group in columns for j in group)
        if every != list(range(len(every))):
            raise ValueError(
                f"the columns are {every}; expected every column from 0 once, in some group"
            )
        self.parts = nn.ModuleList(parts)
        self.takes_covariates = any(part.takes_covariates for part in parts)
        for i, group in enumerate(columns):
            self.register_buffer(f"columns{i}", torch.tensor(list(group)), persistent=False)

    @property
    def columns(self) -> list[Tensor]:
        """The columns of each part."""
        return [getattr(self, f"columns{i}") for i in range(len(self.parts))]

    def features(self, shape: Sequence[int]) -> tuple[int, ...]:
        """What all parts take together, one after another."""
        groups = self.columns
        width = sum(len(group) for group in groups)
        if tuple(shape) != (width,):
            raise ValueError(
                f"Mixed has likelihoods for {width} columns but observations have shape "
                f"{tuple(shape)}"
            )
        return (sum(self._sizes()),)

    def _sizes(self) -> list[int]:
        return [
            math.prod(part.features((len(group),)))  # type: ignore[operator]
            for part, group in zip(self.parts, self.columns, strict=True)
        ]

    def adapted(self, data: Any, covariates: int = 0) -> Self:
        """A copy whose parts are fitted to their columns."""
        self.features(data.shape)
        other = copy.deepcopy(self)
        other.parts = nn.ModuleList(
            part.adapted(_Part(data, group), covariates)  # type: ignore[operator]
            for part, group in zip(self.parts, self.columns, strict=True)
        )
        return other

    def forward(self, h: Tensor, c: Tensor | None = None) -> Columns:
        """What the parts take, one after another, to rows of the table."""
        inputs = h.split(self._sizes(), -1)
        return Columns(
            [
                part(part_h, c) if part.takes_covariates else part(part_h)
                for part, part_h in zip(self.parts, inputs, strict=True)
            ],
            self.columns,
        )


class _Part:
    """Some columns of a data set, for a likelihood that looks at data."""

    def __init__(self, data: Any, columns: Tensor) -> None:
        self.data, self.columns, self.shape = data, columns, (len(columns),)

    def __len__(self) -> int:
        return len(self.data)

    def observations(self, index: Tensor) -> Tensor:
        return self.data.observations(index)[:, self.columns]
